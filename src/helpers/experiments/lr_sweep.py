"""Learning rates and weight decays tried on the mini, through FunASR's trainer, and recorded.

`python -m helpers.experiments.lr_sweep --record` runs what `results/learning_rate_sweep.json`
lacks, one row a run, seed after seed; `--jobs 2` makes two side by side.

Three groups of arms:

- `rate`: the main config at several peak rates, with a warm-up that fits the short run;
- `as written`: each config's own rate, warm-up, weight decay and betas in the main config, in the
  same short run, so that nothing else differs;
- `decay`: several weight decays on few utterances, many times over, so that there is overfitting.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from helpers.config import configs
from helpers.errors import BookError
from helpers.experiments import runs
from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.experiments.results import Results
from helpers.experiments.runs import PACE, SEEDS
from helpers.paths import RESULTS

RECORDS = RunRecords(RESULTS / "learning_rate_sweep.json",
                     "python -m helpers.experiments.lr_sweep --record",
                     ("group", "label", "seed"))
RATES = (5e-6, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3)
DECAYS = (0.0, 0.01, 1.0, 10.0)
WARMUP = {"scheduler_conf.warmup_steps": PACE["scheduler_conf.warmup_steps"]}
UTTERANCES = 200
TEST_SENTENCES = 96
Arm = partial(runs.Arm, pace=runs.AT_THE_END, utterances=UTTERANCES, valid=40)


def own_keys(name: str) -> dict[str, Any]:
    """What a config says of optimizer and scheduler, as dotted keys."""
    flat = configs.flatten(configs.load(name))
    return {key: value for key, value in flat.items()
            if key.startswith(("optim_conf.", "scheduler_conf."))}


ARMS: dict[tuple[str, str], runs.Arm] = {
    **{("rate", f"{rate:g}"): Arm(f"rate {rate:g}", keys={**WARMUP, "optim_conf.lr": rate})
       for rate in RATES},
    **{("as written", name): Arm(f"as written {name}", keys=own_keys(name))
       for name in configs.CONFIG_NAMES},
    **{("decay", f"{decay:g}"): Arm(
        f"decay {decay:g}", keys={**WARMUP, "optim_conf.lr": PACE["optim_conf.lr"],
                                  "optim_conf.weight_decay": decay}, utterances=40, epochs=12)
       for decay in DECAYS}}
"""Group and label to arm."""
KEYS = {arm.name: key for key, arm in ARMS.items()}


def training_items(utterances: int) -> list[dict]:
    """The first short telephone utterances of the set to adapt on."""
    return runs.training_list(Arm("some", utterances=utterances))


def make(name: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """Run an arm and hear the telephone test sentences with the CTC branch."""
    group, label = KEYS[name]
    arm = ARMS[group, label]
    heard = runs.train_and_hear(arm, seed, runs.test_sets(TEST_SENTENCES, ("telephone",)), ("ctc",))
    training = heard.training
    yield {"group": group, "label": label, "seed": seed, "steps": len(training.steps),
           "keys": dict(arm.keys), "losses": [round(step.loss, 4) for step in training.steps],
           "validation": [asdict(validation) for validation in training.validations],
           "errors": heard.errors["telephone"]["ctc"].tolist(),
           "words": runs.words(TEST_SENTENCES), "seconds": round(training.seconds)}


def group(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    """Label to the rows of all its seeds, of one group, in the order of the record."""
    chosen = [row for row in rows if row["group"] == name]
    if not chosen:
        raise BookError(f"No run of the group `{name}` is recorded.")
    return {label: [row for row in chosen if row["label"] == label]
            for label in dict.fromkeys(row["label"] for row in chosen)}


def results() -> Results:
    """The recorded runs as error rates; an arm is a group and a label."""
    return Results((((row["group"], row["label"]), row["seed"],
                     {"telephone": {"ctc": row["errors"]}})
                    for row in RECORDS.read()), RECORDS.command)


def final_loss(row: Mapping[str, Any]) -> float:
    """Validation loss at the end of a recorded run."""
    return row["validation"][-1]["loss"]


def generalisation_gap(row: Mapping[str, Any]) -> float:
    """Validation loss at the end of a recorded run minus its training loss in the last epoch."""
    batches = row["steps"] // len(row["validation"])
    return final_loss(row) - float(np.mean(row["losses"][-batches:]))


def show() -> None:
    """What is recorded, in the terminal."""
    recorded = results()
    for arm in recorded.arms:
        losses = [final_loss(row) for row in group(RECORDS.read(), arm[0])[arm[1]]]
        print(f"{arm[0]:11s}{arm[1]:22s}{len(losses)} seeds  {np.mean(losses):.3f}  "
              f"{recorded.rate(arm, 'telephone', 'ctc')}")


RECORDING = Recording("helpers.experiments.lr_sweep", RECORDS,
                      {(arm.name, seed): [(*key, seed)] for seed in SEEDS
                       for key, arm in ARMS.items()}, make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
