"""The recorded findings by version: read, looked up, compared, rendered. No torch, no funasr."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from funasr_preflight.versions import NOT_ASKED, load

LARGE = ("keys-read-with-a-default", "registered-classes")
"""Findings for programs to compare, too large for a table."""


def since_rows() -> list[list[str]]:
    """The table "since when": question, then "VERSION: answer" for each change of it."""
    record = load()
    return [[question, "; ".join(f"{version}: {shown(finding)}"
                                 for version, finding in record.since(name))]
            for name, question in record.questions.items() if name not in LARGE]


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
