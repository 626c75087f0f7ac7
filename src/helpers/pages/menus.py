"""Menus and sliders over panels that were made beforehand: in a page without a kernel, and live."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.pages import palette

NARROW = 4.8
"""Inches: a panel's picture is read on a phone as it is, since it has no second drawing."""


@dataclass(frozen=True)
class Control:
    """A slider, or a drop-down list.

    Attributes:
        entries: what it shows to what that stands for.
        chosen: the entry shown first; the first one if not given.
    """

    label: str
    entries: Mapping[str, Any]
    chosen: str = ""
    slider: bool = True

    def widget(self):
        """The control itself."""
        import ipywidgets as widgets

        make = widgets.SelectionSlider if self.slider else widgets.Dropdown
        return make(options=list(self.entries), value=self.chosen or next(iter(self.entries)),
                    description=self.label, style={"description_width": "initial"})


def explorer(controls: Sequence[Control], panel: Callable[..., str]):
    """Controls over the panels of all combinations of their entries.

    Args:
        panel: gives a panel's HTML for one value of each control.
    """
    import ipywidgets as widgets

    shown = [control.widget() for control in controls]

    def stack(*values: Any):
        if len(values) == len(controls):
            return widgets.HTML(panel(*values))
        entries, control = controls[len(values)].entries, shown[len(values)]
        stacked = widgets.Stack([stack(*values, value) for value in entries.values()],
                                selected_index=control.index)
        widgets.jslink((control, "index"), (stacked, "selected_index"))
        return stacked

    return widgets.VBox([*shown, stack()])


def menu(label: str, panels: Mapping[str, str], chosen: str = ""):
    """A drop-down list that shows one of several panels, each some HTML."""
    return explorer([Control(label, panels, chosen, slider=False)], str)


def panel(figure: Figure, says: str) -> str:
    """HTML of a figure under a sentence that says what it shows; closes the figure."""
    return f"<p>{says}</p>{picture(figure, says)}"


def picture(figure: Figure, alt: str) -> str:
    """HTML of a figure in both themes; closes the figure."""
    figure.set_figwidth(min(figure.get_figwidth(), NARROW))
    file = io.BytesIO()
    with plt.rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    return palette.svg_picture(file.getvalue().decode(), alt)
