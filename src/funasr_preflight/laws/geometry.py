"""Frames and tokens: how long each is, and how many make one of the next kind.

A feature frame is the frontend's, the unit of `speech_length` and of the limits in `dataset_conf`.
An encoder frame stacks feature frames (LFR). A speech token is what the LLM gets.
"""

from __future__ import annotations

import numpy as np

FEATURE_FRAMES_A_SECOND = 100
FEATURE_FRAME_SECONDS = 1 / FEATURE_FRAMES_A_SECOND
LFR_STEP = 6
"""Feature frames from one encoder frame to the next (`frontend_conf.lfr_n`)."""
ENCODER_FRAME_SECONDS = LFR_STEP * FEATURE_FRAME_SECONDS
"""Also the unit of FunASR's timestamps."""
FRONTEND_RATE = 16_000
"""Rate in Hz to which FunASR resamples all audio, where `frontend_conf.fs` is the released one."""
WINDOW_SAMPLES, SHIFT_SAMPLES = 400, 160
"""A feature frame at that rate: 25 ms every 10 ms, no padding."""
TEXT_TOKENS_A_SECOND = 4
"""Text tokens of a second of speech, about: the committed corpus has 3.8 of the mini's tokens."""


def speech_frames(samples: int, rate: int = FRONTEND_RATE) -> int:
    """Feature frames of audio, the unit of `speech_length`: 0 where it is shorter than a window.

    The resampler makes one sample more where the lengths do not come out even
    (`torchaudio.functional.resample`).

    Args:
        samples: of one channel, at `rate`.
        rate: in Hz, of the file.
    """
    resampled = -(-samples * FRONTEND_RATE // rate)
    return max(0, 1 + (resampled - WINDOW_SAMPLES) // SHIFT_SAMPLES)


def encoder_frames(feature_frames):
    """Encoder frames of so many feature frames: an int, or an array of them."""
    return -(-feature_frames // LFR_STEP)


def speech_tokens(frames):
    """Tokens that the LLM gets for so many encoder frames: halved three times, rounded up."""
    return -(-np.asarray(frames) // 8)
