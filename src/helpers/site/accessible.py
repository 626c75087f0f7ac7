"""Mend what the theme and the notebooks leave hard to use without sight or without a mouse.

After the build, on every page; each rule says what it mends. What depends on the size of the
window is in `access.js`.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

from helpers.site.light_pages import built, rewrite_pages

RULES: tuple[tuple[str, str], ...] = (
    # A name that differs from the text on the control: voice control would not find it.
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r'(<button class="btn search-button-field [^>]*?aria-label=")Search"', r'\1Search Ctrl+K"'),
    # The side bar lay outside every landmark.
    (r'(<div[^>]*? id="pst-primary-sidebar"[^>]*?class="[^"]*")>',
     r'\1 role="navigation" aria-label="Book">'),
    # The corner of a table is no heading.
    (r'<th scope="col">\s*</th>', "<td></td>"),
    # Deprecated roles of the bibliography, and a list whose children are no items.
    (r'(<div class="citation"[^>]*?) role="doc-biblioentry"', r"\1"),
    (r'<div role="list" class="citation-list">', '<div class="citation-list">'),
)
_PAIRS = re.compile(
    r'(<table class="table plain-table[^>]*>(?:<caption>[^<]*</caption>)?)\s*'
    r'<thead><tr>(?:<th scope="col"></th>\s*)+</tr></thead>(.*?</table>)', re.DOTALL)


def mend(html: str) -> str:
    """A page with every rule applied; a mended page comes back as it is."""
    html = _PAIRS.sub(_name_rows, html)
    for fault, mended in RULES:
        html = re.sub(fault, mended, html)
    return html


def _name_rows(found: re.Match[str]) -> str:
    """A table without column heads is a list of names and values: each row's name is its head."""
    return found[1] + re.sub(r"<tr><td>(.*?)</td>", r'<tr><th scope="row">\1</th>', found[2])


def mend_all(app: Sphinx, exception: Exception | None) -> None:
    """After a build: every page."""
    if built(app, exception):
        rewrite_pages(app, lambda html, path: mend(html))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("build-finished", mend_all, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
