"""What minis hear that have heard different things."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.experiments.results import Results
from helpers.pages.figures.error_bars import error_bars
from helpers.pages.figures.learning import MARKERS


def by_stage(heard: Results, minis: Sequence[str], stages: Sequence[str],
             untrained: str) -> Figure:
    """A row for each stage, a marker with the interval of its CTC branch for each mini."""
    figure, axes = plt.subplots(figsize=(7.2, 0.5 * len(stages) + 1.5))
    places = np.arange(len(stages))[::-1]
    for number, name in enumerate(minis):
        rates = [heard.rate((name, untrained), stage, "ctc") for stage in stages]
        error_bars(axes, places + 0.2 * ((len(minis) - 1) / 2 - number), rates, lying=True,
                   fmt=MARKERS[number], color=f"C{number}", linewidth=1.2, label=name)
    axes.set(yticks=places, yticklabels=stages, xlim=(0, None),
             xlabel="word error rate, CTC branch (%)")
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside upper right", ncols=len(minis))
    return figure
