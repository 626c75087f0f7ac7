"""Bytes that a run takes: on the GPU, in a checkpoint, and in the folder that it leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

GIBIBYTE, GIGABYTE = 2**30, 10**9
ADAM_MOMENTS = 2
"""AdamW keeps so many values beside each that learns, of the parameter's own dtype."""
STEP_COUNTER = 4
"""Bytes of AdamW's step, one for each tensor that learns."""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes of GPU memory that do not depend on the batch."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer


def training_memory(weights: int, learning: int) -> TrainingMemory:
    """Memory of a model in training.

    A gradient has its parameter's shape and dtype, and so have AdamW's moments; they exist only for
    what gets a gradient. Activations, which grow with the batch, and AdamW's step counters are
    left out.

    Args:
        weights: bytes of all parameters and buffers.
        learning: bytes of the parameters that get a gradient.
    """
    return TrainingMemory(weights, learning, ADAM_MOMENTS * learning)


def activation_terms(samples: int, length: float) -> tuple[float, float]:
    """What the bytes that a part keeps for its backward pass grow with.

    Args:
        samples: of the batch.
        length: of the longest, in frames or tokens of that part.
    """
    return samples * length, samples * length**2


def activation_bytes(samples: int, length: float, each: Sequence[float]) -> int:
    """What the backward pass of a part keeps of a batch: an estimate.

    Args:
        each: bytes for each of `activation_terms`, fitted to what was counted.
    """
    return int(sum(term * size for term, size in
                   zip(activation_terms(samples, length), each, strict=True)))


@dataclass(frozen=True)
class CheckpointSize:
    """Bytes in one checkpoint file.

    Attributes:
        weights: the model's tensors; one with two names lies there once.
        optimizer: AdamW's state.
        tied: what an average of checkpoints has beside `weights`: it keeps both names apart.
    """

    weights: int
    optimizer: int
    tied: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.optimizer


def checkpoint_size(saved: int, learning: int, learning_tensors: int = 0,
                    tied: int = 0) -> CheckpointSize:
    """Size of a checkpoint, without what the file format adds.

    Args:
        saved: bytes of the tensors that are not left out by name.
        learning: bytes of the parameters that get a gradient, saved or not.
        learning_tensors: how many those are.
        tied: bytes of saved tensors that have a second saved name.
    """
    return CheckpointSize(saved, ADAM_MOMENTS * learning + STEP_COUNTER * learning_tensors, tied)


@dataclass(frozen=True)
class FilesLeft:
    """Checkpoints in a run's folder at its end.

    Attributes:
        scored: checkpoints with a score that the run made, kept or not.
        ranked: those of them that are kept.
        unscored: checkpoints without a score, all of which are kept.
        averaged: how many of the ranked are averaged into one more file, of weights alone.
    """

    scored: int
    ranked: int
    unscored: int
    averaged: int

    @property
    def whole(self) -> int:
        """Files with AdamW's state: ranked, without score, `model.pt` and `model.pt.best`."""
        return self.ranked + self.unscored + 2


def files_left(epochs: int, batches_an_epoch: int, save_interval: int, validate_interval: int,
               keep_nbest: int, avg_nbest: int) -> FilesLeft:
    """What FunASR's trainer leaves of a run that goes to its end.

    Intervals count batches, anew in each epoch. A checkpoint has a score where a validation falls
    on it, and at an epoch's end. Of those, the best `keep_nbest` are kept, or all if it is not
    positive (`funasr/train_utils/trainer_ds.py`).
    """
    saved = batches_an_epoch // save_interval
    validated = batches_an_epoch // math.lcm(save_interval, validate_interval)
    scored = epochs * (validated + 1)
    ranked = min(keep_nbest, scored) if keep_nbest > 0 else scored
    return FilesLeft(scored, ranked, epochs * (saved - validated), max(0, min(avg_nbest, ranked)))


def averaging_memory(size: CheckpointSize, averaged: int) -> int:
    """Bytes that averaging holds at most: the weights of each file and of their mean, and the
    AdamW state of the file that is being read."""
    return (averaged + 1) * size.weights + size.tied + size.optimizer
