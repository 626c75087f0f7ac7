"""What the recommended config changes against the pretrained one, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from helpers.config import configs
from helpers.paths import CONFIGS

RECOMMENDED = str(CONFIGS / "recommended_8k.yaml")


@dataclass(frozen=True)
class Departure:
    """A key of the recommended config that differs from a source config, and why.

    Attributes:
        key: dotted key; several, separated by commas, where they are left out together.
        value: what the recommended config says, or `configs.NOT_SET` where it leaves the key out.
        chapter: the chapter with the evidence.
        why: a few words.
    """

    key: str
    value: Any
    chapter: str
    why: str


def departures(path: str | Path = RECOMMENDED) -> list[Departure]:
    """Every departure that a config explains: `[chapter] why` in the comment on the key's line,
    or a line `# - KEY: [chapter] why` for what it leaves out."""
    text = Path(path).read_text(encoding="utf-8")
    values, listed = configs.flatten(path), []
    lines = text.splitlines()
    for key, line in _lines_of_keys(yaml.compose(text, Loader=yaml.SafeLoader)):
        comment = re.search(r"#\s*\[(\w+)\]\s*(.+)$", lines[line])
        if comment:
            listed.append(Departure(key, values[key], *comment.groups()))
    listed += [Departure(key, configs.NOT_SET, chapter, why) for key, chapter, why in
              re.findall(r"(?m)^# - (.+?): \[(\w+)\] (.+)$", text)]
    return listed


def remarks(path: str | Path = RECOMMENDED) -> dict[str, str]:
    """Key to the comment on its line, where the comment names no chapter."""
    text = Path(path).read_text(encoding="utf-8")
    lines = text.splitlines()
    comments = {key: re.search(r"#\s*([^\[\s].*)$", lines[line]) for key, line in
             _lines_of_keys(yaml.compose(text, Loader=yaml.SafeLoader))}
    return {key: comment[1] for key, comment in comments.items() if comment}


def unexplained(path: str | Path = RECOMMENDED) -> list[str]:
    """Keys whose merged value differs from a merged source config, without a word on why."""
    own = configs.flatten(configs.merge_over("pretrained", path))
    explained = {key for departure in departures(path) for key in departure.key.split(", ")}
    keys = {}
    for name in configs.FINE_TUNING:
        theirs = configs.flatten(configs.merge_over("pretrained", name))
        for key in [*theirs, *own]:
            same = key in theirs and key in own and configs.same_value(theirs[key], own[key])
            if not same and not any(key == prefix or key.startswith(f"{prefix}.")
                                    for prefix in explained):
                keys[key] = None
    return list(keys)


def _lines_of_keys(node: yaml.MappingNode, prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, value in node.value:
        key = f"{prefix}{name.value}"
        if isinstance(value, yaml.MappingNode):
            yield from _lines_of_keys(value, f"{key}.")
        else:
            yield key, name.start_mark.line
