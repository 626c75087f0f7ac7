"""FunASR's wheels, one folder a version, beside the installed torch.

Only the package itself is unpacked (`pip install --no-deps`): everything that it imports is this
environment's. Nothing of it goes into the repository.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from helpers.errors import BookError
from helpers.versions.book import CACHE

FOLDER = CACHE / "funasr-wheels"
CHOSEN = ("1.2.9", "1.3.0", "1.3.1", "1.3.2", "1.4.0", "1.4.2", "1.4.8", "1.4.16")
"""Each differs from the one before it in what a fine-tuning run executes, or is a landmark: the
document's version (1.2.9), the book's (1.4.16). Other versions may be named on the command line."""


def unpacked(version: str) -> Path:
    """The folder to put first on `sys.path` for this version, made once.

    Raises:
        BookError: pip finds no such version.
    """
    target = FOLDER / version / "site-packages"  # the knob test looks for this name in paths
    if not (target / "funasr" / "version.txt").is_file():
        _pip("install", "--no-deps", "--upgrade", "--target", str(target), f"funasr=={version}",
             failed=f"pip cannot install funasr {version}: choose a version that the package index "
                    "has, and check the network.")
    return target


def newest() -> str:
    """The newest release that pip would install.

    Raises:
        BookError: pip reaches no package index.
    """
    report = _pip("install", "--dry-run", "--no-deps", "--ignore-installed", "--report", "-",
                  "funasr", failed="pip reaches no package index: check the network.")
    return json.loads(report)["install"][0]["metadata"]["version"]


def _pip(*arguments: str, failed: str) -> str:
    process = subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments],
                             capture_output=True, text=True, check=False)
    if process.returncode:
        raise BookError(failed)
    return process.stdout
