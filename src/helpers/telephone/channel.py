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
from helpers.telephone.recordings import TELEPHONE_RATE, checked

LINE_BAND_HZ = (300.0, 3400.0)
Change = Callable[[np.ndarray, int, int], tuple[np.ndarray, int]]
"""What becomes of a clip: from samples, rate and seed to samples and rate."""


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
    edges, passes = {(False, False): ((low, high), "bandpass"), (False, True): (low, "highpass"),
                     (True, False): (high, "lowpass")}[low is None, high is None]
    sections = signal.butter(6, edges, passes, fs=rate, output="sos")
    return signal.sosfilt(sections, checked(samples)).astype(np.float32)


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

    Returns:
        float32 samples at 8 kHz.

    Raises:
        BookError: not mono, empty, not finite, a rate below 8000 Hz, or a channel that cannot be.
    """
    if rate < TELEPHONE_RATE:
        raise BookError(f"Audio at {rate} Hz is below the telephone's 8000 Hz: "
                        "give a recording at 8000 Hz or more.")
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


def telephone(samples: np.ndarray, rate: int) -> np.ndarray:
    """What a recogniser receives from a clean call: 8 kHz, 300 to 3400 Hz, mu-law; as `call`."""
    return call(samples, rate, Channel())


def telephone_set(name: str, limit: int | None = None) -> list[dict]:
    """A committed set as a call would deliver it: manifest lines with 8 kHz WAV files.

    The files are made once and kept in the cache. `speech_length` stays in 10 ms frames, which
    do not depend on the sampling rate.
    """
    return call_set(name, Channel(), limit)


def call_set(name: str, channel: Channel | None, limit: int | None = None) -> list[dict]:
    """A committed set through a channel, or as it is; as `telephone_set`.

    Each clip has noise of its own.
    """
    if channel is None:
        return corpus.load_set(name)[:limit]
    folder = (CACHE / "telephone" / name if channel == Channel() else
              CACHE / "calls" / name / f"{zlib.crc32(repr(channel).encode()):08x}_0")
    return changed_set(name, folder, limit, lambda samples, rate, seed: (
        call(samples, rate, channel, seed), TELEPHONE_RATE))


def filtered_set(name: str, low: float | None, high: float | None,
                 limit: int | None = None) -> list[dict]:
    """A committed set at its own rate, with only the filter of a line; as `telephone_set`."""
    return changed_set(name, CACHE / "filtered" / name / f"{low}_{high}", limit,
                       lambda samples, rate, _: (line_band(samples, rate, low, high), rate))


def changed_set(name: str, folder: Path, limit: int | None, change: Change) -> list[dict]:
    """A committed set whose clips went through `change`, and are kept in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [manifests.with_audio(item, _kept(item, folder, change))
            for item in corpus.load_set(name)[:limit]]


def _kept(item: dict, folder: Path, change: Change) -> Path:
    target = folder / f"{item['key']}.wav"
    if not target.exists():
        samples, rate = soundfile.read(manifests.audio_path(item), dtype="float32")
        partial = target.with_suffix(f".{os.getpid()}")  # others may be making it too
        changed, rate = change(samples, rate, zlib.crc32(f"0 {item['key']}".encode()))
        soundfile.write(partial, changed, rate, format="WAV", subtype="PCM_16")
        partial.replace(target)
    return target
