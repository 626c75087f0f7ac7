"""Show every figure in the colours of the page's theme.

An SVG under `_images` gets a dark twin (`helpers.pages.palette`), and a page shows the one that
suits its theme. The other one is not loaded.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

from helpers.pages.palette import darkened
from helpers.site.finished_pages import PAGE_FINISHED

SINGLE = "img[src*='_images/'][src$='.svg']:not(.only-light, .only-dark)"


def add_twins(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Put its dark twin beside every figure of a finished page."""
    for image in page.select(SINGLE):
        twin, address = copy(image), image["src"].removesuffix(".svg")
        twin["src"] = f"{address}-dark.svg"
        classes = image.get("class", [])
        image["class"], twin["class"] = [*classes, "only-light"], [*classes, "only-dark"]
        image.insert_after(twin)
        light = (path.parent / image["src"]).read_text(encoding="utf-8")
        (path.parent / twin["src"]).write_text(darkened(light), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.setup_extension("helpers.site.finished_pages")
    app.connect(PAGE_FINISHED, add_twins, priority=900)  # their sizes are already there
    return {"parallel_read_safe": True, "parallel_write_safe": True}
