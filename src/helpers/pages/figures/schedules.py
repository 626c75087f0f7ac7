"""Figures of the learning rate that a run sees, and its slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.config import configs
from helpers.config.values import SHORT_NAMES
from helpers.evaluation.intervals import ErrorRate
from helpers.pages import menus
from helpers.pages.figures.error_bars import error_bars
from helpers.pages.tables import plain_table
from helpers.training.schedules import Seen, rates_at, run_updates, seen

HOURS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
STYLES = ("-", "--", "-.")


def curves_figure(names: Sequence[str], ratios_to: str) -> Figure:
    """The rate of every update under each config, and its ratio to one of them."""
    updates = np.unique(np.geomspace(1, 100_000, 400).round().astype(int))
    figure, (rates, ratios) = plt.subplots(1, 2, figsize=(8.6, 3.6), width_ratios=(1.35, 1))
    base = rates_at(ratios_to, updates)
    for number, name in enumerate(names):
        by_update = rates_at(name, updates)
        style = {"label": SHORT_NAMES.get(name, name), "color": f"C{number}",
                 "linestyle": STYLES[number]}
        rates.plot(updates, by_update, **style)
        if name != ratios_to:
            ratios.plot(updates, by_update / base, **style)
    rates.set(xscale="log", yscale="log", xlabel="update", ylabel="learning rate", title="Rate")
    ratios.set(xscale="log", xlabel="update", title=f"Times that of {ratios_to}", ylim=(0, 55))
    rates.legend()
    return figure


def range_figure(rates: Sequence[float], ratios: Sequence[float],
                 marks: Mapping[str, float]) -> Figure:
    """Loss of a rate range test, as a share of the same batch's loss without training."""
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    axes.plot(rates, ratios, marker="o")
    axes.axhline(1, color="C6", linewidth=0.9)
    for number, (label, rate) in enumerate(marks.items()):
        axes.axvline(rate, color=f"C{number + 1}", linestyle=STYLES[number % 3], label=label)
    axes.set(xscale="log", xlabel="learning rate of the last update before the batch",
             ylabel="loss / loss untrained", ylim=(0, min(2.5, 1.1 * max(ratios))))
    axes.legend()
    return figure


def sweep_figure(rates: Mapping[float, tuple[Sequence[float], ErrorRate]]) -> Figure:
    """Recorded runs at several peak rates: validation loss of each seed, and word error rate."""
    figure, (losses, errors) = plt.subplots(1, 2, figsize=(8.6, 3.5))
    places = list(rates)
    for rate, (values, _) in rates.items():
        losses.plot([rate] * len(values), values, "o", color="C0", alpha=0.7)
    losses.plot(places, [np.mean(values) for values, _ in rates.values()], color="C0")
    error_bars(errors, places, [error_rate for _, error_rate in rates.values()], marker="s",
               capsize=3, color="C1")
    losses.set(xscale="log", xlabel="peak learning rate", title="Validation loss")
    errors.set(xscale="log", xlabel="peak learning rate", title="Telephone word error rate (%)",
               ylim=(0, None))
    return figure


PASSES = {"as written": None, "one an epoch": 1}
"""What the explorer's second control offers: passes of a single `.jsonl` in an epoch."""


def explorer():
    """Two controls, hours of speech and passes an epoch, over panels made beforehand."""
    return menus.explorer([
        menus.Control("Speech", {f"{hours:,} h": hours for hours in HOURS}, "100 h"),
        menus.Control("Passes", PASSES, slider=False)], _panel)


def _panel(hours: float, passes: int | None) -> str:
    runs = {name: seen(name, run_updates(name, hours, passes)) for name in configs.CONFIG_NAMES}
    table = plain_table(
        ["Config", "Updates", "In warm-up", "Highest rate", "Mean rate", "Last rate"],
        [[SHORT_NAMES.get(name, name), run.updates, f"{run.warmup_share:.2%}", f"{run.peak:.1e}",
          f"{run.mean:.1e}", f"{run.last:.1e}"] for name, run in runs.items()])
    rates = "; ".join(f"{SHORT_NAMES.get(name, name)}: mean {run.mean:.1e}, last {run.last:.1e}"
                      for name, run in runs.items())
    return table + menus.picture(_run_figure(runs),
                                 f"Learning rate over the run at {hours:,} hours. {rates}")


def _run_figure(runs: Mapping[str, Seen]) -> Figure:
    figure, axes = plt.subplots(figsize=(7.0, 2.6))
    for number, (name, run) in enumerate(runs.items()):
        updates = np.unique(np.geomspace(1, run.updates, 60).round().astype(int))
        axes.plot(100 * updates / run.updates, rates_at(name, updates), color=f"C{number}",
                  linestyle=STYLES[number], label=SHORT_NAMES.get(name, name))
    axes.set(xlabel="share of the run done (%)", ylabel="learning rate", yscale="log",
             xlim=(0, 100), ylim=(3e-9, 2e-4))
    axes.minorticks_off()
    axes.legend(ncols=3, loc="upper right")
    return figure
