"""The checker's word against FunASR's: faults that are named, false errors, wrong numbers."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from funasr_preflight.checking import context_of, report_of
from funasr_preflight.errors import BookError
from funasr_preflight.findings import Severity
from funasr_preflight.launch.reading import Origin
from funasr_preflight.run import estimates
from helpers.oracle import files
from helpers.oracle.cases import Drawn

REFUSED = "refused"
"""Stands for the checker's own refusal, one sentence and exit code 2, in the place of a rule."""

_VALUES = ("keys-ends", "keys-type", "keys-null", "keys-range", "keys-crash", "keys-class",
           "keys-section", "keys-refused", "keys-unknown", "keys-exchanged", "keys-conflict",
           "override-refused", "run-activation-checkpoint", "run-deepspeed", REFUSED)
_LAUNCH = ("launch-alone", "launch-paths", "launch-directory", "launch-incomplete", "launch-lists",
           "launch-weights", "launch-tensors", REFUSED)
_LINES = ("data-stops-reading", "data-malformed", "data-nothing-left", "data-empty-batch",
          "data-lost", "data-suspicious", "data-audio", "data-dropped-in-collator",
          "data-replaced-in-dataset", "launch-incomplete", "launch-lists", REFUSED)
RULES: dict[str, tuple[str, ...]] = {
    "ends: command": ("override-refused", *_VALUES, *_LAUNCH),
    "ends: debugger": ("keys-debug",),
    **dict.fromkeys(("ends: merge", "ends: build"), (*_LAUNCH, *_VALUES)),
    "ends: model": ("trains-freeze-param", *_VALUES),
    **dict.fromkeys(("ends: trainer", "ends: optimizer"), (*_VALUES, "trains-nothing")),
    **dict.fromkeys(("ends: data", "ends: batches", "ends: validate"), (*_LINES, *_VALUES)),
    "ends: train": (*_LINES, *_VALUES, "trains-nothing", "trains-without-gradient",
                    "schedule-unscored"),
    **dict.fromkeys(("ends: save", "ends: average", "ends: end"), _VALUES),
    **dict.fromkeys(("ends: reload", "ends: decode"), (*_VALUES, "after-no-llm", "after-lacks")),
    "random start": ("launch-weights", "launch-tensors", "launch-alone", "launch-directory",
                     "launch-excludes", "keys-exchanged", "keys-range", "keys-type"),
    "no step": ("data-no-step", "data-nothing-left", *_VALUES, "trains-nothing"),
    "nothing moves": ("keys-range", "trains-nothing", "keys-type", "keys-crash", "keys-null"),
    "loss is no number": ("keys-range", "keys-type", "data-suspicious", "keys-crash"),
    "lines lost": ("data-lost", "data-nothing-left", "data-malformed", "data-stops-reading",
                   "data-part-of-list"),
    "validation lost": ("data-lost", "data-nothing-left", "data-malformed", "data-stops-reading"),
    "audio exchanged": ("data-audio", "data-replaced-in-dataset", "data-speech-length",
                        "data-suspicious", "data-lost", "data-malformed"),
    "audio unheard": ("data-suspicious", "data-audio", "data-malformed"),
    "dropped in the collator": ("data-dropped-in-collator", "data-speech-length"),
    "processes out of step": ("data-unequal-processes",),
    "checkpoint without LLM": ("after-no-llm", "trains-lora-not-saved"),
    "checkpoint lacks a part": ("after-no-llm", "after-lacks", "trains-lora-not-saved"),
    "key does nothing": ("keys-unknown", "keys-never-read", "keys-no-effect", "keys-section"),
}
"""Fault that FunASR shows to the rules that name it."""
CTC = ("ctc", "ctc_decoder")


