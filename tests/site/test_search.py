"""Does the search put the right page first, for keys and words, in English and in Chinese?"""

from __future__ import annotations

import pytest
import yaml
from browsing import ROOT, Visitor, each_way

QUERIES = yaml.safe_load((ROOT / "tests/site/search_queries.yml").read_text(encoding="utf-8"))
RESULTS = "#search-results .search > li > a"


def results(words: str, visitor: Visitor, way: str = "file") -> list[str]:
    """Addresses of the pages found, in order."""
    page = visitor.open("search", way).page
    page.goto(f"{visitor.addresses[way]}/search.html?q={words}")
    page.wait_for_function("document.querySelector('#search-results [role=status]')")
    return [link.get_attribute("href") for link in page.locator(RESULTS).all()]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["words"])
def test_the_right_page_comes_first(query: dict, visitor: Visitor) -> None:
    found = results(query["words"], visitor)
    assert found and found[0].partition(".html")[0] in query["pages"], found[:4]


def test_there_are_thirty_queries_in_two_languages() -> None:
    assert len(QUERIES) >= 30
    assert len([query for query in QUERIES if query.get("unseen")]) >= len(QUERIES) // 2
    assert len([query for query in QUERIES if not query["words"].isascii()]) >= 4


@each_way
@pytest.mark.parametrize("words", ["max_token_length", "dataset_conf.max_token_length"])
def test_a_key_leads_to_its_row(words: str, way: str, visitor: Visitor) -> None:
    """By its whole name or its last part; others follow."""
    found = results(words, visitor, way)
    assert found[0].endswith("key_index.html#index-dataset_conf.max_token_length")
    assert len(found) > 3


def test_hits_lead_to_sections_and_quote_no_hidden_code(visitor: Visitor) -> None:
    found = results("gradient accumulation", visitor)
    assert sum("#" in address for address in found) >= len(found) / 2
    text = visitor.open("search", "file").page.locator("#search-results").inner_text()
    assert "import " not in text and "note(" not in text


def test_an_empty_result_says_so(visitor: Visitor) -> None:
    assert results("zyxwvu", visitor) == []
    said = visitor.open("search", "file").page.locator("#search-results [role=status]")
    assert "Nothing matches" in said.inner_text()


def test_typed_text_is_not_under_the_magnifier(visitor: Visitor) -> None:
    page = visitor.open("search", "file").page
    field = page.locator("main form.bd-search input, form.bd-search input").first
    icon = page.locator("form.bd-search svg").first.bounding_box()
    start = field.bounding_box()["x"] + float(field.evaluate(
        "(one) => parseFloat(getComputedStyle(one).paddingLeft)"))
    assert icon["x"] + icon["width"] <= start
