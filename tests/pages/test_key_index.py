"""Would a reader who looks up a key be led to the place that speaks of it?"""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup

from funasr_preflight import audit
from funasr_preflight.checking import all_rules
from helpers.config import configs
from helpers.knobs import record
from helpers.ledger import claims
from helpers.pages import key_index, rule_index
from helpers.paths import ROOT

ENTRIES = key_index.entries()
TABLE = BeautifulSoup(key_index.index_table(ENTRIES), "html.parser")


def test_every_key_has_a_row_with_its_values():
    rows = {row["id"].removeprefix("index-"): row for row in TABLE.select("tbody tr")}
    assert rows.keys() == {row.key for row in configs.compare()} | key_index.UNSET.keys()
    assert "16000" in rows["frontend_conf.fs"].text and "8000" in rows["frontend_conf.fs"].text


@pytest.mark.parametrize("key", key_index.UNSET)
def test_a_key_that_no_config_sets_is_there_with_what_it_does(key):
    """FunASR reads it; a reader who meets it in a launch looks it up here."""
    chapter, what = key_index.UNSET[key]
    assert key not in {row.key for row in configs.compare()}
    section, _, name = key.rpartition(".")
    recorded = json.loads(audit.FILE.read_text(encoding="utf-8"))["sections"][section]
    assert recorded[name]["place"].startswith("funasr/")
    text = (ROOT / "notebooks" / f"{chapter}.md").read_text(encoding="utf-8")
    assert name in text and len(what.split()) > 4
    row = TABLE.find(id=f"index-{key}")
    assert what in row.text and row.select_one(f"a[href='{chapter}.html']")


def test_every_claim_about_keys_is_listed_with_them():
    listed = {claim.id for entry in ENTRIES for claim in entry.claims}
    known = {row.key for row in configs.compare()}
    assert listed == {claim.id for claim in claims.load().values() if known & set(claim.keys)}


def test_every_key_leads_to_its_rules():
    """A reader of the index finds what pre-flight would say, and the rule's row leads back."""
    rules = BeautifulSoup(rule_index.rule_table(), "html.parser")
    anchors = {row["id"] for row in rules.select("tbody tr")}
    assert anchors == {f"rule-{name}" for name in all_rules()}
    for entry in ENTRIES:
        for name in entry.rules:
            row = rules.find(id=f"rule-{name}")
            assert row.select_one(f"a[href='key_index.html#index-{entry.key}']"), (entry.key, name)
    of = {entry.key: set(entry.rules) for entry in ENTRIES}
    assert {"run-frontend-rate", "data-downsampled"} <= of["frontend_conf.fs"]
    assert "schedule-warmup-unfinished" in of["scheduler_conf.warmup_steps"]
    silent = [entry.key for entry in ENTRIES if entry.verdict == record.NEVER_READ
              and not of[entry.key] & {"keys-never-read", "specaug-not-applied"}]
    assert not silent


def test_every_key_is_taken_up_by_a_chapter_of_the_book():
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    for entry in ENTRIES:
        assert entry.chapters, entry.key
        for name in (*entry.chapters, key_index.COMPARISON, key_index.KNOBS, key_index.LEDGER):
            assert f"notebooks/{name}\n" in contents
