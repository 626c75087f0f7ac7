"""Does a link to the book look like the book, where somebody shares it?"""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from browsing import PAGES, SITE
from bs4 import BeautifulSoup
from docutils import nodes
from PIL import Image

from helpers.pages import social_card
from helpers.site import share_card


def test_the_card_shows_what_the_ledger_and_the_knob_test_found() -> None:
    with Image.open(social_card.CARD) as card:
        assert card.size == social_card.SIZE
        assert json.loads(card.text["Description"]) == social_card.verdict_counts(), (
            "draw it again: python -m helpers.pages.social_card")
    assert social_card.CARD.stat().st_size < 150_000


@pytest.mark.site
@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_it_is_about(name: str) -> None:
    page = BeautifulSoup((SITE / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    said = {tag["property"]: tag["content"] for tag in page.select("meta[property^='og:']")}
    assert said["og:title"] and "<" not in said["og:title"]
    assert 60 < len(said["og:description"]) <= 200
    assert said["og:description"][-1] in ".?!。", "the description is cut off"
    assert (SITE / name).parent.joinpath(said["og:image"]).is_file()


@pytest.mark.site
def test_an_edition_with_an_address_names_the_picture() -> None:
    app = SimpleNamespace(config=SimpleNamespace(html_title="A book",
                                                 html_baseurl="https://book.example/en/",
                                                 html_theme_options={}))
    page = nodes.document(None, None)
    page += nodes.paragraph(text="A sentence that is long enough to say what the page is about, at "
                                 "least in part.")
    context = {"title": "One & only"}
    share_card.add_tags(app, "notebooks/dataset", "", context, page)
    assert 'content="https://book.example/en/_static/social_card.png"' in context["metatags"]
    assert "One &amp; only" in context["metatags"]
    assert (SITE / "_static" / "social_card.png").is_file()


def test_the_pages_of_a_named_repository_have_an_address() -> None:
    config = SimpleNamespace(html_baseurl="", html_theme_options={
        "repository_url": "https://github.com/Someone/book"})
    assert share_card.base_address(SimpleNamespace(config=config)) == (
        "https://someone.github.io/book")
