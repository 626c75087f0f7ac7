"""Figures of what a length limit keeps, and its slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.pages import menus
from helpers.speech.turns import seconds_of
from helpers.training.batches import DataPass, reach

SLIDER = (128, 256, 512, 768, 1024, 1536, 2048, 3500, 6000)
EDGES = np.array([0, 0.5, 1, 2, 3, 5, 7, 10, 15, 20, 33, 60, 180.1])


def kept_figure(items: Sequence[dict], reached: Mapping[str, DataPass]) -> Figure:
    """Hours of speech by duration: what a pass serves and what it leaves out."""
    seconds = seconds_of(items)
    hours = np.histogram(seconds, EDGES, weights=seconds / 3600)[0]
    figure, panels = plt.subplots(1, len(reached), figsize=(8.6, 3.4), sharey=True)
    places = np.arange(len(EDGES) - 1)
    for axes, (label, served_by) in zip(panels, reached.items(), strict=True):
        kept = served_by.kept["collator"]
        served = np.histogram(seconds[kept], EDGES, weights=seconds[kept] / 3600)[0]
        axes.bar(places, served, 0.8, label="served")
        axes.bar(places, hours - served, 0.8, bottom=served, color="C1", hatch="///",
                 label="left out")
        axes.set(title=label, xlabel="duration up to (s)", xticks=places[1::2],
                 xticklabels=[f"{edge:.0f}" for edge in EDGES[1:][1::2]])
    panels[0].set(ylabel="hours of speech")
    panels[-1].legend()
    return figure


def batches_figure(items: Sequence[dict], reached: Mapping[str, DataPass]) -> Figure:
    """The first 400 batches by longest utterance, in order; and samples by the longest."""
    seconds = seconds_of(items)
    figure, (order, size) = plt.subplots(1, 2, figsize=(8.6, 3.5), width_ratios=(1.4, 1))
    for number, (label, served_by) in enumerate(reached.items()):
        longest = [seconds[batch].max() for batch in served_by.batches]
        order.plot(longest[:400], label=label, color=f"C{number}", linestyle=("-", "--")[number])
        size.plot(longest, [len(batch) for batch in served_by.batches], ("o", "^")[number],
                  markersize=3, color=f"C{number}", label=label)
    order.set(yscale="log", xlabel="batch", ylabel="longest utterance (s)", title="Order",
              yticks=(1, 3, 10, 30), yticklabels=("1", "3", "10", "30"))
    order.minorticks_off()
    size.set(xscale="log", xlabel="longest utterance (s)", ylabel="utterances in the batch",
             title="Size", ylim=(0, None), xticks=(1, 3, 10, 30),
             xticklabels=("1", "3", "10", "30"))
    size.minorticks_off()
    size.legend()
    return figure


def kept_at(name: str, items: Sequence[dict]) -> dict[int, tuple]:
    """For each `max_token_length`: share of lines, share of hours, longest kept in seconds."""
    seconds = seconds_of(items)
    states = {}
    for limit in SLIDER:
        kept = reach(name, items, {"max_token_length": limit}, collate=False).kept["sampler"]
        states[limit] = (kept.mean(), seconds[kept].sum() / seconds.sum(), seconds[kept].max())
    return states


def limit_slider(states: Mapping[int, tuple]):
    """A slider of `max_token_length` over panels made beforehand."""
    limits = menus.Control("max_token_length", {str(limit): limit for limit in states}, "1024")
    return menus.explorer([limits], lambda limit: _panel(limit, *states[limit]))


def _panel(limit: int, lines: float, hours: float, longest: float) -> str:
    figure, axes = plt.subplots(figsize=(6.4, 1.5))
    axes.barh(("hours", "utterances"), (100 * hours, 100 * lines), color=("C1", "C0"))
    axes.set(xlim=(0, 100), xlabel="served (%)")
    return menus.panel(figure, f"max_token_length {limit}: {lines:.1%} of the utterances and "
                               f"{hours:.1%} of the hours are served, the longest of "
                               f"{longest:.1f} s.")