@dataclass
class CheckerWord:
    """What the checker says of a case.

    Attributes:
        findings: (rule, severity, key) of those that are errors or warnings.
        refused: its sentence, where it refuses the launch.
        crashed: what it ended with, where it ended otherwise.
        numbers: name to value.
    """

    findings: list[tuple[str, str, str]] = field(default_factory=list)
    refused: str = ""
    crashed: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)


def word(case: Drawn) -> CheckerWord:
    """Ask the checker about a case."""
    answer = CheckerWord()
    with tempfile.TemporaryDirectory(prefix="oracle-") as name, contextlib.chdir(name):
        path, overrides = files.write(case, "full", Path(name))
        try:
            context = context_of(path, overrides=overrides, gpus=case.processes,
                                 origin=Origin(whole=True))
            report = report_of(context)
            answer.findings = [(finding.rule, finding.severity.name.lower(), finding.key)
                               for finding in report.findings if finding.severity > Severity.NOTE]
            answer.numbers = _numbers(context)
        except BookError as error:
            answer.refused = str(error).replace(name, "FOLDER")
        except Exception as error:  # noqa: BLE001  a traceback of the checker is a finding here
            import traceback

            answer.crashed = f"{type(error).__name__}: {error} {traceback.format_exc()[-300:]}"
    return answer


def _numbers(context) -> dict[str, Any]:
    parts = estimates.parts(context)
    numbers: dict[str, Any] = {
        "flagged": {part.name: part.flagged for part in parts if part.flagged},
        "learning": {part.name: part.learning for part in parts if part.learning},
        "bytes": {part.name: [part.bytes_each] for part in parts if part.learning}}
    if context.train is not None:
        numbers |= {"kept": context.train.kept_utterances,
                    "batches": [list(each) for each in context.train.plan.passes],
                    "steps": estimates.steps_an_epoch(context), "saves": _saves(context)}
    if context.valid is not None:
        numbers["valid_kept"] = context.valid.kept_utterances
    rates = estimates.rates(context, list(range(1, 5))) if estimates.follows_warmup(
        context) else None
    if rates is not None:
        numbers["rates"] = [float(rate) for rate in rates]
    return numbers


