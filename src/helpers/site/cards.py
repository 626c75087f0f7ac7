"""Make a wide table readable on a phone: there each row is a card, and each cell says its column.

The build gives every cell the head of its column. A table that would not fit gets the class
`cards`; the style sheet does the rest where the room is narrow.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

TABLES = "main article :is(.table-wrap, .pst-scrollable-table-container) > table"
FITS = 38
"""Characters beside one another that a phone shows."""

LINE = 12
"""Characters of a cell that stand in one line, if it has as many."""

TEXT = 24
"""A cell of more characters is text, which wants the whole width."""

_BREAKS = re.compile(r"[\s/]+|(?<=[._=])(?=\w)")


def label_cells(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Label the cells of a finished page's tables, and mark those that become cards."""
    for table in page.select(TABLES):
        heads = [_said(cell) for cell in table.select("thead th, thead td")]
        rows = [row.find_all(["td", "th"], recursive=False) for row in table.select("tbody tr")]
        if not heads or any(len(row) != len(heads) for row in rows):
            continue
        columns = list(zip(heads, *([cell.get_text() for cell in row] for row in rows),
                           strict=True))
        if not too_wide(columns):
            continue
        table["class"] = [*(name for name in table.get("class", []) if name != "cards"), "cards"]
        for row in rows:
            for head, cell in zip(heads[1:], row[1:], strict=True):
                if head:
                    cell["data-label"] = head
        labelled = [cell for row in rows for cell in row[1:]]
        for cell in [*table.select("thead th, thead td"), *labelled]:
            if _width(cell.get_text(strip=True)) > LINE:
                cell["class"] = [*(c for c in cell.get("class", []) if c != "long"), "long"]


def too_wide(columns: list[tuple[str, ...]]) -> bool:
    """Whether a table, given as its columns from the head down, is wider than a phone."""
    return (any(_width(cell) > TEXT for column in columns for cell in column[1:])
            or sum(max(max(_longest_word(cell), min(_width(cell), LINE)) for cell in column) + 2
                   for column in columns) > FITS)


def _said(cell: Tag) -> str:
    """Words of a cell; a `<wbr>` parts none."""
    return BeautifulSoup(re.sub("<wbr/?>", "", str(cell)), "html.parser").get_text(" ", strip=True)


def _width(text: str) -> int:
    """Width in letters; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _longest_word(text: str) -> int:
    return max(map(_width, _BREAKS.split(text)))
