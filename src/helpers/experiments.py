"""What decides how well the mini hears calls after fine-tuning: one change at a time, with seeds.

An *arm* is the main config with a few keys replaced and a choice of training data; it starts from
the pretrained mini and trains through FunASR's own trainer (`helpers.finetune`). An *experiment*
is a question and the arms that answer it. All arms of an experiment take the same number of
optimizer steps; all are heard on the same test sentences, by both branches: in wideband, as a call
delivers them, and as a call that loses packets does.

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
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from helpers import configs, corpus, ctc, evaluate, finetune, mini, spec_augment
from helpers.errors import BookError, one_sentence
from helpers.paths import RESULTS
from helpers.provenance import provenance
from helpers.run_records import RunRecords, add_share_options, mine
from helpers.telephone import Channel, call_set, telephone_set

MAIN = configs.FINE_TUNING[0]
COMMAND = "python -m helpers.experiments --record"
RECORDS = RunRecords(RESULTS / "experiments.json", COMMAND, ("arm", "seed"))
SEEDS = (0, 1, 2)
BRANCHES = ("llm", "ctc")
LOSSY = Channel(loss=0.1, burst=2.0)
BANDS = ("telephone", "wideband", "lossy calls")
TEST_SENTENCES = 120
VALID_SENTENCES = 20
STEPS = 60
BATCH = 15
"""Utterances in a batch, `dataset_conf.batch_size_sample_max`: the main config's."""
SHORT = 300
"""Longest utterance of most arms, in 10 ms frames."""
LONGEST, FRAMES_A_MINUTE = 1400, 6000
PACE: dict[str, Any] = {
    "optim_conf.lr": 5e-4, "scheduler_conf.warmup_steps": 20,
    "dataset_conf.batch_size": 30000, "dataset_conf.batch_size_token_max": 30000,
    "dataset_conf.max_token_length": 4000,
    "train_conf.validate_interval": 10**6, "train_conf.save_checkpoint_interval": 10**6}
"""The book's short run, and limits so wide that every batch holds BATCH utterances."""
BLOCKS = ("encoders0.0", *(f"encoders.{n}" for n in range(5)),
          *(f"tp_encoders.{n}" for n in range(2)))
