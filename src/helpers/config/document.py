"""What the source document says about each key, read from `data/reference/document.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from omegaconf import OmegaConf

from funasr_preflight.launch.reading import flatten
from helpers.paths import CONFIGS, DATA

DOCUMENT = DATA / "reference" / "document.yaml"
PUBLISHED = CONFIGS / "published"
PUBLIC_SOURCE = {
    "repository": "github.com/cppup/FunASR",
    "folder": "examples/industrial_data_pretraining/fun_asr_nano_8k_telephone",
    "commit": "f2e476dfcadfaa7be601801819693ad5a49084e8"}
"""Where the document and the two published configs come from."""
NOT_SET = "not set"
NOT_SAID = "not said"
FINE_TUNING = ("config_8k_telephone", "stage1_encoder_adapt")
OUTSIDE = 0
"""The section number given to keys that none of the document's ten sections is about."""

_TOPICS = (
    ("audio_encoder", 1), ("frontend", 1), ("ctc_", 2), ("detach_ctc_decoder", 2),
    ("train_conf", 4), ("scheduler", 4), ("dataset", 5), ("optim", 6), ("specaug", 7),
    ("llm", 8), ("audio_adaptor", 8),
)


@dataclass(frozen=True)
class Statement:
    """One key as one section of the document states it.

    Attributes:
        section: the section's number, 1 to 10.
        key: the dotted key.
        values: config name to value; NOT_SET and NOT_SAID are as the data file explains.
        marks: name of a fine-tuning config to the sign that the document puts on it.
    """

    section: int
    key: str
    values: dict[str, Any]
    marks: dict[str, str]


@cache
def contents() -> dict[str, Any]:
    """The data file as a plain dictionary."""
    return OmegaConf.to_container(OmegaConf.load(DOCUMENT))


@cache
def statements() -> tuple[Statement, ...]:
    """Every statement about a key, in the document's order; a restated key comes twice."""
    stated = []
    for section, rows in contents()["statements"].items():
        for key, pretrained, main, stage1, main_mark, stage1_mark in rows:
            values = {"pretrained": pretrained, **_by_config(main, stage1)}
            marks = _by_config(main_mark, stage1_mark)
            stated.append(Statement(int(section), key, values, marks))
    return tuple(stated)


def section_titles() -> dict[int, str]:
    """The ten sections' titles by number, and one for the keys outside them."""
    titles = {int(number): title for number, title in contents()["sections"].items()}
    return {**titles, OUTSIDE: "Not in the document"}


def sections_stating(key: str) -> tuple[int, ...]:
    """The sections that name this key, or cover it with the "etc." of section 9."""
    named = tuple(dict.fromkeys(s.section for s in statements() if s.key == key))
    # The "etc." stands for the encoder's architecture: its keys that no config restates.
    parent, _, name = key.rpartition(".")
    covered = (parent == contents()["section_9_et_cetera"]
               and name not in contents()["section_9_et_cetera_excludes"])
    return named or (9,) * covered


def section_of(key: str) -> int:
    """The section a key belongs to: the first that states it, else the one on its subject."""
    topics = (number for prefix, number in _TOPICS if key.startswith(prefix))
    return next(chain(sections_stating(key), topics), OUTSIDE)


def is_critical(key: str, config: str) -> bool:
    """Whether the document puts its red sign or a warning sign on this key of this config."""
    return any(s.marks.get(config) in ("critical", "warning")
               for s in statements() if s.key == key)


@cache
def public_values() -> dict[str, dict[str, Any]]:
    """Key to config name to value in the published files; a key that a file does not set is absent.

    Interpolations stay as written. Keys that the document names and neither file sets are there,
    with NOT_SET.
    """
    values: dict[str, dict[str, Any]] = {statement.key: {} for statement in statements()}
    for name in FINE_TUNING:
        for key, value in flatten(
                OmegaConf.to_container(OmegaConf.load(PUBLISHED / f"{name}.yaml"))):
            values.setdefault(key, {})[name] = value
    return {key: {name: by_config.get(name, NOT_SET) for name in FINE_TUNING}
            for key, by_config in values.items()}


@dataclass(frozen=True)
class Disagreement:
    """A value that the document states and another source contradicts; NOT_SET is a value too."""

    section: int
    key: str
    config: str
    stated: Any
    actual: Any


def disagreements(values: dict[str, dict[str, Any]],
                  among: tuple[str, ...] = ("pretrained", *FINE_TUNING)) -> list[Disagreement]:
    """Where the document says one thing and `values` another.

    Args:
        values: key to config name to value; a key that is not set is absent or NOT_SET.
        among: the configs that `values` is about.
    """
    return [Disagreement(statement.section, statement.key, config, stated, actual)
            for statement in statements() for config, stated in statement.values.items()
            if config in among and stated != NOT_SAID
            for actual in [values.get(statement.key, {}).get(config, NOT_SET)]
            if not _same(stated, actual)]


def marked(*signs: str) -> list[tuple[str, str, str]]:
    """Each (key, config, sign) on which the document puts one of these signs."""
    return [(statement.key, config, sign) for statement in statements()
            for config, sign in statement.marks.items() if sign in signs]


def named_as_omitted() -> list[tuple[str, str]]:
    """Each (key, config) that section 9 names, without its "etc."."""
    return [(statement.key, config) for statement in statements() if statement.section == 9
            for config in FINE_TUNING]


def _by_config(*values: Any) -> dict[str, Any]:
    return dict(zip(FINE_TUNING, values, strict=True))


def _same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and value == other
