"""The recorded knob test: one `Knob` for each key, with what moved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from helpers.errors import BookError
from helpers.paths import RESULTS

LIVE = "live"
OTHERWISE = "live, but not as described"
NO_EFFECT = "read without effect"
NEVER_READ = "never read"
RAISES = "raises"
VERDICTS = (LIVE, OTHERWISE, NO_EFFECT, NEVER_READ, RAISES)
RECORD = RESULTS / "knobs.json"
WITH_DEEPSPEED = ("train_conf.deepspeed_config",)
"""Keys that changed nothing here and are read where DeepSpeed is on."""
NEEDED_ALONE = ("audio_adaptor_conf.llm_dim", "audio_adaptor_conf.encoder_dim",
                "ctc_decoder_conf.encoder_dim")
"""Keys whose value changes nothing, and without which a file that is launched alone does not build.
"""


@dataclass(frozen=True)
class Knob:
    """What turning one key did.

    Attributes:
        key: dotted key.
        tried: each change, as "old -> new" in YAML notation.
        verdict: one of VERDICTS.
        moved: which parts of the fingerprint differ from the baseline's.
        baseline: which baseline showed it, in words.
        read_at: where the code on this path reads the key, as "file, line N".
        note: one or two sentences, or "".
        elsewhere: if nothing on this path reads the key, a few places that read a key of this
            name in other classes or branches.
    """

    key: str
    tried: tuple[str, ...]
    verdict: str
    moved: tuple[str, ...] = ()
    baseline: str = ""
    read_at: tuple[str, ...] = ()
    note: str = ""
    elsewhere: tuple[str, ...] = ()


@cache
def load(path: Path = RECORD) -> list[Knob]:
    """Every recorded key, in the order of the three configs.

    Raises:
        BookError: there is no record yet.
    """
    if not path.is_file():
        raise BookError(f"There is no {path.name}: run `python -m helpers.knobs`.")
    return list(map(from_row, json.loads(path.read_text(encoding="utf-8"))["knobs"]))


def made_on(path: Path = RECORD) -> str:
    """The day on which the keys were turned, as 2026-11-23."""
    return json.loads(path.read_text(encoding="utf-8"))["provenance"]["date"]


def idle() -> dict[str, list[str]]:
    """The keys that changed nothing, by where they do act: nowhere, with DeepSpeed, alone."""
    dead = [knob.key for knob in load() if knob.verdict in (NEVER_READ, NO_EFFECT)]
    elsewhere = {"with DeepSpeed": [key for key in dead if key in WITH_DEEPSPEED],
                 "launched alone": [key for key in dead if key in NEEDED_ALONE]}
    acting = {key for keys in elsewhere.values() for key in keys}
    return {"nowhere": [key for key in dead if key not in acting], **elsewhere}


def from_row(row: dict[str, Any]) -> Knob:
    return Knob(**{name: tuple(value) if isinstance(value, list) else value
                   for name, value in row.items()})


def rows(*prefixes: str) -> list[Knob]:
    """The recorded keys of some sections; all keys without a prefix.

    Args:
        prefixes: whole dotted parts (`dataset_conf`, `llm_conf.lora_conf`, `optim_conf.lr`), or
            the name before `_conf`: `specaug` stands for `specaug` and `specaug_conf`.

    Raises:
        BookError: a prefix that no recorded key has.
    """
    knobs = load()
    for prefix in prefixes:
        if not any(_has_prefix(knob.key, prefix) for knob in knobs):
            raise BookError(f"No key starts with `{prefix}`: give a key or a section of the three "
                            "configs, such as `dataset_conf`.")
    return [knob for knob in knobs
            if not prefixes or any(_has_prefix(knob.key, prefix) for prefix in prefixes)]


def result_text(knob: Knob) -> str:
    """The verdict, and the note where there is one."""
    return f"{knob.verdict}. {knob.note}" if knob.note else knob.verdict


def _has_prefix(key: str, prefix: str) -> bool:
    return any(key == start or key.startswith(f"{start}.") for start in (prefix, f"{prefix}_conf"))
