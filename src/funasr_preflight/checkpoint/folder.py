"""The folder that a run leaves: its checkpoints, what FunASR's trainer noted of them, which to use.

A file that the trainer writes holds, beside the weights, the validation score of every checkpoint
so far and the name of the best one. Only the index of a file is read: nothing is loaded and nothing
executed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from funasr_preflight.errors import BookError
from funasr_preflight.launch.weights import Shapes, contents, shapes_of
from funasr_preflight.launch.yaml_file import read_yaml
from funasr_preflight.texts import Text, say

LATEST, BEST = "model.pt", "model.pt.best"
_NAME = re.compile(r"model\.pt(?:\.(?P<best>best)|\.ep(?P<epoch>\d+)(?:\.(?P<step>\d+))?"
                   r"|\.avg(?P<count>\d+))?")
DEEPSPEED_FILE = "mp_rank_00_model_states.pt"
"""DeepSpeed makes a folder of each checkpoint, with this file of weights in it."""
Metric = Literal["acc", "loss"]


def place_in_run(name: str) -> tuple[int, int] | None:
    """Order of a checkpoint by its name: epochs that were over, and steps since then.

    FunASR counts from 1 at the end of an epoch and from 0 within one: `ep1` is the end of the
    first epoch, and `ep1.500` lies in the second (`funasr/train_utils/trainer_ds.py`).
    """
    match = _NAME.fullmatch(name)
    if match is None or match["epoch"] is None:
        return None
    return int(match["epoch"]), int(match["step"] or 0)


@dataclass(frozen=True)
class Records:
    """What the trainer noted in a checkpoint.

    Attributes:
        name: the checkpoint's own name in the ranking, such as `model.pt.ep2`.
        metric: what ranks checkpoints (`avg_keep_nbest_models_type`).
        scores: score of each checkpoint that was validated, kept or not.
        batches: batches that were trained until then.
    """

    name: str
    metric: Metric
    scores: dict[str, float]
    batches: int


def records_of(content: Any) -> Records | None:
    """The trainer's notes in what a file holds; None for weights alone, as an average is."""
    if not isinstance(content, dict) or "best_step_or_epoch" not in content:
        return None
    metric: Metric = "loss" if content.get("avg_keep_nbest_models_type") == "loss" else "acc"
    epoch, step = content.get("epoch"), content.get("step_in_epoch")
    within = f".{step}" if content.get("step") is not None else ""
    noted = content.get(f"val_{metric}_step_or_epoch")
    scores = {str(name): float(value)
              for name, value in (noted.items() if isinstance(noted, dict) else ())
              if isinstance(value, (int, float)) and math.isfinite(value)}
    batches = content.get("batch_total")
    return Records(f"{LATEST}.ep{epoch}{within}", metric, scores,
                   batches if isinstance(batches, int) else 0)


@dataclass(frozen=True)
class Saved:
    """One checkpoint file.

    Attributes:
        path: the file with the weights: inside of a folder, if DeepSpeed made it.
    """

    name: str
    path: Path

    @cached_property
    def content(self) -> Any:
        return contents(self.path)

    @property
    def shapes(self) -> Shapes:
        """Names and shapes of its tensors."""
        return shapes_of(self.content, self.name)

    @property
    def records(self) -> Records | None:
        return records_of(self.content)

    @property
    def is_average(self) -> bool:
        return bool((match := _NAME.fullmatch(self.name)) and match["count"])

    @property
    def deepspeed(self) -> bool:
        return self.path.name == DEEPSPEED_FILE


