"""What the commands beside the check print: a head, remarks and tables, for a terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from typing import Any

from funasr_preflight.errors import BookError, reason_of, write_nowhere
from funasr_preflight.findings import Finding, Severity, Table
from funasr_preflight.texts import Text, say

PIPE_COLUMNS = 80
WORDS = {Severity.ERROR: say("error"), Severity.WARNING: say("warning"), Severity.NOTE: say("note")}
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "dim"}


def printed(name: str, head: Text, remarks: Iterable[Finding], tables: Iterable[Table] = ()) -> str:
    """The text of a report, in colour where it goes to a terminal."""
    from rich.table import Table as Grid

    console = recorder(width(), colour())
    console.print(f"[bold]{plain(name)}[/bold]: {plain(head)}")
    for remark in remarks:
        console.print(f"\n[{STYLES[remark.severity]}]{WORDS[remark.severity]}[/]")
        console.print(indented(plain(remark.message)))
        if remark.fix:
            console.print(indented(f"→ {plain(remark.fix)}"))
    for table in tables:
        grid = Grid(title=str(table.caption), title_justify="left")
        for head in table.heads:
            grid.add_column(str(head), overflow="fold")
        for row in table.rows:
            grid.add_row(*map(plain, row))
        console.print()
        console.print(grid)
    return recorded(console, colour()).rstrip()


def recorder(columns: int | None, coloured: bool):
    """A console of rich's that keeps what is printed, for `recorded`."""
    from rich.console import Console

    return Console(width=columns, force_terminal=coloured, no_color=not coloured, highlight=False,
                   record=True, file=io.StringIO(), force_jupyter=False)


def recorded(console: Any, coloured: bool) -> str:
    """What a `recorder` kept, without blanks at the ends of lines."""
    return "\n".join(map(str.rstrip, console.export_text(styles=coloured).splitlines()))


def indented(text: str, by: int = 4):
    """A paragraph that stands to the right of the others."""
    from rich.padding import Padding

    return Padding(text, (0, 0, 0, by))


def colour() -> bool:
    """Whether a terminal is there that shows colours and nobody minds them (no-color.org)."""
    return (sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb")


def width() -> int:
    """Columns: of the terminal, or what `COLUMNS` says; a pipe has none of its own."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return int(columns)
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


def plain(text: Any) -> str:
    """Text that rich takes as it is, without control characters that a terminal would obey."""
    from rich.markup import escape

    return escape("".join(sign if sign.isprintable() or sign == "\n" else "\ufffd"
                          for sign in str(text)))
