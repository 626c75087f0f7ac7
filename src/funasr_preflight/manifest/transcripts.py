"""Transcripts that are probably not what was said."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from funasr_preflight.texts import say

FASTEST_TOKENS_A_SECOND = 25
"""Above, nobody speaks: a transcript of more than the audio, or a wrong `speech_length`."""
SLOWEST_TOKENS_A_SECOND = 0.2
SHORTEST_SLOW_FRAMES = 1000
REPEATS = 12

KINDS = {
    "empty": say("the transcript is empty"),
    "control": say("the transcript has control or replacement characters"),
    "markup": say("the transcript has tags such as <|...|>, <...> or [...]"),
    "repeated": say("the transcript repeats one character"),
    "spaces": say("the transcript begins or ends with white space"),
    "too_many_tokens": say("text_length is more than the transcript's bytes"),
    "too_fast": say("more tokens a second than anybody speaks"),
    "too_slow": say("hardly any text for the length of the audio"),
    "no_audio": say("the user turn names no audio between its two speech marks"),
    "no_bang": say("the path between the speech marks has no ! before it, so FunASR never opens "
                   "the audio"),
    "prompt": say("another prompt than FunASR uses when it decodes"),
    "several_turns": say("there is more than one user or assistant turn"),
}
"""What is reported, by key."""

_PATTERNS = {
    "control": re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffd]"),
    "markup": re.compile(r"<\|[^<>\n]{0,40}\|>|</?[a-zA-Z][^<>\n]{0,40}>|\[[^\[\]\n]{1,40}\]"),
    "repeated": re.compile(rf"([^\s0-9])\1{{{REPEATS - 1}}}"),
}


def suspicious(transcripts: list[str], speech: np.ndarray, text: np.ndarray
               ) -> Iterator[tuple[str, list[int]]]:
    """Kinds and places of suspicious transcripts in a chunk of lines.

    Args:
        speech: their `speech_length` in 10 ms frames.
        text: their `text_length` in tokens.
    """
    stripped = list(map(str.strip, transcripts))
    if stripped != transcripts or "" in stripped:
        yield "empty", [index for index, transcript in enumerate(stripped) if not transcript]
        yield "spaces", [index for index, (transcript, raw) in enumerate(
            zip(stripped, transcripts, strict=True)) if transcript and transcript != raw]
    together = " ".join(transcripts)
    for kind, pattern in _PATTERNS.items():
        if _HINTS[kind](together):
            yield kind, [index for index, transcript in enumerate(transcripts)
                         if pattern.search(transcript)]
    short = np.fromiter(map(len, transcripts), np.int64, len(transcripts))
    for index in np.flatnonzero(text > short):
        transcript = transcripts[index]
        if transcript.strip() and text[index] > len(transcript.encode("utf-8", "replace")) + 1:
            yield "too_many_tokens", [int(index)]
    known = (speech > 0) & (text > 0)
    rate = FEATURE_FRAMES_A_SECOND * text / speech.clip(1)
    yield "too_fast", np.flatnonzero(known & (rate > FASTEST_TOKENS_A_SECOND)).tolist()
    slow = known & (rate < SLOWEST_TOKENS_A_SECOND) & (speech >= SHORTEST_SLOW_FRAMES)
    yield "too_slow", np.flatnonzero(slow).tolist()


def _repeats(text: str) -> bool:
    """Whether some character may come `REPEATS` times in a row."""
    plain = text.isascii()
    codes = np.frombuffer(text.encode("ascii" if plain else "utf-32-le", "replace"),
                          np.uint8 if plain else np.uint32)
    half = REPEATS // 2
    rows = codes[:len(codes) // half * half].reshape(-1, half)
    alike = rows[:, 0] == rows[:, 1]
    for column in range(2, half):
        alike &= rows[:, 0] == rows[:, column]
    return bool(alike.any())


_HINTS = {"markup": lambda text: "<" in text or "[" in text,
          "control": lambda text: not text.isprintable() or "\ufffd" in text,
          "repeated": _repeats}
"""What must be true of a text for its pattern to match anywhere in it: quick to find out."""
