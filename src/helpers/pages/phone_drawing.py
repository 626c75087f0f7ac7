"""A second drawing of every figure, for phones: narrow, its panels in a column, text at full size.

While `make execute` runs a notebook, each figure that it shows is drawn a second time into the
folder that the variable FOLDER names. The file has the fingerprint of the wide drawing as its name,
so the build finds it, and a drawing of other data is never shown in its place.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend
from matplotlib.ticker import NullLocator

from helpers.ledger import translations
from helpers.pages import translated_drawing

FOLDER = "BOOK_PHONE_DRAWINGS"
WIDTH = 3.75
"""Inches: 360 CSS pixels."""

LABEL_SHARE = 0.34
"""Of the width: longer names of rows stand above their rows."""

NAME_CHARACTERS = 46
"""Of the name of a row in one line."""
BAR_SHARE = 0.6
"""Height that is left of a bar below the name of its row."""
_LINE = 0.19  # inches that a line of text takes
_NUMBER = re.compile(r"^[\d.,\s%k$\\mathdefault{}^−+-]*$")


def fingerprint(svg: str) -> str:
    """What a figure's file is called on the site, without the suffix: the digest of its lines."""
    return hashlib.sha256("\n".join(svg.splitlines()).encode()).hexdigest()


def keep(figure: Figure, wide: str) -> None:
    """Store the phone drawing of a figure, and those of other languages, where they are collected.

    Args:
        wide: the SVG of the figure as the notebook shows it.
    """
    if not (folder := os.environ.get(FOLDER)):
        return
    name = fingerprint(wide)
    (Path(folder) / f"{name}.svg").write_text(narrow_svg(figure), encoding="utf-8")
    for language in os.environ.get(translated_drawing.LANGUAGES, "").split():
        words = translations.words(language)["figures"]
        font = translated_drawing.font_of(language)
        if font and (other := translated_drawing.translated(figure, words, font)):
            store = translated_drawing.folder(language)
            store.mkdir(exist_ok=True)
            (store / f"{name}.svg").write_text(translated_drawing.svg_of(other), encoding="utf-8")
            with plt.rc_context({"font.family": [*plt.rcParams["font.sans-serif"], font]}):
                narrow = narrow_svg(other)
            (Path(folder) / f"{name}-{language}.svg").write_text(narrow, encoding="utf-8")
            plt.close(other)


def narrow_svg(figure: Figure) -> str:
    """SVG of a figure for a phone; the figure itself stays as it is."""
    narrow = pickle.loads(pickle.dumps(figure))
    try:
        lay_out(narrow)
        return translated_drawing.svg_of(narrow)
    finally:
        plt.close(narrow)


def lay_out(figure: Figure) -> None:
    """Make a figure as narrow as a phone, and everything in it legible."""
    wide, high = figure.get_size_inches()
    bars = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
    panels = [axes for axes in figure.axes if axes not in bars and axes.get_subplotspec()]
    rows = panels[0].get_subplotspec().get_gridspec().nrows
    panel_height = max(high / rows, 2.5 if rows == 1 else high / rows)
    if rows < len(panels):
        _stack(figure, panels)
    lines = sum(_names_above(axes) for axes in panels) + _legends(figure, panels)
    figure.set_layout_engine("constrained")
    figure.set_size_inches(WIDTH, panel_height * len(panels) + _LINE * lines)
    for axes in panels:
        _wrap(axes)
        for points in axes.collections:
            if isinstance(points, PathCollection):
                points.set_sizes(points.get_sizes() * (WIDTH / wide) ** 2)
    figure.draw_without_rendering()
    for axes in panels:
        _break_title(axes, beside=bool(bars))
    for axes in (*panels, *bars):
        _thin_ticks(axes)


def _stack(figure: Figure, panels: list[Axes]) -> None:
    """Put panels that stand side by side under one another; each then needs its own scale."""
    grid = GridSpec(len(panels), 1, figure=figure)
    first = {}
    for axes in panels:
        first.setdefault(axes.get_subplotspec().rowspan.start, axes)
    leaders = [first[axes.get_subplotspec().rowspan.start] for axes in panels]
    for cell, axes, leader in zip(grid, panels, leaders, strict=True):
        if axes.get_shared_y_axes().joined(axes, leader):
            axes.set_ylabel(leader.get_ylabel())
        axes.tick_params(labelleft=True, labelbottom=True)
        axes.set_subplotspec(cell)


