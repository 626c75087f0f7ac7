"""Figures of the chapter on the sampling rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.evaluation.intervals import ErrorRate
from helpers.model.mel import DECIBELS, Bank, bank_of, frontend
from helpers.pages import menus
from helpers.pages.figures.error_bars import error_bars
from helpers.pages.figures.learning import MARKERS

GROUP = 20
LINE_LIMIT_HZ = 4000
"""What a call of 8 kHz can carry."""


def filter_triangles(banks: Mapping[str, Bank]) -> Figure:
    """Each bank's filters on one frequency axis, coloured in groups of twenty bins."""
    figure, rows = plt.subplots(len(banks), 1, figsize=(7.2, 1.75 * len(banks) + 0.7), sharex=True)
    for axes, (title, bank) in zip(rows, banks.items(), strict=True):
        for number, feet in enumerate(zip(bank.left, bank.centres, bank.right, strict=True)):
            group = number // GROUP
            label = f"bins {number + 1} to {number + GROUP}" if number % GROUP == 0 else None
            axes.plot(feet, (0, 1, 0), color=f"C{group}", linewidth=0.9, label=label)
        axes.set(title=title, yticks=(0, 1), ylim=(0, 1.08), ylabel="weight")
        axes.grid(visible=False)
    rows[-1].set(xlabel="frequency (Hz)", xlim=(0, 8000))
    handles, labels = rows[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def rate_menu(rates: Sequence[int]):
    """A menu of values of `frontend_conf.fs`: where the filters lie that the frontend then uses."""
    return menus.menu("frontend_conf.fs", {str(fs): _rate_panel(fs) for fs in rates}, "16000")


def _rate_panel(fs: int) -> str:
    bank = bank_of(frontend(fs=fs))
    figure, axes = plt.subplots(figsize=(6.6, 2.2))
    for first in range(0, len(bank.centres), GROUP):
        group = slice(first, first + GROUP)
        feet = np.stack([bank.left[group], bank.centres[group], bank.right[group]], axis=1)
        places = np.append(feet, np.full((len(feet), 1), np.nan), axis=1).ravel()
        axes.plot(places, np.tile((0, 1, 0, np.nan), len(feet)), color=f"C{first // GROUP}",
                  linewidth=0.9, label=f"bins {first + 1} to {first + GROUP}")
    axes.set(xlim=(0, 8000), ylim=(0, 1.08), yticks=(0, 1), xlabel="frequency (Hz)",
             ylabel="weight")
    axes.grid(visible=False)
    figure.legend(loc="outside upper center", ncols=2)
    below = int((bank.centres < LINE_LIMIT_HZ).sum())
    return menus.panel(figure, f"fs {fs}: bin {len(bank.centres) // 2} hears "
                               f"{bank.centres[len(bank.centres) // 2 - 1]:.0f} Hz, and {below} of "
                               f"{len(bank.centres)} bins lie below {LINE_LIMIT_HZ} Hz.")


def clip_panels(panels: Sequence[tuple[str, np.ndarray, Bank]]) -> Figure:
    """Features of one clip, a panel each: time across, bins up, labelled with their frequency.

    Args:
        panels: title, features of shape (frames, bins), and the bank that made them.
    """
    figure, rows = plt.subplots(len(panels), 1, figsize=(7.2, 2.05 * len(panels) + 0.3),
                                sharex=True, sharey=False)
    low = min(np.quantile(mat, 0.01) for _, mat, _ in panels)
    high = max(mat.max() for _, mat, _ in panels)
    for axes, (title, mat, bank) in zip(rows, panels, strict=True):
        image = axes.imshow(DECIBELS * mat.T, origin="lower", aspect="auto", cmap="cividis",
                            vmin=DECIBELS * low, vmax=DECIBELS * high,
                            extent=(0, len(mat) * bank.shift / bank.fs, 0.5, mat.shape[1] + 0.5))
        ticks = np.linspace(1, mat.shape[1], 5).round().astype(int)
        axes.set(title=title, yticks=ticks, ylabel="frequency (Hz)",
                 yticklabels=[f"{bank.centres[tick - 1]:.0f}" for tick in ticks])
        axes.grid(visible=False)
    rows[-1].set(xlabel="time (s)")
    figure.colorbar(image, ax=list(rows), label="level (dB)", aspect=40, pad=0.02)
    return figure


def levels(curves: Mapping[str, np.ndarray], bank: Bank) -> Figure:
    """Mean level of each bin, over its frequency.

    Args:
        curves: label to mean features, shape (bins,), natural logarithms of power.
    """
    return _over_frequency({label: DECIBELS * curve for label, curve in curves.items()}, bank, 3.6,
                           xlabel="centre of the bin (Hz)", ylabel="mean level (dB)")


def correlations(curves: Mapping[str, np.ndarray], bank: Bank) -> Figure:
    """Correlation of each bin with wideband's, over the frequency that the encoder has there."""
    return _over_frequency(curves, bank, 3.5, xlabel="what the bin was in pretraining (Hz)",
                           ylabel="correlation", ylim=(-0.1, 1.02))


def error_rate_dots(rates: Mapping[str, Mapping[str, ErrorRate]]) -> Figure:
    """Horizontal points with intervals: a row for each case, a marker for each branch.

    Args:
        rates: the case's label to the branch's label to its rate, top row first.
    """
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * len(rates) + 1.3))
    branches = list(next(iter(rates.values())))
    for index, branch in enumerate(branches):
        places = np.arange(len(rates)) + 0.22 * (index - (len(branches) - 1) / 2)
        error_bars(axes, places, [row[branch] for row in rates.values()], lying=True,
                   fmt=MARKERS[index], capsize=3, label=f"{branch.upper()} branch",
                   color=f"C{index}")
    axes.set(yticks=range(len(rates)), yticklabels=list(rates), xlabel="word error rate (%)",
             xlim=(0, None))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=len(branches))
    return figure


def _over_frequency(curves: Mapping[str, np.ndarray], bank: Bank, height: float, **axis) -> Figure:
    """A value of each bin over its frequency, with a mark where a call ends."""
    figure, axes = plt.subplots(figsize=(7.2, height))
    for (label, curve), line in zip(curves.items(), ("-", "--", "-.", ":"), strict=False):
        axes.plot(bank.centres, curve, line, label=label)
    axes.axvline(LINE_LIMIT_HZ, color="C6", linewidth=1)
    axes.set(xlim=(0, 8000), **axis)
    figure.legend(loc="outside upper center", ncols=2)
    return figure
