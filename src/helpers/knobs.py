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
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from helpers import configs
from helpers.errors import BookError, one_sentence
from helpers.paths import CACHE, RESULTS

LIVE = "live"
OTHERWISE = "live, but not as described"
NO_EFFECT = "read without effect"
NEVER_READ = "never read"
RAISES = "raises"
VERDICTS = (LIVE, OTHERWISE, NO_EFFECT, NEVER_READ, RAISES)
RECORD = RESULTS / "knobs.json"
UNFINISHED = CACHE / "knobs" / "turned.jsonl"
PLACES_ELSEWHERE, PLACES_SHOWN = 3, 2
MEMORY_LIMIT = 12 * 2**30
"""Bytes of address space for a worker process: a value that wants more raises an error."""


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
    return list(map(_knob, json.loads(path.read_text(encoding="utf-8"))["knobs"]))


def _knob(row: dict[str, Any]) -> Knob:
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


def section_table(*prefixes: str, caption: str = "") -> str:
    """HTML table of `rows(*prefixes)`: key, what was tried, result, what moved, where read."""
    from helpers.config_table import plain_table

    lines = [[f"`{knob.key}`", "; ".join(knob.tried), result_text(knob),
              ", ".join(knob.moved) or "nothing",
              "; ".join(knob.read_at[:PLACES_SHOWN]) or "nowhere on this path"]
             for knob in rows(*prefixes)]
    return plain_table(["Key", "Tried", "Result", "What moved", "Where read"], lines, caption)


def result_text(knob: Knob) -> str:
    """The verdict, and the note where there is one."""
    return f"{knob.verdict}. {knob.note}" if knob.note else knob.verdict


def keys() -> list[str]:
    """Every key of the three configs, in the order of `configs.compare()`."""
    return [row.key for row in configs.compare()]


def turn(key: str) -> Knob:
    """Turn one key in every baseline that concerns it, until something moves.

    Raises:
        BookError: no such key.
    """
    from helpers import knob_values as values

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
    from helpers import knob_bench
    from helpers import knob_values as values

    config = _baseline(values.MAIN.name)[0]
    new = values.other_values(key, knob_bench.value_of(config, key))[0]
    try:
        moved = knob_bench.masks_by_hand(config) != knob_bench.masks_by_hand(
            knob_bench.changed(config, {key: new}))
    except Exception as error:  # noqa: BLE001  what FunASR raises is the finding
        return f"In a SpecAugLFR built by hand it raises {knob_bench.described(error)}."
    return f"In a SpecAugLFR built by hand it moves {'the masks' if moved else 'nothing'}."


def _judged(key: str, attempts: Sequence[tuple]) -> Knob:
    from helpers import knob_notes, knob_readers

    tried = tuple(dict.fromkeys(text for text, *_ in attempts))
    asked = tuple(dict.fromkeys(baseline.name for _, baseline, *_ in attempts))
    executed = frozenset().union(*(_baseline(name)[1].executed for name in asked))
    here = tuple(place.text for place in knob_readers.on_this_path(key, executed))
    decisive = [one for one in attempts if one[2] and not one[3]]
    raised = [one for one in attempts if one[3]]
    verdict, moved = NO_EFFECT if here else NEVER_READ, ()
    note = f"{raised[0][0]} raises {raised[0][3]}." if raised else ""
    if decisive or raised:
        _, baseline, moved, _ = (decisive or raised)[0]
        verdict, asked = (LIVE if decisive else RAISES), (baseline.name,)
    other = () if here else tuple(
        place.text for place in knob_readers.elsewhere(key, executed)[:PLACES_ELSEWHERE])
    return knob_notes.reviewed(
        Knob(key, tried, verdict, tuple(moved), "; ".join(asked), here, note, other))


@cache
def _baseline(name: str):
    """A baseline's config and its observation, once in a process."""
    from helpers import knob_bench
    from helpers import knob_values as values

    baseline = next(one for one in values.BASELINES if one.name == name)
    config = knob_bench.changed(knob_bench.base_config(baseline.config),
                                values.with_files(baseline.values))
    return config, knob_bench.observe(config, traced=True, **baseline.options)


def _value(baseline, key: str) -> Any:
    from helpers import knob_bench

    return knob_bench.value_of(_baseline(baseline.name)[0], key)


def _compared(baseline, key: str, new: Any) -> tuple[tuple[str, ...], str]:
    from helpers import knob_bench
    from helpers import knob_values as values

    config, expected = _baseline(baseline.name)
    found = knob_bench.observe(knob_bench.changed(config, values.with_files({key: new})),
                               **baseline.options)
    return knob_bench.differences(expected, found), found.error


def _shown(value: Any) -> str:
    from helpers.code_defaults import yaml_text

    text = yaml_text(value)
    return Path(text).name if text.startswith("/") else text


def _has_prefix(key: str, prefix: str) -> bool:
    return any(key == start or key.startswith(f"{start}.") for start in (prefix, f"{prefix}_conf"))


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
    from helpers.notebook import setup

    faulthandler.enable()
    multiprocessing.set_start_method("fork", force=True)  # Linux's own, for data loaders
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    setup()


def record(knobs: Sequence[Knob], command: str, path: Path = RECORD) -> Path:
    """Store the table, with where it comes from."""
    from helpers.provenance import provenance

    counts = Counter(knob.verdict for knob in knobs)
    stored = {"provenance": provenance(command, seed=0),
              "counts": {verdict: counts[verdict] for verdict in VERDICTS},
              "knobs": [asdict(knob) for knob in knobs]}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


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
        UNFINISHED.unlink(missing_ok=True)
    with tqdm(total=len(wanted), initial=len(before), desc="keys", disable=None) as bar:
        def done(knob: Knob) -> None:
            bar.update()
            if not options.keys:
                _keep(knob)

        knobs = turn_all(wanted, options.jobs, done, before)
    for knob in knobs if options.keys else ():
        print(json.dumps(asdict(knob), indent=1, ensure_ascii=False))
    if not options.keys:
        record(knobs, "python -m helpers.knobs")
        UNFINISHED.unlink(missing_ok=True)
    return 0


def _keep(knob: Knob) -> None:
    UNFINISHED.parent.mkdir(parents=True, exist_ok=True)
    with UNFINISHED.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(knob)) + "\n")


def _turned() -> dict[str, Knob]:
    if not UNFINISHED.is_file():
        return {}
    kept = map(_knob, map(json.loads, UNFINISHED.read_text(encoding="utf-8").splitlines()))
    return {knob.key: knob for knob in kept}


if __name__ == "__main__":
    sys.exit(main())
