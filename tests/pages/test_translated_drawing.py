"""Figures of the Chinese pages: a reader of Chinese finds no English words in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib import pyplot as plt

from helpers.ledger import translations
from helpers.pages import phone_drawing, translated_drawing
from helpers.paths import ROOT
from helpers.site.figures import PHONE_DRAWINGS
from helpers.site.stored import figures

SHOWN = re.compile(r"\{stored-figure\} /(\S+) (\S+)")
SAID = re.compile(r"<!-- (.+?) -->")
"""Matplotlib writes every text beside its outlines."""
PAGES = [(language, path) for language in translated_drawing.FONTS
         for path in sorted((ROOT / "book" / language).glob("*.md"))
         if SHOWN.search(path.read_text(encoding="utf-8"))]


def prints_of(page: Path) -> list[str]:
    """Fingerprints of the figures that a translated page shows."""
    return [phone_drawing.fingerprint(svg)
            for notebook, wanted in SHOWN.findall(page.read_text(encoding="utf-8"))
            for name, svg in figures(ROOT / notebook) if name == wanted]


@pytest.mark.parametrize(("language", "page"), PAGES, ids=lambda one: getattr(one, "stem", one))
def test_a_translated_page_has_its_own_drawings(language: str, page: Path) -> None:
    """To mend: install the font of `translated_drawing.FONTS`, then
    `python -m helpers.site.commands.phone_drawings NAME`."""
    known = set(translations.words(language)["figures"].values())
    for name in prints_of(page):
        for path in (translated_drawing.folder(language) / f"{name}.svg",
                     PHONE_DRAWINGS / f"{name}-{language}.svg"):
            assert path.is_file(), f"{page.name}: {path.name}"
            said = "".join(SAID.findall(path.read_text(encoding="utf-8")))
            for text in sorted(known, key=len, reverse=True):
                said = said.replace(text, "")
            assert not re.search("[A-Za-z]{2}", said), said


def test_no_translated_drawing_is_left_over() -> None:
    shown = {name for _, page in PAGES for name in prints_of(page)}
    drawn = {path.stem for language in translated_drawing.FONTS
             for path in translated_drawing.folder(language).glob("*.svg")}
    assert drawn == shown


@pytest.fixture
def figure():
    made, axes = plt.subplots()
    axes.errorbar([1], [2], xerr=[1], label="mini")
    axes.set(xlabel="noise", title="3.5 dB", yticks=[2], yticklabels=["a piece"])
    axes.legend()
    yield made
    plt.close(made)


WORDS = {"mini": "迷你模型", "noise": "噪声", "a piece": "一段", "dB": "dB"}


def test_ticks_labels_and_legend_are_replaced(figure) -> None:
    other = translated_drawing.translated(figure, WORDS | {"3.5 dB": "3.5 dB"}, "DejaVu Sans")
    axes, = other.axes
    assert (axes.get_xlabel(), axes.get_yticklabels()[0].get_text(),
            axes.get_legend().get_texts()[0].get_text()) == ("噪声", "一段", "迷你模型")
    assert axes.get_legend_handles_labels()[1] == ["迷你模型"]
    assert figure.axes[0].get_xlabel() == "noise"
    plt.close(other)


def test_a_figure_with_an_unknown_word_is_not_drawn_half_translated(figure) -> None:
    assert translated_drawing.translated(figure, WORDS, "DejaVu Sans") is None
