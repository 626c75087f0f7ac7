"""What the process of one version does: ask, and write a line for each answer.

`python -m helpers.versions.worker OUT.jsonl [--quick | --released] [NAMES...]`, with the version's
folder first on `PYTHONPATH`. A question that ends the process loses only its own line.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from helpers.versions import book


def main(arguments: list[str]) -> int:
    """Answer what is not in the file yet."""
    out, *wanted = arguments
    path = Path(out)
    helped = book.prepare()
    if wanted == ["--released"]:
        from helpers.versions import released

        released.write()
        return 0
    from helpers.versions.questions import PROBES

    done = {row["probe"] for row in read(path)}
    if "version" not in done:
        _add(path, {"probe": "version", "answer": version("funasr"), "helped": helped})
    quick = "--quick" in wanted
    names = [name for name in wanted if not name.startswith("--")] or list(PROBES)
    from helpers.versions.probe import answered

    for name in names:
        if name in done or (quick and PROBES[name].slow):
            continue
        started = time.perf_counter()
        row = answered(PROBES[name], book.described)
        _add(path, {"probe": name, **row})
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
