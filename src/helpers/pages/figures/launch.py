"""What arrives of the released weights, as a figure."""

from __future__ import annotations

from matplotlib import pyplot as plt

from funasr_preflight.laws.names import COMPONENTS
from helpers.model.launch import Attempt, pretrained_tensors


def arrival_figure(attempts: dict[str, Attempt]):
    """Bars: the share of each component's pretrained values that each launch starts with.

    Args:
        attempts: legend label to the launch it stands for.
    """
    pretrained = pretrained_tensors()
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    height = 0.8 / len(attempts)
    labels = []
    for row, component in enumerate(COMPONENTS):
        whole = pretrained.parameters(component)
        labels.append(f"{component}\n{whole / 1e6:,.1f} M")
        for index, (label, attempt) in enumerate(attempts.items()):
            share = 100 * attempt.arrived(component) / whole
            height_of_bar = row + (index - (len(attempts) - 1) / 2) * height
            axes.barh(height_of_bar, share, height * 0.9, color=f"C{index}", label=label)
            axes.text(share + 1, height_of_bar, f"{share:.0f} %", va="center")
    axes.set(yticks=range(len(COMPONENTS)), yticklabels=labels, xlim=(0, 112),
             xlabel="pretrained values that training starts with (%)")
    axes.invert_yaxis()
    axes.grid(visible=False)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[:len(attempts)], names[:len(attempts)], loc="upper center",
                bbox_to_anchor=(0.5, 1.16), ncols=len(attempts), frameon=False)
    return figure
