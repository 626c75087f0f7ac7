"""Can each part of a figure be read on a phone, and does nothing lie over anything else?"""

import pytest
from matplotlib import pyplot as plt

from helpers.pages import phone_drawing

LONG = ["masks as long as gaps, and of bins, filled with the mean of the speech", "nothing"]


@pytest.fixture
def laid_out():
    """Lays a figure out for a phone, and closes it after the test."""
    figures = []

    def lay_out(figure):
        figures.append(figure)
        phone_drawing.lay_out(figure)
        figure.draw_without_rendering()
        return figure

    yield lay_out
    for figure in figures:
        plt.close(figure)


def boxes(figure, artists):
    renderer = figure.canvas.get_renderer()
    return [one.get_window_extent(renderer) for one in artists]


@pytest.mark.parametrize("inverted", [True, False])
def test_a_name_lies_over_no_bar(laid_out, inverted) -> None:
    figure, axes = plt.subplots(figsize=(7.2, 2.9), layout="constrained")
    names = [f"{number} statements about what a key of the config does" for number in range(4)]
    axes.barh(names, [3, 2, 1, 3])
    for row in range(4):
        axes.text(0.5, row, "3", va="center")
    if inverted:
        axes.invert_yaxis()
    laid_out(figure)
    bars, texts = boxes(figure, axes.patches), axes.texts
    named = boxes(figure, [text for text in texts if text.get_text() != "3"])
    numbers = boxes(figure, [text for text in texts if text.get_text() == "3"])
    assert len(named) == 4
    for bar, name, number in zip(bars, named, numbers, strict=True):
        assert name.y0 >= bar.y1 - 1 and bar.y0 < number.y0 and number.y1 < bar.y1
        assert all(not name.overlaps(other) for other in bars)


def test_a_long_name_takes_no_room_from_the_panel(laid_out) -> None:
    figure, axes = plt.subplots(figsize=(7.2, 3), layout="constrained")
    axes.plot([10, 90], [0, 1], "o")
    axes.set_yticks([0, 1], LONG)
    laid_out(figure)
    [panel] = boxes(figure, [axes.patch])
    assert panel.width > 0.8 * figure.bbox.width
    assert all(box.x1 <= figure.bbox.x1 for box in boxes(figure, axes.texts))


def test_a_title_stays_beside_the_scale_of_colours(laid_out) -> None:
    figure, panels = plt.subplots(2, 1, figsize=(7.2, 4), layout="constrained")
    titles = []
    for axes in panels:
        image = axes.imshow([[0, 1], [1, 0]], aspect="auto")
        titles.append(axes.set_title("8 kHz audio, fs 16000: upsampled by the library", loc="left"))
    figure.colorbar(image, ax=panels)
    laid_out(figure)
    for axes, drawn in zip(panels, titles, strict=True):
        [panel, title] = boxes(figure, [axes.patch, drawn])
        assert title.x1 <= panel.x1 + 1
