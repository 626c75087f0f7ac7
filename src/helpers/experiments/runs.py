"""What decides how well the mini hears calls after fine-tuning: one change at a time, with seeds.

An *arm* is the main config with a few keys replaced and a choice of training data; it starts from
the pretrained mini and trains through FunASR's own trainer (`helpers.training.finetune`). An
*experiment* is a question and the arms that answer it. All arms of an experiment take the same
number of optimizer steps; all are heard on the same test sentences, by both branches: in wideband,
as a call delivers them, and as a call that loses packets does.

`python -m helpers.experiments --record --jobs 2` makes the runs that `results/experiments.json`
lacks and stores each the moment it is done. Without `--record` it prints what is recorded.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from helpers.errors import BookError, one_sentence
from helpers.evaluation import decoding, error_rates
from helpers.experiments.arms import (
    ARMS,
    BANDS,
    BATCH,
    BRANCHES,
    COMMAND,
    FRAMES_A_MINUTE,
    LOSSY,
    MAIN,
    PACE,
    RECORDS,
    Arm,
    wanted,
)
from helpers.experiments.provenance import provenance
from helpers.experiments.records import add_share_options, mine
from helpers.model import ctc, mini, spec_augment
from helpers.speech import corpus
from helpers.telephone.channel import call_set, telephone_set
from helpers.training import finetune

TEST_SENTENCES = 120
VALID_SENTENCES = 20


def training_list(arm: Arm, seed: int) -> list[dict]:
    """The utterances that an arm trains on: as many as fill its batches.

    FunASR's sampler closes a batch at `batch_size_sample_max` utterances, its first one a sample
    earlier. A seed draws them; of two amounts drawn with one seed, the smaller is part of the
    larger.

    Raises:
        BookError: the corpus has fewer.
    """
    steps, rest = divmod(arm.steps, arm.epochs)
    if rest:
        raise BookError(f"{arm.name}: {arm.steps} steps are not {arm.epochs} equal epochs: choose "
                        "numbers that divide.")
    size = steps * arm.keys.get("dataset_conf.batch_size_sample_max", BATCH) - 1
    some = [item for item in call_set("adapt", arm.channel) if item["speech_length"] <= arm.longest]
    if size > len(some):
        raise BookError(f"{arm.name}: {size} utterances of up to {arm.longest} frames are needed "
                        f"and there are {len(some)}: ask for fewer steps an epoch.")
    return random.Random(seed).sample(some, len(some))[:size]


@lru_cache(maxsize=4)
def test_sets(limit: int = TEST_SENTENCES) -> dict[str, list[dict]]:
    """The same test sentences in every band."""
    return {"telephone": telephone_set("test", limit), "wideband": corpus.load_set("test")[:limit],
            "lossy calls": call_set("test", LOSSY, limit)}


def build(arm: Arm) -> mini.Built:
    """A fresh pretrained mini under an arm's config."""
    config = finetune.with_overrides(MAIN, finetune.SHORT_RUN, PACE,
                                     {"train_conf.max_epoch": arm.epochs}, dict(arm.keys))
    wrappers = {"": nullcontext, "ctc": ctc.instead_of_original, "masks": spec_augment.switched_on}
    with wrappers[arm.wrapper]():
        return mini.build(config)


def train(arm: Arm, seed: int, progress: str | None = None) -> finetune.Run | None:
    """Run an arm; None where it trains nothing.

    Raises:
        BookError: FunASR's sampler made another number of batches than the arm asks for.
    """
    if not arm.steps:
        return None
    done = finetune.run(build(arm), training_list(arm, seed),
                        telephone_set("valid", VALID_SENTENCES), f"experiment_{arm.name}_{seed}",
                        seed, progress, checkpoints=False)
    if len(done.steps) != arm.steps:
        raise BookError(f"{arm.name}: {len(done.steps)} steps were done and {arm.steps} were asked "
                        "for: widen the limits of dataset_conf.")
    return done


def hear(built: mini.Built, tests: Mapping[str, Sequence[dict]],
         branches: Sequence[str] = BRANCHES) -> dict[str, dict[str, np.ndarray]]:
    """Word errors of each test sentence: band to branch to integers of shape (sentences,)."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for band, items in tests.items():
        for branch in branches:
            heard = decoding.decode(built, items, branch)
            found.setdefault(band, {})[branch] = error_rates.error_counts(
                [one.reference for one in heard], [getattr(one, branch) for one in heard])[0]
    return found


def run(arm: Arm, seed: int, limit: int = TEST_SENTENCES, branches: Sequence[str] = BRANCHES,
        bands: Sequence[str] = BANDS, progress: str | None = None) -> dict[str, Any]:
    """Train and hear one arm: its row, without where it comes from."""
    started = time.perf_counter()
    done = train(arm, seed, progress)
    built = done.built if done else build(arm)
    learning = [parameter.numel() for parameter in built.model.parameters()
                if parameter.requires_grad]
    heard = sum(item["speech_length"] for item in training_list(arm, seed)) if done else 0
    errors = hear(built, {band: test_sets(limit)[band] for band in bands}, branches)
    return {
        "arm": arm.name, "seed": seed, "steps": arm.steps, "may_learn": sum(learning),
        "training_minutes": round(heard / FRAMES_A_MINUTE, 2),
        "keys": dict(arm.keys),
        "training_loss": round(float(np.mean([step.loss for step in done.steps[-10:]])), 4)
        if done else None,
        "validation_loss": round(done.validations[-1].loss, 4) if done else None,
        "errors": {band: {branch: " ".join(map(str, counts)) for branch, counts in row.items()}
                   for band, row in errors.items()},
        "seconds": round(time.perf_counter() - started)}


def record(runs: Sequence[tuple[str, int]]) -> None:
    """Make the runs that the file lacks."""
    order = list(ARMS)
    for name, seed in runs:
        if (name, seed) in RECORDS.keys():
            continue
        row = run(ARMS[name], seed)
        made = provenance(f"{COMMAND} --only {name} --seed {seed}", seed=seed)
        RECORDS.add({**row, "provenance": made},
                    order=lambda one: (order.index(one["arm"]), one["seed"]))
        print(f"{name}, seed {seed}: {row['seconds']} s", flush=True)


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments", description=__doc__)
    parser.add_argument("--record", action="store_true", help="make the runs that are lacking")
    parser.add_argument("--only", action="append", metavar="ARM", help="only this arm")
    parser.add_argument("--seed", action="append", type=int, metavar="S", help="only this seed")
    add_share_options(parser)
    options = parser.parse_args(arguments)
    from helpers.session import setup

    setup()
    torch.set_num_threads(1)
    runs = wanted(options.only, options.seed)
    if options.record:
        passed = [f"--{name}={value}" for name in ("only", "seed")
                  for value in getattr(options, name) or ()]
        record(mine(runs, options, "helpers.experiments.runs", ["--record", *passed]))
    if not options.share:
        from helpers.experiments.results import print_tables

        print_tables()
    return 0


if __name__ == "__main__":
    sys.exit(main())
