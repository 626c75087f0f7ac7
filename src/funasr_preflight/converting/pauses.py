"""Cutting a long recording where nobody speaks, by WebRTC's voice activity detector.

The detector was made for telephony and takes 8 kHz as it is. It is `webrtcvad` of the package
`webrtcvad-wheels`: no PyTorch, no weights to fetch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from funasr_preflight.errors import BookError
from funasr_preflight.texts import say

FRAME_SECONDS = 0.03
STRICTNESS = 2
"""0 to 3: from 2 on a line's noise counts as silence."""
SHORTEST_PAUSE = 0.3
"""Seconds; a shorter one lies within words, such as before a plosive."""
MARGIN = 0.15
"""Seconds of silence that a piece keeps at each end."""
LONGEST_SILENCE = 2.0
"""Seconds; a longer silence is in no piece."""
WARM_UP_FRAMES = 30
"""The detector takes what it hears first for speech, until it knows the line's noise."""
DETECTOR_RATES = (8000, 16000, 32000, 48000)


def require() -> None:
    """See that there is a detector.

    Raises:
        BookError: it is not installed.
    """
    try:
        import webrtcvad  # noqa: F401
    except ImportError:
        raise BookError(say("Cutting at silence needs the package webrtcvad-wheels: pip install "
                            "'funasr-preflight[manifest]'.")) from None


def speaks(samples: np.ndarray, rate: int) -> np.ndarray:
    """Whether there is speech in each frame of 30 ms; what is left at the end makes none.

    Args:
        samples: of shape (samples,), int16, or floats within one.
        rate: in Hz.
    """
    import webrtcvad

    whole = samples if samples.dtype == np.int16 else (
        samples.clip(-1, 1) * 32767).astype(np.int16)
    if rate not in DETECTOR_RATES:  # enough to tell speech from silence; no sound is made of it
        count = int(len(whole) * 16000 / rate)
        whole = np.interp(np.arange(count) * rate / 16000, np.arange(len(whole)), whole
                          ).astype(np.int16)
        rate = 16000
    size = round(FRAME_SECONDS * rate)
    detector = webrtcvad.Vad(STRICTNESS)
    raw = whole[:len(whole) // size * size].tobytes()
    for at in range(0, min(len(raw), 2 * size * WARM_UP_FRAMES), 2 * size):
        detector.is_speech(raw[at:at + 2 * size], rate)
    return np.fromiter((detector.is_speech(raw[at:at + 2 * size], rate)
                        for at in range(0, len(raw), 2 * size)), bool, len(whole) // size)


def pieces(samples: np.ndarray, rate: int, longest: float) -> list[tuple[float, float, bool]]:
    """Where to cut a recording: start and end of each piece in seconds, and whether it is clean.

    Pieces lie one behind the other, hold all that the detector takes for speech, and are no longer
    than `longest` seconds. A piece that had to be cut in the middle of speech is not clean.
    """
    total = len(samples) / rate
    cuts: list[tuple[float, float, bool]] = []
    for start, end, clean in _short(_stretches(speaks(samples, rate), total), longest):
        if cuts and clean and cuts[-1][2] and (start - cuts[-1][1] <= LONGEST_SILENCE
                                               and end - cuts[-1][0] <= longest):
            cuts[-1] = cuts[-1][0], end, True
        else:
            cuts.append((start, end, clean))
    return cuts


def _stretches(heard: np.ndarray, total: float) -> list[tuple[float, float, np.ndarray]]:
    """Speech between pauses, with its margins, which never meet, and its frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], heard, [False]]).astype(int)))
    merged: list[list[int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if merged and (first - merged[-1][1]) * FRAME_SECONDS < SHORTEST_PAUSE:
            merged[-1][1] = last
        else:
            merged.append([first, last])
    return [(max(0.0, first * FRAME_SECONDS - MARGIN), min(total, last * FRAME_SECONDS + MARGIN),
             heard[first:last]) for first, last in merged]


def _short(stretches: list[tuple[float, float, np.ndarray]], longest: float
           ) -> Iterator[tuple[float, float, bool]]:
    """Stretches of at most `longest` seconds: a longer one is cut at its longest gap."""
    for start, end, heard in stretches:
        clean = end - start <= longest
        while end - start > longest:
            reach = int((longest - MARGIN) / FRAME_SECONDS)
            gap = _widest_gap(heard[reach // 2:reach])
            at = reach // 2 + gap if gap is not None else reach
            cut = min(start + longest, start + MARGIN + at * FRAME_SECONDS)
            yield start, cut, False
            start, heard = cut, heard[at:]
        yield start, end, clean


def _widest_gap(heard: np.ndarray) -> int | None:
    """The middle frame of the longest run without speech; None where all is speech."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], heard, [True]]).astype(int)))
    gaps = edges.reshape(-1, 2)
    if not len(gaps):
        return None
    first, last = gaps[np.argmax(gaps[:, 1] - gaps[:, 0])]
    return int(first + last) // 2
