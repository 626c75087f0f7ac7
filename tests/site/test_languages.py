"""Do the Chinese pages say as much as the English ones, with the same values and verdicts?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document

from helpers.errors import BookError
from helpers.ledger import claims, translations
from helpers.pages.claim_table import claim_table, findings_table, tally_table
from helpers.paths import ROOT
from helpers.site import languages, stored
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
    found = BeautifulSoup(findings_table(ledger, "事实", "zh"), "html.parser")
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


def test_only_the_break_between_two_chinese_characters_goes() -> None:
    value = nodes.inline()  # empty until MyST-NB fills it in
    paragraph = nodes.paragraph("", "", nodes.Text("到"), nodes.Text("\n"), value,
                                nodes.Text("，从"), nodes.Text("\n"), nodes.Text("这里"))
    page = new_document("page")
    page += paragraph
    app = SimpleNamespace(env=SimpleNamespace(docname="book/zh/page"))
    languages.join_lines(app, page)
    assert [child.astext() for child in paragraph] == ["到", "\n", "", "，从", "这里"]


def test_words_are_replaced_whole_and_longer_ones_first() -> None:
    words = stored.Words({"LLM, calls": "LLM，通话", "gone": "没有"}, {"calls": "通话"})
    assert words.replaced("LLM, calls: 3 calls, small") == "LLM，通话: 3 通话, small"
    assert words.unused() == ["gone"]


def test_a_part_of_a_key_is_no_word() -> None:
    table = ("<table><tr><td>config_<wbr>8k_<wbr>telephone</td><td>telephone</td>"
             "<td><code>telephone</code></td></tr></table>")
    shown = BeautifulSoup(stored.translated("html", table, {}, "book/zh/page"), "html.parser")
    key, word, code = (cell.text for cell in shown.select("td"))
    assert (key, word, code) == ("config_8k_telephone", "电话", "telephone")


def test_a_word_that_an_output_does_not_have_is_refused() -> None:
    with pytest.raises(BookError, match="has no gone"):
        stored.translated("text", "there", {"words": "gone = 没有"}, "book/zh/page")


def cells_of(page: Path) -> Iterator[str]:
    """The results in a page's tables as they will be shown, code and marked English left out."""
    quotes = re.findall(r"^```\{stored\} (\S+)\n((?:.*\n)*?)```", page.read_text(encoding="utf-8"),
                        flags=re.MULTILINE)
    for notebook, options in quotes:
        given = dict(re.findall(r"^:(\w+): (.*)$", options, flags=re.MULTILINE))
        for form, text in stored.outputs(ROOT / notebook.lstrip("/")):
            if form == "html" and given["has"] in text:
                soup = BeautifulSoup(stored.translated(form, text, given, f"book/zh/{page.stem}"),
                                     "html.parser")
                for known in soup.select("[lang=en], code"):
                    known.decompose()
                yield from (cell.text for cell in soup.select("th, td"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_result_on_a_chinese_page_stays_english(page: Path) -> None:
    words = re.compile(r"\b[a-z]+,? [a-z]+\b")
    assert [cell for cell in cells_of(page) if words.search(cell)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_chapter_has_one_title(page: Path) -> None:
    text, titles = page.read_text(encoding="utf-8"), translations.words("zh")["chapters"]
    links = re.findall(r"\{doc\}`(.+?) <(?:/notebooks/)?(\w+)>`", text)
    links += [(re.search(r"^# (.+)$", text, flags=re.MULTILINE)[1], page.stem)]
    known = {name.replace(" ", "_"): title for name, title in titles.items()}
    assert [(said, name) for said, name in links
            if name in known and said not in (known[name], "英文版", "检查我的配置")] == []
