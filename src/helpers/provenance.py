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
        seed: the seed it ran with, where it used one.
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
    """The commit that is checked out, with a plus sign if files differ; None outside git."""
    run = subprocess.run(["git", "describe", "--always", "--dirty=+", "--abbrev=10"], cwd=ROOT,
                         capture_output=True, text=True, check=False)
    return run.stdout.strip() or None
