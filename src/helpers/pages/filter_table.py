"""A long table as HTML that filters itself, without a kernel.

The table is complete in the HTML. A short script (`assets/filter_table.js`, written into the
output) shows the filter controls and hides rows, so with scripts off every row is still there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
_SEARCH = '<input type="search" name="text" autocomplete="off" spellcheck="false">'


@dataclass(frozen=True)
class Choice:
    """A menu that filters rows.

    Attributes:
        name: of the facet, a lower-case word.
        label: beside the menu.
        every: what the entry says that takes every row.
        options: value to text, in order.
    """

    name: str
    label: str
    every: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """A column: its head, its width ("" shares what is left), and its label on a phone.

    The label stands before each cell where the table is too narrow for heads; "" for none.
    """

    head: str
    width: str = ""
    label: str = ""


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        anchor: the row's id on the page.
        cells: HTML of each cell, escaped by the caller.
        text: what a search looks through.
        facets: facet to the row's values.
        heading: number of the cell that names the row.
        marked: CSS class of the first cell, where it is a verdict.
    """

    anchor: str
    cells: Sequence[str]
    text: str
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    heading: int = 0
    marked: str = ""


@dataclass(frozen=True)
class Labels:
    """What the controls say.

    Attributes:
        form: name of the controls together.
        text: beside the search field.
        reset: on the button that shows every row.
        some: how many rows are shown, with `{shown}` and `{all}`.
        every: how many there are, with `{all}`.
    """

    form: str
    text: str
    reset: str
    some: str
    every: str


def english(noun: str) -> Labels:
    """The controls' words in English, for rows of this name."""
    return Labels(f"Filter the {noun}", "Words or a key", "Show all",
                  f"{{shown}} of {{all}} {noun} shown", f"{{all}} {noun}")


def filter_table(table_id: str, caption: str, columns: Sequence[Column], rows: Sequence[Row],
                 choices: Sequence[Choice], noun: str = "rows",
                 labels: Labels | None = None) -> str:
    """HTML of the whole table.

    Args:
        table_id: the element's id, unique on its page.
        caption: says what a row is.
        choices: menus; a row is kept by a menu if one of its values of that facet is chosen.
        noun: what the rows are, such as "keys".
        labels: of the controls, on a page in another language than English.
    """
    labels = labels or english(noun)
    head = "".join(f'<th scope="col"{_width(column)}>{escape(column.head)}</th>'
                   for column in columns)
    style = (ASSETS / "filter_table.css").read_text(encoding="utf-8")
    script = (ASSETS / "filter_table.js").read_text(encoding="utf-8")
    body = "".join(_row(row, columns) for row in rows)
    return f"""<style>{style}</style>
<div class="filter-table tex2jax_ignore" data-filter-table id="{escape(table_id)}">
{_controls(choices, labels)}
<p class="ft-count" role="status" aria-live="polite"
data-shown="{escape(labels.some)}">{escape(labels.every.format(all=len(rows)))}</p>
<div class="ft-scroll" role="region" aria-label="{escape(caption)}" tabindex="0">
<table><caption>{escape(caption)}</caption>
<thead><tr>{head}</tr></thead><tbody>
{body}</tbody></table></div></div>
<script>{script.replace("TABLE_ID", escape(table_id))}</script>"""


def links(found: Sequence[str], without: str = "none") -> str:
    """HTML of a cell that holds several links, or the word for a cell without one."""
    items = "".join(f"<li>{link}</li>" for link in found)
    return f'<ul class="ft-links">{items}</ul>' if found else escape(without)


def _controls(choices: Sequence[Choice], labels: Labels) -> str:
    menus = "".join(
        f'<label>{escape(one.label)}<select name="{one.name}"><option value="">{escape(one.every)}'
        f'</option>{"".join(_option(*pair) for pair in one.options.items())}</select></label>\n'
        for one in choices)
    return f"""<form class="ft-controls" hidden aria-label="{escape(labels.form)}">
<label>{escape(labels.text)}{_SEARCH}</label>
{menus}<button type="reset">{escape(labels.reset)}</button>
</form>"""


def _option(value: str, text: str) -> str:
    return f'<option value="{escape(value)}">{escape(text)}</option>'


def _width(column: Column) -> str:
    return f' style="width:{column.width}"' if column.width else ""


def _row(row: Row, columns: Sequence[Column]) -> str:
    facets = "".join(f' data-{name}="{escape("|".join(values))}"'
                     for name, values in row.facets.items())
    cells = []
    for number, (cell, column) in enumerate(zip(row.cells, columns, strict=True)):
        label = f' data-label="{escape(column.label)}"' if column.label else ""
        mark = f' class="ft-mark {row.marked}"' if row.marked and not number else ""
        cells.append(f'<th scope="row">{cell}</th>' if number == row.heading
                     else f"<td{mark}{label}>{cell}</td>")
    return (f'<tr id="{escape(row.anchor)}"{facets} data-text="{escape(row.text.lower())}">'
            f'{"".join(cells)}</tr>\n')
