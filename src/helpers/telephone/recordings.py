"""Reading the audio of calls: what is refused, and what is read and how.

A call recorded in stereo usually has one speaker on each channel, its two legs. Averaging them
makes one channel in which two people talk at once, so a stereo file is never read without a choice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from helpers.errors import BookError

TELEPHONE_RATE = 8_000


def checked(samples: np.ndarray) -> np.ndarray:
    """One channel of finite samples as float32.

    Raises:
        BookError: two channels, no samples, NaN or infinity.
    """
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1:
        raise BookError(f"The audio has shape {samples.shape}: give one channel, and keep the "
                        "two legs of a call apart.")
    if samples.size == 0:
        raise BookError("The audio is empty: give at least one sample.")
    if not np.isfinite(samples).all():
        raise BookError("The audio holds NaN or infinity: check how it was decoded.")
    return samples


def read_call(path: str | Path, leg: int | None = None) -> tuple[np.ndarray, int]:
    """Read a recording, one leg of it where it has two.

    Args:
        path: any file that libsndfile reads.
        leg: 0 or 1, needed when the file has two channels.

    Returns:
        float32 samples of shape (samples,), and their rate in Hz.

    Raises:
        BookError: no such file, not audio, empty, not finite, or two legs and no choice.
    """
    path = Path(path)
    if not path.is_file():
        raise BookError(f"There is no file {path}: check the path.")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BookError(f"{path.name} cannot be read as audio ({error.error_string.rstrip('.')}): "
                        "give a WAV, FLAC, Ogg or MP3 file.") from None
    channels = samples.shape[1]
    if leg is None and channels > 1:
        raise BookError(f"{path.name} has {channels} channels, probably the legs of a call: choose "
                        "one with leg=0 or leg=1; averaging would let two people talk at once.")
    if leg is not None and not 0 <= leg < channels:
        raise BookError(f"{path.name} has no leg {leg}: it has {channels} "
                        f"channel{'s' if channels > 1 else ''}, counted from 0.")
    return checked(samples[:, leg or 0]), rate
