"""`python -m helpers.versions`: record versions, audit the newest release, show the table."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from funasr_preflight.versions import COMMAND, FILE, load, parsed
from helpers.errors import BookError, one_sentence
from helpers.experiments.provenance import provenance
from helpers.experiments.records import write_record
from helpers.versions import book, record, weights, wheels, worker
from helpers.versions.questions import PROBES

ANSWERS = book.CACHE / "versions" / "answers"
SECONDS = 1800


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if the newest release differs from the record."""
    parser = argparse.ArgumentParser(prog="python -m helpers.versions", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--record", action="store_true",
                        help=f"ask every version what is not answered yet, and write "
                           f"{FILE.name}")
    action.add_argument("--newest", action="store_true",
                        help="ask the newest release and print how it differs from the record")
    parser.add_argument("--again", action="store_true", help="forget earlier answers first")
    parser.add_argument("--quick", action="store_true", help="leave out the slow questions")
    parser.add_argument("versions", nargs="*", help="versions in place of the chosen ones")
    options = parser.parse_args(arguments)
    if options.newest:
        return _newest(options.quick)
    if options.record:
        return _record(options.versions or list(wheels.CHOSEN), options.again, options.quick)
    for row in record.since_rows():
        print(f"{row[0]}\n    {row[1]}")
    return 0


def ask(version: str, again: bool = False, quick: bool = False) -> dict[str, Any]:
    """The findings of one version, from a process of its own.

    Raises:
        BookError: the version cannot be unpacked, or its process ended in a question.
    """
    path = ANSWERS / f"{version}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    if again:
        path.unlink(missing_ok=True)
    expected = {worker.HELPED, *(name for name, probe in PROBES.items()
                                 if not (quick and probe.slow))}
    if not expected <= {row["probe"] for row in worker.read(path)}:
        _released_names()
        _in_process(wheels.unpacked(version), version,
                    [str(path), *(["--quick"] if quick else [])])
    answers = {row.pop("probe"): row for row in worker.read(path)}
    return {"helped": answers[worker.HELPED]["answer"],
            "findings": {name: answers[name] for name in PROBES if name in answers}}


def _released_names() -> None:
    if not weights.FILE.is_file():
        _in_process(None, importlib.metadata.version("funasr"), [os.devnull, "--released"])


def _in_process(folder: Path | None, version: str, arguments: list[str]) -> None:
    source = str(Path(__file__).resolve().parents[2])
    paths = [*([str(folder)] if folder else []), source, os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)),
                                "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    try:
        child = subprocess.run([sys.executable, "-m", worker.__name__, version, *arguments],
                               env=environment, stdout=subprocess.DEVNULL, check=False,
                               timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise BookError(f"FunASR {version} did not answer in {SECONDS} s: run the same command "
                        "again, and it goes on where it stopped.") from None
    if child.returncode == worker.OTHER_VERSION:
        raise BookError(f"The process for FunASR {version} loaded another one: remove "
                        f"{wheels.FOLDER.name} from the cache and ask again.")
    if child.returncode:
        raise BookError(f"The process for FunASR {version} ended with {child.returncode}: run the "
                        "same command again, and it goes on where it stopped.")


def _record(versions: list[str], again: bool, quick: bool) -> int:
    content = (json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file()
               else {"versions": {}, "questions": {}})
    for version in versions:
        print(f"FunASR {version}", file=sys.stderr)
        content["versions"][version] = ask(version, again, quick)
        content["questions"] = {name: probe.question for name, probe in PROBES.items()}
        _write(content)  # the file appears whole or not at all
    return 0


def _write(content: dict[str, Any]) -> None:
    ordered = dict(sorted(content["versions"].items(), key=lambda entry: parsed(entry[0])))
    write_record(FILE, {"provenance": provenance(COMMAND, seed=0),
                        "questions": content["questions"], "versions": ordered})


def _newest(quick: bool) -> int:
    """Compare the newest release with the record's newest column."""
    newest, recorded = wheels.newest(), load()
    column = recorded.nearest(newest)
    findings = ask(newest, quick=quick)["findings"]
    before = {name: recorded.finding(name, column.version) for name in recorded.questions}
    lines = record.differences(before, findings, recorded.questions)
    print(f"FunASR {newest}, compared with the recorded {column.version}: "
          f"{len(lines) or 'no'} differences.")
    print(*lines, sep="\n")
    return int(bool(lines))
