"""A long table as HTML that filters itself, without a kernel.

The table is complete in the HTML. A short script (`assets/filter_table.js`, written into the
output) shows the filter controls and hides rows, so with scripts off every row is still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from helpers.pages.palette import ASSETS
from helpers.pages.synonyms import with_synonyms
from helpers.pages.tables import breakable

_SEARCH = '<input type="search" name="text" autocomplete="off" spellcheck="false">'


@dataclass(frozen=True)
class Choice:
    """A menu that filters rows.

    Attributes:
        name: of the facet, a lower-case word.
        label: beside the menu.
        every: what the entry says that takes every row.
        options: value to text, in order.
        narrows: another menu. This one then filters nothing by itself; with both chosen, a row
            needs the facet `"THIS OTHER"` of the other menu.
    """

    name: str
    label: str
    every: str
    options: Mapping[str, str]
    narrows: str = ""


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
class Group:
    """Rows under a head of their own.

    Attributes:
        title: "" for rows without a head.
        note: beside the title, of a group without rows too; how many are shown comes before it.
        facets: by which the menus find a group without rows.
    """

    rows: Sequence[Row]
    title: str = ""
    note: str = ""
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Labels:
    """What the controls say.

    Attributes:
        form: name of the controls together.
        text: beside the search field.
        reset: on the button that shows every row.
        some: how many rows are shown, with `{shown}` and `{all}`.
        every: how many there are, with `{all}`.
        none: said where no row is left.
    """

    form: str
    text: str
    reset: str
    some: str
    every: str
    none: str


def english(noun: str) -> Labels:
    """The controls' words in English, for rows of this name, such as "keys"."""
    return Labels(f"Filter the {noun}", "Words or a key", "Show all",
                  f"{{shown}} of {{all}} {noun} shown", f"{{all}} {noun}",
                  f"Nothing matches: no {noun} are shown. Try fewer words, or “Show all”.")


def filter_table(table_id: str, caption: str, columns: Sequence[Column],
                 rows: Sequence[Row] | Sequence[Group], choices: Sequence[Choice], labels: Labels,
                 region: str = "") -> str:
    """HTML of the whole table.

    Args:
        rows: all rows, or groups of them.
        choices: menus; a row is kept by a menu if one of its values of that facet is chosen.
        region: name of the box that scrolls, where it is not the caption.
    """
    groups = rows if rows and isinstance(rows[0], Group) else [Group(rows)]
    everything = sum(len(group.rows) for group in groups)
    widths = [_attribute("style", column.width and f"width:{column.width}") for column in columns]
    head = "".join(f'<th scope="col"{width}>{breakable(column.head)}</th>'
                   for column, width in zip(columns, widths, strict=True))
    style = (ASSETS / "filter_table.css").read_text(encoding="utf-8")
    script = (ASSETS / "filter_table.js").read_text(encoding="utf-8")
    return f"""<style>{style}</style>
<div class="filter-table tex2jax_ignore" data-filter-table id="{escape(table_id)}">
{_controls(choices, labels)}
<p class="ft-count" role="status" aria-live="polite"
data-shown="{escape(labels.some)}" data-none="{escape(labels.none)}"
>{escape(labels.every.format(all=everything))}</p>
<div class="ft-scroll" role="region" aria-label="{escape(region or caption)}" tabindex="0">
<table class="ft-rows"><caption>{escape(caption)}</caption>
<thead><tr>{head}</tr></thead>
{"".join(_group(group, columns) for group in groups)}</table></div></div>
<script>{script.replace("TABLE_ID", escape(table_id))}</script>"""


def same(names: Iterable[str]) -> dict[str, str]:
    """Options of a menu whose values are its texts."""
    return {name: name for name in names}


def links(entries: Sequence[str], without: str = "none") -> str:
    """HTML of a cell that holds several links, or the word for a cell without one."""
    items = "".join(f"<li>{link}</li>" for link in entries)
    return f'<ul class="ft-links">{items}</ul>' if entries else escape(without)


def _controls(choices: Sequence[Choice], labels: Labels) -> str:
    menus = "".join(
        f'<label>{escape(choice.label)}'
        f'<select name="{choice.name}"{_attribute("data-narrows", choice.narrows)}>'
        + "".join(f'<option value="{escape(value)}">{escape(text)}</option>'
                  for value, text in {"": choice.every, **choice.options}.items())
        + "</select></label>\n" for choice in choices)
    return f"""<form class="ft-controls" hidden aria-label="{escape(labels.form)}">
<label>{escape(labels.text)}{_SEARCH}</label>
{menus}<button type="reset">{escape(labels.reset)}</button>
</form>"""


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escape(value)}"' if value else ""


def _group(group: Group, columns: Sequence[Column]) -> str:
    head = ""
    if group.title:
        head = (f'<tr class="ft-group"><th scope="rowgroup" colspan="{len(columns)}">'
                f'{escape(group.title)} <small><span class="ft-shown"></span>{escape(group.note)}'
                "</small></th></tr>")
    return (f"<tbody{_facets(group.facets)}>{head}"
            f'{"".join(_row(row, columns) for row in group.rows)}</tbody>\n')


def _facets(facets: Mapping[str, Sequence[str]]) -> str:
    return "".join(f' data-{name}="{escape("|".join(values))}"' for name, values in facets.items())


def _row(row: Row, columns: Sequence[Column]) -> str:
    cells = []
    for number, (cell, column) in enumerate(zip(row.cells, columns, strict=True)):
        mark = _attribute("class", f"ft-mark {row.marked}" if row.marked and not number else "")
        cells.append(f'<th scope="row">{cell}</th>' if number == row.heading
                     else f'<td{mark}{_attribute("data-label", column.label)}>{cell}</td>')
    return (f'<tr id="{escape(row.anchor)}"{_facets(row.facets)} '
            f'data-text="{escape(with_synonyms(row.text))}">{"".join(cells)}</tr>\n')
