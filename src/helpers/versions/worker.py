"""What the process of one version does: ask, and write a line for each answer.

`python -m helpers.versions.worker VERSION OUT.jsonl [--quick | --released]`, with the version's
folder first on `PYTHONPATH`. A question that ends the process loses only its own line.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from helpers.versions import book, weights
from helpers.versions.probe import answered
from helpers.versions.questions import PROBES

HELPED = "helped"
"""Stands among the answers for what this version needed to be asked at all."""

OTHER_VERSION = 3


def main(arguments: list[str]) -> int:
    """Answer what is not in the file yet; OTHER_VERSION if another FunASR is loaded."""
    expected, out, *options = arguments
    if version("funasr") != expected:
        return OTHER_VERSION
    path = Path(out)
    helped = book.prepare()
    if "--released" in options:
        weights.record()
        return 0
    recorded = {row["probe"] for row in read(path)}
    if HELPED not in recorded:
        _add(path, {"probe": HELPED, "answer": helped})
    for name, question in PROBES.items():
        if name in recorded or (question.slow and "--quick" in options):
            continue
        started = time.perf_counter()
        _add(path, {"probe": name, **answered(question, book.described)})
        print(f"{time.perf_counter() - started:6.1f} s  {name}", file=sys.stderr, flush=True)
    return 0


def read(path: Path) -> list[dict]:
    """The answers so far."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _add(path: Path, row: dict) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
