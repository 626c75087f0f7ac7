"""Drawings of what a run leaves on disk."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.patches import Patch

from helpers.training.checkpoints import Diary


def lifetimes(diary: Diary, ranked: Mapping[str, float], steps: int):
    """A bar for each numbered checkpoint, from the step that saved it to the one that deleted it.

    Args:
        ranked: checkpoint name to the validation accuracy that ranks it.
    """
    born = {name: event.step for event in diary.of("saves") for name in event.names
            if name.startswith("model.pt.ep")}
    dead = {name: event.step for event in diary.of("deletes") for name in event.names}
    names = list(born)
    figure, axes = plt.subplots(figsize=(7, 0.34 * len(names) + 1.3), layout="constrained")
    for row, name in enumerate(names):
        until = dead.get(name, steps + 0.8)
        style = ({"color": "C0"} if name in ranked
                 else {"facecolor": "none", "edgecolor": "C1", "hatch": "///"})
        axes.barh(row, max(until - born[name], 0.15), 0.62, left=born[name], **style)
        label = f"{ranked[name]:.3f}" if name in ranked else "not ranked"
        axes.text(steps + 1.1, row, label + (", deleted" if name in dead else ""), va="center")
    axes.set(yticks=range(len(names)), yticklabels=[name.removeprefix("model.pt.")
                                                    for name in names],
             xlim=(0, steps + 6.5), xlabel="training step", xticks=range(0, steps + 1, 3))
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.legend(handles=[Patch(color="C0", label="validated: ranked"),
                         Patch(facecolor="none", edgecolor="C1", hatch="///",
                               label="not validated: never deleted")],
                loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return figure
