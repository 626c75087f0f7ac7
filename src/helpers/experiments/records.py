"""Files of recorded results: JSON that is whole at every moment, with where it comes from.

A `RunRecords` file has one row a run, added the moment the run is done; a row that is there is not
made again, so a recording that was stopped goes on where it stopped. `write_record` stores a result
that is made in one go. Several processes may record at once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shlex
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from helpers.errors import BookError, one_sentence
from helpers.experiments.provenance import provenance
from helpers.paths import CACHE
from helpers.session import setup

Row = dict[str, Any]
Key = tuple[Hashable, ...]


def write_record(path: Path, content: Any, indent: int = 1) -> Path:
    """Store a result as JSON; the file appears whole, or the one that was there stays."""
    with _locked(path):
        _replace(path, json.dumps(content, indent=indent, ensure_ascii=False) + "\n")
    return path


@dataclass(frozen=True)
class RunRecords:
    """A file of rows.

    Attributes:
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
        return self.content()["rows"]

    def content(self) -> dict[str, Any]:
        """The whole file: `rows`, and what is said of all rows at once; raises as `read`."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return {**content, "rows": list(content["rows"])}
        except FileNotFoundError:
            raise BookError(f"There is no {self.path.name} in results: make it with "
                            f"`{self.command}`.") from None
        except (json.JSONDecodeError, KeyError, TypeError):
            raise BookError(f"{self.path.name} is not a record of runs: restore it, or remove it "
                            "and record again.") from None

    def keys(self) -> set[Key]:
        """What is recorded: the key fields of every row."""
        return {self.key_of(row) for row in self.read()} if self.path.exists() else set()

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """The key fields of a row."""
        return tuple(row[name] for name in self.key)

    def add(self, row: Row, order: Sequence[Key] = ()) -> None:
        """Add a row, or replace the one of the same key.

        Args:
            order: keys in the order of the file; rows that it lacks come last.
        """
        positions = {key: position for position, key in enumerate(order)}
        with _locked(self.path):
            content = self.content() if self.path.exists() else {"rows": []}
            rows = [*(old for old in content.pop("rows") if self.key_of(old) != self.key_of(row)),
                    row]
            rows.sort(key=lambda entry: positions.get(self.key_of(entry), len(positions)))
            lines = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)},\n"
                     for name, value in content.items()]
            text = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in rows)
            _replace(self.path, f'{{{"".join(lines)}"rows": [\n{text}\n]}}\n')


@dataclass(frozen=True)
class Recording:
    """A command that makes the runs which a file lacks.

    Attributes:
        module: where it stands, under the name RECORDING; each worker imports it from there.
        runs: name and seed of each run to the keys of its rows, in the order of the file.
        make: from name, seed and the keys that are lacking to those rows, one after the other,
            without where they come from.
        show: prints what is recorded.
    """

    module: str
    records: RunRecords
    runs: Mapping[tuple[str, int], Sequence[Key]]
    make: Callable[[str, int, Sequence[Key]], Iterable[Row]]
    show: Callable[[], None]

    def chosen(self, names: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[tuple[str, int]]:
        """Runs of these names and seeds, of all without them.

        Raises:
            BookError: there is no such run.
        """
        every = dict.fromkeys(name for name, _ in self.runs)
        unknown = [name for name in names if name not in every]
        if unknown:
            raise BookError(f"There is no run {', '.join(unknown)}: choose from "
                            f"{', '.join(every)}.")
        return [(name, seed) for name, seed in self.runs
                if (not names or name in names) and (not seeds or seed in seeds)]

    def record(self, name: str, seed: int) -> None:
        """Make one run's rows that the file lacks, and store each as soon as it is made."""
        recorded = self.records.keys()
        lacking = [key for key in self.runs[name, seed] if key not in recorded]
        if not lacking:
            return
        command = f"{self.records.command} --only {shlex.quote(name)} --seed {seed}"
        origin = provenance(command, seed=seed)
        names = list(dict.fromkeys(name for name, _ in self.runs))
        order = [key for run in sorted(self.runs, key=lambda run: (names.index(run[0]), run[1]))
                 for key in self.runs[run]]
        for row in self.make(name, seed, lacking):
            self.records.add({**row, "provenance": origin}, order)
            print(*self.records.key_of(row), "recorded", flush=True)

    @one_sentence
    def main(self, arguments: list[str] | None = None) -> int:
        """The command line: `--record`, and what is recorded in the terminal."""
        import joblib

        parser = argparse.ArgumentParser(
            prog=f"python -m {self.module.removesuffix('.__main__')}",
            description=importlib.import_module(self.module).__doc__)
        parser.add_argument("--record", action="store_true", help="make the runs that are lacking")
        parser.add_argument("--only", action="append", default=[], metavar="NAME",
                            help="only this run")
        parser.add_argument("--seed", action="append", default=[], type=int, metavar="S",
                            help="only this seed")
        parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
        parser.add_argument("--cluster", metavar="ADDRESS",
                            help="let all workers of the Dask cluster with this scheduler make the "
                                 "runs; they share this folder")
        options = parser.parse_args(arguments)
        chosen = self.chosen(options.only, options.seed)
        if options.record:
            with _workers(options.cluster):
                joblib.Parallel(-1 if options.cluster else options.jobs)(
                    joblib.delayed(_work)(self.module, *run) for run in chosen)
        self.show()
        return 0


@contextmanager
def _workers(cluster: str | None) -> Iterator[None]:
    """While this lasts, joblib's jobs go to a cluster; without an address, to processes here.

    Raises:
        BookError: no scheduler answers there.
    """
    if cluster is None:
        yield
        return
    import joblib
    from distributed import Client

    try:
        client = Client(cluster, timeout="10s")
    except (OSError, ValueError) as error:
        raise BookError(f"No Dask scheduler answers at {cluster} ({type(error).__name__}): start "
                        "one with `dask scheduler`, and give its address.") from None
    with client, joblib.parallel_config("dask"):
        yield


def _work(module: str, name: str, seed: int) -> None:
    """One run of a recording, in whatever process."""
    setup()
    importlib.import_module(module).RECORDING.record(name, seed)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".partial",
                                     prefix=f"{path.name}.", delete=False) as partial:
        try:
            partial.write(text)
            partial.flush()
            os.fsync(partial.fileno())
            os.chmod(partial.name, 0o644)
            os.replace(partial.name, path)
        except BaseException:
            os.unlink(partial.name)
            raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{path.name}.lock"):
        yield
