"""The recorded findings by version: read, looked up, compared, rendered. No torch, no funasr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from funasr_preflight import versions
from funasr_preflight.versions import NOT_ASKED, Nearest, Record

FILE = versions.FILE
COMMAND = versions.COMMAND
LARGE = ("keys-read-with-a-default", "registered-classes")
"""Findings for programs to compare, too large for a table."""


def load(path: Path = FILE) -> Record:
    """The record, which lies inside the checker.

    Raises:
        BookError: it is missing or broken.
    """
    return versions.load(path)


def nearest(version: str) -> Nearest:
    """`Record.nearest` of the recorded versions."""
    return load().nearest(version)


def rows(names: Iterable[str] | None = None, record: Record | None = None) -> list[list[str]]:
    """The table "since when": question, then one cell for each recorded version.

    Args:
        names: findings, in order; without, all but the LARGE ones.
    """
    record = record or load()
    chosen = list(names) if names is not None else [
        name for name in record.questions if name not in LARGE]
    return [[record.questions[name], *(shown(record.finding(name, version))
                                       for version in record.versions)] for name in chosen]


def header(record: Record | None = None) -> list[str]:
    """The head of the table that `rows` fills."""
    return ["Finding", *(record or load()).versions]


def since_rows(names: Iterable[str] | None = None,
               record: Record | None = None) -> list[list[str]]:
    """The same table, narrow: question, then "VERSION: answer" for each change of it."""
    record = record or load()
    chosen = list(names) if names is not None else [
        name for name in record.questions if name not in LARGE]
    return [[record.questions[name], "; ".join(f"{version}: {shown(finding)}"
                                               for version, finding in record.since(name))]
            for name in chosen]


def shown(finding: Mapping[str, Any]) -> str:
    """A finding in a cell."""
    if "not_there" in finding:
        return f"not there: {finding['not_there']}"
    answer = finding["answer"]
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, Mapping):
        return ", ".join(f"{name} {value}" for name, value in answer.items())
    if isinstance(answer, list):
        return ", ".join(map(str, answer)) or "none"
    if isinstance(answer, int):
        return f"{answer:,}"
    return f"{answer:g}" if isinstance(answer, float) else str(answer) or "nothing"


def differences(older: Mapping[str, Any], newer: Mapping[str, Any],
                questions: Mapping[str, str]) -> list[str]:
    """What changed between two versions' findings, in one line each."""
    lines = []
    for name, finding in newer.items():
        before = older.get(name)
        if before is None or before is NOT_ASKED or before == finding:
            continue
        if name in LARGE and "answer" in finding and "answer" in before:
            lines += _changed_entries(name, before["answer"], finding["answer"])
        else:
            lines.append(f"{questions.get(name, name)}\n"
                         f"  was: {shown(before)}\n  is:  {shown(finding)}")
    return lines


def _changed_entries(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [f"{name}: `{key}` was {before.get(key, 'not there')}, is {after.get(key, 'not there')}"
            for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
