"""How long each chapter runs: recorded by `make execute`, shown by the role `{run-time}`.

`` {run-time}`dataset` `` becomes "about a minute on 2 CPU cores", in the page's language. A run's
time is that of the clock, or of the processor where other work slowed it down. The record is
coarse, so that another run on the same machine leaves it as it is.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxRole

from helpers.errors import BookError
from helpers.experiments.records import RunRecords
from helpers.ledger import translations
from helpers.paths import RESULTS, ROOT
from helpers.site.languages import language_of

RECORDS = RunRecords(RESULTS / "run_times.json",
                     ".venv/bin/python -m helpers.site.commands.execute --times", ("chapter",))
STEP = 30  # seconds
NEAR = 20
"""Seconds by which a run may differ from the recorded ones without changing them."""


def record(chapter: str, seconds: float, records: RunRecords = RECORDS) -> None:
    """Store how long a chapter ran on this machine, unless that is recorded well enough."""
    row = {"chapter": chapter, "seconds": max(STEP, STEP * round(seconds / STEP)),
           "cores": os.cpu_count(), "processor": processor()}
    for old in records.read() if records.path.exists() else []:
        if old | {"seconds": row["seconds"]} == row and abs(seconds - old["seconds"]) < NEAR:
            return
    records.add(row, [(name,) for name in chapters()])


def chapters() -> list[str]:
    """Every notebook that is a page, in the order of the contents."""
    return re.findall(r"notebooks/(\w+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))


def processor() -> str:
    """Name of this machine's processor."""
    try:
        listed = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except FileNotFoundError:
        listed = ""
    match = re.search(r"^model name\s*:\s*(.+)$", listed, re.MULTILINE)
    return match[1] if match else platform.processor() or platform.machine()


def spoken(row: dict[str, Any], language: str) -> str:
    """A recorded time in the words of a language."""
    minutes, cores = row["seconds"] / 60, row["cores"]
    if language != "en":
        template = translations.words(language)["run_time"]["half" if minutes == 0.5 else "minutes"]
        return template.format(minutes=minutes, cores=cores)
    time = {0.5: "half a minute", 1: "a minute"}.get(minutes, f"{minutes:g} minutes")
    return f"about {time} on {cores} CPU core{'s' * (cores > 1)}"


class RunTime(SphinxRole):
    """The recorded time of a chapter."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        self.env.note_dependency(str(RECORDS.path))
        for row in RECORDS.read():
            if row["chapter"] == self.text:
                words = spoken(row, language_of(self.env.docname))
                return [nodes.inline("", words)], []
        raise BookError(f"{self.env.docname}: no time is recorded of {self.text}: record it with "
                        f"`{RECORDS.command} {self.text}`.")
