"""Learning rates and weight decays tried on the mini, through FunASR's trainer, and recorded.

`python -m helpers.experiments.lr_sweep --record` runs what `results/learning_rate_sweep.json`
lacks, one row a run, seed after seed; `--jobs 2` makes two side by side.

Three groups of runs:

- `rate`: the main config at several peak rates, with a warm-up that fits the short run;
- `as written`: each config's own rate, warm-up, weight decay and betas in the main config, in the
  same short run, so that nothing else differs;
- `decay`: several weight decays on few utterances, many times over, so that there is overfitting.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from helpers.config import configs
from helpers.errors import BookError, one_sentence
from helpers.evaluation import decoding, error_rates
from helpers.evaluation.error_rates import ErrorRate
from helpers.experiments.records import RunRecords, add_share_options, mine
from helpers.model import mini
from helpers.paths import RESULTS
from helpers.telephone.channel import telephone_set
from helpers.training import finetune

MAIN, STAGE1 = configs.FINE_TUNING
RECORDS = RunRecords(RESULTS / "learning_rate_sweep.json",
                     "python -m helpers.experiments.lr_sweep --record",
                     ("group", "label", "seed"))
SEEDS = (0, 1, 2)
RATES = (5e-6, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3)
DECAYS = (0.0, 0.01, 1.0, 10.0)
MINI_RATE = 5e-4
"""The peak rate of the book's other short runs."""
WARMUP = 20
LONGEST_FRAMES = 300
"""Longest utterance to train on, in 10 ms frames."""
TEST_SENTENCES = 96
VALID_SENTENCES = 40


@dataclass(frozen=True)
class Trial:
    """One run to make.

    Attributes:
        group: `rate`, `as written` or `decay`.
        label: what is tried, such as `0.0005`; unique in its group.
        config: the config's name.
        keys: dotted keys to replace.
        utterances: size of the training set.
        epochs: passes over it.
    """

    group: str
    label: str
    config: str
    keys: dict[str, Any] = field(default_factory=dict)
    utterances: int = 200
    epochs: int = 3


def trials() -> list[Trial]:
    """Every run that one seed makes."""
    pace = {"scheduler_conf.warmup_steps": WARMUP}
    return [
        *(Trial("rate", f"{rate:g}", MAIN, {**pace, "optim_conf.lr": rate}) for rate in RATES),
        *(Trial("as written", name, MAIN, own_keys(name)) for name in configs.CONFIG_NAMES),
        *(Trial("decay", f"{decay:g}", MAIN,
                {**pace, "optim_conf.lr": MINI_RATE, "optim_conf.weight_decay": decay}, 40, 12)
          for decay in DECAYS)]


def own_keys(name: str) -> dict[str, Any]:
    """What a config says of optimizer and scheduler, as dotted keys."""
    flat = configs.flatten(configs.load(name))
    return {key: value for key, value in flat.items()
            if key.startswith(("optim_conf.", "scheduler_conf."))}


@lru_cache(maxsize=4)
def training_items(utterances: int) -> tuple[dict, ...]:
    """The first short telephone utterances of the set to adapt on."""
    short = [item for item in telephone_set("adapt") if item["speech_length"] <= LONGEST_FRAMES]
    return tuple(short[:utterances])


def run(trial: Trial, seed: int = 0, progress: str | None = None) -> finetune.Run:
    """Fine-tune a fresh mini as the trial says."""
    config = finetune.with_overrides(trial.config, finetune.SHORT_RUN, trial.keys,
                                     {"train_conf.max_epoch": trial.epochs,
                                      "train_conf.validate_interval": 10**6,
                                      "train_conf.save_checkpoint_interval": 10**6})
    return finetune.run(mini.build(config), training_items(trial.utterances),
                        telephone_set("valid", VALID_SENTENCES), f"lr_{trial.group}_{trial.label}",
                        seed, progress, checkpoints=False)


def record_one(trial: Trial, seed: int) -> dict[str, Any]:
    """Run a trial, decode the telephone test sentences with the CTC branch, store the row."""
    from helpers.experiments.provenance import provenance

    done = run(trial, seed)
    heard = decoding.decode(done.built, telephone_set("test", TEST_SENTENCES), "ctc")
    errors, words = error_rates.error_counts([one.reference for one in heard],
                                          [one.ctc for one in heard])
    row = {"group": trial.group, "label": trial.label, "seed": seed, "steps": len(done.steps),
           "keys": trial.keys, "losses": [round(step.loss, 4) for step in done.steps],
           "validation": [asdict(one) for one in done.validations],
           "errors": errors.tolist(), "words": words.tolist(), "seconds": round(done.seconds),
           "provenance": provenance(RECORDS.command, seed=seed)}
    order = [(one.group, one.label) for one in trials()]
    RECORDS.add(row, lambda one: (order.index((one["group"], one["label"])), one["seed"]))
    return row


def group(rows: Sequence[dict[str, Any]], name: str) -> dict[str, list[dict[str, Any]]]:
    """Label to the rows of all its seeds, of one group, in the order of the trials."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["group"] == name:
            found.setdefault(row["label"], []).append(row)
    if not found:
        raise BookError(f"No run of the group `{name}` is recorded.")
    return found


def final_loss(row: dict[str, Any]) -> float:
    """Validation loss at the end of a recorded run."""
    return row["validation"][-1]["loss"]


def generalisation_gap(row: dict[str, Any]) -> float:
    """Validation loss at the end of a recorded run minus its training loss in the last epoch."""
    batches = row["steps"] // len(row["validation"])
    return final_loss(row) - float(np.mean(row["losses"][-batches:]))


def error_rate(rows: Sequence[dict[str, Any]]) -> ErrorRate:
    """Word error rate of the CTC branch over all seeds, sentences resampled with 95 % interval."""
    errors = np.mean([row["errors"] for row in rows], axis=0)
    return error_rates.rate_of_counts(errors, np.array(rows[0]["words"]))


def wanted() -> list[tuple[Trial, int]]:
    """Every trial with every seed: seed after seed, the small sets first."""
    every = [(trial, seed) for seed in SEEDS for trial in trials()]
    return sorted(every, key=lambda one: (one[1], bool(one[1]) * -one[0].epochs))


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments.lr_sweep",
                                     description=__doc__)
    parser.add_argument("--record", action="store_true", help="run what the record lacks")
    add_share_options(parser)
    options = parser.parse_args(arguments)
    from helpers.session import setup

    setup()
    torch.set_num_threads(1)
    if options.record:
        for trial, seed in mine(wanted(), options, "helpers.experiments.lr_sweep", ["--record"]):
            if (trial.group, trial.label, seed) not in RECORDS.keys():
                row = record_one(trial, seed)
                print(f"{trial.group} {trial.label}, seed {seed}: {row['steps']} steps, "
                      f"validation {final_loss(row):.3f}, {row['seconds']} s", flush=True)
    if not options.share:
        for name in dict.fromkeys(row["group"] for row in RECORDS.read()):
            for label, rows in group(RECORDS.read(), name).items():
                print(f"{name:11s}{label:22s}{len(rows)} seeds  "
                      f"{np.mean([final_loss(row) for row in rows]):.3f}  {error_rate(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
