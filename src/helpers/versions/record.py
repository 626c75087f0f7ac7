"""The recorded findings by version: read, looked up, compared, rendered. No torch, no funasr."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from helpers.errors import BookError
from helpers.versions.book import RESULTS

FILE = RESULTS / "funasr_versions.json"
COMMAND = "python -m helpers.versions --record"
LARGE = ("keys-read-with-a-default", "registered-classes")
"""Findings for programs to compare, too large for a table."""


NOT_ASKED = {"not_there": "not asked of this version yet"}
"""Stands for the answer to a slow question where a version was recorded with `--quick`."""


@dataclass(frozen=True)
class Nearest:
    """The column that stands for a version.

    Attributes:
        version: the recorded version.
        asked: the version that was asked for.
    """

    version: str
    asked: str

    @property
    def exact(self) -> bool:
        return self.version == self.asked

    @property
    def sentence(self) -> str:
        """Which column was used, and what was not recorded."""
        if self.exact:
            return f"Recorded for FunASR {self.version}."
        return (f"FunASR {self.asked} is not recorded: what follows holds for {self.version}, the "
                "nearest recorded version.")


@dataclass(frozen=True)
class Record:
    """The file, read.

    Attributes:
        content: `versions` (version to `helped` and `findings`) and `questions`.
    """

    content: Mapping[str, Any]

    @property
    def versions(self) -> list[str]:
        """Recorded versions, oldest first."""
        return sorted(self.content["versions"], key=parsed)

    @property
    def questions(self) -> dict[str, str]:
        """Finding to the question that it answers."""
        return dict(self.content["questions"])

    def helped(self, version: str) -> list[str]:
        """What was done so that this version could be asked at all, a sentence each."""
        return list(self.content["versions"][version]["helped"])

    def finding(self, name: str, version: str) -> dict[str, Any]:
        """`answer`, or `not_there` with the reason.

        Raises:
            BookError: no such version or finding is recorded.
        """
        if version not in self.content["versions"]:
            raise BookError(f"FunASR {version} is not recorded: choose one of "
                            f"{', '.join(self.versions)}, or ask `nearest`.")
        if name not in self.content["questions"]:
            raise BookError(f"There is no finding `{name}`: choose one of "
                            f"{', '.join(sorted(self.content['questions']))}.")
        return self.content["versions"][version]["findings"].get(name, NOT_ASKED)

    def since(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Runs of versions with one answer: the first version of each, and its finding."""
        runs: list[tuple[str, dict[str, Any]]] = []
        for version in self.versions:
            finding = self.finding(name, version)
            if finding is not NOT_ASKED and (not runs or runs[-1][1] != finding):
                runs.append((version, finding))
        return runs

    def nearest(self, version: str) -> Nearest:
        """The recorded version that stands for any other.

        That is the newest recorded one that is not newer, for what a release changes stays until
        another changes it; and the oldest for a version before all of them.

        Raises:
            BookError: this is no version.
        """
        older = [recorded for recorded in self.versions if parsed(recorded) <= parsed(version)]
        return Nearest(older[-1] if older else self.versions[0], version)


@cache
def load(path: Path = FILE) -> Record:
    """The record.

    Raises:
        BookError: it is missing or broken.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Record({"versions": content["versions"], "questions": content["questions"]})
    except (OSError, json.JSONDecodeError, KeyError, TypeError):
        raise BookError(f"{path.name} is missing or broken: make it with `{COMMAND}`.") from None


def nearest(version: str) -> Nearest:
    """`Record.nearest` of the recorded versions."""
    return load().nearest(version)


def parsed(version: str) -> tuple[int, ...]:
    """A version as numbers, for sorting.

    Raises:
        BookError: this is no version.
    """
    numbers = re.match(r"\d+(\.\d+)*", version)
    if not numbers:
        raise BookError(f"`{version}` is no version of FunASR: give one such as 1.4.16.")
    return tuple(int(part) for part in numbers[0].split("."))


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
