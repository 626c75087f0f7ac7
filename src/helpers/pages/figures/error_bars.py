"""Points with their intervals, the same in every figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from helpers.evaluation.intervals import Interval


def percent(rates: Sequence[Interval]) -> tuple[np.ndarray, np.ndarray]:
    """Values in percent, shape (rates,), and how far their intervals reach, shape (2, rates)."""
    value, low, high = 100 * np.array([(rate.value, rate.low, rate.high) for rate in rates]).T
    return value, np.stack([value - low, high - value])


def error_bars(axes: Axes, places: Sequence[float], rates: Sequence[Interval],
               lying: bool = False, **style) -> ErrorbarContainer:
    """Draw rates in percent over their places; `lying` puts the places on the upright axis."""
    value, reach = percent(rates)
    if lying:
        return axes.errorbar(value, places, xerr=reach, **style)
    return axes.errorbar(places, value, yerr=reach, **style)
