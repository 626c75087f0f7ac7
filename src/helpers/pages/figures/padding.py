"""How much of a batch is padding, as a figure."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.gpu.forecast import Padded


def padding_figure(limited: Mapping[int, Padded], free: Mapping[int, Padded],
                   own: int) -> Figure:
    """Padding and utterances in a batch by `batch_size`, with the config's sample limit and not."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.4))
    for number, (label, by_size) in enumerate({"limit as it is": limited,
                                             "no limit": free}.items()):
        style = {"marker": ("o", "^")[number], "color": f"C{number}", "label": label,
                 "linestyle": ("-", "--")[number]}
        left.plot(list(by_size), [100 * batch.padding for batch in by_size.values()], **style)
        right.plot(list(by_size), [batch.utterances for batch in by_size.values()], **style)
    left.set(ylabel="padding (%)", title="Padding")
    right.set(ylabel="utterances in a batch", title="Size", yscale="log")
    for axes in (left, right):
        axes.axvline(own, color="C7", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", xlabel="batch_size", xticks=list(free),
                 xticklabels=[f"{size:,}" for size in free])
        axes.tick_params(axis="x", rotation=45)
        axes.minorticks_off()
    left.set(ylim=(0, None))
    left.legend()
    return figure
