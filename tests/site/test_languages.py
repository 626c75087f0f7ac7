"""Do the Chinese pages say as much as the English ones, with the same values and verdicts?"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from helpers.ledger import claims, translations
from helpers.pages.claim_table import claim_table, findings_table, tally_table
from helpers.paths import ROOT
from helpers.site import languages
from helpers.site.commands import translate

PAGES = sorted((ROOT / "book" / "zh").glob("*.md"))
CHINESE = re.compile("[\u4e00-\u9fff]")
LEDGER = BeautifulSoup(claim_table(translations.translated("zh"), language="zh",
                                   chapters="../../notebooks/"), "html.parser")




def test_the_chinese_ledger_has_the_rows_and_verdicts_of_the_english_one() -> None:
    english = BeautifulSoup(claim_table(claims.load().values()), "html.parser")
    rows, originals = LEDGER.select("tbody tr"), english.select("tbody tr")
    assert [(row["id"], row["data-verdict"]) for row in rows] == [
        (row["id"], row["data-verdict"]) for row in originals]
    for row, original in zip(rows, originals, strict=True):
        assert row.select("a")[0]["href"] == f"../../notebooks/{original.a['href']}"
        assert all(CHINESE.search(cell.text) for cell in row.find_all(["th", "td"])[:3]), row["id"]


def test_nothing_around_the_chinese_ledger_stays_english() -> None:
    words = [tag.text for tag in LEDGER.select("caption, thead th, label, button, option")]
    words += [LEDGER.form["aria-label"], LEDGER.select_one("[data-shown]")["data-shown"]]
    assert [word for word in words if not CHINESE.search(word)] == []


def test_the_tables_of_verdicts_and_findings_speak_chinese() -> None:
    ledger = claims.load().values()
    counted = BeautifulSoup(tally_table(ledger, "类别", "zh"), "html.parser")
    found = BeautifulSoup(findings_table(ledger, "事实", "zh", translations.findings("zh")),
                          "html.parser")
    assert len(found.select("tbody tr")) == len(claims.findings())
    for table in (counted, found):
        firsts = [row.td.text for row in table.select("tbody tr")]
        assert [text for text in [*firsts, *(head.text for head in table.find_all("th"))]
                if not CHINESE.search(text)] == []


def test_a_changed_finding_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    known = claims.findings()
    name = next(iter(known))
    known[name] = replace(known[name], text="Another fact.")
    monkeypatch.setattr(claims, "findings", lambda: known)
    assert f"the finding {name} is stale" in translations.faults("zh")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_chinese_page_shows_the_values_of_its_english_one(page: Path) -> None:
    english = (ROOT / "notebooks" / page.name).read_text(encoding="utf-8")
    wanted = re.findall(r"\{glue:text\}`(?:[\w.]+::)?(\w+)", english)
    given = re.findall(r"\{glue:text\}`\.\./\.\./notebooks/[\w.]+::(\w+):",
                       page.read_text(encoding="utf-8"))
    assert sorted(given) == sorted(wanted)


def test_a_changed_claim_is_stale_and_a_new_one_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = claims.load()
    changed, added = list(ledger)[:2]
    ledger[changed] = replace(ledger[changed], why="Another reason.")
    ledger["new-claim"] = replace(ledger[added], id="new-claim")
    monkeypatch.setattr(claims, "load", lambda: ledger)
    found = translations.faults("zh")
    assert any(changed in fault and "stale" in fault for fault in found)
    assert "new-claim is not translated" in found


def test_a_changed_paragraph_is_stale_and_a_changed_cell_is_not(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "# Title\n\nSome prose.\n\n```{code-cell}\nnumber = 1\n```\n\n## Part\n\nMore.\n"
    page.write_text(text, encoding="utf-8")
    before = translate.parts_of(page)
    page.write_text(text.replace("number = 1", "number = 2"), encoding="utf-8")
    assert translate.parts_of(page) == before
    page.write_text(text.replace("More.", "Less."), encoding="utf-8")
    after = translate.parts_of(page)
    assert [one for one in before if before[one] != after[one]] == ["Part"]


def test_a_message_that_is_no_literal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("text = say(f'{number} lines')\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="line 1"):
        translate.messages(tmp_path)


def test_only_pages_in_both_languages_get_a_switch() -> None:
    pages = {"notebooks/introduction", "book/zh/introduction", "notebooks/dataset", "book/glossary"}
    both = {"en": "notebooks/introduction", "zh": "book/zh/introduction"}
    assert languages.versions("notebooks/introduction", pages) == both
    assert languages.versions("book/zh/introduction", pages) == both
    assert languages.versions("notebooks/dataset", pages) == {}
    assert languages.versions("book/glossary", pages) == {}
