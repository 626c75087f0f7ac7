"""How often the checker is right, measured against FunASR itself on drawn launches.

`python -m helpers.oracle --record --jobs 2` lets FunASR judge the cases that `results/oracle.json`
lacks, and holds the checker's word against it; without `--record` it shows what is recorded.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.oracle import cases, mending, verdicts
from helpers.paths import CACHE, RESULTS

DEVELOPMENT, HELD_OUT = "development", "held-out"
FIRST = {DEVELOPMENT: 1, HELD_OUT: 10_000_000}
"""Seed of the first case of each set."""
BLOCKS = {DEVELOPMENT: 30, HELD_OUT: 202}
BLOCK = 10
"""Cases in a row of the record."""
MENDED_EVERY = 4
"""Of so many cases one is mended, and FunASR judges the mended config."""
RECORDS = RunRecords(RESULTS / "oracle.json", "python -m helpers.oracle --record", ("set", "seed"))
JUDGED_BY = ("cases.py", "files.py", "judge.py", "materials.py")
TWINS = ("typo", "moved")
"""Mutations that are judged again without the key, to see whether it does anything."""


def seeds_of(name: str, block: int) -> range:
    """Seeds of a block's cases."""
    first = FIRST[name] + block * BLOCK
    return range(first, first + BLOCK)


def judged(case: cases.Drawn) -> dict[str, Any]:
    """FunASR's judgement of a case; one that this machine has made already is not made again."""
    text = json.dumps(asdict(case), sort_keys=True)
    name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:20]
    path = CACHE / "oracle_judgements" / _code() / f"{name}.json"
    if not path.is_file():
        from helpers.oracle.judge import judge

        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(judge(case))))
        partial.replace(path)
    return json.loads(path.read_text())


@cache
def _code() -> str:
    """A digest of what draws and judges, so that an older judgement is not taken for one of now."""
    hashed = hashlib.sha1(usedforsecurity=False)
    for name in JUDGED_BY:
        hashed.update(Path(__file__).with_name(name).read_bytes())
    return hashed.hexdigest()[:12]


def twin_of(case: cases.Drawn) -> cases.Drawn | None:
    """The same launch without the one key that was misspelt or moved."""
    if len(case.mutations) != 1 or case.mutations[0][0] not in TWINS:
        return None
    key = case.mutations[0][1]
    return replace(case, values={
        name: value for name, value in case.values.items() if name != key})


def compared(seed: int) -> dict[str, Any]:
    """What is recorded of a case."""
    case = cases.drawn(seed)
    judgement = judged(case)
    twin = twin_of(case)
    answer = verdicts.word(case)
    verdict = verdicts.compare(case, judgement, answer, judged(twin) if twin else None)
    if judgement["unjudged"]:
        return {"seed": seed, "unjudged": True}
    row = {"seed": seed, "changed": sorted({mutation for mutation, _ in case.mutations}),
           **{name: value for name, value in asdict(verdict).items() if value}}
    row["numbers"] = {name: text for name, text in verdict.numbers.items() if text != "exact"}
    row["exact"] = sum(text == "exact" for text in verdict.numbers.values())
    if judgement["error"] and not all(verdict.faults.values()):
        row["error"] = judgement["error"][:120]
    if seed % MENDED_EVERY == 0 and case.base != "none" and not answer.refused:
        row["mended"] = mending.mended(case, judgement, judged)
    return row


def make(name: str, block: int, keys: Sequence[Key]) -> Iterable[Row]:
    """The row of a block."""
    yield {"set": name, "seed": block, "cases": [compared(seed) for seed in seeds_of(name, block)]}


@dataclass(frozen=True)
class Share:
    """A count of so many, with Wilson's 95 % interval."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else float("nan")

    def interval(self) -> tuple[float, float]:
        """Lower and upper end, as shares."""
        from scipy.stats import binomtest

        if not self.of:
            return 0.0, 1.0
        ends = binomtest(self.count, self.of).proportion_ci(method="wilson")
        return float(ends.low), float(ends.high)

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{100 * self.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


@dataclass(frozen=True)
class Summary:
    """What a set of cases gives.

    Attributes:
        cases: how many were judged.
        recall: faults that FunASR shows and the checker names; by_fault: the same by kind.
        sound: cases in which FunASR shows no fault that spoils the run.
        false_errors: those of them that the checker gives an error.
        numbers: numbers that agree exactly; by_number: name to how many disagree.
        crashed: cases that end the checker in a traceback.
        mended: outcome of `--fix` to how many cases.
    """

    cases: int
    recall: Share
    by_fault: Mapping[str, Share]
    false_errors: Share
    numbers: Share
    by_number: Mapping[str, int]
    crashed: int
    mended: Mapping[str, int]

    @property
    def wrong(self) -> Share:
        """Numbers that disagree."""
        return Share(self.numbers.of - self.numbers.count, self.numbers.of)

    @property
    def tracebacks(self) -> Share:
        """Cases that end the checker in a traceback."""
        return Share(self.crashed, self.cases)


def summary(rows: Iterable[Row], name: str = HELD_OUT) -> Summary:
    """Sum up the recorded cases of a set."""
    every = [case for row in rows if row["set"] == name for case in row["cases"]
             if not case.get("unjudged")]
    named, shown = Counter(), Counter()
    for case in every:
        for fault, word in case.get("faults", {}).items():
            shown[fault] += 1
            named[fault] += bool(word)
    sound = [case for case in every if all(fault in verdicts.HARMLESS
                                           for fault in case.get("faults", {}))]
    wrong = Counter(number for case in every for number in case["numbers"])
    exact = sum(case["exact"] for case in every)
    return Summary(
        len(every), Share(named.total(), shown.total()),
        {fault: Share(named[fault], count) for fault, count in shown.most_common()},
        Share(sum(bool(case.get("false_errors")) for case in sound), len(sound)),
        Share(exact, exact + wrong.total()), dict(wrong),
        sum(bool(case.get("crashed")) for case in every),
        dict(Counter(case["mended"] for case in every if "mended" in case)))


def show() -> None:
    """Print what is recorded."""
    rows = RECORDS.read()
    for name in (DEVELOPMENT, HELD_OUT):
        total = summary(rows, name)
        if not total.cases:
            continue
        print(f"{name}: {total.cases} cases, recall {total.recall} of {total.recall.of} faults, "
              f"false errors {total.false_errors} of {total.false_errors.of} sound cases, "
              f"numbers exact {total.numbers} of {total.numbers.of}, crashes {total.crashed}")
        for fault, share in total.by_fault.items():
            print(f"    {fault}: {share.count} of {share.of}")
        print("    numbers that disagree:", dict(total.by_number), "| mended:", total.mended)


RECORDING = Recording(
    __name__, RECORDS,
    {(name, block): [(name, block)] for name in (DEVELOPMENT, HELD_OUT)
     for block in range(BLOCKS[name])}, make, show)