@dataclass(frozen=True)
class RunFolder:
    """A run's folder.

    Attributes:
        path: where it is.
        files: its checkpoints: best, by epoch and step, the latest, averages.
        config: the run's own `config.yaml`, nested; None where there is none.
        records: the notes of the latest file, which know all others; None where nothing has any.
    """

    path: Path
    files: dict[str, Saved]
    config: dict[str, Any] | None
    records: Records | None = field(default=None)

    @property
    def scores(self) -> dict[str, float]:
        return self.records.scores if self.records else {}

    def best_scored(self, kept: bool = False) -> str:
        """Name of the checkpoint with the best score, or of the best of those whose file is there.

        Of equal ones the later counts, as for the trainer.
        """
        sign = -1 if self.records and self.records.metric == "loss" else 1
        names = [name for name in self.scores if not kept or name in self.files]
        return max(names, key=lambda name: (sign * self.scores[name], place_in_run(name) or (0, 0)),
                   default="")

    def own_name(self, name: str) -> str:
        """The ranked name of what lies in a file: of `model.pt.best`, the checkpoint it copies."""
        if place_in_run(name) is not None or name not in self.files:
            return name
        records = self.files[name].records
        return records.name if records else name

    def later(self, name: str) -> int:
        """How many validated checkpoints the run made after this one."""
        own = place_in_run(self.own_name(name))
        places = filter(None, map(place_in_run, self.scores))
        return sum(own is not None and place > own for place in places)


@dataclass(frozen=True)
class ChosenFile:
    """Which file to use, and why."""

    file: Saved
    why: Text


def look(path: Path) -> RunFolder:
    """Look at a run's folder, or at one checkpoint in it.

    Raises:
        BookError: there is no such folder, or no checkpoint in it.
    """
    if not path.is_dir() or path.is_dir() and (path / DEEPSPEED_FILE).is_file():
        raise BookError(say("{name} is no folder of a run: give the output_dir of the training.",
                            name=path.name or str(path)))
    files = {}
    for entry in sorted(path.iterdir(), key=_order):
        weights = entry / DEEPSPEED_FILE if entry.is_dir() else entry
        if _NAME.fullmatch(entry.name) and weights.is_file():
            files[entry.name] = Saved(entry.name, weights)
    if not files:
        raise BookError(say("{name} holds no checkpoint of FunASR's trainer (model.pt, "
                            "model.pt.best, model.pt.ep1): give the output_dir of the training.",
                            name=path.name or str(path)))
    config = path / "config.yaml"
    records = files[LATEST].records if LATEST in files else None
    if records is None:
        ranked = [saved for name, saved in files.items() if place_in_run(name) is not None]
        others = [*ranked[-1:], *(saved for name, saved in files.items() if name == BEST)]
        records = next((saved.records for saved in others if saved.records), None)
    return RunFolder(path, files, read_yaml(config).values if config.is_file() else None, records)


def _order(path: Path) -> tuple[int, tuple[int, int], str]:
    rank = (0 if path.name == BEST else 1 if place_in_run(path.name) else
            2 if path.name == LATEST else 3)
    return rank, place_in_run(path.name) or (0, 0), path.name


def choose(folder: RunFolder, name: str | None = None) -> ChosenFile:
    """The file to use: the one that is asked for, else the best by the run's own validation.

    Raises:
        BookError: what is asked for is not there.
    """
    if name is not None:
        if name not in folder.files:
            raise BookError(say("There is no {name} in {folder}: it has {files}.", name=name,
                                folder=folder.path.name, files=", ".join(folder.files)))
        return ChosenFile(folder.files[name], say("you asked for it"))
    kept = folder.best_scored(kept=True)
    if BEST in folder.files:
        own = folder.own_name(BEST)
        worse = kept and kept != own and folder.best_scored() != own and own in folder.scores
        if not worse:
            return ChosenFile(folder.files[BEST], _why_best(folder, own))
    if kept:
        return ChosenFile(folder.files[kept], say(
            "of the files that are here it has the best score on the validation set"))
    last = LATEST if LATEST in folder.files else list(folder.files)[-1]
    return ChosenFile(folder.files[last], say(
        "no checkpoint here has a score on the validation set, and this is the last one"))


def _why_best(folder: RunFolder, own: str) -> Text:
    if own not in folder.scores:
        return say("the trainer copied it where the score on the validation set was best")
    return say("it is {name}, which has the best score of {count} on the validation set", name=own,
               count=len(folder.scores))
