"""Does the figure of a cut call shade what the pieces hold, and read their names rightly?"""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from matplotlib import pyplot as plt

from helpers.evaluation.intervals import Difference
from helpers.pages.figures.needs import added_errors
from helpers.pages.figures.pieces import cut_call, spans_of


def test_names_give_the_times() -> None:
    named = spans_of(["my-call-A-0001500-0002250", "x-0000000-0012000"])
    assert named == [(1.5, 2.25), (0.0, 12.0)]


def test_the_figure_has_a_shade_for_each_piece_and_the_whole_call(tmp_path) -> None:
    soundfile.write(tmp_path / "c.wav", np.full(8000 * 4, 0.1), 8000)
    figure, spans = cut_call(tmp_path / "c.wav", ["c-0000500-0001000", "c-0002000-0003000"])
    axes, = figure.axes
    assert [(one.get_x(), one.get_x() + one.get_width()) for one in axes.patches] == spans
    assert axes.get_xlim() == (0, 4)
    assert axes.lines[0].get_ydata() == pytest.approx(-20, abs=0.1)
    plt.close(figure)


def test_a_stage_that_was_not_heard_has_no_point() -> None:
    gap = Difference(0.5, 0.4, 0.6)
    figure = added_errors({"one": {"line": gap, "noise": gap}, "two": {"line": gap}})
    axes, = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["line", "noise"]
    points = [bars.lines[0].get_xdata() for bars in axes.containers]
    assert [list(one) for one in points] == [[50, 50], [50]]
    plt.close(figure)