"""The blocks of the mini's encoder, from the sound up."""


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        name: its name in the recorded file, unique.
        title: its name for the reader.
        keys: dotted keys to replace in the main config at the mini's pace.
        steps: optimizer steps.
        epochs: passes over the training utterances; steps / epochs batches make one.
        longest: longest training utterance, in 10 ms frames.
        channel: what the training speech went through.
        wrapper: "ctc" trains FunASR's class with a CTC term, "masks" with a live `specaug`.
    """

    name: str
    title: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    steps: int = STEPS
    epochs: int = 3
    longest: int = SHORT
    channel: Channel = Channel()
    wrapper: str = ""


@dataclass(frozen=True)
class Experiment:
    """A question and the arms that answer it.

    Attributes:
        name: as in the recorded file's order.
        title: for the reader.
        arms: names, in the order of the answer.
        against: the arm that the others are compared with.
        bands: what is worth showing.
        names: other titles that arms have among these.
    """

    name: str
    title: str
    arms: tuple[str, ...]
    against: str
    bands: tuple[str, ...] = BANDS[:2]
    names: Mapping[str, str] = field(default_factory=dict)

    def title_of(self, arm: str) -> str:
        """What an arm is called among these."""
        return self.names.get(arm, ARMS[arm].title)


def _frozen(encoder: bool, adaptor: bool, llm: bool, **more: Any) -> dict[str, Any]:
    return {"audio_encoder_conf.freeze": encoder, "audio_adaptor_conf.freeze": adaptor,
            "llm_conf.freeze": llm, **more}


LORA = _frozen(True, True, True, **{"llm_conf.use_lora": True})
FASTER = {"optim_conf.lr": 4 * PACE["optim_conf.lr"]}
RATES = (5e-5, 1e-4, 2e-4, 1e-3, 2e-3, 5e-3)
FROZEN_BLOCKS = (2, 4, 6, 7)
ALL_LENGTHS = {"longest": LONGEST, "epochs": 4}
EPOCHS_OF_AMOUNT = (105, 35, 15, 7, 3)
AMOUNT_STEPS = 105
MASKS = {"specaug": "SpecAugLFR"}


def masks(width: tuple[int, int], number: int, bins: int = 0) -> dict[str, Any]:
    """Keys for time masks of these widths in LFR frames, and frequency masks of up to `bins`."""
    conf = {"apply_time_warp": False, "apply_freq_mask": bins > 0,
            "freq_mask_width_range": [0, bins or 1], "num_freq_mask": 2 if bins else 0,
            "apply_time_mask": True, "time_mask_width_range": list(width),
            "num_time_mask": number}
    return {**MASKS, **{f"specaug_conf.{key}": value for key, value in conf.items()}}


ARMS = {arm.name: arm for arm in (
    Arm("none", "nothing", steps=0),
    Arm("encoder", "encoder"),
    Arm("adaptor", "adaptor", _frozen(True, False, True)),
    Arm("adaptor_faster", "adaptor, 4 × the rate", _frozen(True, False, True) | FASTER),
    Arm("encoder_adaptor", "encoder and adaptor", _frozen(False, False, True)),
    Arm("lora", "LLM by LoRA", LORA),
    Arm("lora_faster", "LLM by LoRA, 4 × the rate", LORA | FASTER),
    Arm("all", "encoder, adaptor and LLM", _frozen(False, False, False)),
    *(Arm(f"frozen_{count}", f"{count} of {len(BLOCKS)} blocks frozen",
          {"freeze_param": ",".join(f"audio_encoder.{block}" for block in BLOCKS[:count])})
      for count in FROZEN_BLOCKS),
    *(Arm(f"rate_{rate:g}", f"{rate:g}", {"optim_conf.lr": rate}) for rate in RATES),
    Arm("fs_8000_untrained", "fs 8000, nothing trained", {"frontend_conf.fs": 8000}, steps=0),
    Arm("fs_8000", "fs 8000", {"frontend_conf.fs": 8000}),
    Arm("ctc_term", "with a CTC term", {"detach_ctc_decoder": False}, wrapper="ctc"),
    Arm("ctc_detached", "with a detached CTC term", {"detach_ctc_decoder": True}, wrapper="ctc"),
    Arm("no_specaug", "no specaug key", {"specaug": None}),
    Arm("masks_main", "the main config's masks, applied", wrapper="masks"),
    Arm("masks_gaps", "masks as long as gaps", masks((1, 4), 2), wrapper="masks"),
    Arm("masks_long", "long masks", masks((4, 12), 2), wrapper="masks"),
    Arm("masks_both", "masks as long as gaps, and of bins", masks((1, 4), 2, 20),
        wrapper="masks"),
    Arm("trained_lossy", "trained on calls that lose packets", channel=LOSSY),
    Arm("up_to_2s", "up to 2.5 s", longest=250, epochs=4),
    Arm("up_to_4s", "up to 4 s", longest=400, epochs=4),
    Arm("all_lengths", "all, up to 14 s", **ALL_LENGTHS),
    Arm("all_lengths_small", "all, batches of as many seconds",
        {"dataset_conf.batch_size_sample_max": 9}, **ALL_LENGTHS),
    *(Arm(f"amount_{AMOUNT_STEPS // epochs * BATCH - 1}",
          f"{AMOUNT_STEPS // epochs * BATCH - 1} utterances", steps=AMOUNT_STEPS, epochs=epochs,
          longest=600) for epochs in EPOCHS_OF_AMOUNT),
)}
"""Every arm, by name."""

EXPERIMENTS = {one.name: one for one in (
    Experiment("parts", "Which part trains", (
        "none", "adaptor", "adaptor_faster", "lora", "lora_faster", "encoder",
        "encoder_adaptor", "all"), "encoder"),
    Experiment("frozen", "Encoder blocks frozen from below", (
        "encoder", *(f"frozen_{count}" for count in FROZEN_BLOCKS), "none"), "encoder",
        names={"encoder": "none frozen", "none": "nothing trained"}),
    Experiment("rate", "Peak learning rate", (
        *(f"rate_{rate:g}" for rate in RATES if rate < PACE["optim_conf.lr"]), "encoder",
        *(f"rate_{rate:g}" for rate in RATES if rate > PACE["optim_conf.lr"])), "encoder",
        names={"encoder": f"{PACE['optim_conf.lr']:g}"}),
    Experiment("sample_rate", "Rate of the frontend", (
        "none", "fs_8000_untrained", "encoder", "fs_8000"), "encoder",
        names={"none": "fs 16000, nothing trained", "encoder": "fs 16000"}),
    Experiment("ctc", "A CTC term", ("encoder", "ctc_detached", "ctc_term"), "encoder",
               names={"encoder": "no CTC term"}),
    Experiment("specaug", "SpecAug", (
        "no_specaug", "encoder", "masks_main", "masks_gaps", "masks_both", "masks_long",
        "trained_lossy"), "no_specaug", BANDS,
        names={"encoder": "as configured"}),
    Experiment("lengths", "Lengths of the training utterances", (
        "up_to_2s", "up_to_4s", "all_lengths", "all_lengths_small"), "all_lengths"),
    Experiment("amount", "Amount of telephone speech", (
        "none", *(name for name in ARMS if name.startswith("amount_"))),
        f"amount_{AMOUNT_STEPS // EPOCHS_OF_AMOUNT[-1] * BATCH - 1}"),
)}


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
            heard = evaluate.decode(built, items, branch)
            found.setdefault(band, {})[branch] = evaluate.error_counts(
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


def shortened(arm: Arm, steps: int, epochs: int = 1) -> Arm:
    """The same arm with fewer steps."""
    return replace(arm, steps=min(steps, arm.steps), epochs=epochs)


def wanted(names: Sequence[str] | None = None,
           seeds: Sequence[int] | None = None) -> list[tuple[str, int]]:
    """Arms and seeds, seed after seed; an arm that trains nothing needs one seed.

    Raises:
        BookError: there is no such arm.
    """
    unknown = set(names or ()) - set(ARMS)
    if unknown:
        raise BookError(f"There is no arm {', '.join(sorted(unknown))}: choose from "
                        f"{', '.join(ARMS)}.")
    return [(name, seed) for seed in seeds or SEEDS for name in names or ARMS
            if ARMS[name].steps or seed == (seeds or SEEDS)[0]]


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
    from helpers.notebook import setup

    setup()
    torch.set_num_threads(1)
    runs = wanted(options.only, options.seed)
    if options.record:
        passed = [f"--{name}={value}" for name in ("only", "seed")
                  for value in getattr(options, name) or ()]
        record(mine(runs, options, "helpers.experiments", ["--record", *passed]))
    if not options.share:
        from helpers.experiment_results import print_tables

        print_tables()
    return 0


if __name__ == "__main__":
    sys.exit(main())
