"""Figure of the chapter on inference: what FunASR cuts out of a call for its VAD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.evaluation.vad_cuts import LongCall
from helpers.telephone.channel import TELEPHONE_RATE

HEIGHT = 0.62
SHORTEST = 0.05
"""Seconds; a shorter piece is not drawn."""


def cuts(call: LongCall, pieces: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """The call's level over a row of bars for each way of cutting it, each piece numbered.

    Args:
        pieces: label of a row to start and end in seconds of each piece; an empty one ends where it
            starts.
    """
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(pieces) + 1.6), layout="constrained")
    block = TELEPHONE_RATE // 50
    whole = call.samples[:len(call.samples) // block * block].reshape(-1, block)
    level = np.abs(whole).max(1) / np.abs(call.samples).max()
    times = np.arange(len(level)) / 50
    axes.fill_between(times, -0.45 * level, 0.45 * level, color="C6", linewidth=0)
    for row, spans in enumerate(pieces.values(), 1):
        for number, (start, end) in enumerate(spans, 1):
            if end - start < SHORTEST:
                continue
            axes.barh(row, end - start, HEIGHT, left=start, color=f"C{row - 1}")
            axes.text((start + end) / 2, row, str(number), ha="center", va="center",
                      color="white", weight="bold")
    axes.set(yticks=range(len(pieces) + 1), yticklabels=["the call", *pieces],
             xlabel="seconds of the call", xlim=(0, len(call.samples) / TELEPHONE_RATE),
             ylim=(len(pieces) + 0.6, -0.6))
    axes.grid(visible=False, axis="y")
    return figure
