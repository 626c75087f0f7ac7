"""What the backward pass has to keep of a batch, counted at full size on a CPU.

The full-size model with random weights takes a few batches of different lengths; the bytes of what
is saved, weights aside, are fitted by lengths. The audit stores the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls

from funasr_preflight.laws.memory import activation_terms
from helpers.config import configs
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import finetune
from helpers.training.activations import kept_for_backward


def terms(batch: dict[str, Any]) -> tuple[float, float, float]:
    """What the fit multiplies, for one batch as FunASR's collator makes it."""
    samples, frames = batch["speech"].shape[:2]
    return activation_terms(samples, frames, batch["input_ids"].shape[1])


def saved_bytes(model, batch: dict[str, Any]) -> int:
    """Bytes that a training forward pass of this batch saves, without parameters."""
    model.train()
    try:
        return sum(kept_for_backward(model, lambda: model(**batch)[0]).values())
    finally:
        model.eval()


def fit(built, batches: Sequence[Sequence[dict]]) -> dict[str, Any]:
    """Bytes for each frame, pair of frames and token, and how well they fit.
    """
    rows, counts = [], []
    for items in batches:
        batch = finetune.batch(built, items)
        rows.append(terms(batch))
        counts.append(saved_bytes(built.model, batch))
    rows, counts = np.array(rows), np.array(counts, dtype=float)
    scale = rows.max(0)  # columns of very different size
    bytes_each = nnls(rows / scale, counts)[0] / scale
    off = np.abs(rows @ bytes_each / counts - 1).max()
    return {"bytes": [round(float(number), 1) for number in bytes_each],
            "largest_error": round(float(off), 3)}


def at_full_size() -> dict[str, Any]:
    """The fit of the full-size model under the main config, for batches of several lengths."""
    built = mini.build(finetune.with_overrides(configs.FINE_TUNING[0], finetune.SHORT_RUN),
                       size="full", load_weights=False)
    pool = sorted(telephone_set("adapt"), key=lambda item: item["speech_length"])
    places = (5, 60, 200, 350, 450, 520, 575, 598)
    return fit(built, [[pool[index]] for index in places] + [pool[100:102], pool[300:303]])
