"""Make the virtual environment: `python tools/bootstrap.py`. Standard library only.

Does nothing when the environment already matches `requirements.lock` and both `pyproject.toml`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STAMP = VENV / ".book-environment"
SUPPORTED = ((3, 11), (3, 12))
NEEDED_GIB = 10  # 6.3 installed, the rest for the cache of pip
NEEDED_TEMPORARY_GIB = 4  # pip downloads everything before it installs anything


def check_python(version: tuple[int, int]) -> None:
    if tuple(version[:2]) not in SUPPORTED:
        sys.exit(f"This is Python {version[0]}.{version[1]}, and the book needs 3.11 or 3.12: "
                 "install one of them, or say `make PYTHON=/path/to/python3.11 ...`.")


def check_venv_module() -> None:
    if None in (importlib.util.find_spec("venv"), importlib.util.find_spec("ensurepip")):
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        sys.exit("This Python cannot make virtual environments: install its venv module "
                 f"(Debian and Ubuntu: `apt-get install {name}`).")


def check_disk(folder: Path, needed_gib: float = NEEDED_GIB) -> None:
    free = shutil.disk_usage(folder).free / 2**30
    if free < needed_gib:
        sys.exit(f"Only {free:.1f} GiB are free in {folder} and installing needs {needed_gib}: "
                 "free some space there, or use a larger disk (for temporary files, set TMPDIR).")


def interpreter() -> str:
    """What the environment's programs point to; they break when it changes."""
    return f"{sys.version} in {VENV}".replace("\n", " ")


def fingerprint() -> str:
    """What is installed: the lock and the project's own metadata."""
    digest = hashlib.sha256()
    for name in ("requirements.lock", "pyproject.toml", "src/pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def usable() -> bool:
    """Whether a .venv of an earlier run can be kept: made by this Python, at this place."""
    python = VENV / "bin" / "python"
    if not python.exists():
        return False
    if STAMP.exists():
        return STAMP.read_text().splitlines()[:1] == [interpreter()]
    code = "import pip, sys; print(sys.version.replace(chr(10), ' '), 'in', sys.prefix)"
    probe = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return probe.stdout.strip() == interpreter()


def install() -> None:
    if not usable():
        print("Making .venv ...", flush=True)
        run(sys.executable, "-m", "venv", "--clear", str(VENV))
    STAMP.unlink(missing_ok=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check",
           "--no-input", "install", "--quiet"]
    print("Installing exact versions from requirements.lock (some 6 GB, minutes) ...", flush=True)
    run(*pip, "--require-hashes", "-r", str(ROOT / "requirements.lock"))
    run(*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT), "-e", str(ROOT / "src"))


def run(*command: str) -> None:
    completed = subprocess.run(command, cwd=ROOT, check=False,
                               env={**os.environ, "PYTHONWARNINGS": "ignore"})
    if completed.returncode != 0:
        sys.exit(f"`{Path(command[0]).name} {' '.join(command[1:4])} ...` failed for the reason "
                 "above; once it is removed (a package index must be reachable), run make again.")


def main() -> None:
    check_python(sys.version_info[:2])
    stamp = f"{interpreter()}\n{fingerprint()}\n"
    if STAMP.exists() and STAMP.read_text() == stamp:
        return
    check_venv_module()
    check_disk(ROOT)
    check_disk(Path(tempfile.gettempdir()), NEEDED_TEMPORARY_GIB)
    install()
    STAMP.write_text(stamp)


if __name__ == "__main__":
    main()
