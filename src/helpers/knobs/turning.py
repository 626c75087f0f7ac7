"""Which keys of the three configs are connected to anything? The recorded answer, key by key.

`python -m helpers.knobs` changes one key at a time, compares everything observable with a baseline
and writes `results/knobs.json`. Chapters take their rows from here.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import multiprocessing
import resource
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from funasr_preflight.laws.memory import GIBIBYTE
from helpers.config import configs, funasr_source
from helpers.config.values import yaml_text
from helpers.errors import BookError, one_sentence
from helpers.experiments.provenance import provenance
from helpers.experiments.records import RunRecords, write_record
from helpers.knobs import notes
from helpers.knobs.record import (
    LIVE,
    NEVER_READ,
    NO_EFFECT,
    RAISES,
    RECORD,
    VERDICTS,
    Knob,
    from_row,
)
from helpers.paths import CACHE
from helpers.session import setup

PLACES_ELSEWHERE = 3
UNFINISHED = RunRecords(CACHE / "knobs" / "turned.json", "python -m helpers.knobs", ("key",))
MEMORY_LIMIT = 12 * GIBIBYTE
"""Bytes of address space for a worker process: a value that wants more raises an error."""


class Trial(NamedTuple):
    """One change of a key under one baseline: what moved, or what was raised."""

    change: str
    baseline: str
    moved: tuple[str, ...]
    error: str

    @property
    def decisive(self) -> bool:
        return bool(self.moved) and not self.error


def keys() -> list[str]:
    """Every key of the three configs, in the order of `configs.compare()`."""
    return [row.key for row in configs.compare()]


def turn(key: str) -> Knob:
    """Turn one key in every baseline that concerns it, until something moves.

    Raises:
        BookError: no such key.
    """
    from helpers.knobs import values

    _check(key)
    attempts: list[Trial] = []
    for baseline in values.BASELINES:
        if not baseline.concerns(key):
            continue
        old = configs.flatten(_baseline(baseline.name)[0]).get(key)
        for new in values.other_values(key, old):
            if configs.same_value(old, new):
                continue
            attempts.append(Trial(f"{_shown(old)} -> {_shown(new)}", baseline.name,
                                  *_compared(baseline, key, new)))
            if attempts[-1].decisive:
                return _judged(key, attempts)
    knob = _judged(key, attempts)
    return replace(knob, note=_by_hand(key)) if key.startswith("specaug_conf.") else knob


def _check(*names: str) -> None:
    for name in names:
        if name not in keys():
            raise BookError(f"There is no key `{name}` in the three configs: give a dotted key "
                            "that one of them sets.")


def _by_hand(key: str) -> str:
    """What the key does in a `SpecAugLFR` that the bench builds itself, in one sentence."""
    from helpers.knobs import bench, values

    config = _baseline(values.MAIN.name)[0]
    new = values.other_values(key, configs.flatten(config).get(key))[0]
    try:
        moved = bench.masks_by_hand(config) != bench.masks_by_hand(
            bench.changed(config, {key: new}))
    except Exception as error:  # noqa: BLE001  what FunASR raises is the finding
        return f"In a SpecAugLFR built by hand it raises {bench.described(error)}."
    return f"In a SpecAugLFR built by hand it moves {'the masks' if moved else 'nothing'}."


def _judged(key: str, attempts: Sequence[Trial]) -> Knob:
    changes = tuple(dict.fromkeys(attempt.change for attempt in attempts))
    baselines = tuple(dict.fromkeys(attempt.baseline for attempt in attempts))
    executed = frozenset().union(*(_baseline(name)[1].executed for name in baselines))
    read_at = tuple(line.text for line in funasr_source.on_this_path(key, executed))
    decisive = [attempt for attempt in attempts if attempt.decisive]
    raised = [attempt for attempt in attempts if attempt.error]
    verdict, moved = NO_EFFECT if read_at else NEVER_READ, ()
    note = f"{raised[0].change} raises {raised[0].error}." if raised else ""
    if decisive or raised:
        trial = (decisive or raised)[0]
        verdict, moved = (LIVE if decisive else RAISES), trial.moved
        baselines = (trial.baseline,)
    elsewhere = () if read_at else tuple(
        line.text for line in funasr_source.elsewhere(key, executed)[:PLACES_ELSEWHERE])
    return notes.reviewed(Knob(key, changes, verdict, moved, "; ".join(baselines), read_at, note,
                               elsewhere))


@cache
def _baseline(name: str):
    """A baseline's config and its observation, once in a process."""
    from helpers.knobs import bench, values

    baseline = next(listed for listed in values.BASELINES if listed.name == name)
    config = bench.changed(bench.base_config(baseline.config), values.with_files(baseline.values))
    return config, bench.observe(config, traced=True, **baseline.options)


