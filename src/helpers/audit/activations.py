"""What the backward pass has to keep of a batch, counted at full size on a CPU.

PyTorch hands every tensor that it saves for the backward pass to a hook. The full-size model with
random weights takes a few batches of different lengths; the bytes of what is saved, weights aside,
are fitted by lengths. The audit stores the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def saved_bytes(model, batch: dict[str, Any]) -> int:
    """Bytes of the distinct tensors that a training forward pass saves, without parameters."""
    import torch

    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.train()
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = model(**batch)[0]
        total = sum(saved.values())  # counted while `loss` keeps every one of them alive
        del loss
        return total
    finally:
        model.eval()


def shape_of(batch: dict[str, Any]) -> tuple[int, int, int]:
    """Samples, stacked frames of the longest, and LLM tokens of the longest."""
    samples, frames = batch["speech"].shape[:2]
    return samples, frames, batch["input_ids"].shape[1]


def features(samples: int, frames: int, tokens: int) -> np.ndarray:
    """What the fit multiplies: by frame, by pair of frames, by token."""
    return samples * np.array([frames, frames**2, tokens], dtype=float)


def fit(built, batches: Sequence[Sequence[dict]]) -> dict[str, Any]:
    """Bytes for each frame, pair of frames and token, and how well they fit.

    Args:
        built: a model whose encoder trains.
        batches: manifest lines of each batch.
    """
    from helpers.training import finetune

    rows, counts = [], []
    for items in batches:
        batch = finetune.batch(built, items)
        rows.append(features(*shape_of(batch)))
        counts.append(saved_bytes(built.model, batch))
    from scipy.optimize import nnls

    rows, counts = np.array(rows), np.array(counts, dtype=float)
    scale = rows.max(0)  # columns of very different size
    bytes_each = nnls(rows / scale, counts)[0] / scale
    off = np.abs(rows @ bytes_each / counts - 1).max()
    return {"bytes": [round(float(number), 1) for number in bytes_each],
            "largest_error": round(float(off), 3)}


def at_full_size() -> dict[str, Any]:
    """The fit of the full-size model under the main config, for batches of several lengths."""
    from helpers.config import configs
    from helpers.model import mini
    from helpers.telephone.channel import telephone_set
    from helpers.training import finetune

    built = mini.build(finetune.with_overrides(configs.FINE_TUNING[0], finetune.SHORT_RUN),
                       size="full", load_weights=False)
    pool = sorted(telephone_set("adapt"), key=lambda item: item["speech_length"])
    places = (5, 60, 200, 350, 450, 520, 575, 598)
    return fit(built, [[pool[place]] for place in places] + [pool[100:102], pool[300:303]])
