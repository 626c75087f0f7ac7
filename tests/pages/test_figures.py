"""Figures must show all of what they are given; nbval does not compare pictures."""

import pytest

from funasr_preflight.laws.memory import GIBIBYTE, TrainingMemory
from helpers.evaluation.intervals import ErrorRate
from helpers.pages.figures.learning import learning_curves, memory_bars, running_mean
from helpers.training.finetune import Run, Step


def test_memory_bars_show_every_row_and_its_total():
    rows = {"little": TrainingMemory(GIBIBYTE, 0, 0),
            "much": TrainingMemory(GIBIBYTE, GIBIBYTE, 2 * GIBIBYTE)}
    axes = memory_bars(rows).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["little", "much"]
    assert [text.get_text() for text in axes.texts] == ["1.0", "4.0"]


def test_learning_curves_show_every_run_and_every_rate():
    run = Run(None, [Step(n, 4 / n, 0.5, 0.1) for n in range(1, 21)], [], None, None, 1.0)
    rate = ErrorRate(0.2, 0.1, 0.4)
    panels = {branch: {"telephone": [rate, rate], "wideband": [rate, rate]}
              for branch in ("LLM", "CTC")}
    figure = learning_curves({"a": run, "b": run}, panels, ["before", "after"])
    curves, *words = figure.axes
    assert [axes.get_title("left") or axes.get_title() for axes in words] == ["LLM", "CTC"]
    assert len(curves.lines) == 4
    assert [text.get_text() for text in curves.get_legend().get_texts()] == ["a", "b"]
    for axes in words:
        assert len(axes.containers) == 2
        assert axes.containers[0][0].get_ydata() == pytest.approx([20, 20])
        low, high = axes.containers[0][2][0].get_segments()[0][:, 1]
        assert (low, high) == pytest.approx((10, 40))


def test_a_run_of_few_steps_is_drawn_too():
    """A reader's short manifest makes fewer steps than the running mean takes."""
    run = Run(None, [Step(n, 4 / n, 0.5, 0.1) for n in range(1, 4)], [], None, None, 1.0)
    figure = learning_curves({"a": run}, {"LLM": {"calls": [ErrorRate(0.2, 0.1, 0.4)]}}, ["after"])
    assert [len(line.get_xdata()) for line in figure.axes[0].lines] == [1, 3]


def test_running_mean_is_a_mean_of_neighbours():
    assert running_mean([1, 2, 3, 4], 2) == pytest.approx([1.5, 2.5, 3.5])
