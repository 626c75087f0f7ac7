"""A report as text for a terminal, as JSON, as SARIF for code review, or as one HTML page."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import numpy as np

from funasr_preflight.findings import (
    COMMAND_LINE,
    REMOVE,
    Finding,
    Report,
    Series,
    Severity,
    Table,
)
from funasr_preflight.rules.registry import RULES, page_of
from funasr_preflight.terminal import STYLES, WORDS, indented, plain, recorded, recorder
from funasr_preflight.texts import Text, say

PLOT_COLUMNS, PLOT_ROWS = 60, 8
BLOCKS = " ▁▂▃▄▅▆▇█"


def rendered(report: Report, style: str, width: int | None = None, colour: bool = False,
             addresses: Mapping[str, str] = MappingProxyType({}),
             least: Severity = Severity.NOTE, facts: bool = True) -> str:
    """The report as "text", "json", "sarif" or "html".

    Args:
        width: columns of the terminal, for text; the terminal's own without it.
        colour: whether text carries a terminal's colours.
        addresses: as `as_sarif` takes them.
        least: findings of this severity and worse; the counts are of all.
        facts: whether text has the tables and curves; the other forms always do.
    """
    seen = replace(report, findings=tuple(report.at_least(least)), counted=report.counts())
    return {"text": lambda: as_text(seen, width, colour, facts), "json": lambda: as_json(seen),
            "sarif": lambda: as_sarif(seen, addresses), "html": lambda: as_html(seen)}[style]()


def summary(report: Report) -> Text:
    """How many findings there are of each kind, shown or not."""
    notes, warnings, errors = report.counts()
    return say("{errors} errors, {warnings} warnings, {notes} notes", errors=errors,
               warnings=warnings, notes=notes)


def place_of(finding: Finding) -> str:
    """File and line, or the file, or the command line."""
    file = str(say("command line")) if finding.file == COMMAND_LINE else finding.file
    return f"{file}:{finding.line}" if finding.line else file


def as_text(report: Report, width: int | None = None, colour: bool = False,
            facts: bool = True) -> str:
    """For a terminal: five lines of summary, findings, then the facts and a small plot."""
    from rich.table import Table as Grid

    console = recorder(width, colour)
    console.print(f"[bold]{plain(report.config)}[/bold]: {summary(report)}")
    for text in report.brief:
        console.print(indented(plain(text), 2))
    for finding in report.findings:
        console.print(f"\n[{STYLES[finding.severity]}]{WORDS[finding.severity]}[/] "
                      f"[bold]{plain(finding.key or finding.rule)}[/bold]  "
                      f"{plain(place_of(finding))}  [dim]{finding.rule}[/dim]")
        console.print(indented(plain(finding.message)))
        if finding.fix:
            console.print(indented(f"→ {plain(finding.fix)}  "
                                   f"[dim]({page_of(finding.chapter)})[/dim]"))
    console.print()
    for text in report.assumed:
        console.print(f"[dim]{plain(say('assumed'))}: {plain(text)}[/dim]")
    for text in _more(report, facts):
        console.print(f"[dim]{plain(text)}[/dim]")
    for table in report.tables if facts else ():
        grid = Grid(*map(str, table.heads), title=str(table.caption), title_justify="left")
        for row in table.rows:
            grid.add_row(*(plain(_cell(value)) for value in row))
        console.print()
        console.print(grid)
    for series in report.series if facts else ():
        console.print()
        console.print(plain(series.caption))
        console.print(plain(plot(series)))
    return recorded(console, colour) + "\n"


def _more(report: Report, facts: bool) -> list[Text]:
    """What was not shown, and how to see it."""
    hidden = sum(report.counts()) - len(report.findings)
    hints = [say("{count} more findings are not shown: --notes shows all.", count=hidden)
             ] if hidden else []
    if not facts and report.tables:
        hints.append(say("--facts shows the tables behind this, --explain RULE what a rule looks "
                         "at."))
    return hints


def plot(series: Series, columns: int = PLOT_COLUMNS, rows: int = PLOT_ROWS) -> str:
    """A curve in characters, with its largest value and the ends of its axis."""
    edges = np.linspace(series.x[0], series.x[-1], columns + 1)
    heights = np.interp((edges[1:] + edges[:-1]) / 2, series.x, series.y)
    column = np.clip(np.searchsorted(edges, series.x, "right") - 1, 0, columns - 1)
    np.maximum.at(heights, column, series.y)
    top = max(float(heights.max()), 1e-30)
    eighths = np.round(heights / top * rows * 8).astype(int)
    lines = []
    for row in range(rows - 1, -1, -1):
        cells = "".join(BLOCKS[int(np.clip(height - 8 * row, 0, 8))] for height in eighths)
        label = f"{top:.1e}" if row == rows - 1 else ""
        lines.append(f"{label:>8} │{cells}")
    last = f"{series.x[-1]:,.0f}"
    axis = f"{'0':>8} └{'─' * columns}"
    return "\n".join([*lines, axis, f"{'':10}1{last:>{columns - 1}} {series.x_label}"])


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def as_json(report: Report) -> str:
    """Everything in the report; REMOVE among the edits is null with `"remove": true`."""
    return json.dumps({
        "config": report.config,
        "summary": str(summary(report)),
        "brief": [str(text) for text in report.brief],
        "assumed": [str(text) for text in report.assumed],
        "findings": [_finding(finding) for finding in report.findings],
        "tables": [_table(table) for table in report.tables],
        "series": [{"name": curve.name, "caption": str(curve.caption), "x": curve.x, "y": curve.y}
                   for curve in report.series]}, indent=1, ensure_ascii=False, default=str)


def _finding(finding: Finding) -> dict[str, Any]:
    edits = [{"key": key, "remove": True} if value is REMOVE else {"key": key, "value": value}
             for key, value in finding.edits]
    return {"rule": finding.rule, "severity": finding.severity.name.lower(), "key": finding.key,
            "file": finding.file, "line": finding.line, "message": str(finding.message),
            "fix": str(finding.fix), "page": page_of(finding.chapter), "edits": edits}


def _table(table: Table) -> dict[str, Any]:
    return {"name": table.name, "caption": str(table.caption),
            "heads": [str(head) for head in table.heads],
            "rows": [[value if isinstance(value, (int, float)) else str(value) for value in row]
                     for row in table.rows]}


SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_sarif(report: Report, addresses: Mapping[str, str] = MappingProxyType({})) -> str:
    """SARIF 2.1.0, which code hosts show beside the lines of the YAML.

    Args:
        addresses: name of a file to its path in the repository; what is not named, such as the
            command line, is laid at the config's first line.
    """
    config = addresses.get(report.config, quote(report.config))
    used = list(dict.fromkeys(finding.rule for finding in report.findings))
    rules = [{"id": name, "shortDescription": {"text": str(RULES[name].title)},
              "help": {"text": str(say("See the page {page} of the book.",
                                        page=RULES[name].chapter))}} for name in used]
    results = [{
        "ruleId": finding.rule, "ruleIndex": used.index(finding.rule),
        "level": finding.severity.name.lower(),
        "message": {"text": " ".join(filter(None, (str(finding.message), str(finding.fix))))},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": addresses.get(finding.file, config)},
            "region": {"startLine": finding.line or 1}}}]} for finding in report.findings]
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [
        {"tool": {"driver": {"name": "preflight", "rules": rules}}, "results": results}]},
        indent=1, ensure_ascii=False)


def as_html(report: Report) -> str:
    """One page that needs nothing else, readable in light and dark."""
    title = html.escape(f"{report.config}: {summary(report)}")
    brief, assumed = ("".join(f"<li>{escaped(text)}</li>" for text in each)
                      for each in (report.brief, report.assumed))
    return f"""<!doctype html>
