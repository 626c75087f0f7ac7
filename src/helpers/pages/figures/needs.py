"""What a call adds to a recogniser's errors, for several recognisers in one figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.evaluation.intervals import Difference
from helpers.pages.figures.error_bars import error_bars

MARKERS = ("o", "s", "D", "^")


def added_errors(gaps: Mapping[str, Mapping[str, Difference]]) -> Figure:
    """Points that each stage adds: a row for each stage, a marker for each recogniser.

    Args:
        gaps: recogniser to stage to paired difference; a stage may be lacking.
    """
    stages = list(dict.fromkeys(stage for row in gaps.values() for stage in row))
    figure, axes = plt.subplots(figsize=(7, 0.55 * len(stages) + 1.3), layout="constrained")
    for number, (name, row) in enumerate(gaps.items()):
        height = np.array([stages.index(stage) for stage in row], dtype=float)
        error_bars(axes, height + 0.18 * (number - (len(gaps) - 1) / 2), list(row.values()),
                   lying=True, fmt=MARKERS[number % len(MARKERS)], color=f"C{number}", label=name,
                   capsize=2)
    axes.axvline(0, color="C6", linewidth=1)
    axes.set(yticks=range(len(stages)), yticklabels=stages,
             xlabel="word errors that it adds, points")
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower right")
    return figure
