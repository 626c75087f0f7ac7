"""Lengths of the turns of telephone calls, drawn, and manifests made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helpers.speech import manifests

MEDIAN_SECONDS, SPREAD, SHORTEST_SECONDS, LONGEST_SECONDS = 3.5, 0.8, 0.5, 30.0
"""A plausible set of telephone turns: log-normal, most a few seconds, some half a minute."""
OF_A_RAW_LIST = 0.05, 180.0
"""Shortest and longest in a list that nobody has cut or filtered."""
FRAMES_A_SECOND, TOKENS_A_SECOND = 100, 4


def turn_seconds(hours: float, seed: int = 0) -> np.ndarray:
    """Durations in seconds of drawn telephone turns, together at least this long."""
    rng = np.random.default_rng(seed)
    drawn = rng.lognormal(np.log(MEDIAN_SECONDS), SPREAD, int(hours * 3600) + 100)
    drawn = drawn.clip(SHORTEST_SECONDS, LONGEST_SECONDS)
    return drawn[:int(np.searchsorted(drawn.cumsum(), hours * 3600)) + 1]


def telephone_manifest(count: int = 20_000, seed: int = 0) -> list[dict]:
    """Manifest lines of made-up telephone turns: log-normal durations, text to match, no audio.

    The text is filler of exactly `text_length` tokens of the mini's tokenizer, so that text is as
    long as the manifest says. `speech_length` is in 10 ms frames.
    """
    rng = np.random.default_rng(seed)
    seconds = rng.lognormal(np.log(MEDIAN_SECONDS), SPREAD, count)
    seconds = seconds.clip(*OF_A_RAW_LIST)
    rate = TOKENS_A_SECOND * rng.lognormal(0, 0.25, count)
    return [line(f"turn_{number}", float(length), max(1, round(length * tokens)))
            for number, (length, tokens) in enumerate(zip(seconds, rate, strict=True))]


def line(key: str, seconds: float, tokens: int) -> dict:
    """One manifest line without audio: its audio is named by its number of frames."""
    frames = max(1, round(seconds * FRAMES_A_SECOND))
    return manifests.chatml(key, str(frames), " a" * tokens, frames, tokens)


def seconds_of(items: Sequence[dict]) -> np.ndarray:
    """Duration of each line in seconds."""
    return np.array([item["speech_length"] for item in items]) / FRAMES_A_SECOND
