"""The two recipes as paths in the plane of telephone and wideband error rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.evaluation.decoding import BRANCHES
from helpers.experiments.recipes import BANDS, RecordedRecipes, Stage
from helpers.pages.figures.error_bars import percent
from helpers.pages.figures.learning import MARKERS


def plane(recorded: RecordedRecipes, paths: Mapping[str, Sequence[Stage]],
          names: Mapping[Stage, str]) -> Figure:
    """Telephone against wideband error rate, a panel for each branch, a path for each recipe.

    Args:
        paths: a recipe's title to the stages that it passes, in order.
        names: of stages that get one.
    """
    figure, panels = plt.subplots(1, len(BRANCHES), figsize=(8.6, 4.7), sharex=True, sharey=True)
    for axes, branch in zip(panels, BRANCHES, strict=True):
        axes.axline((0, 0), slope=1, color="0.6", linewidth=0.8, linestyle=":")
        for number, (title, stages) in enumerate(paths.items()):
            (across, wide), (up, high) = (percent([recorded.rate(stage, band, branch)
                                                   for stage in stages]) for band in BANDS)
            points = np.stack([across, up], axis=1)
            axes.plot(*points.T, color=f"C{number}", linewidth=1.2, alpha=0.7)
            axes.errorbar(across, up, xerr=wide, yerr=high, fmt="none", color=f"C{number}",
                          linewidth=0.9, alpha=0.8)
            axes.plot(*points[:-1].T, MARKERS[number], color=f"C{number}", fillstyle="none")
            axes.plot(*points[-1], MARKERS[number], color=f"C{number}", label=title, markersize=8)
            for stage, point in zip(stages, points, strict=True):
                axes.annotate(names.get(stage, ""), point, xytext=(6, 6),
                              textcoords="offset points", fontsize="small")
        axes.set(title=f"{branch.upper()} branch", xlabel="telephone word error rate (%)",
                 xlim=(0, 100), ylim=(0, 100), aspect="equal")
    panels[0].set(ylabel="wideband word error rate (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure
