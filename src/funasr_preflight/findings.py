"""What pre-flight reports: findings, and the facts that they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from typing import Any

from funasr_preflight.texts import NOTHING, Text

REMOVE = object()
"""The value of an edit that takes a key out of the YAML."""
COMMAND_LINE = "command line"
"""Stands for the file where a finding is about what was typed."""


class Severity(IntEnum):
    """How bad it is. `ERROR`: the run stops, trains nothing or gives nothing that can be used.
    `WARNING`: it does something else than the config says. `NOTE`: good to know."""

    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        rule: the rule's id, such as `keys-never-read`.
        message: what will happen, in plain words, with this config's own numbers.
        fix: what to do about it; empty where nothing is to be done.
        key: the dotted key of the config, or "".
        file: the file that the line is in: the YAML's or the manifest's name, or "command line".
        line: line in that file, from 1; None where no line is to blame.
        edits: what `--fix` changes, as (dotted key, value or REMOVE).
        decision: whether the edits are a matter of judgement, which `--fix` leaves to the user.
        chapter: page of the book and anchor, such as `dataset` or `dataset#filters`.
    """

    rule: str
    severity: Severity
    message: Text
    fix: Text = NOTHING
    key: str = ""
    file: str = ""
    line: int | None = None
    edits: tuple[tuple[str, Any], ...] = ()
    chapter: str = ""
    decision: bool = False


def problem(severity: Severity, message: Text, fix: Text = NOTHING, key: str = "",
            file: str = "", line: int | None = None, edits: Mapping[str, Any] | None = None,
            decision: bool = False) -> Finding:
    """A finding; a rule's id and page, and the key's line, are filled in by `registry.findings_of`.

    Args:
        key: to blame; without it the first of those that `--fix` changes.
        edits: key to its new value, or to REMOVE.
    """
    edits = edits or {}
    return Finding("", severity, message, fix, key or next(iter(edits), ""), file, line,
                   tuple(edits.items()), decision=decision)


error, warning, note = (partial(problem, severity) for severity in reversed(Severity))


@dataclass(frozen=True)
class Table:
    """Facts of a report, beside its findings: a caption, column heads and rows of plain values."""

    name: str
    caption: Text
    heads: tuple[Text, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Series:
    """A curve of a report, such as the learning rate over a run."""

    name: str
    caption: Text
    x_label: Text
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        config: name of the YAML.
        findings: the worst first, then in the order of the rules.
        tables, series: the facts.
        assumed: what was taken for granted, such as the launch mode; one sentence each.
        brief: what the run is, in four lines.
        counted: notes, warnings and errors, where `findings` are not all of them.
    """

    config: str
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...] = ()
    series: tuple[Series, ...] = ()
    assumed: tuple[Text, ...] = field(default=())
    brief: tuple[Text, ...] = ()
    counted: tuple[int, ...] | None = None

    def counts(self) -> tuple[int, ...]:
        """How many notes, warnings and errors were found, shown or not."""
        return self.counted or tuple(sum(finding.severity == severity for finding in self.findings)
                                     for severity in Severity)

    def at_least(self, severity: Severity) -> list[Finding]:
        """Findings of this severity or worse."""
        return [finding for finding in self.findings if finding.severity >= severity]

    def of(self, rule: str) -> list[Finding]:
        """Findings of one rule."""
        return [finding for finding in self.findings if finding.rule == rule]


def sorted_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The worst first; otherwise the order stays."""
    return tuple(sorted(findings, key=lambda finding: -finding.severity))
