"""Figures of the chapter on the telephone: spectra of the stages, and what each costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import soundfile
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy import signal

from helpers.evaluation.intervals import ErrorRate
from helpers.experiments import call_cost
from helpers.pages import menus
from helpers.pages.figures.error_bars import error_bars
from helpers.speech import manifests

WINDOW = 512
IN_A_PANEL = 12
"""Utterances whose spectrum a panel of the menu shows."""


def mean_spectrum(stage: str, utterances: int) -> tuple[np.ndarray, np.ndarray]:
    """Long-term spectrum of a stage: frequencies in Hz, power density in dB."""
    total, frequencies = 0, np.empty(0)
    for item in call_cost.items_of(stage, utterances):
        samples, rate = soundfile.read(manifests.audio_path(item), dtype="float32")
        frequencies, power = signal.welch(samples, rate, nperseg=WINDOW * rate // 8000)
        total = total + power
    return frequencies, 10 * np.log10(total / utterances + 1e-14)


def spectra(stages: Sequence[str]) -> Figure:
    """Long-term spectra of some stages, one line each."""
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for stage, style in zip(stages, ("-", "--", "-.", ":"), strict=False):
        frequencies, power = mean_spectrum(stage, 24)
        axes.plot(frequencies / 1000, power, style, label=stage)
    axes.set(xlabel="frequency, kHz", ylabel="power density, dB", xlim=(0, 8))
    axes.legend()
    return figure


def stage_menu(rates: Mapping[str, Mapping[str, ErrorRate]]):
    """A menu of stages: the spectrum of each beside wideband speech, and what it costs the mini.

    Args:
        rates: stage to the error rates of both branches; a stage that this machine cannot make is
            left out.
    """
    wide = mean_spectrum("wideband", IN_A_PANEL)
    able = call_cost.possible()
    return menus.menu("Stage of the call", {
        stage: _stage_panel(stage, wide, row) for stage, row in rates.items() if stage in able},
        "G.711 mu-law")


def _stage_panel(stage: str, wide: tuple[np.ndarray, np.ndarray],
                 row: Mapping[str, ErrorRate]) -> str:
    figure, axes = plt.subplots(figsize=(6.6, 2.6), layout="constrained")
    axes.plot(wide[0][::4] / 1000, wide[1][::4], label="wideband", color="C6", linestyle="--")
    if stage != "wideband":
        frequencies, power = mean_spectrum(stage, IN_A_PANEL)
        axes.plot(frequencies[::2] / 1000, power[::2], label=stage, color="C0")
    axes.set(xlabel="frequency, kHz", ylabel="power density, dB", xlim=(0, 8), ylim=(-130, -30))
    axes.legend(loc="upper right")
    return menus.panel(figure, f"{stage}: word error rate in percent {row['llm']} with the LLM "
                               f"branch, {row['ctc']} with the CTC branch.")


def cost_bars(rates: Mapping[str, Mapping[str, ErrorRate]]) -> Figure:
    """Word error rate of both branches at each stage, with 95 % intervals."""
    figure, axes = plt.subplots(figsize=(7, 0.36 * len(rates) + 1.2), layout="constrained")
    for offset, marker, branch in ((-0.15, "o", "llm"), (0.15, "s", "ctc")):
        error_bars(axes, np.arange(len(rates)) + offset, [row[branch] for row in rates.values()],
                   lying=True, fmt=marker, label=f"{branch.upper()} branch", capsize=2)
    axes.set(yticks=range(len(rates)), yticklabels=list(rates), xlabel="word error rate, %",
             xlim=(0, None))
    axes.invert_yaxis()
    axes.legend(loc="upper right")
    return figure
