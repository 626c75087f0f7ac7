"""Which edition is it, where is an error reported, and what does a wrong link show?"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from browsing import PAGES, SITE, Visitor
from bs4 import BeautifulSoup
from playwright.sync_api import Browser

from helpers.site import edition


@pytest.mark.parametrize("name", PAGES)
def test_every_page_names_its_edition_and_where_to_report(name: str) -> None:
    page = BeautifulSoup((SITE / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    line, = page.select("footer .edition")
    assert version("funasr") in line.text and edition.edition()["book"] in line.text
    assert line.a or "repository" in line.text or "仓库" in line.text


def test_a_named_repository_takes_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://github.com/someone/book"
    monkeypatch.setattr(edition.repository, "address", lambda: address)
    page = BeautifulSoup('<footer class="bd-footer-content"></footer>', "html.parser")
    edition.add_line(SimpleNamespace(outdir=str(SITE)), page, Path(SITE) / "notebooks/dataset.html")
    assert page.a["href"].startswith(f"{address}/issues/new") and "dataset" in page.a["href"]


@pytest.mark.parametrize("place", ["nothing.html", "notebooks/nothing", "book/zh/nothing.html"])
def test_a_wrong_link_shows_a_way_on(
    place: str, browser: Browser, addresses: dict[str, str]
) -> None:
    page = browser.new_context().new_page()
    answer = page.goto(f"{addresses['http']}/{place}")
    assert answer.status == 404 and page.locator("h1").inner_text() == "This page does not exist"
    for link in page.locator("a").all():
        assert page.request.get(link.evaluate("(one) => one.href")).ok
    page.context.close()


def test_the_page_for_wrong_links_stands_alone(visitor: Visitor) -> None:
    visit = visitor.open("404", "http")
    assert not (visit.errors or visit.outside or visit.missing)
