"""Figures of what SpecAugment hides, and its slider."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from funasr.models.specaug.specaug import SpecAugLFR
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from funasr_preflight.laws.geometry import ENCODER_FRAME_SECONDS, FEATURE_FRAME_SECONDS
from helpers.model.mel import DECIBELS
from helpers.model.spec_augment import BINS, draw, hidden, unstack
from helpers.pages import menus, palette

MASK_COLOUR = "C1"


def mask_panels(panels: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> Figure:
    """Masked features of clips: on the left as stacked, on the right as 10 ms frames.

    Args:
        panels: title, features and mask, both (frames, 560), and the bins' centres in Hz.
    """
    figure, rows = plt.subplots(len(panels), 2, figsize=(8.2, 2.6 * len(panels) + 0.3))
    for (left, right), (title, mat, masked, centres) in zip(rows, panels, strict=True):
        _picture(left, mat, masked, len(mat), mat.shape[1])
        left.set(title=title, xlabel="LFR frame", ylabel="stacked value",
                 yticks=range(0, mat.shape[1] + 1, BINS))
        tens = unstack(mat)
        _picture(right, tens, hidden(masked), len(tens) * FEATURE_FRAME_SECONDS, BINS)
        ticks = np.linspace(0, BINS - 1, 5).round().astype(int)
        right.set(title="unstacked", xlabel="time (s)", ylabel="frequency (Hz)",
                  yticks=ticks + 0.5, yticklabels=[f"{centres[tick]:.0f}" for tick in ticks])
    return figure


def share_curves(shares: Mapping[str, Mapping[float, np.ndarray]]) -> Figure:
    """Share of an utterance under the time mask over its length, mean and 5 to 95 %."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    for number, (label, rows) in enumerate(shares.items()):
        seconds = list(rows)
        low, high = np.quantile(list(rows.values()), (0.05, 0.95), axis=1) * 100
        axes.fill_between(seconds, low, high, color=f"C{number}", alpha=0.2, linewidth=0)
        axes.plot(seconds, [100 * drawn.mean() for drawn in rows.values()], color=f"C{number}",
                  marker="os^D"[number], label=label)
    axes.set(xscale="log", xlabel="length of the utterance (s)", ylim=(0, 102),
             ylabel="time masked (%)", xticks=seconds, xticklabels=[f"{s:g}" for s in seconds])
    axes.minorticks_off()
    axes.legend()
    return figure


def duration_curves(durations: Mapping[str, np.ndarray]) -> Figure:
    """Share of gaps longer than a duration, for masks and for lost packets."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    places = np.linspace(0, max(lengths.max() for lengths in durations.values()) + 0.1, 600)
    for number, (label, lengths) in enumerate(durations.items()):
        axes.plot(places, [100 * (lengths > at_least).mean() for at_least in places], label=label,
                  linestyle=("-", "--", "-.", ":")[number % 4], color=f"C{number}")
    axes.set(xlabel="duration (s)", ylabel="share that lasts longer (%)", ylim=(0, 101),
             xlim=(0, places[-1]))
    axes.legend()
    return figure


def explorer(mat: np.ndarray, widths: Sequence[int], numbers: Sequence[int]):
    """Two sliders, width and number of time masks, over pictures made beforehand.

    Args:
        mat: stacked features of a clip, shape (frames, 560).
        widths: exact widths to offer, in LFR frames.
    """
    return menus.explorer([
        menus.Control("Width", {f"{width} ({width * ENCODER_FRAME_SECONDS:.2f} s)": width
                                for width in widths}),
        menus.Control("Masks", {str(number): number for number in numbers})],
        lambda width, number: _panel(mat, width, number))


def _panel(mat: np.ndarray, width: int, number: int) -> str:
    module = SpecAugLFR(apply_time_warp=False, apply_freq_mask=False, num_time_mask=number,
                        time_mask_width_range=(width, width + 1))
    masked = draw(module, len(mat), seed=0)[0]
    widest, clip = width * ENCODER_FRAME_SECONDS, len(mat) * ENCODER_FRAME_SECONDS
    sentence = (f"{number} time mask{'s' if number > 1 else ''} of {widest:.2f} s: "
                f"{masked[:, 0].mean():.0%} of this clip of {clip:.1f} s is hidden")
    light, dark = (_small_spectrogram(mat, masked, style)
                   for style in (palette.LIGHT_STYLE, palette.DARK_STYLE))
    return f"<p>{sentence}.</p>{palette.picture(light, dark, 'webp', f'Spectrogram. {sentence}.')}"


def _small_spectrogram(mat: np.ndarray, masked: np.ndarray, style: Path) -> bytes:
    tens = unstack(mat)
    with plt.style.context(style):
        figure, axes = plt.subplots(figsize=(7.0, 2.2))
        _picture(axes, tens, hidden(masked), len(tens) * FEATURE_FRAME_SECONDS, BINS)
        axes.set(xlabel="time (s)", ylabel="mel bin")
        file = io.BytesIO()
        figure.savefig(file, format="webp", dpi=90, pil_kwargs={"quality": 60})
        plt.close(figure)
    return file.getvalue()


def _picture(axes, mat: np.ndarray, masked: np.ndarray, right: float, top: float) -> None:
    shown = {"origin": "lower", "aspect": "auto", "extent": (0, right, 0, top),
             "interpolation": "nearest"}
    axes.imshow(DECIBELS * mat.T, cmap="cividis", vmin=DECIBELS * np.quantile(mat, 0.02),
                vmax=DECIBELS * mat.max(), **shown)
    cover = np.zeros((*masked.T.shape, 4))
    cover[masked.T] = (*plt.matplotlib.colors.to_rgb(MASK_COLOUR), 1)
    axes.imshow(cover, **shown)
    axes.grid(visible=False)
