"""Level and noise of a line, each a pure function of (samples, rate, seed)."""

from __future__ import annotations

import numpy as np
from scipy import signal

from helpers.telephone.recordings import TELEPHONE_RATE, checked

LEVEL_FRAME_SECONDS = 0.02
SILENCE_BELOW_DB = 35.0
"""A frame this far below the loudest is silence to `comfort_noise`."""


def set_level(samples: np.ndarray, dbov: float) -> np.ndarray:
    """Bring the level of the active speech to `dbov` dB below full scale, and clip what exceeds it.

    The active level is that of the frames above the silence threshold, after the idea of ITU-T
    P.56. Samples beyond full scale are clipped, as an overdriven line clips them.
    """
    samples = checked(samples)
    level = active_level(samples, rate=TELEPHONE_RATE)
    if level <= 0:
        return samples.copy()
    return np.clip(samples * (10 ** (dbov / 20) / level), -1, 1).astype(np.float32)


def line_noise(samples: np.ndarray, rate: int, snr_db: float, seed: int = 0) -> np.ndarray:
    """Add white noise of the line's band, `snr_db` below the active speech.

    Args:
        samples: one channel, float in [-1, 1].
        rate: samples a second.
        snr_db: active speech level over noise level, in dB.
    """
    samples = checked(samples)
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(len(samples))
    sections = signal.butter(4, (300, min(3400, 0.45 * rate)), "bandpass", fs=rate, output="sos")
    noise = signal.sosfilt(sections, noise)
    target = active_level(samples, rate) * 10 ** (-snr_db / 20)
    noise *= target / max(np.sqrt(np.mean(noise ** 2)), 1e-12)
    return np.clip(samples + noise, -1, 1).astype(np.float32)


def comfort_noise(samples: np.ndarray, rate: int, dbov: float = -60.0, seed: int = 0) -> np.ndarray:
    """Replace silent frames by quiet white noise, as a line with discontinuous transmission does.

    The sender stops sending in pauses, and the receiver fills them (ITU-T G.711 Appendix II,
    RFC 3389). The speech itself is untouched.
    """
    samples = checked(samples)
    frame = max(1, int(rate * LEVEL_FRAME_SECONDS))
    silent = np.repeat(_frame_levels(samples, frame) < _threshold(samples, frame), frame)
    noise = np.random.default_rng(seed).standard_normal(len(samples)) * 10 ** (dbov / 20)
    return np.where(silent[:len(samples)], noise, samples).astype(np.float32)


def active_level(samples: np.ndarray, rate: int) -> float:
    """Root mean square of the frames that are not silence; 0 for digital silence."""
    frame = max(1, int(rate * LEVEL_FRAME_SECONDS))
    levels = _frame_levels(samples, frame)
    active = levels[levels >= _threshold(samples, frame)]
    return float(np.sqrt(np.mean(active ** 2))) if levels.max() > 0 else 0.0


def _frame_levels(samples: np.ndarray, frame: int) -> np.ndarray:
    padded = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
    return np.sqrt(np.mean(padded.astype(np.float64) ** 2, axis=1))


def _threshold(samples: np.ndarray, frame: int) -> float:
    return _frame_levels(samples, frame).max() * 10 ** (-SILENCE_BELOW_DB / 20)
