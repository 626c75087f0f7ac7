"""Make the virtual environment: `python tools/bootstrap.py`. Standard library only.

Does nothing when the environment already matches `requirements.lock` and `pyproject.toml`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STAMP = VENV / ".book-environment"
SUPPORTED = ((3, 11), (3, 12))
NEEDED_GIB = 9


def check_python(version: tuple[int, int]) -> None:
    if tuple(version[:2]) not in SUPPORTED:
        sys.exit(f"This is Python {version[0]}.{version[1]}, and the book needs 3.11 or 3.12: "
                 "install one of them, or say `make PYTHON=/path/to/python3.11 ...`.")


def check_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free / 2**30
    if free < NEEDED_GIB:
        sys.exit(f"Only {free:.1f} GiB are free here and the environment needs {NEEDED_GIB}: "
                 "free some space, or clone to a larger disk.")


def fingerprint() -> str:
    """What the environment is made from."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def install() -> None:
    if not (VENV / "bin" / "python").exists():
        print("Making .venv ...", flush=True)
        run(sys.executable, "-m", "venv", str(VENV))
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check",
           "--no-input", "install", "--quiet"]
    print("Installing exact versions from requirements.lock (some 5 GB, minutes) ...", flush=True)
    run(*pip, "--require-hashes", "-r", str(ROOT / "requirements.lock"))
    run(*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT))


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False,
                          env={**os.environ, "PYTHONWARNINGS": "ignore"})
    if done.returncode != 0:
        sys.exit(f"`{Path(command[0]).name} {' '.join(command[1:4])} ...` failed; its message is "
                 "above. Is a package index reachable?")


def main() -> None:
    check_python(sys.version_info[:2])
    made_from = fingerprint()
    if STAMP.exists() and STAMP.read_text() == made_from:
        return
    check_disk(ROOT)
    install()
    STAMP.write_text(made_from)


if __name__ == "__main__":
    main()
