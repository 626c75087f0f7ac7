"""The codecs of the telephone, each as one function: 8 kHz samples in, what the far end hears out.

G.711 follows the recommendation's own tables (`helpers.telephone.g711`), GSM and G.721 come from
libsndfile, AMR and Opus from ffmpeg.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Mapping

import numpy as np
import soundfile

from helpers.errors import BookError
from helpers.telephone import g711
from helpers.telephone.recordings import TELEPHONE_RATE, checked

_G711 = ("mu-law", "A-law")  # ITU-T G.711, 64 kbit/s: North America and Japan, elsewhere
_LIBSNDFILE = {
    "GSM": ("WAV", "GSM610"),      # ETSI GSM 06.10 full rate, 13 kbit/s
    "G.721": ("AU", "G721_32"),    # ITU-T G.721, now part of G.726, 32 kbit/s
}
_FFMPEG = {
    "AMR": ("libopencore_amrnb", "amr", ("-b:a", "12.2k")),        # 3GPP TS 26.071
    "Opus": ("libopus", "ogg", ("-b:a", "12k", "-application", "voip")),  # RFC 6716, narrowband
}
CODECS: Mapping[str, str] = dict.fromkeys(_G711, "helpers.telephone.g711") | dict.fromkeys(
    _LIBSNDFILE, "libsndfile") | dict.fromkeys(_FFMPEG, "ffmpeg")
"""Codec name to the library that does the work."""


def transcode(samples: np.ndarray, codec: str) -> np.ndarray:
    """Encode and decode, as a call does.

    Args:
        samples: one channel, float in [-1, 1], shape (samples,), 8000 a second.

    Returns:
        float32 samples of the same length; the codec's own delay is kept.

    Raises:
        BookError: an unknown codec, audio that is none, no ffmpeg, or an ffmpeg without the codec.
    """
    if codec not in CODECS:
        raise BookError(f"There is no codec {codec!r}: choose one of {', '.join(CODECS)}.")
    samples = checked(samples)
    if codec in _G711:
        return g711.transcode(samples, codec)
    through: Callable = _through_libsndfile if codec in _LIBSNDFILE else _through_ffmpeg
    return _same_length(through(samples, codec), len(samples))


def available() -> list[str]:
    """The codecs that this machine can run."""
    return [codec for codec in CODECS if codec not in _FFMPEG or _ffmpeg_has(codec)]


def _through_libsndfile(samples: np.ndarray, codec: str) -> np.ndarray:
    container, subtype = _LIBSNDFILE[codec]
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1, 1), TELEPHONE_RATE, format=container,
                    subtype=subtype)
    buffer.seek(0)
    return soundfile.read(buffer, dtype="float32")[0]


def _through_ffmpeg(samples: np.ndarray, codec: str) -> np.ndarray:
    encoder, container, options = _FFMPEG[codec]
    if not shutil.which("ffmpeg"):
        raise BookError(f"{codec} needs ffmpeg, which is not installed: install it "
                        "(Debian: apt-get install ffmpeg).")
    if not _ffmpeg_has(codec):
        raise BookError(f"This machine's ffmpeg was built without {encoder}, which {codec} needs: "
                        f"install a build that has it, or choose one of {', '.join(available())}.")
    raw = ("-f", "f32le", "-ar", str(TELEPHONE_RATE), "-ac", "1")
    encoded = _ffmpeg((*raw, "-i", "-", "-c:a", encoder, *options, "-ar", str(TELEPHONE_RATE), "-f",
                       container, "-"), samples.astype("<f4").tobytes())
    decoded = _ffmpeg(("-f", container, "-i", "-", *raw, "-"), encoded)
    return np.frombuffer(decoded, dtype="<f4").copy()


def _ffmpeg(arguments: tuple[str, ...], data: bytes = b"") -> bytes:
    process = subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", *arguments],
                             input=data, capture_output=True, check=False)
    if process.returncode:
        raise BookError(f"ffmpeg failed: {process.stderr.decode(errors='replace').strip()[:200]}.")
    return process.stdout


def _ffmpeg_has(codec: str) -> bool:
    if not shutil.which("ffmpeg"):
        return False
    return f" {_FFMPEG[codec][0]} " in _ffmpeg(("-encoders",)).decode(errors="replace")


def _same_length(samples: np.ndarray, length: int) -> np.ndarray:
    """Block codecs fill up their last block: cut it, or fill what a codec swallowed."""
    return np.pad(samples[:length], (0, max(0, length - len(samples)))).astype(np.float32)
