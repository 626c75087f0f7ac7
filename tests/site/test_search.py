"""Does the search put the right page first, for keys and words, in English and in Chinese?"""

from __future__ import annotations

import pytest
import yaml
from browsing import ROOT, Visitor, each_way

QUERIES = yaml.safe_load((ROOT / "tests/site/search_queries.yml").read_text(encoding="utf-8"))
AMONG = 3
RESULTS = "#search-results .search > li > a"


def results(words: str, visitor: Visitor, way: str = "file") -> list[str]:
    """Addresses of the pages found, in order."""
    page = visitor.open("search", way).page
    page.goto(f"{visitor.addresses[way]}/search.html?q={words}")
    page.wait_for_function("document.querySelector('#search-results [role=status]')")
    return [link.get_attribute("href") for link in page.locator(RESULTS).all()]


@pytest.fixture(scope="module")
def places(visitor: Visitor) -> dict[str, int]:
    """Query to the place of the first right page among the pages found, from 0."""
    found = {}
    for query in QUERIES:
        pages = [*dict.fromkeys(address.partition(".html")[0]
                                for address in results(query["words"], visitor))]
        found[query["words"]] = min((pages.index(page) for page in query["pages"]
                                     if page in pages), default=len(pages) + AMONG)
    return found


def test_the_right_page_is_among_the_first(places: dict[str, int]) -> None:
    assert {words: place for words, place in places.items() if place >= AMONG} == {}


def test_the_right_page_mostly_comes_first(places: dict[str, int]) -> None:
    assert sum(place == 0 for place in places.values()) >= 0.85 * len(QUERIES), places


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
    field = page.locator("form.bd-search input:visible").first
    icon = page.locator("form.bd-search svg:visible").first.bounding_box()
    start = field.bounding_box()["x"] + float(field.evaluate(
        "(one) => parseFloat(getComputedStyle(one).paddingLeft)"))
    assert icon["x"] + icon["width"] <= start