def _compared(baseline, key: str, new: Any) -> tuple[tuple[str, ...], str]:
    from helpers.knobs import bench, values

    config, expected = _baseline(baseline.name)
    observed = bench.observe(bench.changed(config, values.with_files({key: new})),
                             **baseline.options)
    return bench.differences(expected, observed), observed.error


def _shown(value: Any) -> str:
    text = yaml_text(value)
    return Path(text).name if text.startswith("/") else text


def turn_all(names: Iterable[str], jobs: int, done: Callable[[Knob], None],
             before: Mapping[str, Knob]) -> list[Knob]:
    """`turn` for many keys, in worker processes with one PyTorch thread each.

    Args:
        done: called with each key's result as it arrives.
        before: results of an earlier run, which are not made again.

    Raises:
        BookError: no such key, or a worker process died.
    """
    chosen = list(names)
    _check(*chosen)
    context = multiprocessing.get_context("spawn")
    turned = {name: before[name] for name in chosen if name in before}
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare) as pool:
        futures = [pool.submit(turn, name) for name in chosen if name not in turned]
        try:
            for future in as_completed(futures):
                knob = future.result()
                turned[knob.key] = knob
                done(knob)
        except BrokenProcessPool:
            rest = [name for name in chosen if name not in turned]
            raise BookError(f"A worker process died, at one of {', '.join(rest[:jobs + 1])}: run "
                            "`python -m helpers.knobs --continue` for the rest.") from None
    return [turned[name] for name in chosen]


def _prepare() -> None:
    faulthandler.enable()
    multiprocessing.set_start_method("fork", force=True)  # Linux's own, for data loaders
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    setup()


def record(knobs: Sequence[Knob], command: str, path: Path = RECORD) -> Path:
    """Store the table, with where it comes from."""
    counts = Counter(knob.verdict for knob in knobs)
    stored = {"provenance": provenance(command, seed=0),
              "counts": {verdict: counts[verdict] for verdict in VERDICTS},
              "knobs": [asdict(knob) for knob in knobs]}
    return write_record(path, stored)


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    """`python -m helpers.knobs`: turn keys, print what moved, record all of them."""
    parser = argparse.ArgumentParser(prog="python -m helpers.knobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="worker processes (2)")
    parser.add_argument("--continue", action="store_true", dest="goes_on",
                        help="keep what an interrupted run has turned")
    parser.add_argument("keys", nargs="*", help="only these keys, printed and not recorded")
    options = parser.parse_args(arguments)
    chosen = options.keys or keys()
    before = _turned() if options.goes_on else {}
    if not options.goes_on and not options.keys:
        UNFINISHED.path.unlink(missing_ok=True)
    with tqdm(total=len(chosen), initial=len(before), desc="keys", disable=None) as bar:
        def done(knob: Knob) -> None:
            bar.update()
            if not options.keys:
                UNFINISHED.add(asdict(knob))

        knobs = turn_all(chosen, options.jobs, done, before)
    for knob in knobs if options.keys else ():
        print(json.dumps(asdict(knob), indent=1, ensure_ascii=False))
    if not options.keys:
        record(knobs, "python -m helpers.knobs")
        UNFINISHED.path.unlink(missing_ok=True)
    return 0


def _turned() -> dict[str, Knob]:
    rows = UNFINISHED.read() if UNFINISHED.path.is_file() else []
    return {row["key"]: from_row(row) for row in rows}
