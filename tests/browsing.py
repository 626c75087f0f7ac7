"""A real browser on the built site, with the network cut: fixtures of the browser tests.

The site is `_build/html`, or the folder that BOOK_SITE names. Nothing is skipped: no site or no
browser is a failure that says what to do.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from playwright.sync_api import Browser, Page, Route, sync_playwright

from helpers.paths import ROOT
from helpers.site.commands import serve, system

SITE = Path(os.environ.get("BOOK_SITE", ROOT / "_build/html")).resolve()
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
EXPLORER = "main article .explorer"
OWN_HOSTS = ("127.0.0.1", "localhost", "")

OPEN_FOLDS = """() => {
    document.querySelectorAll("script.colours").forEach((colours) => colours.remove());
    document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
    document.querySelectorAll(".highlight > pre").forEach((code) => {
        code.textContent = code.textContent;
    });
}"""
"""Unfold everything, code in one colour: its words are most elements of a page, which takes long.

`test_every_colour_of_code_can_be_read` looks at the colours.
"""


def contents() -> list[str]:
    """Pages of the table of contents, as paths without a suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [toc["root"], *chapters]


PAGES = contents()
each_page = pytest.mark.parametrize("name", [*PAGES, "search", "genindex"])
each_article = pytest.mark.parametrize("name", PAGES)
each_way = pytest.mark.parametrize("way", ["http", "file"])


# Site and browser

@pytest.fixture(scope="module")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail(f"{SITE.name} holds no built site: run make book first")
    return SITE


@pytest.fixture(scope="module")
def addresses(site: Path) -> Iterator[dict[str, str]]:
    """Base address of the site over HTTP and from disk."""
    with serve.served(site) as address:
        yield {"http": address, "file": site.as_uri()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium or Chrome: the one on the machine, else Playwright's."""
    found = os.environ.get("BOOK_BROWSER") or next(
        filter(None, map(shutil.which, system.BROWSERS)), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Visit:
    """An open page and what went wrong while it loaded."""

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Visitor:
    """Opens pages of the site; every request that would leave the machine is cut and noted.

    A page stays open for the tests that only look at it. A test that changes one asks for it
    fresh.
    """

    def __init__(self, browser: Browser, addresses: dict[str, str]) -> None:
        self.browser, self.addresses = browser, addresses
        self.opened: dict[tuple[str, ...], Visit] = {}

    def open(self, name: str, way: str = "http", size: dict[str, int] = WIDE,
             theme: str = "light", fresh: bool = False) -> Visit:
        key = (name, way, str(size), theme)
        if fresh or key not in self.opened:
            self.close(key)
            self.opened[key] = self._load(name, way, size, theme)
        return self.opened[key]

    def close(self, key: tuple[str, ...]) -> None:
        """Close a page that is open."""
        if key in self.opened:
            self.opened.pop(key).page.context.close()

    def _load(self, name: str, way: str, size: dict[str, int], theme: str) -> Visit:
        context = self.browser.new_context(viewport=size, color_scheme=theme)
        visit = Visit(context.new_page())
        context.route("**/*", functools.partial(self._cut, visit))
        visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
        visit.page.on("console", lambda message: visit.errors.append(message.text)
                      if message.type == "error" else None)
        visit.page.on("requestfailed", lambda request: visit.missing.append(request.url))
        visit.page.on("response", lambda response: visit.missing.append(response.url)
                      if response.status >= 400 else None)
        visit.page.goto(f"{self.addresses[way]}/{name}.html", wait_until="load")
        visit.page.wait_for_load_state("networkidle")
        return visit

    def _cut(self, visit: Visit, route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("file", "data", "blob") or address.hostname in OWN_HOSTS:
            route.continue_()
        else:
            visit.outside.append(route.request.url)
            route.abort()


@pytest.fixture(scope="module")
def visitor(browser: Browser, addresses: dict[str, str]) -> Iterator[Visitor]:
    """Opens pages and closes them at the end."""
    pages = Visitor(browser, addresses)
    yield pages
    for key in list(pages.opened):
        pages.close(key)


def report(faults: list[str], said: str) -> None:
    """Fail with all faults, one a line."""
    assert not faults, f"{said}\n" + "\n".join(faults)
