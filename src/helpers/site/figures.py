"""Show every figure in the colours of the page's theme, and on a phone its drawing for phones.

An SVG under `_images` gets a dark twin (`helpers.pages.palette`), and a page shows the one that
suits its theme. Both name the narrow drawing, where `book/phone` has one
(`helpers.pages.phone_drawing`). Only what is shown is loaded.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

from helpers.pages.palette import darkened
from helpers.paths import ROOT
from helpers.site.light_pages import size_of

SINGLE = "img[src*='_images/'][src$='.svg']:not(.only-light, .only-dark, picture img)"
PHONE_DRAWINGS = ROOT / "book" / "phone"
PHONE = "(max-width: 40rem)"


def dress(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Give every figure of a finished page its variants."""
    for image in page.select(SINGLE):
        address = image["src"].removesuffix(".svg")
        narrow = PHONE_DRAWINGS / f"{address.rpartition('/')[2]}.svg"
        twin = copy(image)
        for shown, theme, ending in ((image, "only-light", ""), (twin, "only-dark", "-dark")):
            shown["src"] = f"{address}{ending}.svg"
            shown["class"] = [*shown.get("class", []), theme]
        image.insert_after(twin)
        store(path.parent / image["src"], (path.parent / image["src"]).read_text(encoding="utf-8"))
        if narrow.is_file():
            store(path.parent / f"{address}-phone.svg", narrow.read_text(encoding="utf-8"))
            for shown, ending in ((image, "-phone"), (twin, "-phone-dark")):
                file = f"{address}{ending}.svg"
                shown.wrap(page.new_tag("picture"))
                shown.insert_before(page.new_tag("source", attrs={
                    "media": PHONE, "srcset": file, **size_of(path.parent / file)}))


def store(light: Path, svg: str) -> None:
    """Write a figure and its dark twin."""
    light.write_text(svg, encoding="utf-8")
    light.with_name(f"{light.stem}-dark.svg").write_text(darkened(svg), encoding="utf-8")
