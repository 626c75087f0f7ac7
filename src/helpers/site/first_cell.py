"""The first cell of a notebook that was downloaded from a page: is the book's code here?

Standard library only: it runs where nothing of the book is.
"""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path


class BookMissing(Exception):
    """Ends "Run all" at this cell; the notebook shows its sentence and no traceback."""

    def _render_traceback_(self):
        return [str(self)]


def is_here(funasr):
    """Whether the book's package `helpers` and the FunASR that the book is about are installed."""
    try:
        import helpers.session  # noqa: F401

        return version("funasr") == funasr
    except ImportError:
        return False


def complaint(*command):
    """Run a command; returns what it says where it fails, empty where it works."""
    try:
        completed = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    if completed.returncode == 0:
        return ""
    lines = [line.strip() for line in completed.stderr.splitlines() if line.strip()]
    return (lines or [f"exit code {completed.returncode}"])[-1].rstrip(".")


def install(repository, folder):
    """Put the book's code where this notebook runs; returns the reason if that cannot be done."""
    if sys.version_info[:2] not in ((3, 11), (3, 12)):
        return f"take a kernel of Python 3.11 or 3.12, for this one is {sys.version.split()[0]}"
    if not (folder / "requirements.lock").is_file():
        if not repository or "BOOK_ROOT" in os.environ:
            return ("set BOOK_ROOT to the folder of your copy of the book "
                    "(`%env BOOK_ROOT=/folder/of/the/book`) and run this cell again")
        if reason := complaint("git", "clone", "--quiet", "--depth", "1", repository, str(folder)):
            return f"they cannot be fetched from {repository} ({reason})"
    print("The book's code and its libraries are being installed: some 6 GB, minutes.", flush=True)
    pip = (sys.executable, "-m", "pip", "install", "--quiet")
    reason = (complaint(*pip, "-r", str(folder / "requirements.lock"))
              or complaint(*pip, "--no-deps", "-e", str(folder), "-e", str(folder / "src")))
    if reason:
        return f"they cannot be installed ({reason})"
    sys.modules.pop("helpers", None)
    sys.path.insert(0, str(folder.resolve() / "src"))
    return ""


def prepare(repository, funasr):
    """Say nothing where all is here; else install it.

    Raises:
        BookMissing: it cannot be installed; the sentence says how to get it.
    """
    folder = Path(os.environ.get("BOOK_ROOT") or "telephone-book").expanduser()
    if not is_here(funasr) and (reason := install(repository, folder)):
        raise BookMissing("The cells below need the book's package `helpers` and FunASR "
                          f"{funasr}, which are not here: {reason}.")
