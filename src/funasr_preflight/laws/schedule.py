"""How many updates a run makes, and the learning rate of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

EXACT_UPDATES = 3_000
"""Up to so many updates, a sum over a run asks for every one of them."""


def warmup_rates(updates: Sequence[int] | np.ndarray, peak: float,
                 warmup_steps: float) -> np.ndarray:
    """Learning rate of these updates, counted from 1, under FunASR's WarmupLR.

    It rises in a line for `warmup_steps` and falls with the root of the update's number after
    that, without an end (`funasr/schedulers/warmup_lr.py`).
    """
    numbers = np.asarray(updates, dtype=float)
    return peak * np.minimum((warmup_steps / numbers) ** 0.5, numbers / warmup_steps)


def updates_of_a_run(batches_a_pass: int, passes_an_epoch: int = 1, epochs: int = 1,
                     accum_grad: int = 1) -> int:
    """Optimizer updates of a run on one process.

    FunASR counts batches anew in each pass, so that the batches left over at its end make no
    update of their own.
    """
    return batches_a_pass // accum_grad * passes_an_epoch * epochs


def sum_over_run(updates: int, of: Callable[[np.ndarray], np.ndarray]) -> float:
    """Sum over all updates of a value that changes slowly, by trapezoids beyond EXACT_UPDATES.

    Args:
        of: the value at some of them, counted from 1.
    """
    sampled = np.arange(1, min(updates, EXACT_UPDATES) + 1)
    if updates > EXACT_UPDATES:
        rest = np.unique(np.geomspace(EXACT_UPDATES, updates, 1500).round().astype(int))[1:]
        sampled = np.concatenate([sampled, rest])
    values = of(sampled)
    between = (values[1:] + values[:-1]) / 2 * (np.diff(sampled) - 1)
    return float(values.sum() + between.sum())
