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
"""What the mini's model directory is called in a place of `lay_out`."""


def lay_out(place: Path, done: Run, called: str = "OUT_DIR") -> None:
    """Put a run's folder and the model that it started from side by side, under short names.

    The run's folder gets the `config.yaml` that FunASR's training program would have left there.

    Args:
        place: where relative names count from; the checker is asked there.
    """
    checkpoints.save_config(done.built, done.folder, called=BASE)
    for name, folder in ((BASE, mini.model_directory("mini")), (called, done.folder)):
        if not (place / name).exists():
            (place / name).symlink_to(folder)


def told(place: Path, *arguments: str) -> dict[str, Any]:
    """What `preflight checkpoint ... --format json`, asked in a folder, answers."""
    said = io.StringIO()
    with contextlib.chdir(place), contextlib.redirect_stdout(said):
        main(["checkpoint", *arguments, "--format", "json"])
    return json.loads(said.getvalue())


def export(place: Path, target: str, *arguments: str) -> Path:
    """The complete folder that `preflight checkpoint ... --export TARGET` writes.

    Raises:
        BookError: what the command says; then nothing is written.
    """
    said = io.StringIO()
    with (contextlib.chdir(place), contextlib.redirect_stdout(io.StringIO()),
          contextlib.redirect_stderr(said)):
        if main(["checkpoint", *arguments, "--export", target]):
            raise BookError(said.getvalue().strip())
    return place / target
