"""Audio of utterances: how long it is, and files of their own for legs and parts of a call."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from funasr_preflight.manifest.audio_probe import THROUGH_FFMPEG
from funasr_preflight.texts import Text, say

_EXACT = frozenset(("PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "GSM610", "IMA_ADPCM",
                    "MS_ADPCM", "G721_32", "VOX_ADPCM"))
"""Encodings that 16 bits hold to the last bit."""
TOLERATED_SECONDS = 0.1
"""A transcriber's last mark may lie so far behind the end of the audio."""


class Unusable(Exception):
    """Audio that cannot be an utterance's, and the reason."""

    def __init__(self, reason: Text):
        super().__init__(reason)
        self.reason = reason


def opened(audio: str, data: bytes | None = None):
    """The recording, open, as `soundfile.SoundFile`.

    Raises:
        Unusable: it is missing, no file, or of a kind that is not read here.
    """
    import soundfile

    if data is None:
        if audio.startswith(("http://", "https://", "ftp://")):
            raise Unusable(say("it is an address on the net: fetch the audio first"))
        path = Path(audio)
        try:
            if not path.exists():
                raise Unusable(say("there is no file {path}", path=audio[-80:]))
            if not path.is_file():
                raise Unusable(say("{path} is a folder or a device", path=audio[-80:]))
        except (OSError, ValueError):
            raise Unusable(say("{path} is no path", path=audio[:80])) from None
        if path.suffix.lower() in THROUGH_FFMPEG:
            raise Unusable(say("FunASR opens {suffix} through ffmpeg, and its length cannot be "
                               "told here: make it WAV or FLAC", suffix=path.suffix))
        if path.suffix.lower() in (".pcm", ".raw"):
            raise Unusable(say("raw samples name no rate, and FunASR takes them for 16 kHz: make "
                               "it WAV"))
    try:
        return soundfile.SoundFile(audio if data is None else io.BytesIO(data))
    except (RuntimeError, OSError, ValueError, TypeError):
        raise Unusable(say("it cannot be read as audio")) from None


def header(audio: str) -> tuple[int, int, int]:
    """What a recording says of itself: rate in Hz, samples of a channel, channels.

    Raises:
        Unusable: it cannot be read, or has no samples.
    """
    with opened(audio) as sound:
        rate, samples, channels = sound.samplerate, sound.frames, sound.channels
    if not rate or not 0 < samples < 2**62:
        raise Unusable(say("it has no samples"))
    return rate, samples, channels


def part(audio: str, start: float = 0.0, end: float | None = None, channel: int | None = None,
         data: bytes | None = None) -> tuple[np.ndarray, int]:
    """Samples of a stretch, and their rate in Hz.

    Args:
        start, end: in seconds; an end of None is the recording's.
        channel: from 0; None for all, as they are.

    Returns:
        int16 where that loses nothing, else float32; of shape (samples,), or (samples, channels).

    Raises:
        Unusable: the recording has no such stretch or channel.
    """
    with opened(audio, data) as sound:
        rate, seconds = sound.samplerate, sound.frames / max(1, sound.samplerate)
        if channel is not None and channel >= sound.channels:
            raise Unusable(say("the recording has one channel, and its second is wanted")
                           if channel else say("the recording has no channel"))
        if end is not None and end > seconds + TOLERATED_SECONDS or start >= seconds:
            raise Unusable(say("it ends at {end:.2f} s, and the recording at {seconds:.2f} s",
                               end=start if end is None else end, seconds=seconds))
        first = round(start * rate)
        last = sound.frames if end is None else min(round(end * rate), sound.frames)
        sound.seek(first)
        samples = sound.read(last - first, dtype="int16" if sound.subtype in _EXACT else "float32")
    if samples.ndim > 1 and channel is not None:
        samples = samples[:, channel]
    return samples, rate


def write(path: Path, samples: np.ndarray, rate: int) -> None:
    """Write a WAV of 16 bits at the recording's own rate."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, format="WAV", subtype="PCM_16")
