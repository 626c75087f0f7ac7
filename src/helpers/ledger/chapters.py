"""What the chapters say that other pages show, as `make execute` took it from the stored notebooks.

No page opens a notebook: values, keys and commands of a chapter are in `book/chapters.json`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

from helpers.errors import BookError
from helpers.paths import ROOT

FILE = ROOT / "book" / "chapters.json"
CLOSED = "BOOK_CHAPTERS_CLOSED"
"""Set while a chapter runs beside others: what they say would then be that of the last run."""


@dataclass(frozen=True)
class Chapter:
    """What other pages may quote of a chapter.

    Attributes:
        values: name to what its cells made known under that name.
        keys: config keys that it names in full.
        tables: keys, or sections of keys, of which it shows the knob test.
        commands: lines of its shell boxes, those that go on with a backslash joined.
    """

    values: dict[str, Any]
    keys: list[str]
    tables: list[str]
    commands: list[str]


@cache
def load() -> dict[str, Chapter]:
    """Every chapter by its notebook's name, in the order of the contents.

    Raises:
        BookError: a notebook asks that does not say in its head that it does.
    """
    if CLOSED in os.environ:
        raise BookError("This notebook shows what other chapters found: say so in its head with "
                        "`book: {quotes_chapters: true}`, so that it runs after them.")
    return {name: Chapter(**fields)
            for name, fields in json.loads(FILE.read_text(encoding="utf-8")).items()}
