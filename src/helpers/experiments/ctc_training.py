"""The mini fine-tuned on telephone speech with and without a CTC term, for several seeds.

`python -m helpers.experiments.ctc_training --record` runs what `results/ctc_training.json` lacks,
one row a run, seed after seed; `--jobs 2` makes two side by side. Without `--record` it prints what
is recorded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from helpers.config import configs
from helpers.errors import BookError, one_sentence
from helpers.evaluation import decoding, error_rates
from helpers.evaluation.error_rates import Difference, ErrorRate
from helpers.experiments.records import RunRecords, add_share_options, mine
from helpers.model import ctc, mini
from helpers.paths import RESULTS
from helpers.speech import corpus
from helpers.telephone.channel import telephone_set
from helpers.training import finetune

COMMAND = "python -m helpers.experiments.ctc_training --record"
RECORDS = RunRecords(RESULTS / "ctc_training.json", COMMAND, ("recipe", "seed"))
SEEDS = (0, 1, 2)
RECIPES: dict[str, dict[str, Any] | None] = {
    "encoder only": None,
    "CTC term, detached": {"detach_ctc_decoder": True},
    "CTC term": {"detach_ctc_decoder": False},
}
"""What each recipe sets on the class with the CTC term; None is FunASR's own class."""
PACE = {"optim_conf.lr": 5e-4, "scheduler_conf.warmup_steps": 20, "train_conf.max_epoch": 3,
        "train_conf.validate_interval": 10**6, "train_conf.save_checkpoint_interval": 10**6}
LONGEST_FRAMES = 300
UTTERANCES = 200
TEST_SENTENCES = 96


def run(recipe: str, seed: int, pace: Mapping[str, Any] = PACE) -> finetune.Run:
    """Fine-tune a fresh mini with the main config, as the recipe says.

    Raises:
        BookError: there is no such recipe.
    """
    if recipe not in RECIPES:
        raise BookError(f"There is no recipe `{recipe}`: choose one of {', '.join(RECIPES)}.")
    keys = RECIPES[recipe]
    with nullcontext() if keys is None else ctc.instead_of_original():
        built = mini.build(finetune.with_overrides(configs.FINE_TUNING[0], finetune.SHORT_RUN,
                                                   pace, keys or {}))
    short = [item for item in telephone_set("adapt") if item["speech_length"] <= LONGEST_FRAMES]
    return finetune.run(built, short[:UTTERANCES], telephone_set("valid", 8),
                        f"ctc_{recipe}_{seed}".replace(" ", "_").replace(",", ""), seed,
                        checkpoints=False)


def measure(built: mini.Built, reference: Sequence[ctc.Alignment]) -> dict[str, Any]:
    """Errors of both branches and drift of the alignment, by audio."""
    found = {}
    for band, items in test_sets().items():
        counts = {}
        for branch in ("ctc", "llm"):
            heard = decoding.decode(built, items, branch)
            errors, words = error_rates.error_counts([one.reference for one in heard],
                                                  [getattr(one, branch) for one in heard])
            counts[branch] = {"errors": errors.tolist(), "words": words.tolist()}
        drift = ctc.drift([ctc.align(built, item) for item in items], reference)
        found[band] = {**counts, "drift": {key: round(value, 4)
                                           for key, value in asdict(drift).items()}}
    return found


def test_sets() -> dict[str, list[dict]]:
    """The same test sentences in both bands."""
    return {"wideband": corpus.load_set("test")[:TEST_SENTENCES],
            "telephone": telephone_set("test", TEST_SENTENCES)}


def rows_of(recipe: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All seeds of a recipe.

    Raises:
        BookError: none is recorded.
    """
    found = [row for row in rows if row["recipe"] == recipe]
    if not found:
        raise BookError(f"No run of `{recipe}` is recorded: make it with `{COMMAND}`.")
    return found


def error_rate(rows: Sequence[dict[str, Any]], band: str, branch: str) -> ErrorRate:
    """Word error rate over all seeds of a recipe, sentences resampled with 95 % interval."""
    counts = [row["audio"][band][branch] for row in rows]
    return error_rates.rate_of_counts(np.mean([one["errors"] for one in counts], axis=0),
                                   np.array(counts[0]["words"]))


def drift(rows: Sequence[dict[str, Any]], band: str) -> ctc.Drift:
    """Drift of the alignment, averaged over all seeds of a recipe."""
    every = [row["audio"][band]["drift"] for row in rows]
    return ctc.Drift(*(float(np.mean([one[key] for one in every])) for key in every[0]))


def difference(rows: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]], band: str,
               branch: str) -> Difference:
    """Word error rate of `rows` minus that of `others`, on the same sentences."""
    first, second = (np.array([row["audio"][band][branch]["errors"] for row in some])
                     for some in (rows, others))
    return error_rates.difference(first, second, np.array(rows[0]["audio"][band][branch]["words"]))


def wanted() -> list[tuple[str, int]]:
    """Every recipe with every seed, seed after seed."""
    return [(recipe, seed) for seed in SEEDS for recipe in RECIPES]


def record_one(recipe: str, seed: int, reference: Sequence[ctc.Alignment]) -> dict[str, Any]:
    """Make one run, measure it and store the row."""
    from helpers.experiments.provenance import provenance

    done = run(recipe, seed)
    row = {"recipe": recipe, "seed": seed, "steps": len(done.steps),
           "seconds": round(done.seconds), "audio": measure(done.built, reference),
           "provenance": provenance(COMMAND, seed=seed)}
    RECORDS.add(row)
    return row


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments.ctc_training",
                                     description=__doc__)
    parser.add_argument("--record", action="store_true", help="run what the record lacks")
    add_share_options(parser)
    options = parser.parse_args(arguments)
    from helpers.session import setup

    setup()
    torch.set_num_threads(1)
    if options.record:
        pretrained = mini.build(configs.FINE_TUNING[0])
        reference = [ctc.align(pretrained, item) for item in test_sets()["wideband"]]
        for recipe, seed in mine(wanted(), options, "helpers.experiments.ctc_training",
                                 ["--record"]):
            if (recipe, seed) not in RECORDS.keys():
                row = record_one(recipe, seed, reference)
                print(f"{recipe}, seed {seed}: {row['steps']} steps in {row['seconds']} s",
                      flush=True)
    if not options.share:
        print_results()
    return 0


def print_results() -> None:
    """What is recorded, in the terminal."""
    for recipe in RECIPES:
        rows = rows_of(recipe, RECORDS.read())
        for band in rows[0]["audio"]:
            print(f"{recipe:20s}{band:10s}{len(rows)} seeds  ctc "
                  f"{error_rate(rows, band, 'ctc')}  llm {error_rate(rows, band, 'llm')}  "
                  f"{drift(rows, band)}")


if __name__ == "__main__":
    sys.exit(main())
