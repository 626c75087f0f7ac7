"""What each recorded version of FunASR does: "since when" for every finding.

`versions.json` is the book's record (`python -m helpers.versions --record`). The checker asks it
where a rule depends on the version; a version that is not in it gets the nearest that is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from funasr_preflight.errors import BookError, read_carried
from funasr_preflight.texts import Text, say

FILE = Path(__file__).with_name("versions.json")
COMMAND = "python -m helpers.versions --record"
NOT_ASKED = {"not_there": "not asked of this version yet"}
"""Stands for the answer to a slow question where a version was recorded without it."""


@dataclass(frozen=True)
class Nearest:
    """The recorded version that stands for the one that was asked for."""

    version: str
    asked: str

    @property
    def exact(self) -> bool:
        return self.version == self.asked

    @property
    def sentence(self) -> Text:
        """Which column was used, and what was not recorded."""
        if self.exact:
            return say("Recorded for FunASR {version}.", version=self.version)
        return say("FunASR {asked} is not recorded: what follows holds for {version}, the nearest "
                   "recorded version.", asked=self.asked, version=self.version)


@dataclass(frozen=True)
class VersionColumn:
    """What is recorded for the version of a run."""

    nearest: Nearest
    findings: Mapping[str, Mapping[str, Any]]

    def answer(self, finding: str, otherwise: Any = None) -> Any:
        """What this version answers, or something else where it could not be asked."""
        return self.findings.get(finding, NOT_ASKED).get("answer", otherwise)


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
            raise BookError(say("FunASR {version} is not recorded: choose one of {names}, or ask "
                                "`nearest`.", version=version, names=", ".join(self.versions)))
        if name not in self.content["questions"]:
            raise BookError(say("There is no finding `{name}`: choose one of {names}.", name=name,
                                names=", ".join(sorted(self.content["questions"]))))
        return self.content["versions"][version]["findings"].get(name, NOT_ASKED)

    def since(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Runs of versions with one answer: the first version of each, and its finding."""
        runs: list[tuple[str, dict[str, Any]]] = []
        for version in self.versions:
            finding = self.finding(name, version)
            if finding is not NOT_ASKED and (not runs or runs[-1][1] != finding):
                runs.append((version, finding))
        return runs

    def first(self, name: str, answer: Any) -> str:
        """The first version from which a finding has had this answer to the end; "" for none."""
        first = ""
        for version in self.versions:
            same = self.finding(name, version).get("answer", NOT_ASKED) == answer
            first = (first or version) if same else ""
        return first

    def nearest(self, version: str) -> Nearest:
        """The recorded version that stands for any other.

        That is the newest recorded one that is not newer, for what a release changes stays until
        another changes it; and the oldest for a version before all of them.

        Raises:
            BookError: this is no version.
        """
        older = [recorded for recorded in self.versions if parsed(recorded) <= parsed(version)]
        return Nearest(older[-1] if older else self.versions[0], version)

    def column(self, version: str) -> VersionColumn:
        """What is recorded for a version, or for the nearest.

        Raises:
            BookError: this is no version.
        """
        near = self.nearest(version)
        return VersionColumn(near, self.content["versions"][near.version]["findings"])


@cache
def load(path: Path = FILE) -> Record:
    """The record.

    Raises:
        BookError: it is missing or broken.
    """
    return Record(read_carried(path, COMMAND, "versions", "questions"))


def parsed(version: str) -> tuple[int, ...]:
    """A version as numbers, for sorting.

    Raises:
        BookError: this is no version.
    """
    numbers = re.match(r"\d+(\.\d+)*", version)
    if not numbers:
        raise BookError(say("`{version}` is no version of FunASR: give one such as 1.4.16.",
                            version=version[:40]))
    return tuple(int(part[:9]) for part in numbers[0].split("."))