<html lang="{escaped(say("en"))}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{STYLE}</style></head><body><main>
<h1>{title}</h1>
<ul class="brief">{brief}</ul>
<ul class="assumed" aria-label="{escaped(say("assumed"))}">{assumed}</ul>
{fragment(report)}</main></body></html>
"""


def fragment(report: Report) -> str:
    """The report's findings, facts and curves as HTML, for a page that has a style of its own."""
    findings = "".join(html_finding(finding) for finding in report.findings)
    tables = "".join(map(_html_table, report.tables))
    curves = "".join(map(_html_series, report.series))
    return f'<ol class="findings">{findings}</ol>\n{tables}{curves}'


def html_finding(finding: Finding, linked: bool = False) -> str:
    """A finding as a list item; `linked` to its chapter where that is a page beside this one."""
    fix = f'<p class="fix">→ {_code(finding.fix)}</p>' if finding.fix else ""
    return (f'<li class="pf-{finding.severity.name.lower()}"><p>'
            f'<strong>{escaped(WORDS[finding.severity])}</strong> <code>'
            f"{escaped(finding.key or finding.rule)}</code> {escaped(place_of(finding))} <small>"
            f"{_rule(finding, linked)}</small></p><p>{_code(finding.message)}</p>{fix}</li>\n")


