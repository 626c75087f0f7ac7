"""Figures of the chapter on the telephone: spectra of the stages, and what each costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import soundfile
from matplotlib.figure import Figure
from scipy import signal

from helpers import call_cost, corpus
from helpers.evaluate import ErrorRate

WINDOW = 512


def mean_spectrum(stage: str, utterances: int) -> tuple[np.ndarray, np.ndarray]:
    """Long-term spectrum of a stage: frequencies in Hz, power density in dB."""
    total, frequencies = 0, np.empty(0)
    for item in call_cost.items_of(stage, utterances):
        samples, rate = soundfile.read(corpus.audio_path(item), dtype="float32")
        frequencies, power = signal.welch(samples, rate, nperseg=WINDOW * rate // 8000)
        total = total + power
    return frequencies, 10 * np.log10(total / utterances + 1e-14)


def spectra(stages: Sequence[str], utterances: int = 24) -> Figure:
    """Long-term spectra of some stages, one line each."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for stage, style in zip(stages, ("-", "--", "-.", ":"), strict=False):
        frequencies, power = mean_spectrum(stage, utterances)
        axes.plot(frequencies / 1000, power, style, label=stage)
    axes.set(xlabel="frequency, kHz", ylabel="power density, dB", xlim=(0, 8))
    axes.legend()
    return figure


def cost_bars(rates: Mapping[str, Mapping[str, ErrorRate]]) -> Figure:
    """Word error rate of both branches at each stage, with 95 % intervals."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.36 * len(rates) + 1.2), layout="constrained")
    for offset, marker, branch in ((-0.15, "o", "llm"), (0.15, "s", "ctc")):
        mean = np.array([100 * row[branch].rate for row in rates.values()])
        low = np.array([100 * row[branch].low for row in rates.values()])
        high = np.array([100 * row[branch].high for row in rates.values()])
        axes.errorbar(mean, np.arange(len(rates)) + offset, xerr=(mean - low, high - mean),
                      fmt=marker, label=f"{branch.upper()} branch", capsize=2)
    axes.set(yticks=range(len(rates)), yticklabels=list(rates), xlabel="word error rate, %",
             xlim=(0, None))
    axes.invert_yaxis()
    axes.legend(loc="upper right")
    return figure
