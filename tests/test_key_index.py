"""Would a reader who looks up a key be led to the place that speaks of it?"""

from __future__ import annotations

from bs4 import BeautifulSoup

from helpers import claims, configs, key_index
from helpers.paths import ROOT

ENTRIES = key_index.entries()
TABLE = BeautifulSoup(key_index.index_table(ENTRIES), "html.parser")


def test_every_key_has_a_row_with_its_values():
    rows = {row["id"].removeprefix("index-"): row for row in TABLE.select("tbody tr")}
    assert rows.keys() == {row.key for row in configs.compare()}
    assert "16000" in rows["frontend_conf.fs"].text and "8000" in rows["frontend_conf.fs"].text


def test_every_claim_about_keys_is_listed_with_them():
    listed = {claim.id for entry in ENTRIES for claim in entry.claims}
    known = {row.key for row in configs.compare()}
    assert listed == {claim.id for claim in claims.load().values() if known & set(claim.keys)}


def test_every_key_is_taken_up_by_a_chapter_of_the_book():
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    for entry in ENTRIES:
        assert entry.chapters, entry.key
        for name in (*entry.chapters, key_index.COMPARISON, key_index.KNOBS, key_index.LEDGER):
            assert f"notebooks/{name}\n" in contents
