"""The first line of every chapter: seeds, silence and one look for all figures."""

from __future__ import annotations

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers import session
from helpers.pages import palette, phone_drawing


def setup(seed: int = 0, threads: int = 1) -> None:
    """Prepare a chapter: `helpers.session.setup`, and the figures' style."""
    session.setup(seed, threads)
    style_figures()


def style_figures() -> None:
    """Use the book's matplotlib style, and SVG figures inside a notebook."""
    from IPython import get_ipython
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    plt.style.use(palette.LIGHT_STYLE)
    if get_ipython() is not None:
        set_matplotlib_formats("svg")
        formatter = get_ipython().display_formatter.formatters["image/svg+xml"]
        formatter.for_type(Figure, _drawn)


def _drawn(figure: Figure) -> str:
    """A figure's SVG, the same file every run; its phone drawing goes to who collects them."""
    from IPython.core.pylabtools import print_figure

    wide = print_figure(figure, fmt="svg", metadata={"Date": None})
    phone_drawing.keep(figure, wide)
    return wide
