"""What a reader on a slow line waits for: the bytes of a page's first view, over the wire.

Text is counted as a usual static host sends it, with gzip at its usual level (`python -m
helpers.site.commands.serve`); pictures, fonts and sound as they are; response headers are left out.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from browsing import PAGES, WIDE, Visitor, each_page, report
from playwright.sync_api import Browser, Page, Request

from helpers.site.commands import lighthouse

FIRST_VIEW, WHOLE_PAGE = 200_000, 600_000
SEARCH_INDEX = 200_000
"""Every word of the book, which the page that searches it cannot do without; others load it when
somebody searches."""


COLOURED = """() => [...document.querySelectorAll("details:not([open]) .highlight > pre")]
    .filter((code) => {
        const aside = code.parentElement.querySelector("script.colours");
        const coloured = Object.assign(document.createElement("pre"), {innerHTML: aside?.text});
        return code.querySelector("span") || (aside && coloured.textContent !== code.textContent);
    }).map((code) => code.textContent.slice(0, 60))"""
"""Folded code that is not plain, or that would be other code with its colours."""


class Weighed:
    """A page opened with an empty cache, and the bytes of every file that came."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.page: Page = browser.new_context(viewport=WIDE).new_page()
        self.requests: list[Request] = []  # those that have ended: of others the size is awaited
        self.page.on("requestfinished", lambda request: self.requests.append(request))
        self.page.goto(address, wait_until="load")
        self.page.wait_for_load_state("networkidle")

    def files(self) -> dict[str, int]:
        """Address of a file to its bytes over the wire."""
        return {request.url: request.sizes()["responseBodySize"]
                for request in self.requests if not request.url.startswith("data:")}

    def too_heavy(self, limit: int) -> list[str]:
        """Empty within the limit; else the sum, and the heaviest files."""
        files = self.files()
        if sum(files.values()) <= limit:
            return []
        heavy = sorted(files.items(), key=lambda file: -file[1])
        return [f"{sum(files.values()) / 1000:.0f} kB, {limit / 1000:.0f} kB allowed:",
                *(f"  {size / 1000:.0f} kB {urlsplit(url).path}" for url, size in heavy[:6])]


@each_page
def test_first_view_is_light(name: str, browser: Browser, addresses: dict[str, str]) -> None:
    """200 kB on a wide screen, which shows more; 600 kB once all of it was seen."""
    weighed = Weighed(browser, f"{addresses['http']}/{name}.html")
    try:
        host = urlsplit(addresses["http"]).netloc
        report([url for url in weighed.files() if urlsplit(url).netloc != host],
               f"{name} asks other hosts")
        index = SEARCH_INDEX if name == "search" else 0
        report(weighed.too_heavy(FIRST_VIEW + index), f"{name} is too heavy")
        report(weighed.page.evaluate(COLOURED), f"{name} colours code that nobody has opened")
        weighed.page.evaluate("""async () => {
            for (let top = 0; top < document.body.scrollHeight; top += innerHeight) {
                scrollTo(0, top);
                await new Promise((done) => setTimeout(done, 16));  // frames may never come
            }
        }""")
        weighed.page.wait_for_load_state("networkidle")
        report(weighed.too_heavy(WHOLE_PAGE), f"{name}, read to its end, is too heavy")
    finally:
        weighed.page.context.close()


def test_code_has_its_colours_when_it_is_opened(visitor: Visitor) -> None:
    page = visitor.open("notebooks/spec_augment", fresh=True).page
    fold = page.locator("main details.hide").first
    code = fold.locator("pre").first
    plain = code.text_content()
    fold.locator("summary").click()
    code.locator("span:not(:empty)").first.wait_for()
    assert code.text_content() == plain and not fold.locator("script").count()
    words = code.locator("span").evaluate_all(
        "(words) => new Set(words.map((word) => getComputedStyle(word).color)).size")
    assert words > 1


def test_the_scale_sees_compression_and_names_the_file(
    browser: Browser, addresses: dict[str, str]
) -> None:
    weighed = Weighed(browser, f"{addresses['http']}/{PAGES[0]}.html")
    files = {urlsplit(url).path: size for url, size in weighed.files().items()}
    raw = len(weighed.page.request.get(f"{addresses['http']}/{PAGES[0]}.html").body())
    named = weighed.too_heavy(1)
    weighed.page.context.close()
    assert 0 < files[f"/{PAGES[0]}.html"] < raw / 2
    assert any(f"/{PAGES[0]}.html" in line for line in named)


def test_lighthouse_scored_every_kind_of_page() -> None:
    """The recorded scores reach the aim, on a page of text, of tables and of widgets at least."""
    recorded = json.loads(lighthouse.RESULT.read_text(encoding="utf-8"))
    assert recorded["lighthouse"] == lighthouse.VERSION and recorded["provenance"]["command"]
    assert {"notebooks/introduction", "notebooks/key_index", "notebooks/spec_augment",
            "book/zh/introduction"} <= set(recorded["pages"])
    report([f"{page}, {category}: {score}" for page, row in recorded["pages"].items()
            for category, score in row["scores"].items() if score < lighthouse.AIM],
           f"below {lighthouse.AIM}; run python -m helpers.site.commands.lighthouse again")
