"""The files of a case: one folder for FunASR, one for the checker, alike but for dimensions."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from funasr_preflight.launch.directory import MODEL_DIR
from helpers.oracle import materials
from helpers.oracle.cases import Drawn, manifest_lines, yaml_values

CONFIG = "config.yaml"


def write(case: Drawn, size: str, folder: Path) -> tuple[Path | None, list[str]]:
    """Write a case's YAML and manifests; gives the YAML, if there is one, and the overrides."""
    directory = str(materials.model_directory(size, case.directory))
    for which in ("train", "valid"):
        _write_manifest(case, which, folder)
    values = yaml_values(case, full=size == "full")
    path = None
    if values is not None:
        path = folder / CONFIG
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        path.write_text(text.replace(MODEL_DIR, directory), encoding="utf-8")
    return path, [override.replace(MODEL_DIR, directory) for override in case.overrides]


def _write_manifest(case: Drawn, which: str, folder: Path) -> None:
    about: dict[str, Any] = getattr(case, which)
    fault = about.get("file", "")
    if fault == "no_file":
        return
    lines = manifest_lines(case, "valid" if fault == "same_as_valid" else which)
    if fault == "duplicates":
        lines += lines[:max(1, len(lines) // 3)]
    encoded = [json.dumps(line, ensure_ascii=False).encode() for line in lines]
    for number, (fault, share) in enumerate(about.get("faults", ())):
        draw = random.Random(f"faults {case.seed} {which} {number}")
        hit = [index for index in range(len(lines)) if draw.random() < share] or [
            draw.randrange(len(lines))]
        for index in hit:
            encoded[index] = broken(lines[index], fault, folder)
    files = about["files"]
    parts = [encoded[number::files] for number in range(files)] if files else [encoded]
    names = [f"{which}_{number}.jsonl" for number in range(files)] if files else [f"{which}.jsonl"]
    for name, part in zip(names, parts, strict=True):
        (folder / name).write_bytes(_whole(part, fault))
    if files:
        listed = "\n".join(names) + "\n"
        changed = {"list_blank": listed.replace("\n", "\n\n", 1), "list_missing":
                   f"{listed}nothing.jsonl\n", "list_indented": listed.replace(which, f"  {which}"),
                   "no_final_newline": listed.rstrip("\n"), "blank_end": f"{listed}\n"}
        (folder / f"{which}.list").write_text(changed.get(fault, listed), encoding="utf-8")


def _whole(lines: Sequence[bytes], fault: str) -> bytes:
    if fault == "empty_file":
        return b""
    if fault == "json_array":
        return b"[" + b",".join(lines) + b"]\n"
    end = b"\r\n" if fault == "crlf" else b"\n"
    text = end.join(lines) + end
    return {"no_final_newline": text[:-1], "bom": b"\xef\xbb\xbf" + text, "blank_end": text + b"\n",
            "blank_lines": text.replace(b"\n", b"\n\n")}.get(fault, text)


def broken(line: dict[str, Any], fault: str, folder: Path) -> bytes:
    """A line with one fault of `cases.LINE_FAULTS`, encoded."""
    line = json.loads(json.dumps(line))
    system, user, assistant = line["messages"]
    lengths: dict[str, Any] = {
        "no_text_length": ("text_length", None), "no_speech_length": ("speech_length", None),
        "zero_length": ("text_length", 0), "negative_length": ("speech_length", -5),
        "huge_length": ("speech_length", 10**9), "text_as_string": ("text_length", "12"),
        "speech_as_string": ("speech_length", "120"), "length_word": ("speech_length", "long"),
        "length_float": ("speech_length", 120.7), "length_list": ("speech_length", [120]),
        "length_bool": ("text_length", True), "wrong_length": ("speech_length", 900)}
    turns: dict[str, Callable[[], Any]] = {
        "no_user": lambda: line["messages"].remove(user),
        "no_assistant": lambda: line["messages"].remove(assistant),
        "no_system": lambda: line["messages"].remove(system),
        "no_content": lambda: user.pop("content"),
        "content_null": lambda: assistant.update(content=None),
        "content_number": lambda: user.update(content=7),
        "no_role": lambda: assistant.pop("role"),
        "no_bang": lambda: user.update(content=user["content"].replace("!", "")),
        "no_tags": lambda: user.update(content=user["content"].replace(
            "<|startofspeech|>", "").replace("<|endofspeech|>", "")),
        "swapped_tags": lambda: user.update(content=user["content"].replace(
            "<|startofspeech|>!", "!<|startofspeech|>")),
        "empty_text": lambda: assistant.update(content=""),
        "turns": lambda: line["messages"].extend([dict(user), dict(assistant)]),
        "prompt": lambda: user.update(content=f"Write: {user['content'].partition('：')[2]}"),
        "no_messages": lambda: line.pop("messages"),
        "messages_null": lambda: line.update(messages=None),
        "messages_string": lambda: line.update(messages="hello"),
        "message_string": lambda: line.update(messages=["hello"]),
        "source_target": lambda: (line.pop("messages"), line.update(source="a", target="b")),
        "key_list": lambda: line.update(key=["a"]),
        "length_null": lambda: line.update(speech_length=None),
        "length_lists": lambda: line.update(speech_length=[120], text_length=[9]),
        "missing_audio": lambda: _hear(user, "nowhere.wav"),
        "unreadable_audio": lambda: _hear(user, _made(folder / "unreadable.wav", b"no sound")),
        "empty_audio": lambda: _hear(user, _silent(folder / "empty.wav", 0)),
        "short_audio": lambda: _hear(user, _silent(folder / "short.wav", 200)),
        "long_audio": lambda: _hear(user, _silent(folder / "long.wav", 16_000 * 12)),
        "folder_audio": lambda: _hear(user, str(materials.folder())),
    }
    if fault in lengths:
        key, value = lengths[fault]
        line[key] = value
        if value is None:
            line.pop(key)
    elif fault in turns:
        turns[fault]()
    encoded = json.dumps(line, ensure_ascii=False).encode()
    return {"blank": b"", "broken": encoded[:-1], "no_object": b"[1, 2]",
            "not_utf8": encoded.replace(b"messages", b"messages\xff"),
            "nul": encoded.replace(b'"key"', b'"k\x00y"'),
            "carriage_return": encoded.replace(b'"key"', b'\r"key"')}.get(fault, encoded)


def _hear(user: dict[str, Any], path: str) -> None:
    before, begin, rest = user["content"].partition("!")
    user["content"] = f"{before}{begin}{path}<|endofspeech|>"


def _made(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def _silent(path: Path, samples: int) -> str:
    import numpy as np
    import soundfile

    if not path.exists():
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.01, samples), materials.RATE)
    return str(path)
