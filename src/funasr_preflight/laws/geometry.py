"""Frames and tokens: how long each is, and how many make one of the next kind.

A feature frame is the frontend's, the unit of `speech_length` and of the limits in `dataset_conf`.
An encoder frame stacks feature frames (LFR). A speech token is what the LLM gets.
"""

from __future__ import annotations

MODEL_RATE = 16_000
"""Samples a second that the released model hears."""
WINDOW_SAMPLES, SHIFT_SAMPLES = 400, 160
"""A feature frame's window, and from one frame to the next, at `MODEL_RATE`: 25 and 10 ms."""
FEATURE_FRAMES_A_SECOND = MODEL_RATE // SHIFT_SAMPLES
FEATURE_FRAMES_AN_HOUR = 3600 * FEATURE_FRAMES_A_SECOND
FEATURE_FRAME_SECONDS = 1 / FEATURE_FRAMES_A_SECOND
LFR_STEP = 6
"""Feature frames from one encoder frame to the next (`frontend_conf.lfr_n`)."""
ENCODER_FRAME_SECONDS = LFR_STEP * FEATURE_FRAME_SECONDS
"""Also the unit of FunASR's timestamps."""
ENCODER_FRAMES_A_TOKEN = 8
"""The adaptor's output is halved three times."""
TEXT_TOKENS_A_SECOND = 4
"""Text tokens of a second of speech, about: the committed corpus has 3.8 of the mini's tokens."""


def feature_frames(samples: int, rate: int = MODEL_RATE) -> int:
    """Feature frames of audio that is resampled to `MODEL_RATE`, without padding at its edges."""
    heard = round(samples * MODEL_RATE / rate)
    return max(0, 1 + (heard - WINDOW_SAMPLES) // SHIFT_SAMPLES)


def encoder_frames(feature_frames):
    """Encoder frames of so many feature frames: an int, or an array of them."""
    return -(-feature_frames // LFR_STEP)


def speech_tokens(frames):
    """Tokens that the LLM gets for so many encoder frames: an int, or an array of them."""
    return -(-frames // ENCODER_FRAMES_A_TOKEN)
