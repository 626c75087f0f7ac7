"""Tables of the pages, as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

SHORT = 16


def breakable(text: str) -> str:
    """Escaped text in which a long name may break, but no number.

    It may do so after a dot, slash, underscore or equals sign, or before a capital.
    """
    if len(text) < SHORT:
        return escape(text)
    return re.sub(r"(?<=[._/=])(?<!\d\.)(?=[\w{])|(?<=[a-z])(?=[A-Z][a-z])", "<wbr>", escape(text))


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """HTML of a small table; its texts are escaped, with code between `backticks`."""
    head = "".join(f'<th scope="col">{with_code(text)}</th>' for text in headings)
    body = "".join(f"<tr>{''.join(_plain_cell(cell) for cell in row)}</tr>" for row in rows)
    title = f"<caption>{with_code(caption)}</caption>" if caption else ""
    return (f'<div class="table-wrap"><table class="table plain-table tex2jax_ignore" '
            f'style="margin-left:0">{title}'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")


def _plain_cell(cell: Any) -> str:
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return f'<td style="text-align:right">{cell:,}</td>'
    return f"<td>{with_code(str(cell))}</td>"


def with_code(text: str) -> str:
    """Escaped text in which long names may break and what stands between `backticks` is code."""
    style = "white-space:normal;overflow-wrap:normal"
    return "".join(f'<code style="{style}">{breakable(part)}</code>' if number % 2
                   else breakable(part) for number, part in enumerate(text.split("`")))
