"""A plain telephone line: 8 kHz, band-passed, G.711 mu-law.

Each stage is a pure function of (samples, rate). The line's band is the classic 300-3400 Hz; the
codec is ITU-T G.711 mu-law, through the well-tested implementation in libsndfile.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import signal

from helpers import corpus
from helpers.errors import BookError
from helpers.paths import CACHE

TELEPHONE_RATE = 8_000
LINE_BAND_HZ = (300.0, 3400.0)


def to_8khz(samples: np.ndarray, rate: int) -> np.ndarray:
    """Resample to 8 kHz with an anti-alias filter (soxr, high quality)."""
    return soxr.resample(_checked(samples), rate, TELEPHONE_RATE, quality="HQ")


def line_band(samples: np.ndarray, rate: int = TELEPHONE_RATE) -> np.ndarray:
    """Keep 300 to 3400 Hz: a sixth-order Butterworth band-pass, run forwards only."""
    sections = signal.butter(6, LINE_BAND_HZ, "bandpass", fs=rate, output="sos")
    return signal.sosfilt(sections, _checked(samples)).astype(np.float32)


def mu_law(samples: np.ndarray, rate: int = TELEPHONE_RATE) -> np.ndarray:
    """Encode and decode with G.711 mu-law: 8 bits a sample."""
    buffer = io.BytesIO()
    soundfile.write(buffer, _checked(samples), rate, format="WAV", subtype="ULAW")
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float32")
    return decoded


def telephone(samples: np.ndarray, rate: int) -> np.ndarray:
    """What a recogniser receives from a clean call: 8 kHz, 300 to 3400 Hz, mu-law.

    Args:
        samples: mono, float in [-1, 1], shape (samples,).
        rate: samples a second, 8000 or more.

    Returns:
        float32 samples at 8 kHz.

    Raises:
        BookError: not mono, empty, not finite, or sampled below 8 kHz.
    """
    if rate < TELEPHONE_RATE:
        raise BookError(f"Audio at {rate} Hz is below the telephone's 8000 Hz: "
                        "give a recording at 8000 Hz or more.")
    return mu_law(line_band(to_8khz(samples, rate)))


def telephone_set(name: str, limit: int | None = None) -> list[dict]:
    """A committed set as a call would deliver it: manifest lines with 8 kHz WAV files.

    The files are made once and kept in the cache. `speech_length` stays in 10 ms frames, which
    do not depend on the sampling rate.
    """
    folder = CACHE / "telephone" / name
    folder.mkdir(parents=True, exist_ok=True)
    items = corpus.load_set(name)[:limit]
    return [corpus.with_audio(item, _through_telephone(item, folder)) for item in items]


def _through_telephone(item: dict, folder: Path) -> Path:
    target = folder / f"{item['key']}.wav"
    if not target.exists():
        samples, rate = soundfile.read(corpus.audio_path(item), dtype="float32")
        partial = target.with_suffix(f".{os.getpid()}")  # others may be making it too
        soundfile.write(partial, telephone(samples, rate), TELEPHONE_RATE, format="WAV",
                        subtype="PCM_16")
        partial.replace(target)
    return target


def _checked(samples: np.ndarray) -> np.ndarray:
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise BookError(f"The audio has shape {samples.shape}: give one channel, and keep the "
                        "two legs of a call apart.")
    if samples.size == 0:
        raise BookError("The audio is empty: give at least one sample.")
    if not np.isfinite(samples).all():
        raise BookError("The audio holds NaN or infinity: check how it was decoded.")
    return samples