def _rule(finding: Finding, linked: bool) -> str:
    name, _, anchor = finding.chapter.partition("#")
    if not linked:
        return f"{escaped(finding.rule)}, {escaped(page_of(finding.chapter))}"
    address = f'{escaped(name)}.html{"#" + escaped(anchor) if anchor else ""}'
    return f'<a href="{address}">{escaped(finding.rule)}</a>'


def _html_table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escaped(heading)}</th>' for heading in table.heads)
    rows = "".join(
        f'<tr><th scope="row">{escaped(row[0])}</th>'
        f'{"".join(f"<td>{escaped(_cell(cell))}</td>" for cell in row[1:])}</tr>'
        for row in table.rows)
    return (f"<table><caption>{escaped(table.caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table>\n")


def _html_series(series: Series) -> str:
    top = max(max(series.y), 1e-30)
    points = " ".join(f"{600 * (x - series.x[0]) / max(1e-9, series.x[-1] - series.x[0]):.1f},"
                      f"{150 - 150 * y / top:.1f}" for x, y in zip(series.x, series.y, strict=True))
    caption = f"{series.caption}: {_extremes(series)}"
    return (f'<figure><svg viewBox="0 0 600 150" role="img" aria-label="{escaped(caption)}">'
            f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="2"/>'
            f"</svg><figcaption>{escaped(caption)}</figcaption></figure>\n")


def _extremes(series: Series) -> str:
    return f"{min(series.y):.1e} – {max(series.y):.1e}, {series.x_label} {series.x[-1]:,.0f}"


def escaped(text: Any) -> str:
    return html.escape(str(text))


def _code(text: Any) -> str:
    """Escaped text with code between `backticks`."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped(text))


STYLE = """
:root { color-scheme: light dark; --line: #8884; --error: #b3261e; --warning: #8a5000; }
@media (prefers-color-scheme: dark) { :root { --error: #ff8a80; --warning: #ffb95c; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
.findings { list-style: none; padding: 0; }
.findings li { border-left: .3rem solid var(--line); margin: .8rem 0; padding: 0 .8rem; }
.findings p { margin: .2rem 0; overflow-wrap: anywhere; }
.pf-error { border-color: var(--error) !important; }
.pf-warning { border-color: var(--warning) !important; }
.pf-error strong { color: var(--error); } .pf-warning strong { color: var(--warning); }
table { border-collapse: collapse; margin: 1.2rem 0; }
caption { font-weight: 600; text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .7rem .25rem 0; text-align: left; }
th[scope=row] { font-weight: 400; } figure { margin: 1.2rem 0; } svg { max-width: 100%; }
"""
