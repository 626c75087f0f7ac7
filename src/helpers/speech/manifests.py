"""Lines of FunASR's ChatML manifests: how they are written, read and counted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from funasr_preflight.converting.lines import message_turns, prompt
from helpers.errors import BookError

USER_PROMPT = prompt()


def chatml(key: str, audio: str, text: str, speech_length: int, text_length: int,
           **extra) -> dict:
    """One line of a FunASR manifest for this model."""
    return {
        "key": key,
        "messages": message_turns(audio, text),
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


def write_kaldi(items: Iterable[dict], folder: Path) -> Path:
    """Write `wav.scp`, `text` and `utt2spk` of lines that name their voice; paths are absolute."""
    folder.mkdir(parents=True, exist_ok=True)
    items = list(items)
    rows = {"wav.scp": [(item["key"], Path(audio_path(item)).resolve()) for item in items],
            "text": [(item["key"], transcript(item)) for item in items],
            "utt2spk": [(item["key"], item["voice"]) for item in items]}
    for name, pairs in rows.items():
        (folder / name).write_text("".join(f"{key} {value}\n" for key, value in pairs),
                                   encoding="utf-8")
    return folder


def audio_path(item: dict) -> str:
    """The audio file that a manifest line names."""
    content = next(m["content"] for m in item["messages"] if m["role"] == "user")
    return content.split("<|startofspeech|>!", 1)[1].split("<|endofspeech|>", 1)[0]


def transcript(item: dict) -> str:
    """The reference text of a manifest line."""
    return next(m["content"] for m in item["messages"] if m["role"] == "assistant")


def voice(item: dict) -> str:
    """Who speaks: the key `voice`, or `speaker`; the line itself where neither is known."""
    return item.get("voice") or item.get("speaker") or item["key"]


def with_audio(item: dict, audio: str | Path, **changes) -> dict:
    """The same manifest line pointing at another audio file."""
    return {**item, **chatml(item["key"], str(audio), transcript(item), item["speech_length"],
                             item["text_length"]), **changes}
