"""Lines of FunASR's ChatML manifests: how they are written, read and counted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from helpers.errors import BookError

SYSTEM_PROMPT = "You are a helpful assistant."
USER_PROMPT = "语音转写："
FRAME_LENGTH_SAMPLES, FRAME_SHIFT_SAMPLES = 400, 160


def speech_frames(samples: int) -> int:
    """Number of 10 ms frames (25 ms windows, no padding) in 16 kHz audio: `speech_length`."""
    return max(0, 1 + (samples - FRAME_LENGTH_SAMPLES) // FRAME_SHIFT_SAMPLES)


def chatml(key: str, audio: str, text: str, speech_length: int, text_length: int,
           **extra) -> dict:
    """One line of a FunASR manifest for this model."""
    return {
        "key": key,
        "messages": [
            {"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user",
             "content": f"{USER_PROMPT}<|startofspeech|>!{audio}<|endofspeech|>"},
            {"role": "assistant", "content": text},
        ],
        "speech_length": speech_length,
        "text_length": text_length,
        **extra,
    }


def read_manifest(path: str | Path) -> list[dict]:
    """Read a FunASR `.jsonl` manifest.

    Raises:
        BookError: the file is missing, or a line is not a JSON object with `messages`.
    """
    path = Path(path)
    if not path.is_file():
        raise BookError(f"Manifest {path.name} does not exist: check the path {path}.")
    items = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            item = json.loads(line)
            item["messages"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise BookError(f"{path.name}, line {number}: not a ChatML manifest line "
                            f"({type(error).__name__}: {error}). Fix or remove the line.") from None
        items.append(item)
    return items


def write_manifest(items: Iterable[dict], path: Path) -> Path:
    """Write manifest lines; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    lines = (json.dumps(item, ensure_ascii=False) for item in items)
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return partial.replace(path)


def audio_path(item: dict) -> str:
    """The audio file that a manifest line names."""
    content = next(m["content"] for m in item["messages"] if m["role"] == "user")
    return content.split("<|startofspeech|>!", 1)[1].split("<|endofspeech|>", 1)[0]


def transcript(item: dict) -> str:
    """The reference text of a manifest line."""
    return next(m["content"] for m in item["messages"] if m["role"] == "assistant")


def with_audio(item: dict, audio: str | Path, **changes) -> dict:
    """The same manifest line pointing at another audio file."""
    return {**item, **chatml(item["key"], str(audio), transcript(item), item["speech_length"],
                             item["text_length"]), **changes}
