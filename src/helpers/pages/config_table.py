"""The comparison of the three configs as one HTML table that filters itself, without a kernel.

The table is complete in the HTML. A short script (`assets/config_table.js`, written into the
output) shows the filter controls and hides rows, so with scripts off every key is still there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from helpers.config import document
from helpers.config.configs import CONFIG_NAMES, FINE_TUNING, NOT_SET, STATUSES, KeyRow
from helpers.config.values import SHORT_NAMES, shown
from helpers.pages.tables import breakable

ASSETS = Path(__file__).parent / "assets"
_DATA_NAMES = {"config_8k_telephone": "main", "stage1_encoder_adapt": "stage1"}


def filterable_table(rows: Sequence[KeyRow], table_id: str = "config-table") -> str:
    """HTML of the whole comparison: a row per key, grouped by the document's sections.

    Args:
        rows: what `configs.compare()` gives.
        table_id: the element's id, unique on its page.
    """
    head = "".join(f'<th scope="col">{breakable(title)}</th>'
                   for title in ("Parameter", "Pretrained", *FINE_TUNING, "Status"))
    style = (ASSETS / "config_table.css").read_text(encoding="utf-8")
    script = (ASSETS / "config_table.js").read_text(encoding="utf-8")
    return f"""<style>{style}</style>
<div class="config-table tex2jax_ignore" id="{escape(table_id)}">
{_controls()}
<p class="ct-count" role="status" aria-live="polite">{len(rows)} keys</p>
<div class="ct-scroll" role="region" aria-label="Comparison of the three configs" tabindex="0">
<table class="ct-keys">
<caption>Status is against the pretrained config. "Critical" is the document's own mark.</caption>
<thead><tr>{head}</tr></thead>
{"".join(_group(number, rows) for number in _section_order())}
</table></div></div>
<script>{script.replace("TABLE_ID", escape(table_id))}</script>"""


def status_counts(rows: Iterable[KeyRow]) -> dict[str, Counter]:
    """Name of a fine-tuning config to the number of keys of each status."""
    rows = list(rows)
    return {name: Counter(row.statuses[name] for row in rows if row.statuses[name])
            for name in FINE_TUNING}


def section_counts(rows: Iterable[KeyRow]) -> list[tuple[str, dict[str, Counter]]]:
    """One entry per section that has keys of its own: its title, and its status counts."""
    rows = list(rows)
    counted = [(_title(number), status_counts(row for row in rows if row.section == number))
               for number in _section_order()]
    return [(title, counts) for title, counts in counted if any(counts.values())]


def paired_section_counts(rows: Iterable[KeyRow]) -> list[list[str]]:
    """Table lines: a section's title, then "main / stage 1" for each status, "" for none."""
    rows = list(rows)
    return [[title, *("\u00a0/\u00a0".join(str(counts[name][status]) for name in FINE_TUNING)
                      if any(counts[name][status] for name in FINE_TUNING) else ""
                      for status in STATUSES)]
            for title, counts in [*section_counts(rows), ("All", status_counts(rows))]]


def _section_order() -> list[int]:
    numbers = sorted(document.section_titles())
    return [number for number in numbers if number] + [document.OUTSIDE]


def _title(number: int) -> str:
    title = document.section_titles()[number]
    return f"{number}. {title}" if number else title


def _controls() -> str:
    sections = "".join(f'<option value="{number}">{escape(_title(number))}</option>'
                       for number in _section_order())
    statuses = "".join(f"<option>{status}</option>" for status in (*STATUSES, "critical"))
    names = "".join(f'<option value="{_DATA_NAMES[name]}">{name}</option>' for name in FINE_TUNING)
    return f"""<form class="ct-controls" hidden aria-label="Filter the keys">
<label class="ct-search">Text in the key or a value
<input type="search" name="text" autocomplete="off" spellcheck="false"></label>
<label>Status<select name="status"><option value="">any</option>{statuses}</select></label>
<label>in<select name="config"><option value="">either config</option>{names}</select></label>
<label>Section<select name="section"><option value="">all</option>{sections}</select></label>
<button type="reset">Show all</button>
</form>"""


def _group(number: int, rows: Sequence[KeyRow]) -> str:
    own = [row for row in rows if row.section == number]
    restated = [row for row in rows if number in row.stated_in and row.section != number]
    notes = [f'<span class="ct-shown"></span>{len(own)} '
             f"{'key' if len(own) == 1 else 'keys'}"] if own else []
    if restated:
        sections = sorted({row.section for row in restated})
        listed = ", ".join(map(str, sections[:-1])) + (" and " if sections[1:] else "")
        notes.append(f"restates {len(restated)} keys, listed in sections {listed}{sections[-1]}")
    header = (f'<tr class="ct-section"><th scope="rowgroup" colspan="5">{escape(_title(number))} '
              f"<small>{'; '.join(notes)}</small></th></tr>")
    body = "".join(map(_row, own))
    return f'<tbody data-section="{number}">{header}{body}</tbody>\n'


def _row(row: KeyRow) -> str:
    values = "".join(_value_cell(name, row.values[name]) for name in CONFIG_NAMES)
    chips = "".join(_chip(row, name) for name in FINE_TUNING)
    sections = " ".join(map(str, dict.fromkeys((row.section, *row.stated_in))))
    text = " ".join([row.key, *(shown(row.values[name]) for name in CONFIG_NAMES)]).lower()
    states = "".join(f' data-{_DATA_NAMES[name]}="{_states(row, name)}"' for name in FINE_TUNING)
    return (f'<tr id="key-{escape(row.key)}" data-key="{escape(row.key)}" '
            f'data-sections="{sections}" data-text="{escape(text)}"{states}>'
            f'<th scope="row"><code>{breakable(row.key)}</code></th>{values}'
            f'<td class="ct-status" data-label="Status">{chips}</td></tr>\n')


def _states(row: KeyRow, name: str) -> str:
    return " ".join(filter(None, (row.statuses[name], "critical" * (name in row.critical))))


def _value_cell(name: str, value: Any) -> str:
    label = "Pretrained" if name == "pretrained" else name
    inside = ('<span class="ct-unset">not set</span>' if value is NOT_SET
              else f"<code>{breakable(shown(value))}</code>")
    return f'<td data-label="{label}">{inside}</td>'


def _chip(row: KeyRow, name: str) -> str:
    status = row.statuses[name]
    critical = ' <span class="ct-critical">critical</span>' if name in row.critical else ""
    return (f'<span class="ct-chip ct-{status or "none"}">{SHORT_NAMES[name]} '
            f"<b>{status or 'not set in either'}</b>{critical}</span>")
