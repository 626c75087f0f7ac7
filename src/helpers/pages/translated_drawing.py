"""A figure in another language: the same drawing with its words replaced.

While `make execute` runs a notebook whose figures a translated page shows, each figure of which all
words are known (`figures` in the language's `words.yml`) is drawn once more. Texts are outlines, so
that the reader needs no font; the machine that draws needs one that has the characters.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

from helpers.paths import ROOT

LANGUAGES = "BOOK_FIGURE_LANGUAGES"
"""Variable that names the languages whose pages show the figures that are being drawn."""
FONTS = {"zh": "DroidSansFallbackFull.ttf"}
"""Language to the file of its font; Debian: fonts-droid-fallback (Apache licence)."""
_WORD = re.compile("[A-Za-z]{2}")


def folder(language: str) -> Path:
    """Where the drawings of a language lie, under the fingerprint of the English one."""
    return ROOT / "book" / language / "figures"


def shown_by(notebook: str) -> list[str]:
    """Languages of the pages that show figures of a notebook."""
    return [language for language in FONTS
            if (page := ROOT / "book" / language / f"{notebook}.md").is_file()
            and "{stored-figure}" in page.read_text(encoding="utf-8")]


@cache
def font_of(language: str) -> str | None:
    """Name of the font that draws the language's characters; None where this machine has none."""
    for path in font_manager.findSystemFonts():
        if Path(path).name == FONTS[language]:
            font_manager.fontManager.addfont(path)
            return font_manager.FontProperties(fname=path).get_name()
    return None


def translated(figure: Figure, words: Mapping[str, str], font: str) -> Figure | None:
    """The figure with its words replaced; None where one has no translation.

    Args:
        words: whole English texts of a figure to those of the language.
        font: name of one that has the language's characters.
    """
    other = pickle.loads(pickle.dumps(figure))
    other.draw_without_rendering()
    names = [*_names_of_ticks(other)]
    texts = [text for text in other.findobj(Text) if _WORD.search(text.get_text())]
    written = {text.get_text() for text in texts} | {name for _, labels in names for name in labels
                                                     if _WORD.search(name)}
    if not written <= set(words):
        plt.close(other)
        return None
    family = [*plt.rcParams["font.sans-serif"], font]
    for axis, labels in names:
        axis.set_ticks(axis.get_majorticklocs(), [words.get(name, name) for name in labels])
    for text in other.findobj(Text):
        text.set_text(words.get(text.get_text(), text.get_text()))
        text.set_fontfamily(family)
    for axes in other.axes:
        axes.tick_params(labelfontfamily=family)
        for drawn, label in zip(*axes.get_legend_handles_labels(), strict=True):
            drawn.set_label(words.get(label, label))
    return other


def svg_of(figure: Figure) -> str:
    """The figure as the book stores it."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return "\n".join(file.getvalue().splitlines())


def _names_of_ticks(figure: Figure) -> Iterator[tuple[Axis, list[str]]]:
    """Axes whose ticks have names, and the names: a formatter would write them again."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if any(map(_WORD.search, labels)):
                yield axis, labels
