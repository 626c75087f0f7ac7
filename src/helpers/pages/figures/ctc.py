"""A forced alignment, as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.model.ctc import Alignment


def alignment_figure(rows: Mapping[str, Alignment], words: Sequence[str]) -> Figure:
    """Token starts of one utterance under several models, one row each, joined by thin lines.

    Args:
        rows: label to the alignment, top row first; all of the same text.
        words: its tokens, written above the top row.
    """
    figure, axes = plt.subplots(figsize=(6.4, 0.75 * len(rows) + 1.4), layout="constrained")
    starts = np.array([alignment.starts for alignment in rows.values()])
    axes.plot(starts, range(len(rows)), color="0.55", linewidth=0.9, zorder=1)
    for height, (label, row) in enumerate(zip(rows, starts, strict=True)):
        axes.scatter(row, [height] * len(row), marker="|", s=220, linewidths=2.6, zorder=2)
        axes.text(0, height, label.replace(", ", ",\n"), va="center", fontsize=10,
                  transform=axes.get_yaxis_transform())
    word_place = -np.inf
    for start, word in zip(starts[0], words, strict=True):
        word_place = max(start, word_place + 0.055 * np.ptp(starts))
        axes.annotate(word.strip(), (start, -0.14), (word_place, -0.75), rotation=55, fontsize=10,
                      ha="left", va="bottom",
                      arrowprops={"arrowstyle": "-", "color": "0.55", "linewidth": 0.6})
    axes.set(yticks=[], xlabel="start of the token, s", ylim=(len(rows) - 0.6, -1.7),
             xlim=(starts.min() - 0.3 * np.ptp(starts), starts.max() + 0.08 * np.ptp(starts)),
             xticks=[tick for tick in axes.get_xticks() if tick >= 0])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    return figure
