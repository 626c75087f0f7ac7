"""Would a test fail if a line were wrong? `.venv/bin/python tools/mutate.py [WORD ...]`

Each entry of tests/mutations.toml names a file under src, a piece of it that stands there once, a
wrong one in its place, and the tests that should notice. Each is tried in a copy of the repository
with a cache of its own, the tests without a mutation first. What SURVIVED needs a test that states
a fact. With words, only entries whose file, piece or tests hold one of them are tried.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutations.toml"
COPIED, LEFT_OUT = {"src", "tests"}, {".git", ".cache", "_build"}


def outcome(entry: dict[str, str]) -> str:
    """"killed", "SURVIVED", or why the entry cannot be tried."""
    text = (ROOT / "src" / entry["file"]).read_text(encoding="utf-8")
    if text.count(entry["piece"]) != 1:
        return f"STALE: the piece stands {text.count(entry['piece'])} times in the file"
    if not passes(entry["tests"]):
        return "STALE: its tests fail without it"
    return "SURVIVED" if passes(entry["tests"], entry["file"],
                                text.replace(entry["piece"], entry["wrong"])) else "killed"


@cache
def passes(tests: str, file: str = "", text: str = "") -> bool:
    """Whether these tests pass in a copy of the repository in which one file holds this text."""
    with tempfile.TemporaryDirectory() as folder:
        for source in ROOT.iterdir():
            if source.name in COPIED:
                shutil.copytree(source, Path(folder) / source.name)
            elif source.name not in LEFT_OUT:
                (Path(folder) / source.name).symlink_to(source)
        if file:
            (Path(folder) / "src" / file).write_text(text, encoding="utf-8")
        environment = {"PYTHONPATH": f"{folder}/src", "BOOK_CACHE": f"{folder}/.cache",
                       "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        run = subprocess.run([sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
                              *shlex.split(tests)], cwd=folder, env=os.environ | environment,
                             stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False)
    return run.returncode == 0


def main(words: list[str]) -> int:
    entries = [entry for entry in tomllib.loads(LIST.read_text(encoding="utf-8"))["mutation"]
               if not words or any(word in text for word in words for text in entry.values())]
    lived = 0
    for entry in entries:
        result = outcome(entry)
        lived += result != "killed"
        print(f"{result:9} {entry['file']}: {entry['piece']!r} -> {entry['wrong']!r}"
              f"  ({entry['tests']})", flush=True)
    print(f"{len(entries) - lived} of {len(entries)} killed")
    return int(bool(lived))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
