"""The recorded experiments as figures."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.experiments.arms import Experiment
from helpers.experiments.results import Results
from helpers.pages.figures.error_bars import error_bars
from helpers.pages.figures.learning import MARKERS


def dots(results: Results, experiment: Experiment, branch: str = "ctc") -> Figure:
    """A row for each arm, a marker for each band with its interval, a small dot for each seed."""
    arms = experiment.arms[::-1]
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * len(arms) + 1.5))
    for number, band in enumerate(experiment.bands):
        height = np.arange(len(arms)) + 0.16 * ((len(experiment.bands) - 1) / 2 - number)
        rates = [results.rate(arm, band, branch) for arm in arms]
        error_bars(axes, height, rates, lying=True, fmt=MARKERS[number], color=f"C{number}",
                   linewidth=1.2, label=band)
        for arm, y in zip(arms, height, strict=True):
            by_seed = 100 * results.by_seed(arm, band, branch)
            axes.plot(by_seed, [y] * len(by_seed), ".", color=f"C{number}", markersize=3, alpha=0.6)
    axes.set(yticks=range(len(arms)), yticklabels=[experiment.title_of(arm) for arm in arms],
             xlabel=f"word error rate, {branch.upper()} branch (%)", xlim=(0, None))
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside upper right", ncols=len(experiment.bands))
    return figure


def curve(results: Results, experiment: Experiment, places: dict[str, float], label: str) -> Figure:
    """Error rate of the CTC branch over a quantity, a line for each band, its interval as a band.

    Args:
        places: arm to its place on the axis; arms that it lacks are left out.
        label: of the axis, with the unit.
    """
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    arms = sorted(places, key=places.get)
    x = [places[arm] for arm in arms]
    for number, band in enumerate(experiment.bands):
        rates = [results.rate(arm, band, "ctc") for arm in arms]
        low, high = 100 * np.array([(rate.low, rate.high) for rate in rates]).T
        axes.fill_between(x, low, high, color=f"C{number}", alpha=0.18, linewidth=0)
        axes.plot(x, [100 * rate.value for rate in rates], MARKERS[number] + "-",
                  color=f"C{number}", label=band)
        before = 100 * results.rate("none", band, "ctc").value
        axes.axhline(before, color=f"C{number}", linestyle="--", linewidth=1,
                     label=f"{band}, nothing trained")
    axes.set(xscale="log", xlabel=label, ylabel="word error rate, CTC branch (%)", ylim=(0, None),
             xticks=x, xticklabels=[f"{tick:g}" for tick in x])
    axes.minorticks_off()
    figure.legend(loc="outside upper left", ncols=2)
    return figure
