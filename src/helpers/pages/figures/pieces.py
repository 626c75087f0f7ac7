"""A long call and the pieces that it was cut into."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

FRAME_SECONDS = 0.1


def spans_of(keys: Sequence[str]) -> list[tuple[float, float]]:
    """Start and end in seconds of pieces, from their names: `NAME-START-END` in milliseconds."""
    return [tuple(int(part) / 1000 for part in key.split("-")[-2:]) for key in keys]


def cut_call(path: Path, keys: Sequence[str]) -> tuple[Figure, list[tuple[float, float]]]:
    """The level of a call over time, its pieces shaded; and their starts and ends in seconds.

    Args:
        keys: names that `preflight manifest --cut` gave the pieces.
    """
    samples, rate = soundfile.read(path, dtype="float32")
    frame = round(FRAME_SECONDS * rate)
    level = 20 * np.log10(np.sqrt((samples[:len(samples) // frame * frame].reshape(-1, frame) ** 2)
                                  .mean(1)) + 1e-5)
    spans = spans_of(keys)
    figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
    axes.plot(np.arange(len(level)) * FRAME_SECONDS, level, color="C0", linewidth=0.9)
    for number, (start, end) in enumerate(spans):
        axes.axvspan(start, end, color="C2", alpha=0.25, linewidth=0.5,
                     label=None if number else "a piece")
    axes.set(xlabel="time, s", ylabel="level, dBFS", xlim=(0, len(samples) / rate))
    axes.legend(loc="lower right")
    return figure, spans
