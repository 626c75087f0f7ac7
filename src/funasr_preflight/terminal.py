"""What the commands beside the check print: a head, remarks and tables, for a terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from funasr_preflight.findings import Severity, Table
from funasr_preflight.texts import NOTHING, Text, say

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "dim"}


@dataclass(frozen=True)
class Remark:
    """One thing to know, and what to do about it."""

    severity: Severity
    message: Text
    fix: Text = NOTHING


def printed(name: str, head: Text, remarks: Iterable[Remark], tables: Iterable[Table] = ()) -> str:
    """The text of a report, in colour where it goes to a terminal."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table as Grid

    words = {Severity.ERROR: say("error"), Severity.WARNING: say("warning"),
             Severity.NOTE: say("note")}
    colour = sys.stdout.isatty()
    console = Console(force_terminal=colour, no_color=not colour, highlight=False, record=True,
                      file=io.StringIO(), force_jupyter=False)
    console.print(f"[bold]{_safe(name)}[/bold]: {_safe(head)}")
    for one in remarks:
        console.print(f"\n[{_STYLES[one.severity]}]{words[one.severity]}[/]")
        console.print(Padding(_safe(one.message), (0, 0, 0, 4)))
        if one.fix:
            console.print(Padding(f"→ {_safe(one.fix)}", (0, 0, 0, 4)))
    for table in tables:
        grid = Grid(title=str(table.caption), title_justify="left")
        for head in table.heads:
            grid.add_column(str(head), overflow="fold")
        for row in table.rows:
            grid.add_row(*map(_safe, row))
        console.print()
        console.print(grid)
    return "\n".join(map(str.rstrip, console.export_text(styles=colour).splitlines())).rstrip()


def show(text: str) -> None:
    """Print, whatever the terminal's encoding, and into a pipe that closes early."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has seen enough; keep Python from saying so at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _safe(text: Any) -> str:
    """Text that rich takes as it is, without control characters that a terminal would obey."""
    from rich.markup import escape

    return escape("".join(one if one.isprintable() or one == "\n" else "\ufffd"
                          for one in str(text)))
