"""What the audio files of a manifest really are: rate, channels and length against the manifest."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from funasr_preflight.laws import geometry
from funasr_preflight.texts import say

ALL = -1
"""Look at the audio of every line."""
SHOWN = 50
"""Lines of a kind that are named; the others are counted."""
THROUGH_FFMPEG = (".m4a", ".mp4", ".aac", ".webm", ".wma", ".amr", ".3gp", ".mov", ".mkv")
"""Formats that FunASR loads through ffmpeg and libsndfile does not know: they stay closed."""
RAW_RATE = 16_000
"""FunASR takes raw samples, of 16 bits, to have this rate in Hz."""
TOLERATED_FRAMES, TOLERATED_SHARE = 5, 0.05
"""How far `speech_length` may be from the audio: conventions differ by some frames."""


class Shown(list):
    """The first of what is found, up to SHOWN, and how many there are in all."""

    total = 0

    def append(self, entry: Any) -> None:
        self.total += 1
        if len(self) < SHOWN:
            super().append(entry)


@dataclass
class AudioReport:
    """What was found in the files that were looked at.

    Attributes:
        probed: how many lines' audio was looked at.
        rates: sample rate in Hz to files; channels: number of channels to files.
        missing, unreadable: (line, reason) of each.
        disagreeing: (line, speech_length, frames of the audio).
        outside: (line, reason) where the path is a directory or a device; they stay closed.
        remote: lines whose audio is a URL, which is not fetched.
        fs: the rate in Hz that the config resamples to.
    """

    fs: int
    probed: int = 0
    rates: Counter[int] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    missing: Shown = field(default_factory=Shown)
    unreadable: Shown = field(default_factory=Shown)
    disagreeing: Shown = field(default_factory=Shown)
    outside: Shown = field(default_factory=Shown)
    remote: int = 0


class AudioProbe:
    """Draws lines while they stream past, and looks at their audio.

    Args:
        count: how many; negative for every line.
    """

    def __init__(self, count: int, fs: int, seed: int = 0):
        self.count = count
        self.audio = AudioReport(fs)
        self.rng = np.random.default_rng(seed)
        self.drawn: list[tuple[float, int, str, int]] = []

    def take(self, lines: Sequence[int], paths: Sequence[str], speech: np.ndarray) -> None:
        """Lines of a chunk: their numbers, audio paths and `speech_length`."""
        if self.count < 0:
            for line, path, frames in zip(lines, paths, speech.tolist(), strict=True):
                self._look(line, path, frames)
            return
        chances = self.rng.random(len(lines))
        few = np.argsort(chances)[:self.count]
        self.drawn += [(chances[index], lines[index], paths[index], int(speech[index]))
                       for index in few.tolist()]
        self.drawn = sorted(self.drawn)[:self.count]

    def report(self) -> AudioReport:
        """Look at the lines that were drawn, and say what was found."""
        for _, line, path, frames in sorted(self.drawn, key=lambda drawn: drawn[1]):
            self._look(line, path, frames)
        self.drawn = []
        return self.audio

    def _look(self, line: int, path: str, speech: int) -> None:
        if not path:
            return
        self.audio.probed += 1
        if path.startswith(("http://", "https://", "ftp://")):
            self.audio.remote += 1
            return
        try:
            about = os.stat(path)
        except (OSError, ValueError):
            self.audio.missing.append((line, say("{path} is missing", path=shown(path))))
            return
        if not stat.S_ISREG(about.st_mode):
            self.audio.outside.append((line, say("{path} is a folder or a device",
                                                 path=shown(path))))
            return
        if path.lower().endswith(THROUGH_FFMPEG):
            return
        import soundfile

        try:
            if path.lower().endswith(".pcm"):
                rate, channels, samples = RAW_RATE, 1, about.st_size // 2
            else:
                info = soundfile.info(path)
                rate, channels, samples = info.samplerate, info.channels, info.frames
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            self.audio.unreadable.append((line, say("{path} cannot be read ({error})",
                                                    path=shown(path), error=type(error).__name__)))
            return
        if not rate or not 0 < samples < 2**62:
            self.audio.unreadable.append((line, say("{path} has no samples", path=shown(path))))
            return
        self.audio.rates[rate] += 1
        self.audio.channels[channels] += 1
        frames = geometry.speech_frames(samples, rate)
        if abs(frames - speech) > max(TOLERATED_FRAMES, TOLERATED_SHARE * frames):
            self.audio.disagreeing.append((line, speech, frames))


def shown(path: str) -> str:
    """A path for a message: printable, and not longer than a line."""
    printable = "".join(sign if sign.isprintable() else "?" for sign in path)
    return printable if len(printable) <= 80 else f"...{printable[-77:]}"