def _saves(context) -> list[int]:
    """Checkpoints within an epoch, with a score and without."""
    files_left = estimates.disk(context).files
    epochs = estimates.whole(context.get("train_conf.max_epoch"), 100)
    return [files_left.scored // epochs - 1, files_left.unscored // epochs]


def faults(judged: Mapping[str, Any]) -> list[str]:
    """The faults that FunASR showed, as keys of RULES."""
    shown = [f"ends: {judged['stage']}"] if judged["error"] else []
    if any(part not in CTC for part in judged["missing"]):
        shown.append("random start")
    if judged["stage"] in ("end", "reload", "decode") or not judged["error"]:
        shown += _quiet_faults(judged)
    return shown


def _quiet_faults(judged: Mapping[str, Any]) -> Iterator[str]:
    if not min(judged["steps"], default=0):
        yield "no step"
    elif not judged["moved"] and judged["updates"]:
        yield "nothing moves"
    if any(loss != loss or abs(loss) == float("inf") for loss in judged["losses"]):
        yield "loss is no number"
    if judged["replaced"]:
        yield "audio exchanged"
    if judged["unheard"]:
        yield "audio unheard"
    if judged["dropped"]:
        yield "dropped in the collator"
    if any(len(set(counts)) > 1 for counts in judged["batches"]):
        yield "processes out of step"
    lacking = [part for part in judged["lacking"]
               if part not in CTC or judged["ctc"] and part in judged["learning"]]
    if "llm" in lacking:
        yield "checkpoint without LLM"
    elif lacking:
        yield "checkpoint lacks a part"


def lines_faults(judged: Mapping[str, Any], case: Drawn) -> Iterator[str]:
    """Lines of the manifests that no batch holds."""
    if judged["kept"] is not None and judged["kept"] < _written(case, "train"):
        yield "lines lost"
    if judged["valid_kept"] is not None and judged["valid_kept"] < _written(case, "valid"):
        yield "validation lost"


def _written(case: Drawn, which: str) -> int:
    about = getattr(case, which)
    lines = (case.valid if about.get("file") == "same_as_valid" else about)["lines"]
    return lines + (max(1, lines // 3) if about.get("file") == "duplicates" else 0)


@dataclass
class Verdict:
    """The comparison of one case.

    Attributes:
        faults: fault to whether the checker names it.
        false_errors: rules that call an error what FunASR runs soundly.
        numbers: number to "exact", "bounded" or what both say.
    """

    faults: dict[str, bool] = field(default_factory=dict)
    false_errors: list[str] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)
    crashed: str = ""


def compare(case: Drawn, judged: Mapping[str, Any], answer: CheckerWord,
            twin: Mapping[str, Any] | None = None) -> Verdict:
    """Hold the checker's word against FunASR's judgement of a case."""
    if judged["unjudged"]:
        return Verdict(crashed=answer.crashed)
    shown = faults(judged)
    if not judged["error"] or judged["stage"] in ("reload", "decode"):
        shown += lines_faults(judged, case)
    if twin is not None and twin["outcome"] == judged["outcome"] and not judged["error"]:
        shown.append("key does nothing")
    refused = {REFUSED} if answer.refused else set()
    rules = {rule for rule, _, _ in answer.findings} | refused
    verdict = Verdict({fault: _named(fault, answer, rules) for fault in shown},
                      crashed=answer.crashed)
    if set(shown) <= set(HARMLESS):
        verdict.false_errors = sorted(refused | {
            rule for rule, severity, _ in answer.findings if severity == "error"})
    if not judged["error"] and not answer.refused and not answer.crashed:
        verdict.numbers = dict(_compared(judged, answer.numbers))
    return verdict


HARMLESS = ("lines lost", "validation lost", "dropped in the collator", "key does nothing",
            "audio exchanged")
"""Faults of a run that goes to a usable end: an error beside them alone is a false one."""


def _named(fault: str, answer: CheckerWord, rules: set[str]) -> bool:
    naming = RULES[fault]
    if not fault.startswith("ends: "):
        return bool(rules & set(naming))
    return bool(answer.refused) or any(
        rule in naming and (severity == "error" or rule not in _ONLY_AS_ERRORS)
        for rule, severity, _ in answer.findings)


_ONLY_AS_ERRORS = ("keys-unknown", "data-lost", "data-malformed")
"""Rules whose warnings say that the run goes on."""


def _passes(judged: Mapping[str, Any]) -> list[list[int]]:
    """Batches by process of the passes that differ: a file that is read again counts once."""
    filled = [each for each in judged["batches"] if any(each)]
    return filled[:1] if judged["again"] else filled


def _compared(judged: Mapping[str, Any], numbers: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    # without a step nothing has a gradient, whatever would get one
    names = ("flagged", "learning", "bytes") if judged["losses"] else ("flagged",)
    pairs = [(name, judged[name], numbers.get(name)) for name in names]
    if judged["kept"] is not None and "kept" in numbers:
        pairs += [("kept", judged["kept"], numbers["kept"]),
                  ("steps", judged["steps"][0], numbers["steps"]),
                  ("batches", _passes(judged), [each for each in numbers["batches"] if any(each)])]
        if judged["saves"] is not None:
            pairs.append(("saves", judged["saves"], numbers["saves"]))
    if judged["valid_kept"] is not None and "valid_kept" in numbers:
        pairs.append(("valid_kept", judged["valid_kept"], numbers["valid_kept"]))
    if judged["rates"] and judged["updates"] == len(judged["rates"]) and "rates" in numbers:
        logged, second = judged["rates"][0], numbers["rates"][1]  # logged after the first update
        pairs.append(("rate", f"{logged:.5e}", f"{second:.5e}"))
    for name, true, stated in pairs:
        yield name, "exact" if true == stated else f"{true} and {stated}"
