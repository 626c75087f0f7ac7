"""What the cheat sheet says: values to set, what does not hold, what is connected to nothing.

Nothing is stated here. Values, grades and reasons come from the table of what is recommended, the
rest from the configs, the claim ledger and the knob test; commands from the chapters that run them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from helpers.config import configs, departures, document, recommended
from helpers.config.values import shown
from helpers.errors import BookError
from helpers.knobs import record
from helpers.ledger import chapters, claims
from helpers.ledger.claims import Claim

MAIN = "config_8k_telephone"
LEFT_OUT = "left out"
FILLED = "\u2020"
"""Stands behind a value that the file leaves out and the pretrained config fills in."""

EXPENSIVE = {
    "the pretrained weights": ("omitted-code-defaults", "omitted-llm-pretrained"),
    "the run": ("ctc-main-trains-both", "lr-encoder-only-may-be-higher", "keep-pretrained-all"),
    "the data": ("impact-max-length", "max-length-memory", "impact-batch-size", "specaug-added"),
}
"""What is lost by taking a claim that holds in part for the whole truth, and those claims."""


@dataclass(frozen=True)
class Setting:
    """A line of the first page; reason, grade and chapter are those of `recommended.Advice`.

    Attributes:
        keys: dotted; several where one reason covers them.
        section: the document's section.
        ours, main: what the recommended and the main config say, or what a merge then fills in.
        differs: whether the two, merged over the pretrained config, train with other values.
    """

    keys: tuple[str, ...]
    section: int
    ours: str
    main: str
    differs: bool
    why: str
    grade: str
    chapter: str


@dataclass(frozen=True)
class LaunchStep:
    """A step of a safe run: what to do, the command where there is one, the chapter about it."""

    title: str
    command: str
    chapter: str


def settings() -> list[Setting]:
    """What to set, in the order of the document's sections; what differs comes first in each."""
    order = list(document.section_titles())
    return sorted(_settings(),
                  key=lambda setting: (order.index(setting.section), not setting.differs))


def as_pretrained() -> dict[int, list[str]]:
    """Section to the keys that only the main config sets, to what the pretrained one says."""
    listed = {key for setting in settings() for key in setting.keys}
    unlisted: dict[int, list[str]] = {}
    for key in _values(MAIN):
        if key not in listed:
            unlisted.setdefault(configs.section_of(key), []).append(key)
    return unlisted


def failing() -> list[Claim]:
    """The claims that do not hold."""
    return [claim for claim in claims.load().values() if claim.verdict == "fails"]


def expensive() -> dict[str, list[Claim]]:
    """What is at stake to the claims that hold in part, as EXPENSIVE chooses them."""
    ledger = claims.load()
    stakes = {stake: [ledger[claim_id] for claim_id in ids] for stake, ids in EXPENSIVE.items()}
    for claim in chain.from_iterable(stakes.values()):
        if claim.verdict != "partly":
            raise BookError(f"The claim {claim.id} no longer holds in part: take it out of "
                            "helpers.pages.cheat_sheet.EXPENSIVE.")
    return stakes


def idle() -> dict[str, list[str]]:
    """Verdict of the knob test to the keys that change nothing."""
    return {verdict: [knob.key for knob in record.load() if knob.verdict == verdict]
            for verdict in (record.NEVER_READ, record.NO_EFFECT)}


def otherwise() -> list[record.Knob]:
    """Keys that do something else than their name says, each with its note."""
    return [knob for knob in record.load() if knob.verdict == record.OTHERWISE]


def steps() -> list[LaunchStep]:
    """A safe run, in order."""
    return [
        LaunchStep("Ask the files before a GPU is rented, and mend what is found.",
                   command("preflight", "preflight ", "--fail-on"), "preflight"),
        LaunchStep("Write the launch script, merged over the released model's config, into a new "
                   "folder.",
                   command("gpu_box", "python -m helpers.gpu.launch_scripts ", "--out"),
                   "gpu_box"),
        LaunchStep("Before the first step, compare the tensors that load with those of model.pt.",
                   "", "configs_side_by_side"),
        LaunchStep("After some steps, ask again with the measured time of a step.",
                   "preflight run.sh --seconds-per-step SECONDS", "preflight"),
        LaunchStep("Decode calls with the first saved checkpoint, beside the pretrained model.",
                   "", "training_settings")]


def command(chapter: str, start: str, option: str) -> str:
    """A command that begins so and contains the option, as a chapter shows it, on one line.

    Raises:
        BookError: the chapter shows no such command.
    """
    for line in chapters.load()[chapter].commands:
        if line.startswith(start) and option in line:
            return line
    raise BookError(f"notebooks/{chapter}.md shows no command `{start}... {option}`: the cheat "
                    "sheet takes it from there.")


def _settings() -> Iterator[Setting]:
    main = _values(MAIN)
    for row in recommended.TABLE:
        if row.when or not row.in_file:
            continue
        keys = (row.key,)
        if row.value is configs.NOT_SET:
            keys = tuple(key for key in main for name in row.key.split(", ")
                         if f"{key}.".startswith(f"{name}."))
        yield Setting(keys, configs.section_of(keys[0]), _together(departures.RECOMMENDED, keys),
                      _together(MAIN, keys), any(map(_differs, keys)), row.why, row.grade,
                      row.chapter)


def _differs(key: str) -> bool:
    return not configs.same_value(*(_merged(name).get(key, configs.NOT_SET)
                                    for name in (departures.RECOMMENDED, MAIN)))


def _together(name: str, keys: tuple[str, ...]) -> str:
    """The values of keys that share a line."""
    if len(keys) == 1:
        return _value(name, keys[0])
    return LEFT_OUT if name != MAIN else "; ".join(
        f"{key.rpartition('.')[2]} {_value(name, key)}" for key in keys)


def _value(name: str, key: str) -> str:
    """A value as the file has it, or as the pretrained config fills it in."""
    own, merged = _values(name), _merged(name)
    if key in own:
        return shown(own[key])
    return f"{shown(merged[key])}{FILLED}" if key in merged else LEFT_OUT


@cache
def _values(name: str) -> Mapping[str, Any]:
    return configs.flatten(name)


@cache
def _merged(name: str) -> Mapping[str, Any]:
    return configs.flatten(configs.merge_over("pretrained", name))
