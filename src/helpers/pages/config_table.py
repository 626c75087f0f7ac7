"""The comparison of the three configs as one table that filters itself, and its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from helpers.config import document
from helpers.config.configs import CONFIG_NAMES, FINE_TUNING, NOT_SET, STATUSES, KeyRow
from helpers.config.values import SHORT_NAMES, shown
from helpers.pages.filter_table import Choice, Column, Group, Row, english, filter_table, same
from helpers.pages.tables import breakable

_LOOKS = {"same": "ft-0 ft-dot", "modified": "ft-1 ft-dot", "new": "ft-2 ft-dot",
          "omitted": "ft-quiet ft-ring"}
"""Status to the classes of its colour and sign."""


def filterable_table(rows: Sequence[KeyRow]) -> str:
    """HTML of the whole comparison: a row per key, grouped by the document's sections."""
    columns = (Column("Parameter", "27%"), Column("Pretrained", label="Pretrained"),
               *(Column(name, label=name) for name in FINE_TUNING), Column("Status", "23%"))
    choices = (
        Choice("status", "Status", "any", same((*STATUSES, "critical"))),
        Choice("config", "in", "either config", same(FINE_TUNING), "status"),
        Choice("section", "Section", "all", {str(number): title
                                             for number, title in _titles().items()}))
    caption = 'Status is against the pretrained config. "Critical" is the document\'s own mark.'
    return filter_table(
        "config-table", caption, columns, [_group(*section, rows) for section in _titles().items()],
        choices, replace(english("keys"), text="Text in the key or a value"),
        region="Comparison of the three configs")


def status_counts(rows: Iterable[KeyRow]) -> dict[str, Counter]:
    """Name of a fine-tuning config to the number of keys of each status."""
    rows = list(rows)
    return {name: Counter(row.statuses[name] for row in rows if row.statuses[name])
            for name in FINE_TUNING}


def section_counts(rows: Iterable[KeyRow]) -> list[tuple[str, dict[str, Counter]]]:
    """One entry per section that has keys of its own: its title, and its status counts."""
    rows = list(rows)
    counted = [(title, status_counts(row for row in rows if row.section == number))
               for number, title in _titles().items()]
    return [(title, counts) for title, counts in counted if any(counts.values())]


def paired_section_counts(rows: Iterable[KeyRow]) -> list[list[str]]:
    """Table lines: a section's title, then "main / stage 1" for each status, "" for none."""
    rows = list(rows)
    return [[title, *("\u00a0/\u00a0".join(str(counts[name][status]) for name in FINE_TUNING)
                      if any(counts[name][status] for name in FINE_TUNING) else ""
                      for status in STATUSES)]
            for title, counts in [*section_counts(rows), ("All", status_counts(rows))]]


def _titles() -> dict[int, str]:
    return {number: f"{number}. {title}" if number else title
            for number, title in document.section_titles().items()}


def _group(number: int, title: str, rows: Sequence[KeyRow]) -> Group:
    own = [row for row in rows if row.section == number]
    restated = [row for row in rows if number in row.stated_in and row.section != number]
    notes = [f"{len(own)} {'key' if len(own) == 1 else 'keys'}"] if own else []
    if restated:
        sections = sorted({row.section for row in restated})
        listed = ", ".join(map(str, sections[:-1])) + (" and " if sections[1:] else "")
        notes.append(f"restates {len(restated)} keys, listed in sections {listed}{sections[-1]}")
    return Group([_row(row) for row in own], title, "; ".join(notes),
                 {"section": [str(number)]})


def _row(row: KeyRow) -> Row:
    cells = [f"<code>{breakable(row.key)}</code>",
             *(_value_cell(row.values[name]) for name in CONFIG_NAMES),
             "".join(_chip(row, name) for name in FINE_TUNING)]
    states = {name: [state for state in (row.statuses[name], "critical" * (name in row.critical))
                     if state] for name in FINE_TUNING}
    return Row(
        f"key-{row.key}", cells,
        " ".join([row.key, *(shown(row.values[name]) for name in CONFIG_NAMES)]),
        {"status": [spelt for name in FINE_TUNING for state in states[name]
                    for spelt in (state, f"{name} {state}")],
         "section": list(map(str, dict.fromkeys((row.section, *row.stated_in))))})


def _value_cell(value: Any) -> str:
    return ('<i class="ft-quiet">not set</i>' if value is NOT_SET
            else f"<code>{breakable(shown(value))}</code>")


def _chip(row: KeyRow, name: str) -> str:
    status = row.statuses[name]
    critical = ' <span class="ft-alarm">critical</span>' if name in row.critical else ""
    look = _LOOKS.get(status, "ft-quiet")
    return (f'<span class="ft-chip">{SHORT_NAMES[name]} <b class="{look}">'
            f"{status or 'not set in either'}</b>{critical}</span>")
