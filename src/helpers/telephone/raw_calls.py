"""Recordings and lists as a call centre has them, written from the book's corpus.

Each function fills a folder with real audio at 8 kHz and the lists beside it, faults included, so
that a chapter or a test can make a manifest of them. Paths in the lists are relative to the folder.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from helpers.errors import BookError
from helpers.speech import manifests
from helpers.telephone.recordings import TELEPHONE_RATE

PAUSE_SECONDS = 0.8
LONG_PAUSE_SECONDS = 4.0
LONG_PAUSE_EVERY = 4
"""After so many sentences somebody waits."""
LINE_NOISE_DBFS = -62.0
"""Of the line while nobody speaks."""
TURN_HEAD = ("path", "channel", "start", "end", "text", "speaker")
FAULTS = {"wav.scp": ("gone gone.wav", "piped sox in.wav -t wav - |"),
          "text": ("gone where is my card", "silent", "unrecorded nobody recorded this")}
"""Lines that no utterance can come of: list to lines."""
UNTRANSCRIBED = 5
"""Which call has no line in `text`."""


def joined(items: Sequence[dict], pause_seconds: float | None = None
           ) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Sentences at 8 kHz after one another, each after a pause.

    Args:
        pause_seconds: before each; short ones and now and then a long one without it.

    Returns:
        Samples, float32, shape (samples,), and where each sentence lies among them.

    Raises:
        BookError: a clip of another rate.
    """
    parts, spans, offset = [], [], 0
    for number, item in enumerate(items):
        samples, rate = _heard(item)
        if rate != TELEPHONE_RATE:
            raise BookError(f"{item['key']} has {rate} Hz: give what a call delivers.")
        pause = LONG_PAUSE_SECONDS if number % LONG_PAUSE_EVERY == LONG_PAUSE_EVERY - 1 \
            else PAUSE_SECONDS
        silence = np.zeros(round((pause_seconds or pause) * rate), np.float32)
        spans.append((offset + len(silence), offset + len(silence) + len(samples)))
        parts += [silence, samples]
        offset = spans[-1][1]
    return np.concatenate(parts), spans


def kaldi(items: Sequence[dict], folder: Path) -> Path:
    """Kaldi's lists of some calls, in one order; one call has no line in `text`, and more is wrong.

    Args:
        items: manifest lines that name their voice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        soundfile.write(folder / f"{item['key']}.wav", *_heard(item), subtype="PCM_16")
    silent = folder / "silent.wav"
    soundfile.write(silent, np.zeros(TELEPHONE_RATE, np.float32), TELEPHONE_RATE)
    rows = {"wav.scp": [*(f"{item['key']} {item['key']}.wav" for item in items),
                        f"silent {silent.name}"],
            "text": [f"{item['key']} {manifests.transcript(item)}"
                     for number, item in enumerate(items) if number != UNTRANSCRIBED],
            "utt2spk": [f"{item['key']} {item['voice']}" for item in items]}
    for name, lines in rows.items():
        (folder / name).write_text("".join(f"{line}\n" for line in [
            *lines, *FAULTS.get(name, ())]), encoding="utf-8")
    return folder


def two_legs(items: Sequence[dict], folder: Path) -> Path:
    """A call with a speaker on each channel, and the table of its turns.

    Args:
        items: what the two say in turn, the first on channel A.

    Returns:
        The table, a CSV; the recording lies beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    speech, spans = joined(items)
    legs = np.zeros((len(speech), 2), np.float32)
    for number, (start, end) in enumerate(spans):
        legs[start:end, number % 2] = speech[start:end]
    soundfile.write(folder / "call.wav", _on_a_line(legs), TELEPHONE_RATE)
    rows = [("call.wav", leg, f"{start / TELEPHONE_RATE:.2f}", f"{end / TELEPHONE_RATE:.2f}",
             manifests.transcript(item), f"call-{leg}")
            for item, (start, end), leg in zip(items, spans, itertools.cycle("AB"), strict=False)]
    with (folder / "turns.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([TURN_HEAD, *rows])
    return folder / "turns.csv"


def long_call(items: Sequence[dict], folder: Path) -> tuple[Path, list[tuple[float, float]]]:
    """One recording of many sentences, in which somebody waits now and then, and nobody wrote down.

    Returns:
        `wav.scp` with the recording beside it, and start and end of each sentence in seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    speech, spans = joined(items)
    soundfile.write(folder / "long.wav", _on_a_line(speech), TELEPHONE_RATE)
    scp = folder / "wav.scp"
    scp.write_text("long long.wav\n", encoding="utf-8")
    return scp, [(start / TELEPHONE_RATE, end / TELEPHONE_RATE) for start, end in spans]


def _heard(item: dict) -> tuple[np.ndarray, int]:
    return soundfile.read(manifests.audio_path(item), dtype="float32")


def _on_a_line(speech: np.ndarray) -> np.ndarray:
    """With a second in which nobody speaks at the end, and the line's noise throughout."""
    speech = np.pad(speech, [(0, TELEPHONE_RATE), *[(0, 0)] * (speech.ndim - 1)])
    noise = np.random.default_rng(0).normal(0, 10 ** (LINE_NOISE_DBFS / 20), speech.shape)
    return np.clip(speech + noise, -1, 1)
