"""Is a page the same after a second build, and are the mends there where the theme has changed?"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from browsing import PAGES, SITE
from bs4 import BeautifulSoup

from helpers.site import extension


def finished(html: str, path: Path) -> str:
    """A page after all finishers."""
    page = BeautifulSoup(html, "html.parser")
    for finish in extension.FINISHERS:
        finish(SimpleNamespace(outdir=str(SITE), env=SimpleNamespace()), page, path)
    return str(page)


@pytest.mark.parametrize("name", [PAGES[0], "notebooks/spec_augment", "book/zh/introduction",
                                  "book/bibliography", "search"])
def test_a_finished_page_stays_as_it_is(name: str) -> None:
    path = SITE / f"{name}.html"
    html = path.read_text(encoding="utf-8")
    assert finished(html, path) == str(BeautifulSoup(html, "html.parser"))


def test_attributes_may_come_in_any_order() -> None:
    """A release of the theme that writes them otherwise would have passed unmended."""
    before = ('<div class="bd-sidebar" id="pst-primary-sidebar"></div>'
              '<button aria-label="Search" class="x search-button-field"></button>'
              '<i aria-hidden="true" class="fa-solid fa-moon"></i>'
              '<table class="plain-table table"><thead><tr><th scope="col"></th></tr></thead>'
              '<tbody><tr><td>Name</td><td>1</td></tr></tbody></table>')
    page = BeautifulSoup(finished(before, SITE / "notebooks/x.html"), "html.parser")
    assert page.div["role"] == "navigation"
    assert page.button["aria-label"] == "Search Ctrl+K"
    assert page.svg and not page.i
    assert not page.thead and page.th["scope"] == "row" and page.th.text == "Name"
