"""The mini fine-tuned on telephone speech with and without a CTC term, for several seeds.

`python -m helpers.experiments.ctc_training --record` runs what `results/ctc_training.json` lacks,
one row a run, seed after seed; `--jobs 2` makes two side by side. Without `--record` it prints what
is recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache, partial

import numpy as np

from helpers.evaluation.decoding import BRANCHES
from helpers.experiments import runs
from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.experiments.results import Results
from helpers.experiments.runs import SEEDS
from helpers.model import ctc, mini
from helpers.paths import RESULTS

RECORDS = RunRecords(RESULTS / "ctc_training.json",
                     "python -m helpers.experiments.ctc_training --record", ("recipe", "seed"))
BANDS = ("wideband", "telephone")
TEST_SENTENCES = 96
Arm = partial(runs.Arm, utterances=200, valid=8)
ARMS = {arm.name: arm for arm in (
    Arm("encoder only"),
    Arm("CTC term, detached", keys={"detach_ctc_decoder": True}, wrapper="ctc"),
    Arm("CTC term", keys={"detach_ctc_decoder": False}, wrapper="ctc"))}


@lru_cache(maxsize=1)
def reference() -> list[ctc.Alignment]:
    """The pretrained mini's alignment of each test sentence in wideband."""
    pretrained = mini.build(runs.MAIN)
    return [ctc.align(pretrained, item)
            for item in runs.test_sets(TEST_SENTENCES, BANDS)["wideband"]]


def make(name: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """Errors of both branches and drift of the alignment, by audio, after a run."""
    tests = runs.test_sets(TEST_SENTENCES, BANDS)
    heard = runs.train_and_hear(ARMS[name], seed, tests)
    words, audio = runs.words(TEST_SENTENCES), {}
    for band, items in tests.items():
        drift = asdict(ctc.drift([ctc.align(heard.built, item) for item in items], reference()))
        audio[band] = {
            **{branch: {"errors": heard.errors[band][branch].tolist(), "words": words}
               for branch in BRANCHES},
            "drift": {key: round(value, 4) for key, value in drift.items()}}
    yield {"recipe": name, "seed": seed, "steps": len(heard.training.steps),
           "seconds": round(heard.training.seconds), "audio": audio}


def results() -> Results:
    """The recorded runs as error rates."""
    return Results(((row["recipe"], row["seed"],
                     {band: {branch: branches[branch]["errors"] for branch in BRANCHES}
                      for band, branches in row["audio"].items()})
                    for row in RECORDS.read()), RECORDS.command)


def drift(name: str, band: str) -> ctc.Drift:
    """Drift of the alignment, averaged over all recorded seeds of an arm."""
    every = [row["audio"][band]["drift"] for row in RECORDS.read() if row["recipe"] == name]
    return ctc.Drift(*(float(np.mean([measured[key] for measured in every])) for key in every[0]))


def show() -> None:
    """What is recorded, in the terminal."""
    recorded = results()
    for name in recorded.arms:
        for band in BANDS:
            print(f"{name:20s}{band:10s}{len(recorded.seeds(name))} seeds",
                  *(f"{branch} {recorded.rate(name, band, branch)}" for branch in BRANCHES),
                  drift(name, band), sep="  ")


RECORDING = Recording("helpers.experiments.ctc_training", RECORDS,
                      {(name, seed): [(name, seed)] for seed in SEEDS for name in ARMS}, make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
