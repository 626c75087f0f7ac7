"""Where a recorded result comes from: written beside every number that a command stores."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import subprocess
from typing import Any

from helpers.paths import ROOT

RECORDED_PACKAGES = ("funasr", "torch", "torchaudio", "transformers")


def provenance(command: str, seed: int | None = None, device: str = "cpu") -> dict[str, Any]:
    """Command, seed, device, date, git commit and library versions of this moment.

    Args:
        command: the one line that makes the result again.
        device: "cpu", or the GPU's name.
    """
    return {
        "command": command,
        "seed": seed,
        "device": device,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES},
    }


def _commit() -> str | None:
    """The commit that is checked out; None outside git.

    A plus sign says that files differ from it, beside the results that a recording adds to.
    """
    commit = _git("rev-parse", "--short=10", "HEAD")
    return f"{commit}+" if commit and _git("status", "--porcelain", ".", ":!results") else commit


def _git(*arguments: str) -> str | None:
    run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.stdout.strip() or None
