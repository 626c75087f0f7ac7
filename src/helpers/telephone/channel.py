"""From a wideband clip to what a recogniser receives from a call.

Each stage is a pure function of (samples, rate, seed). `telephone` is the plain line that the
book's telephone sets go through: 8 kHz, 300-3400 Hz (ITU-T G.712), G.711 mu-law. A `Channel` adds
what real calls add: level, noise, other codecs, lost packets.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import signal

from helpers.errors import BookError
from helpers.paths import CACHE
from helpers.speech import corpus, manifests
from helpers.telephone import line_noise, packet_loss, speech_codecs
from helpers.telephone.recordings import checked

TELEPHONE_RATE = 8_000
LINE_BAND_HZ = (300.0, 3400.0)


def to_8khz(samples: np.ndarray, rate: int) -> np.ndarray:
    """Resample to 8 kHz with an anti-alias filter (soxr, high quality)."""
    return soxr.resample(checked(samples), rate, TELEPHONE_RATE, quality="HQ")


def line_band(samples: np.ndarray, rate: int = TELEPHONE_RATE,
              low: float | None = LINE_BAND_HZ[0],
              high: float | None = LINE_BAND_HZ[1]) -> np.ndarray:
    """Keep `low` to `high` Hz: a sixth-order Butterworth filter at each edge, run forwards only.

    Args:
        samples: mono, shape (samples,).
        rate: samples a second.
        low, high: the edges in Hz; None leaves that side open, and one of them is given.
    """
    edges, kind = {(False, False): ((low, high), "bandpass"), (False, True): (low, "highpass"),
                   (True, False): (high, "lowpass")}[low is None, high is None]
    sections = signal.butter(6, edges, kind, fs=rate, output="sos")
    return signal.sosfilt(sections, checked(samples)).astype(np.float32)


def mu_law(samples: np.ndarray, rate: int = TELEPHONE_RATE) -> np.ndarray:
    """Encode and decode with G.711 mu-law: 8 bits a sample."""
    return speech_codecs.transcode(samples, "mu-law", rate)


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
    _check_rate(rate)
    return mu_law(line_band(to_8khz(samples, rate)))


@dataclass(frozen=True)
class Channel:
    """What a call does to speech, in the order in which it does it.

    Attributes:
        codec: one of `speech_codecs.CODECS`, or None for none.
        band: keep 300 to 3400 Hz, as handset and line do.
        level_dbov: level of the active speech below full scale, or None to leave it; above about
            -10 peaks are clipped.
        snr_db: noise on the line, in dB below the active speech, or None for none.
        comfort: replace pauses by comfort noise.
        loss: share of 20 ms packets lost.
        burst: mean length of a run of lost packets.
        concealment: what is played for a lost packet, "silence" or "repeat".
    """

    codec: str | None = "mu-law"
    band: bool = True
    level_dbov: float | None = None
    snr_db: float | None = None
    comfort: bool = False
    loss: float = 0.0
    burst: float = 1.0
    concealment: packet_loss.Concealment = "silence"


def call(samples: np.ndarray, rate: int, channel: Channel, seed: int = 0) -> np.ndarray:
    """Send a clip through a channel.

    Args:
        samples: one channel, float in [-1, 1], shape (samples,).
        rate: samples a second, 8000 or more.
        channel: what the call does.
        seed: seed of noise and losses.

    Returns:
        float32 samples at 8 kHz.

    Raises:
        BookError: audio that is none, a rate below 8000 Hz, or a channel that cannot be.
    """
    _check_rate(rate)
    speech = to_8khz(samples, rate)
    if channel.band:
        speech = line_band(speech)
    if channel.level_dbov is not None:
        speech = line_noise.set_level(speech, channel.level_dbov)
    if channel.snr_db is not None:
        speech = line_noise.line_noise(speech, TELEPHONE_RATE, channel.snr_db, seed)
    if channel.codec is not None:
        speech = speech_codecs.transcode(speech, channel.codec)
    if channel.loss:
        speech = packet_loss.drop_packets(speech, TELEPHONE_RATE, channel.loss, channel.burst,
                                          seed, channel.concealment)
    if channel.comfort:
        speech = line_noise.comfort_noise(speech, TELEPHONE_RATE, seed=seed)
    return speech


def telephone_set(name: str, limit: int | None = None) -> list[dict]:
    """A committed set as a call would deliver it: manifest lines with 8 kHz WAV files.

    The files are made once and kept in the cache. `speech_length` stays in 10 ms frames, which
    do not depend on the sampling rate.
    """
    return call_set(name, Channel(), limit)


def call_set(name: str, channel: Channel, limit: int | None = None, seed: int = 0) -> list[dict]:
    """A committed set through a channel; as `telephone_set`. Each clip has noise of its own."""
    folder = CACHE / "telephone" / name
    if channel != Channel() or seed:
        folder = CACHE / "calls" / name / f"{_digest(channel)}_{seed}"
    def through(samples: np.ndarray, rate: int, own_seed: int) -> tuple[np.ndarray, int]:
        return call(samples, rate, channel, own_seed), TELEPHONE_RATE

    return _made(name, folder, through, limit, seed)


def filtered_set(name: str, low: float | None, high: float | None,
                 limit: int | None = None) -> list[dict]:
    """A committed set at its own rate, with only the filter of a line; as `telephone_set`."""
    def band(samples: np.ndarray, rate: int, seed: int) -> tuple[np.ndarray, int]:
        return line_band(samples, rate, low, high), rate

    return _made(name, CACHE / "filtered" / name / f"{low}_{high}", band, limit)


def _made(name: str, folder: Path, change: Callable[[np.ndarray, int, int],
          tuple[np.ndarray, int]], limit: int | None, seed: int = 0) -> list[dict]:
    """A set whose clips went through `change`: from samples, rate and seed to samples and rate."""
    folder.mkdir(parents=True, exist_ok=True)
    return [manifests.with_audio(item, _kept(item, folder, change, seed))
            for item in corpus.load_set(name)[:limit]]


def _kept(item: dict, folder: Path, change: Callable, seed: int) -> Path:
    target = folder / f"{item['key']}.wav"
    if not target.exists():
        samples, rate = soundfile.read(manifests.audio_path(item), dtype="float32")
        partial = target.with_suffix(f".{os.getpid()}")  # others may be making it too
        changed, rate = change(samples, rate, zlib.crc32(f"{seed} {item['key']}".encode()))
        soundfile.write(partial, changed, rate, format="WAV", subtype="PCM_16")
        partial.replace(target)
    return target


def _digest(channel: Channel) -> str:
    return f"{zlib.crc32(repr(channel).encode()):08x}"


def _check_rate(rate: int) -> None:
    if rate < TELEPHONE_RATE:
        raise BookError(f"Audio at {rate} Hz is below the telephone's 8000 Hz: "
                        "give a recording at 8000 Hz or more.")
