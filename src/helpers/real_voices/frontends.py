"""Where mel filters go when a frontend is told `fs: 8000`, for recognisers other than FunASR's.

FunASR's `WavFrontend` spreads the same number of filters evenly, on Kaldi's mel scale, from 20 Hz
to half of `fs`. At 8 kHz every filter therefore reads a lower frequency than the one that the
model behind it was trained with. `displaced` is that shift as a law of one frequency.

NumPy alone: the worker in the recording environment imports this module too.
"""

from __future__ import annotations

import numpy as np

LOWEST_HZ = 20.0
"""Where the lowest filter of FunASR's frontend begins."""
WHISPER_BINS, WHISPER_FFT, WHISPER_RATE = 80, 400, 16_000
HALF_WINDOW_POWER = 4.0
"""Power of a tone in a window, over its power in a window of half as many samples."""


def displaced(hertz: np.ndarray | float) -> np.ndarray | float:
    """The frequency that a filter reads at fs 8000, from the one that it reads at fs 16000."""
    low, narrow, wide = _kaldi_mel(LOWEST_HZ), _kaldi_mel(4000.0), _kaldi_mel(8000.0)
    return _kaldi_hertz(low + (_kaldi_mel(hertz) - low) * (narrow - low) / (wide - low))


def whisper_edges() -> np.ndarray:
    """Feet and tops of Whisper's 80 filters in Hz, shape (82,): Slaney's mel scale, 0 to 8 kHz."""
    mel = np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), WHISPER_BINS + 2)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def whisper_bank(frontend: str = "own") -> np.ndarray:
    """Whisper's filters, on power spectra with steps of 40 Hz.

    Args:
        frontend: "own", for windows at 16 kHz, shape (80, 201); for windows at 8 kHz, shape
            (80, 101), "kept" has the same filters, brought to the level of 16 kHz, and "displaced"
            has each filter where FunASR's law puts it, as high as it was and without a correction
            of level, since FunASR makes none.
    """
    own = whisper_edges()
    step = WHISPER_RATE / WHISPER_FFT
    if frontend == "own":
        return _triangles(own, own, np.arange(WHISPER_FFT // 2 + 1) * step)
    narrow = np.arange(WHISPER_FFT // 4 + 1) * step
    if frontend == "kept":
        return HALF_WINDOW_POWER * _triangles(own, own, narrow)
    return _triangles(displaced(own), own, narrow)


def _triangles(edges: np.ndarray, heights_of: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    left, top, right = (edges[start:start + WHISPER_BINS, None] for start in range(3))
    shape = np.minimum((hertz - left) / (top - left), (right - hertz) / (right - top)).clip(0)
    return (shape * 2 / (heights_of[2:] - heights_of[:-2])[:, None]).astype(np.float32)


def _kaldi_mel(hertz: np.ndarray | float) -> np.ndarray | float:
    return 1127 * np.log1p(np.asarray(hertz) / 700)


def _kaldi_hertz(mel: np.ndarray | float) -> np.ndarray | float:
    return 700 * np.expm1(np.asarray(mel) / 1127)
