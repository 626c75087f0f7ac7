"""The chapters' figures. Colours come from the book's matplotlib style, by cycle position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from funasr_preflight.laws.memory import GIBIBYTE, TrainingMemory
from helpers.evaluation.intervals import ErrorRate
from helpers.pages.figures.error_bars import error_bars
from helpers.training.finetune import Run

MARKERS = ("o", "s", "^", "D")


def memory_bars(rows: Mapping[str, TrainingMemory]) -> Figure:
    """Stacked horizontal bars: weights, gradients and optimizer state, in GiB.

    Args:
        rows: label of a way to train to its memory, top row first.
    """
    figure, axes = plt.subplots(figsize=(7.2, 0.5 * len(rows) + 1.5))
    left = np.zeros(len(rows))
    for part, label in (("weights", "weights"), ("gradients", "gradients"),
                        ("optimizer", "AdamW state")):
        widths = np.array([getattr(memory, part) for memory in rows.values()]) / GIBIBYTE
        axes.barh(range(len(rows)), widths, left=left, height=0.62, label=label)
        left += widths
    for row, total in enumerate(left):
        axes.text(total + 0.01 * left.max(), row, f"{total:.1f}", va="center")
    axes.set(yticks=range(len(rows)), yticklabels=list(rows), xlabel="GiB",
             xlim=(0, 1.1 * left.max()))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x")
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def learning_curves(runs: Mapping[str, Run], rates: Mapping[str, Mapping[str, Sequence[ErrorRate]]],
                    stages: Sequence[str]) -> Figure:
    """Training loss of some runs beside panels of error rates with their intervals.

    Args:
        runs: label to run; drawn left, step by step and as a running mean over eight steps, or
            all of a run that has fewer.
        rates: title of a panel to label of a test set to its error rates, one for each stage.
        stages: what each error rate was measured after.
    """
    figure, (curves, *panels) = plt.subplots(
        1, 1 + len(rates), figsize=(8.6, 3.6), width_ratios=(1.5, *[1] * len(rates)))
    for label, run in runs.items():
        losses = np.array([step.loss for step in run.steps])
        width = min(8, len(losses))
        line, = curves.plot(range(width, len(losses) + 1), running_mean(losses, width),
                            label=label)
        curves.plot(range(1, len(losses) + 1), losses, color=line.get_color(), alpha=0.3,
                    linewidth=0.8)
    curves.set(xlabel="step", ylabel="training loss", ylim=(0, None), title="Loss")
    curves.legend()
    for axes, (title, rows) in zip(panels, rates.items(), strict=True):
        _intervals(axes, rows, stages)
        axes.set(title=title)
        axes.sharey(panels[0])
    panels[0].set(ylabel="word error rate (%)")
    panels[0].legend()
    return figure


def running_mean(values: Sequence[float], window: int) -> np.ndarray:
    """Mean of every `window` neighbours; `window - 1` values shorter than the input."""
    return np.convolve(values, np.ones(window) / window, mode="valid")


def _intervals(axes, rates: Mapping[str, Sequence[ErrorRate]], stages: Sequence[str]) -> None:
    for index, (label, row) in enumerate(rates.items()):
        places = np.arange(len(row)) + (index - (len(rates) - 1) / 2) * 0.18
        error_bars(axes, places, row, fmt=MARKERS[index], capsize=3, label=label,
                   color=f"C{index + 2}")
    axes.set(xticks=range(len(stages)), xticklabels=stages, ylim=(0, None),
             xlim=(-0.5, len(stages) - 0.5))
