"""Take the README's screenshots of the built book.

`.venv/bin/python -m helpers.site.commands.screenshots`.

Three pages, each wide, on a phone and in the dark, into `book/screenshots`. BOOK_BROWSER names
the browser; without it, the one that `python -m helpers.site.commands.system` finds.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from helpers.paths import ROOT
from helpers.site.commands import build, system

TARGET = ROOT / "book" / "screenshots"
PAGES = {"introduction": "main article", "telephone_channel": ".players",
         "learning_rate": ".explorer"}
"""Notebook to what its picture begins with."""

VIEWS = {"wide": ((1280, 900), "light"), "phone": ((390, 844), "light"),
         "dark": ((1280, 900), "dark")}
ABOVE, QUALITY = 90, 70


def take(browser: Browser, site: Path, name: str, view: str) -> Path:
    """Take one picture; returns its path."""
    (width, height), theme = VIEWS[view]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme,
                                  device_scale_factor=1.5, reduced_motion="reduce")
    page = context.new_page()
    page.goto((site / "notebooks" / f"{name}.html").as_uri())
    page.wait_for_load_state("networkidle")
    start = page.locator(PAGES[name]).first
    start.wait_for()
    top = start.evaluate("(box) => box.getBoundingClientRect().top + scrollY")
    page.evaluate("(top) => scrollTo(0, top)", max(0, top - ABOVE) if name != "introduction" else 0)
    page.wait_for_timeout(1500)
    picture = Image.open(io.BytesIO(page.screenshot()))
    context.close()
    path = TARGET / f"{name}-{view}.webp"
    picture.convert("RGB").save(path, quality=QUALITY, method=6)
    return path


def main() -> int:
    site = build.built()
    TARGET.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=system.browser(),
            args=["--no-sandbox"])
        for name in PAGES:
            for view in VIEWS:
                print(take(browser, site, name, view).relative_to(ROOT))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
