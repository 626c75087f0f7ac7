"""The first line of every chapter: seeds, silence and one look for all figures."""

from __future__ import annotations

from importlib.resources import files

from helpers import session


def setup(seed: int = 0, threads: int = 1) -> None:
    """Prepare a chapter: `helpers.session.setup`, and the figures' style."""
    session.setup(seed, threads)
    style_figures()


def style_figures() -> None:
    """Use the book's matplotlib style, and SVG figures inside a notebook."""
    import matplotlib.pyplot as plt

    style = files("helpers.pages") / "assets" / "book.mplstyle"
    if style.is_file():
        plt.style.use(str(style))
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython() is not None:
        set_matplotlib_formats("svg", metadata={"Date": None})  # the same file every run
