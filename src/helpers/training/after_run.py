"""A finished run as a user finds it: its folder beside the model's, and what the checker says."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from funasr_preflight.command import main
from helpers.errors import BookError
from helpers.model import mini
from helpers.training import checkpoints
from helpers.training.finetune import Run

BASE = "Fun-ASR-Nano-2512"
"""What the mini's model directory is called in a folder of `lay_out`."""


def lay_out(parent: Path, run: Run, called: str = "OUT_DIR") -> None:
    """Put a run's folder and the model that it started from side by side, under short names.

    The run's folder gets the `config.yaml` that FunASR's training program would have left there.

    Args:
        parent: where relative names count from; the checker is asked there.
    """
    checkpoints.save_config(run.built, run.folder, called=BASE)
    for name, folder in ((BASE, mini.model_directory("mini")), (called, run.folder)):
        if not (parent / name).exists():
            (parent / name).symlink_to(folder)


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    """What `preflight checkpoint ... --format json`, asked in a folder, answers."""
    output = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(output):
        main(["checkpoint", *arguments, "--format", "json"])
    return json.loads(output.getvalue())


def export(folder: Path, target: str, *arguments: str) -> Path:
    """The complete folder that `preflight checkpoint ... --export TARGET` writes.

    Raises:
        BookError: what the command says; then nothing is written.
    """
    errors = io.StringIO()
    with (contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()),
          contextlib.redirect_stderr(errors)):
        if main(["checkpoint", *arguments, "--export", target]):
            raise BookError(errors.getvalue().strip())
    return folder / target
