"""Lengths of the turns of telephone calls, drawn, and manifests made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND, TEXT_TOKENS_A_SECOND
from helpers.speech import manifests

MEDIAN_SECONDS, SPREAD = 3.5, 0.8
"""A plausible set of telephone turns: log-normal, most a few seconds, some half a minute."""
CUT_SECONDS = 0.5, 30.0
"""Shortest and longest turn of a list that somebody has cut for training."""
RAW_SECONDS = 0.05, 180.0
"""Shortest and longest in a list that nobody has cut or filtered."""


def drawn_seconds(rng: np.random.Generator, count: int, limits: tuple[float, float],
                  median: float = MEDIAN_SECONDS, spread: float = SPREAD) -> np.ndarray:
    """Durations in seconds of `count` telephone turns, the ones beyond the limits set to them."""
    return rng.lognormal(np.log(median), spread, count).clip(*limits)


def turn_seconds(hours: float, seed: int = 0) -> np.ndarray:
    """Durations in seconds of drawn telephone turns, together at least this long."""
    drawn = drawn_seconds(np.random.default_rng(seed), int(hours * 3600) + 100, CUT_SECONDS)
    return drawn[:int(np.searchsorted(drawn.cumsum(), hours * 3600)) + 1]


def telephone_manifest(count: int = 20_000, seed: int = 0) -> list[dict]:
    """Manifest lines of made-up telephone turns: log-normal durations, text to match, no audio.

    The text is filler of exactly `text_length` tokens of the mini's tokenizer, so that text is as
    long as the manifest says. `speech_length` is in 10 ms frames.
    """
    rng = np.random.default_rng(seed)
    seconds = drawn_seconds(rng, count, RAW_SECONDS)
    rate = TEXT_TOKENS_A_SECOND * rng.lognormal(0, 0.25, count)
    return [line(f"turn_{number}", float(length), max(1, round(length * tokens)))
            for number, (length, tokens) in enumerate(zip(seconds, rate, strict=True))]


def line(key: str, seconds: float, tokens: int) -> dict:
    """One manifest line without audio: its audio is named by its number of frames."""
    frames = max(1, round(seconds * FEATURE_FRAMES_A_SECOND))
    return manifests.chatml(key, str(frames), " a" * tokens, frames, tokens)


def seconds_of(items: Sequence[dict]) -> np.ndarray:
    """Duration of each line in seconds."""
    return np.array([item["speech_length"] for item in items]) / FEATURE_FRAMES_A_SECOND
