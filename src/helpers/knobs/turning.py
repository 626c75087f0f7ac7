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
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from helpers.config import configs
from helpers.errors import BookError, one_sentence
from helpers.experiments.records import RunRecords, write_record
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

PLACES_ELSEWHERE = 3
UNFINISHED = RunRecords(CACHE / "knobs" / "turned.json", "python -m helpers.knobs", ("key",))
MEMORY_LIMIT = 12 * 2**30
"""Bytes of address space for a worker process: a value that wants more raises an error."""


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
    attempts: list[tuple[str, values.Baseline, tuple[str, ...], str]] = []
    for baseline in filter(lambda one: one.concerns(key), values.BASELINES):
        old = _value(baseline, key)
        for new in values.other_values(key, old):
            if configs.same_value(old, new):
                continue
            moved, error = _compared(baseline, key, new)
            attempts.append((f"{_shown(old)} -> {_shown(new)}", baseline, moved, error))
            if moved and not error:
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
    new = values.other_values(key, bench.value_of(config, key))[0]
    try:
        moved = bench.masks_by_hand(config) != bench.masks_by_hand(
            bench.changed(config, {key: new}))
    except Exception as error:  # noqa: BLE001  what FunASR raises is the finding
        return f"In a SpecAugLFR built by hand it raises {bench.described(error)}."
    return f"In a SpecAugLFR built by hand it moves {'the masks' if moved else 'nothing'}."


def _judged(key: str, attempts: Sequence[tuple]) -> Knob:
    from helpers.knobs import notes, readers

    tried = tuple(dict.fromkeys(text for text, *_ in attempts))
    asked = tuple(dict.fromkeys(baseline.name for _, baseline, *_ in attempts))
    executed = frozenset().union(*(_baseline(name)[1].executed for name in asked))
    here = tuple(place.text for place in readers.on_this_path(key, executed))
    decisive = [one for one in attempts if one[2] and not one[3]]
    raised = [one for one in attempts if one[3]]
    verdict, moved = NO_EFFECT if here else NEVER_READ, ()
    note = f"{raised[0][0]} raises {raised[0][3]}." if raised else ""
    if decisive or raised:
        _, baseline, moved, _ = (decisive or raised)[0]
        verdict, asked = (LIVE if decisive else RAISES), (baseline.name,)
    other = () if here else tuple(
        place.text for place in readers.elsewhere(key, executed)[:PLACES_ELSEWHERE])
    return notes.reviewed(
        Knob(key, tried, verdict, tuple(moved), "; ".join(asked), here, note, other))


@cache
def _baseline(name: str):
    """A baseline's config and its observation, once in a process."""
    from helpers.knobs import bench, values

    baseline = next(one for one in values.BASELINES if one.name == name)
    config = bench.changed(bench.base_config(baseline.config),
                                values.with_files(baseline.values))
    return config, bench.observe(config, traced=True, **baseline.options)


def _value(baseline, key: str) -> Any:
    from helpers.knobs import bench

    return bench.value_of(_baseline(baseline.name)[0], key)


def _compared(baseline, key: str, new: Any) -> tuple[tuple[str, ...], str]:
    from helpers.knobs import bench, values

    config, expected = _baseline(baseline.name)
    found = bench.observe(bench.changed(config, values.with_files({key: new})),
                               **baseline.options)
    return bench.differences(expected, found), found.error


def _shown(value: Any) -> str:
    from helpers.config.values import yaml_text

    text = yaml_text(value)
    return Path(text).name if text.startswith("/") else text


def turn_all(names: Iterable[str], jobs: int = 2, done: Callable[[Knob], None] = lambda _: None,
             before: Mapping[str, Knob] = MappingProxyType({})) -> list[Knob]:
    """`turn` for many keys, in worker processes with one PyTorch thread each.

    Args:
        names: dotted keys.
        jobs: number of processes.
        done: called with each key's result as it arrives.
        before: results of an earlier run, which are not made again.

    Raises:
        BookError: no such key, or a worker process died.
    """
    wanted = list(names)
    _check(*wanted)
    context = multiprocessing.get_context("spawn")
    found = {name: before[name] for name in wanted if name in before}
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare) as pool:
        futures = [pool.submit(turn, name) for name in wanted if name not in found]
        try:
            for future in as_completed(futures):
                knob = future.result()
                found[knob.key] = knob
                done(knob)
        except BrokenProcessPool:
            rest = [name for name in wanted if name not in found]
            raise BookError(f"A worker process died, at one of {', '.join(rest[:jobs + 1])}: run "
                            "`python -m helpers.knobs --continue` for the rest.") from None
    return [found[name] for name in wanted]


def _prepare() -> None:
    from helpers.session import setup

    faulthandler.enable()
    multiprocessing.set_start_method("fork", force=True)  # Linux's own, for data loaders
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    setup()


def record(knobs: Sequence[Knob], command: str, path: Path = RECORD) -> Path:
    """Store the table, with where it comes from."""
    from helpers.experiments.provenance import provenance

    counts = Counter(knob.verdict for knob in knobs)
    stored = {"provenance": provenance(command, seed=0),
              "counts": {verdict: counts[verdict] for verdict in VERDICTS},
              "knobs": [asdict(knob) for knob in knobs]}
    return write_record(path, stored)


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    """`python -m helpers.knobs`: turn keys, print what moved, record all of them."""
    from tqdm import tqdm

    parser = argparse.ArgumentParser(prog="python -m helpers.knobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="worker processes (2)")
    parser.add_argument("--continue", action="store_true", dest="goes_on",
                        help="keep what an interrupted run has turned")
    parser.add_argument("keys", nargs="*", help="only these keys, printed and not recorded")
    options = parser.parse_args(arguments)
    wanted = options.keys or keys()
    before = _turned() if options.goes_on else {}
    if not options.goes_on and not options.keys:
        UNFINISHED.path.unlink(missing_ok=True)
    with tqdm(total=len(wanted), initial=len(before), desc="keys", disable=None) as bar:
        def done(knob: Knob) -> None:
            bar.update()
            if not options.keys:
                UNFINISHED.add(asdict(knob))

        knobs = turn_all(wanted, options.jobs, done, before)
    for knob in knobs if options.keys else ():
        print(json.dumps(asdict(knob), indent=1, ensure_ascii=False))
    if not options.keys:
        record(knobs, "python -m helpers.knobs")
        UNFINISHED.path.unlink(missing_ok=True)
    return 0


def _turned() -> dict[str, Knob]:
    rows = UNFINISHED.read() if UNFINISHED.path.is_file() else []
    return {row["key"]: from_row(row) for row in rows}


if __name__ == "__main__":
    sys.exit(main())
