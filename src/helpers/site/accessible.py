"""Mend what the theme and the notebooks leave hard to use without sight or without a mouse.

What depends on the size of the window is in `access.js`.
"""

from __future__ import annotations

from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx


def mend(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Mend a finished page."""
    # A name that differs from the text on the control: voice control would not find it.
    for summary in page.select("summary[aria-label='Toggle hidden content']"):
        del summary["aria-label"]
    for button in page.select("button.search-button-field[aria-label=Search]"):
        button["aria-label"] = "Search Ctrl+K"
    # The side bar lay outside every landmark.
    for bar in page.select("div#pst-primary-sidebar"):
        bar.attrs |= {"role": "navigation", "aria-label": "Book"}
    # A table without column heads is a list of names and values: each row's name is its head.
    for heads in page.select("table.plain-table > thead"):
        if not heads.get_text(strip=True):
            for name in heads.parent.select("tr > td:first-child"):
                name.name, name["scope"] = "th", "row"
            heads.decompose()
    # The corner of a table is no heading.
    for corner in page.select("th[scope=col]"):
        if not corner.get_text(strip=True):
            corner.name, corner.attrs = "td", {}
    # Deprecated roles of the bibliography, and a list whose children are no items.
    for entry in page.select("div.citation[role=doc-biblioentry], div.citation-list[role=list]"):
        del entry["role"]
