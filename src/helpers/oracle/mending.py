"""`--fix` on drawn launches: no mended config may be worse, and mending again changes nothing."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from funasr_preflight.checking import mend
from funasr_preflight.errors import BookError
from funasr_preflight.launch.directory import MODEL_DIR
from funasr_preflight.launch.reading import Origin
from funasr_preflight.launch.yaml_file import flatten
from helpers.oracle import files, materials, verdicts
from helpers.oracle.cases import REMOVE, Drawn, yaml_values

Judge = Callable[[Drawn], Mapping[str, Any]]
TRAINED = ("losses", "learning", "batches", "steps", "rates", "lacking")
"""What a mended sound run has to have in common with the first; what never learns may be frozen."""


def mended(case: Drawn, judgement: Mapping[str, Any], judge: Judge) -> str:
    """What `--fix` makes of a case's config, in a word or two.

    Args:
        judgement: FunASR's judgement of the case.
        judge: asks for that of the mended one.
    """
    with tempfile.TemporaryDirectory(prefix="oracle-") as name, contextlib.chdir(name):
        path, overrides = files.write(case, "full", Path(name))
        settings = {"overrides": overrides, "gpus": case.processes, "origin": Origin(whole=True)}
        try:
            first = mend(path, "mended.yaml", **settings)
            second = mend("mended.yaml", "again.yaml", **settings)
        except BookError:
            return "refused"
        except Exception as error:  # noqa: BLE001  a traceback is a finding here
            return f"traceback: {type(error).__name__}"
        text = Path("mended.yaml").read_text(encoding="utf-8")
        again = Path("again.yaml").read_text(encoding="utf-8")
    if second.keys or again != text:
        return "a second pass changes it"
    if not first.keys:
        return "untouched"
    directory = str(materials.model_directory("full", case.directory))
    values = yaml.safe_load(text.replace(directory, MODEL_DIR)) or {}
    other = replace(case, values=_edited(case, values))
    after = judge(other)
    return _judged(judgement, after, case, other)


def _edited(case: Drawn, values: dict[str, Any]) -> dict[str, Any]:
    """The values of a case whose YAML is this one."""
    before = dict(flatten(yaml_values(case) or {}))
    new = dict(flatten(values))
    gone = {key: REMOVE for key in before if key not in new}
    changed = {key: value for key, value in new.items()
               if key not in before or before[key] != value}
    return {**case.values, **gone, **changed}


def _judged(before: Mapping[str, Any], after: Mapping[str, Any], case: Drawn, other: Drawn) -> str:
    if after["unjudged"]:
        return "not judged"
    faults = [set(verdicts.faults(judgement)) for judgement in (before, after)]
    ends = [any(fault.startswith("ends") for fault in judgement) for judgement in faults]
    if ends[1] and not ends[0] or not ends[0] and faults[1] - faults[0]:
        return "worse"
    if not faults[0]:
        return "sound, and the same" if all(before[name] == after[name] for name in TRAINED) else \
            "sound, and other than before"
    if ends[0] and not ends[1]:
        return "runs now"
    return "better" if faults[1] < faults[0] else "as before"
