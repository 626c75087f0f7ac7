"""Which parameters the keys that hold names reach: freezing, and leaving out of a checkpoint.

FunASR splits such a key at its commas and strips nothing: in `ctc, llm` the second name begins with
a blank, which no parameter's does.
"""

from __future__ import annotations

from collections.abc import Collection

COMPONENTS = ("audio_encoder", "audio_adaptor", "llm", "ctc_decoder", "ctc")
EMBEDDING, OUTPUT_LAYER = "llm.model.embed_tokens.weight", "llm.lm_head.weight"
"""One tensor of Qwen3-0.6B under two names: a checkpoint holds it once, an average twice."""

Names = str | Collection[str] | None
"""What a key that holds names may be: comma-separated, a list, a section's keys, or nothing."""


def component_of(name: str) -> str:
    """The component (see `COMPONENTS`) that a parameter or module belongs to."""
    return name.partition(".")[0]


def split_names(value: object) -> list[str]:
    """The names of a key, blanks and empty ones included; [] for what holds no names."""
    if isinstance(value, str):
        return value.split(",")
    return [str(name) for name in value] if isinstance(value, Collection) else []


def lies_below(parameter: str, name: str) -> bool:
    """Whether `freeze_param: NAME` reaches a parameter: NAME itself, or a module around it."""
    return parameter == name or parameter.startswith(f"{name}.")


def frozen_by_name(parameter: str, freeze_param: Names) -> bool:
    """Whether the top-level key `freeze_param` freezes a parameter (`funasr/bin/train_ds.py`)."""
    return any(lies_below(parameter, name) for name in split_names(freeze_param))


def left_out(tensor: str, effective_save_name_excludes: Names) -> bool:
    """Whether a checkpoint lacks a tensor: its name begins with one of the key's.

    Every name begins with the empty one that a comma at the end makes
    (`funasr/train_utils/trainer_ds.py`).
    """
    return tensor.startswith(tuple(split_names(effective_save_name_excludes)))
