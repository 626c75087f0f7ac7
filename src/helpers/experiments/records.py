"""A file of recorded runs: JSON, one row a run, added the moment the run is done.

Several processes may record into one file. A row that is there is not made again, so a recording
that was stopped goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from helpers.errors import BookError
from helpers.paths import CACHE

Row = dict[str, Any]


@dataclass(frozen=True)
class RunRecords:
    """A file of rows.

    Attributes:
        path: the file.
        command: the one line that makes it.
        key: names of the fields that tell a row from all others.
    """

    path: Path
    command: str
    key: tuple[str, ...]

    def read(self) -> list[Row]:
        """All rows.

        Raises:
            BookError: there is no such file, or it is not a record of runs.
        """
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))["rows"]
        except FileNotFoundError:
            raise BookError(f"There is no {self.path.name} in results: make it with "
                            f"`{self.command}`.") from None
        except (json.JSONDecodeError, KeyError, TypeError):
            raise BookError(f"{self.path.name} is not a record of runs: restore it, or remove it "
                            "and record again.") from None

    def keys(self) -> set[Hashable]:
        """What is recorded: the key fields of every row."""
        return {self._key(row) for row in self.read()} if self.path.exists() else set()

    def add(self, row: Row, order: Callable[[Row], Any] | None = None) -> None:
        """Add a row, or replace the one of the same key; the file appears whole or not at all.

        Args:
            order: sort key of the rows in the file.
        """
        with self._locked():
            rows = self.read() if self.path.exists() else []
            rows = [*(old for old in rows if self._key(old) != self._key(row)), row]
            if order:
                rows.sort(key=order)
            text = ",\n".join(json.dumps(one) for one in rows)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".partial")
            partial.write_text(f'{{"rows": [\n{text}\n]}}\n', encoding="utf-8")
            partial.replace(self.path)

    def _key(self, row: Row) -> tuple:
        return tuple(row[name] for name in self.key)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        CACHE.mkdir(parents=True, exist_ok=True)
        with FileLock(CACHE / f"{self.path.name}.lock"):
            yield


def add_share_options(parser: argparse.ArgumentParser) -> None:
    """Give a recording command `--jobs N`, and the `--share I/N` that its workers get."""
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--share", metavar="I/N", help=argparse.SUPPRESS)


def mine(wanted: Sequence, options: argparse.Namespace, module: str,
         arguments: Sequence[str]) -> Sequence:
    """The runs that this process has to make: all, a worker's share, or none, once workers did.

    Args:
        wanted: every run.
        options: parsed, from a parser with `add_share_options`.
        module, arguments: the command that a worker runs, without `--share`.
    """
    if options.share:
        number, of = map(int, options.share.split("/"))
        return wanted[number::of]
    if options.jobs > 1:
        _side_by_side(module, arguments, options.jobs)
        return []
    return wanted


def _side_by_side(module: str, arguments: Sequence[str], jobs: int) -> None:
    """Run `python -m MODULE ARGUMENTS --share I/JOBS` in `jobs` processes with one thread each.

    Raises:
        BookError: the last line that a failed worker wrote.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    workers = [subprocess.Popen(
        [sys.executable, "-m", module, *arguments, "--share", f"{number}/{jobs}"],
        env=environment, stderr=subprocess.PIPE, text=True) for number in range(jobs)]
    said = [worker.communicate()[1] for worker in workers]
    for worker, text in zip(workers, said, strict=True):
        if worker.returncode:
            raise BookError((text.strip().splitlines() or ["A worker ended without a word."])[-1])
