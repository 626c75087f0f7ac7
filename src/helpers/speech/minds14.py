"""MInDS-14: real 8 kHz telephone banking calls in 14 languages, as manifests of this book.

Gerz et al. 2021, "Multilingual and Cross-Lingual Intent Detection from Spoken Data"; on the Hugging
Face hub as PolyAI/minds14, CC-BY-4.0.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import soundfile

from funasr_preflight.laws.geometry import speech_frames
from helpers.errors import BookError
from helpers.paths import CACHE
from helpers.speech import manifests

HUB_NAME = "PolyAI/minds14"
LANGUAGES = ("cs-CZ", "de-DE", "en-AU", "en-GB", "en-US", "es-ES", "fr-FR", "it-IT", "ko-KR",
             "nl-NL", "pl-PL", "pt-PT", "ru-RU", "zh-CN")
SHARES = {"test": 20, "valid": 10}
"""Per cent of the recordings in each held-out set; the rest is for training."""


def sets(language: str = "en-US", tokenizer: Any = None, source: str | Path = HUB_NAME,
         folder: Path | None = None) -> dict[str, list[dict]]:
    """The recordings of a language as three manifests, and their audio as 8 kHz WAV files.

    The split is by a hash of the recording's name, so it is the same everywhere.

    Args:
        tokenizer: counts the tokens of a transcript, for `text_length`; without one, words.
        source: the hub's name, or a local copy of the dataset's folder.
        folder: where WAV files and manifests go; the cache without it.

    Returns:
        `train`, `valid` and `test` to manifest lines.

    Raises:
        BookError: an unknown language, no package `datasets`, or data that cannot be had.
    """
    folder = folder or CACHE / "minds14" / language
    splits: dict[str, list[dict]] = {"train": [], "valid": [], "test": []}
    for row in _rows(language, source):
        key = f"{language}_{Path(row['path'] or row['audio']['path']).stem}"
        text = " ".join((row["transcription"] or "").split())
        samples, rate = soundfile.read(io.BytesIO(_bytes(row["audio"])), dtype="float32")
        if not text or not len(samples) or samples.ndim > 1:
            continue  # nothing to learn from, or two legs
        path = folder / "audio" / f"{key}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="PCM_16")
        frames = speech_frames(len(samples), rate)
        length = len(tokenizer.encode(text)) if tokenizer else len(text.split())
        splits[_split(key)].append(manifests.chatml(key, str(path), text, frames, length,
                                                    intent=row.get("intent_class")))
    for name, items in splits.items():
        if not items:
            raise BookError(f"MInDS-14 {language} gives no recordings for {name}: the copy in "
                            f"{Path(str(source)).name} is too small, take the whole language.")
        manifests.write_manifest(items, folder / f"{name}.jsonl")
    return splits


def _rows(language: str, source: str | Path):
    if language not in LANGUAGES:
        raise BookError(f"MInDS-14 has no {language}: choose one of {', '.join(LANGUAGES)}.")
    try:
        from datasets import Audio, load_dataset
    except ImportError:
        raise BookError("MInDS-14 needs the package datasets: pip install datasets.") from None
    try:
        loaded = load_dataset(str(source), language, split="train")
    except Exception as error:  # the hub's client raises many kinds
        raise BookError(f"MInDS-14 {language} cannot be loaded from {source} "
                        f"({type(error).__name__}): connect to the Hugging Face hub, or give a "
                        "local copy of the dataset's folder.") from None
    return loaded.cast_column("audio", Audio(decode=False))


def _bytes(audio: dict) -> bytes:
    return audio["bytes"] if audio.get("bytes") else Path(audio["path"]).read_bytes()


def _split(key: str) -> str:
    bucket = zlib.crc32(key.encode()) % 100
    if bucket < SHARES["test"]:
        return "test"
    return "valid" if bucket < SHARES["test"] + SHARES["valid"] else "train"
