"""What the commands beside the check print: a head, remarks and tables, for a terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from funasr_preflight.errors import BookError, reason_of, write_nowhere
from funasr_preflight.findings import Severity, Table
from funasr_preflight.texts import NOTHING, Text, say

PIPE_COLUMNS = 80
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
    coloured = colour()
    console = Console(width=width(), force_terminal=coloured, no_color=not coloured,
                      highlight=False, record=True, file=io.StringIO(), force_jupyter=False)
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
    return "\n".join(map(str.rstrip, console.export_text(styles=coloured).splitlines())).rstrip()


def colour() -> bool:
    """Whether a terminal is there that shows colours and nobody minds them (no-color.org)."""
    return (sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb")


def width() -> int:
    """Columns: of the terminal, or what `COLUMNS` says; a pipe has none of its own."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isascii() and wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or PIPE_COLUMNS
    except (OSError, ValueError):
        return PIPE_COLUMNS


def show(text: str, stream: Any = None) -> None:
    """Print, whatever the terminal's encoding, and into a pipe that closes early.

    Raises:
        BookError: the report cannot be written.
    """
    stream = stream or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    try:
        print(text, flush=True, file=stream)
    except BrokenPipeError:  # the reader has seen enough
        write_nowhere(stream)
    except OSError as error:
        write_nowhere(stream)
        raise BookError(say("The report cannot be written ({reason}): give it another place.",
                            reason=reason_of(error))) from None


def _safe(text: Any) -> str:
    """Text that rich takes as it is, without control characters that a terminal would obey."""
    from rich.markup import escape

    return escape("".join(one if one.isprintable() or one == "\n" else "\ufffd"
                          for one in str(text)))
