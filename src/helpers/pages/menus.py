"""A menu over panels that were made beforehand: it works in a page without a kernel, and live."""

from __future__ import annotations

import io
from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.pages import palette


def menu(label: str, panels: Mapping[str, str], chosen: str | None = None):
    """A drop-down list that shows one of several panels.

    Args:
        label: beside the list.
        panels: entry of the list to the HTML that it shows.
        chosen: the entry shown first; the first one if not given.
    """
    import ipywidgets as widgets

    entries = list(panels)
    start = entries.index(chosen) if chosen else 0
    listed = widgets.Dropdown(options=entries, index=start, description=label,
                              style={"description_width": "initial"})
    stack = widgets.Stack([widgets.HTML(panel) for panel in panels.values()], selected_index=start)
    widgets.jslink((listed, "index"), (stack, "selected_index"))
    return widgets.VBox([listed, stack])


def panel(figure: Figure, said: str) -> str:
    """HTML of a figure under a sentence that says what it shows; closes the figure."""
    file = io.BytesIO()
    with plt.rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    return f"<p>{said}</p>{palette.svg_picture(file.getvalue().decode(), said)}"
