"""What a chapter's cells say to its page: facts for the text, and small tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def note(**facts: Any) -> None:
    """Make facts available to the page's text, under their names, as `{glue:text}`.

    A NumPy scalar is stored as the Python number that it is; the page could not format it.
    """
    import numpy as np
    from myst_nb import glue

    for name, fact in facts.items():
        glue(name, fact.item() if isinstance(fact, np.generic) else fact, display=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> None:
    """Show a small table; text between `backticks` is code, numbers are aligned."""
    from IPython.display import HTML, display

    from helpers.pages.tables import plain_table

    display(HTML(plain_table(headings, rows, caption)))