def _names_above(axes: Axes) -> float:
    """Write long names of rows above their rows; returns the lines that this takes."""
    labels = [label for label in axes.get_yticklabels() if label.get_text()]
    if not labels or axes.yaxis.get_scale() != "linear":
        return 0
    renderer = axes.figure.canvas.get_renderer()
    widest = max(label.get_window_extent(renderer).width for label in labels) / axes.figure.dpi
    if widest < LABEL_SHARE * WIDTH:
        return 0
    ticks = axes.get_yticks()
    step = min(abs(b - a) for a, b in zip(ticks, ticks[1:], strict=False)) if len(ticks) > 1 else 1
    up = -step if axes.yaxis_inverted() else step
    if axes.patches:
        _make_room(axes, ticks, up)
    lines = 0
    for tick, label in zip(ticks, labels, strict=True):
        name = textwrap.fill(label.get_text(), NAME_CHARACTERS)
        lines += 1.3 + 2 * name.count("\n")
        axes.text(0, tick + 0.34 * up, name, transform=axes.get_yaxis_transform(), va="center",
                  fontsize=label.get_fontsize(), color=label.get_color(), in_layout=False)
    axes.set_yticks(ticks, [""] * len(ticks))
    low, high = axes.get_ylim()
    reach = (high - low) / abs(high - low) * 0.1 * step
    axes.set_ylim(low, high + (reach if abs(high - max(ticks, key=lambda at: abs(at - low)))
                               < 0.6 * step else 0))
    return lines


def _make_room(axes: Axes, ticks: Sequence[float], up: float) -> None:
    """Make the bars of each row thinner and set them, and what is written on them, lower."""
    def moved(y: float) -> float:
        tick = min(ticks, key=lambda at: abs(at - y))
        return tick + BAR_SHARE * (y - tick) - (1 - BAR_SHARE) / 2 * up

    for bar in axes.patches:
        middle, height = bar.get_y() + bar.get_height() / 2, BAR_SHARE * bar.get_height()
        bar.set(y=moved(middle) - height / 2, height=height)
    for text in axes.texts:
        text.set_y(moved(text.get_position()[1]))


def _legends(figure: Figure, panels: list[Axes]) -> float:
    """Set legends above the figure, in as many columns as fit; returns the lines they take."""
    own = [axes.get_legend() for axes in panels if axes.get_legend()]
    legends = [*figure.legends, *(own if len(own) == 1 and not figure.legends else [])]
    lines = 0
    for legend in legends:
        handles, labels = _entries(legend, figure)
        title = legend.get_title().get_text() or None
        size = legend.get_texts()[0].get_fontsize()
        legend.remove()
        longest = max(map(len, labels)) * size * 0.55 / 72 + 0.55
        columns = max(1, min(len(labels), int(WIDTH / longest)))
        figure.legend(handles, [textwrap.fill(label, 42) for label in labels], title=title,
                      loc="outside upper left", ncols=columns, fontsize=size)
        lines += math.ceil(len(labels) / columns) + 0.5 + (title is not None)
    return lines


def _entries(legend: Legend, figure: Figure) -> tuple[list, list[str]]:
    """Handles and labels of a legend, from the axes that drew them where they are there."""
    labels = [text.get_text() for text in legend.get_texts()]
    drawn = {label: handle for axes in figure.axes
             for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    if all(label in drawn for label in labels):
        return [drawn[label] for label in labels], labels
    return list(legend.legend_handles), labels


def _wrap(axes: Axes) -> None:
    """Break labels of axes that would be longer than their axis."""
    for label, limit in ((axes.xaxis.label, 40), (axes.yaxis.label, 30)):
        label.set_text(textwrap.fill(label.get_text(), limit))


def _break_title(axes: Axes, beside: bool) -> None:
    """Break titles that reach over the figure, or into what stands beside the panel."""
    renderer = axes.figure.canvas.get_renderer()
    edge = axes.get_window_extent(renderer).x1 if beside else axes.figure.bbox.x1
    for location in ("left", "center"):
        text = axes.get_title(location)
        for characters in (36, 30, 24, 18):
            title = axes.set_title(textwrap.fill(text, characters), loc=location)
            if title.get_window_extent(renderer).x1 <= edge:
                break


def _thin_ticks(axes: Axes) -> None:
    """Leave out numbers that would run into one another; turn names that would."""
    for axis, side in ((axes.xaxis, 0), (axes.yaxis, 1)):
        renderer = axes.figure.canvas.get_renderer()
        shown = [label for label in axis.get_ticklabels() if label.get_visible()
                 and label.get_text()]
        boxes = [label.get_window_extent(renderer) for label in shown]
        spans = sorted((box.x0, box.x1) if side == 0 else (box.y0, box.y1) for box in boxes)
        gap = 4 if side == 0 else -2
        if all(low[1] + gap <= high[0] for low, high in zip(spans, spans[1:], strict=False)):
            continue
        if not all(_NUMBER.match(label.get_text()) for label in shown):
            if side == 0:
                axes.tick_params(axis="x", rotation=40)
                for label in shown:
                    label.set(ha="right", rotation_mode="anchor")
            continue
        places, texts = axis.get_majorticklocs(), [t.get_text() for t in axis.get_ticklabels()]
        keep_each = 2 if len(shown) < 9 else 3
        axis.set_ticks(places, [text if number % keep_each == 0 else ""
                                for number, text in enumerate(texts)])
        axis.set_minor_locator(NullLocator())
