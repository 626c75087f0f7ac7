"""What the document states of values, judged against the files that a reader really has.

The witnesses are the config that comes with the released model and the two fine-tuning files that
are published beside the document. The configs that this book wrote from the document are none: they
agree with it because they were made to.

A claim of the kind `value` has one part for each file and value that it states. How each is judged
stands in `RULES`; where a claim is not listed there, the values are those that the document gives
for its keys (`data/reference/document.yaml`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from helpers.config import configs, document
from helpers.config.configs import same_value
from helpers.config.document import FINE_TUNING, NOT_SAID, NOT_SET
from helpers.config.values import shown
from helpers.errors import BookError

MAIN, STAGE1 = FINE_TUNING
PRETRAINED = "pretrained"
TITLES = {PRETRAINED: "released model's config", MAIN: "published main config",
          STAGE1: "published stage 1"}
Values = Mapping[str, Mapping[str, Any]]
"""Key to file to value; what a file does not set is absent or NOT_SET."""
Parts = dict[str, bool]
Rule = Callable[[Values, tuple[str, ...]], Parts]


def published(*keys: str) -> dict[str, dict[str, Any]]:
    """Dotted key (without any, each of the files) to file to what it sets, or NOT_SET."""
    released, tuned = configs.flatten(PRETRAINED), document.public_values()
    return {key: {PRETRAINED: released.get(key, NOT_SET),
                  **{name: tuned.get(key, {}).get(name, NOT_SET) for name in FINE_TUNING}}
            for key in keys or {**released, **tuned}}


def judged(claim_id: str, keys: tuple[str, ...], section: int | str,
           values: Values | None = None) -> Parts:
    """The parts of a claim about values, and whether the files hold each.

    Args:
        section: of the document, `impact` for its closing table.
        values: the witnesses, where they are not those of `published`.
    """
    rule = RULES.get(claim_id, _summary if section == "impact" else _stated)
    return rule(published() if values is None else values, keys)


def _value(values: Values, key: str, name: str) -> Any:
    return values.get(key, {}).get(name, NOT_SET)


def _says(values: Values, stated: Mapping[str, Mapping[str, Any]]) -> Parts:
    """Each value that is stated, by key and file."""
    return {f"{TITLES[name]}: {key} {shown(value)}": same_value(_value(values, key, name), value)
            for key, expected in stated.items() for name, value in expected.items()
            if value != NOT_SAID}


def _stated(values: Values, keys: tuple[str, ...]) -> Parts:
    """Each value that the first section about a key states."""
    first = {statement.key: statement.values for statement in reversed(document.statements())}
    for key in keys:
        if key not in first:
            raise BookError(f"The document states no values for {key}.")
    return _says(values, {key: first[key] for key in keys})


def _summary(values: Values, keys: tuple[str, ...]) -> Parts:
    """The closing table: one value before, one for both fine-tuning files."""
    table = {key: pair for key, *pair in document.contents()["summary"]}
    return _says(values, {key: dict(zip(TITLES, (*table[key], table[key][1]), strict=True))
                          for key in keys})


def _exactly(**expected: Any) -> Rule:
    return lambda values, keys: _says(values, dict.fromkeys(keys, expected))


def _left_out(values: Values, keys: tuple[str, ...]) -> Parts:
    return {f"{TITLES[name]} leaves them out": all(_value(values, key, name) == NOT_SET
                                                  for key in keys) for name in FINE_TUNING}


def _as_pretrained(values: Values, keys: tuple[str, ...]) -> Parts:
    return {f"{TITLES[STAGE1]}: {key} as in the {TITLES[PRETRAINED]}": same_value(
        _value(values, key, STAGE1), _value(values, key, PRETRAINED)) for key in keys}


def _number(values: Values, key: str, name: str) -> float:
    value = _value(values, key, name)
    return float(value) if isinstance(value, (int, float)) else math.nan


def _ratio(values: Values, key: str, name: str) -> float:
    return _number(values, key, name) / (_number(values, key, PRETRAINED) or math.nan)


def _times(factor: float, name: str) -> Rule:
    return lambda values, keys: {f"{TITLES[name]}: {key} is {factor:g} times the released":
                                 math.isclose(_ratio(values, key, name), factor) for key in keys}


def _times_between(values: Values, keys: tuple[str, ...]) -> Parts:
    low, high = document.contents()["summary_learning_rate_times"]
    return {f"{TITLES[name]}: {key} is {low} to {high} times the released":
            low <= _ratio(values, key, name) <= high for key in keys for name in FINE_TUNING}


def _lower(values: Values, keys: tuple[str, ...]) -> Parts:
    return {f"{TITLES[name]}: {key} is below the released": _ratio(values, key, name) < 1
            for key in keys for name in FINE_TUNING}


def _epochs(values: Values, keys: tuple[str, ...]) -> Parts:
    low, high = document.contents()["summary_epochs"]
    return _says(values, {keys[0]: {PRETRAINED: 2}}) | {
        f"{TITLES[name]}: {keys[0]} {low} to {high}": low <= _number(values, keys[0], name) <= high
        for name in FINE_TUNING}


def _changed(values: Values, keys: tuple[str, ...]) -> Parts:
    return {f"{TITLES[name]} changes {key}": not same_value(_value(values, key, name),
                                                           _value(values, key, PRETRAINED))
            for key in keys for name in FINE_TUNING}


def _new(values: Values, key: str, name: str) -> Parts:
    return {f"{TITLES[name]} sets {key}, the released one does not":
            _value(values, key, PRETRAINED) == NOT_SET != _value(values, key, name)}


def _marked_new(values: Values, keys: tuple[str, ...]) -> Parts:
    return {part: true for key, name, _ in document.marked("new")
            for part, true in _new(values, key, name).items()}


def _own_rate(values: Values, keys: tuple[str, ...]) -> Parts:
    main, stage1 = (_value(values, keys[0], name) for name in FINE_TUNING)
    return _says(values, {keys[0]: {STAGE1: 8000}}) | {
        "published stage 1 differs from the published main config": not same_value(main, stage1)}


def _stage_specific(values: Values, keys: tuple[str, ...]) -> Parts:
    rates = {name: _value(values, keys[0], name) for name in FINE_TUNING}
    return {f"{TITLES[name]}: {keys[0]} is 8000 or 16000": rate in (8000, 16000)
            for name, rate in rates.items()} | {
        "the two published files have rates of their own": not same_value(*rates.values())}


def _more_workers(values: Values, keys: tuple[str, ...]) -> Parts:
    workers, rate = keys
    return {f"{TITLES[STAGE1]}: {workers} above the released": _ratio(values, workers, STAGE1) > 1,
            **_says(values, {rate: {STAGE1: 8000}})}


def _five_times(values: Values, keys: tuple[str, ...]) -> Parts:
    main, stage1 = (_value(values, keys[0], name) for name in FINE_TUNING)
    both = isinstance(main, list) and isinstance(stage1, list)
    return {f"{TITLES[STAGE1]}: {keys[0]} is five times as wide as in the {TITLES[MAIN]}":
            both and stage1 == [main[0], 5 * main[1]]}


RULES: dict[str, Rule] = {
    **dict.fromkeys(("omitted-encoder", "omitted-llm", "omitted-ctc", "omitted-cmvn",
                     "omitted-train", "omitted-dataset"), _left_out),
    **dict.fromkeys(("max-length-stage1-default", "retry-stage1-default"), _as_pretrained),
    **dict.fromkeys(("lr-main-ten-times", "epochs-main-ten-times"), _times(10, MAIN)),
    "lr-stage1-twenty-times": _times(20, STAGE1),
    "epochs-stage1-five-times": _times(5, STAGE1),
    "lr-impact-50-to-200": _times_between,
    "time-mask-five-times": _five_times,
    "warmup-shorter": _lower,
    "workers-more-in-stage1": _more_workers,
    "fs-stage1-differs": _own_rate,
    "settings-adapted": _changed,
    "betas-new": lambda values, keys: _new(values, keys[0], MAIN),
    "marks-new": _marked_new,
    "main-encoder-trainable": _exactly(**{MAIN: False}),
    "impact-pretrained-lr": _exactly(pretrained=5e-6),
    "impact-epochs": _epochs,
    "check-encoder-freeze": _exactly(**{MAIN: False, STAGE1: False}),
    "check-deepspeed": _exactly(**{MAIN: False, STAGE1: False}),
    "check-ctc": _exactly(**{MAIN: False, STAGE1: True}),
    "check-sample-rate": _stage_specific,
}
"""Claim to how it is judged, where it says something else than the values of its keys."""
