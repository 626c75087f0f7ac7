"""One way to fine-tune and hear the mini. Every experiment of the book is a table of such arms.

An *arm* is a config with a few keys replaced and a choice of training speech. It starts from the
pretrained mini, trains through FunASR's own trainer (`helpers.training.finetune`), and is heard on
test sentences, by both branches, in one or more *bands*: versions of the same sentences.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from helpers.config import configs
from helpers.errors import BookError
from helpers.evaluation import decoding
from helpers.evaluation.decoding import BRANCHES
from helpers.experiments.results import packed
from helpers.model import ctc, mini, spec_augment
from helpers.speech import corpus, manifests
from helpers.telephone.channel import Channel, call_set
from helpers.training import finetune

MAIN, STAGE1 = configs.FINE_TUNING
SEEDS = (0, 1, 2)
MORE_SEEDS = (*SEEDS, 3, 4)
"""Where the recommendation is chosen."""
LOSSY = Channel(loss=0.1, burst=2.0)
CHANNELS = {"telephone": Channel(), "wideband": None, "lossy calls": LOSSY}
"""What the sentences of each band went through."""
BANDS = tuple(CHANNELS)
LONGEST_FRAMES = 300
"""Longest utterance of most arms' training, in 10 ms frames."""
TEST_SENTENCES = 120
VALID_SENTENCES = 20
PACE: dict[str, Any] = {"optim_conf.lr": 5e-4, "scheduler_conf.warmup_steps": 20}
"""The book's short run."""
AT_THE_END = {"train_conf.validate_interval": 10**6, "train_conf.save_checkpoint_interval": 10**6}
"""Validate and save after each epoch and not within."""
WRAPPERS = {"": nullcontext, "ctc": ctc.instead_of_original, "masks": spec_augment.switched_on}


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        keys: dotted keys to replace: what the arm is about.
        steps: optimizer steps, or 0 to train nothing; None takes what the utterances give.
        epochs: passes over the training utterances.
        config: the config's name, path or content.
        pace: dotted keys that all arms of a table replace.
        utterances: train on the first so many of the set; without it a seed draws as many as fill
            the batches of `steps`.
        longest: longest training utterance, in 10 ms frames.
        channel: what the training speech went through.
        replay: share of the training utterances that are wideband instead.
        valid: utterances to validate on.
        wrapper: "ctc" trains FunASR's class with a CTC term, "masks" with a live `specaug`.
    """

    name: str
    title: str = ""
    keys: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None
    epochs: int = 3
    config: configs.ConfigLike = MAIN
    pace: Mapping[str, Any] = field(default_factory=lambda: PACE | AT_THE_END)
    utterances: int | None = None
    longest: int = LONGEST_FRAMES
    channel: Channel = Channel()
    replay: float = 0.0
    valid: int = VALID_SENTENCES
    wrapper: str = ""

    @property
    def settings(self):
        """The config that FunASR gets."""
        return finetune.with_overrides(self.config, finetune.SHORT_RUN, dict(self.pace),
                                       {"train_conf.max_epoch": self.epochs}, dict(self.keys))


def build(arm: Arm) -> mini.Built:
    """A fresh pretrained mini under an arm's config."""
    with WRAPPERS[arm.wrapper]():
        return mini.build(arm.settings)


def training_list(arm: Arm, seed: int = 0) -> list[dict]:
    """The utterances that an arm trains on.

    FunASR's sampler closes a batch at `batch_size_sample_max` utterances, its first one a sample
    earlier. Of two amounts drawn with one seed, the smaller is part of the larger; no sentence is
    there both as telephone speech and in wideband.

    Raises:
        BookError: the steps are not equal epochs, or the corpus has fewer utterances.
    """
    pool = [item for item in call_set("adapt", arm.channel) if item["speech_length"] <= arm.longest]
    if arm.utterances:
        return pool[:arm.utterances]
    steps, rest = divmod(arm.steps or 0, arm.epochs)
    if rest:
        raise BookError(f"{arm.name}: {arm.steps} steps are not {arm.epochs} equal epochs: choose "
                        "numbers that divide.")
    merged = configs.merge_over("pretrained", arm.settings)
    size = steps * merged.dataset_conf.batch_size_sample_max - 1
    if size > len(pool):
        raise BookError(f"{arm.name}: {size} utterances of up to {arm.longest} frames are needed "
                        f"and there are {len(pool)}: ask for fewer steps an epoch.")
    chosen = random.Random(seed).sample(pool, len(pool))[:size]
    wide = {item["key"]: item for item in corpus.load_set("adapt")}
    replayed = round(arm.replay * size)
    return [*(wide[item["key"]] for item in chosen[:replayed]), *chosen[replayed:]]


def train(arm: Arm, seed: int = 0, built: mini.Built | None = None) -> finetune.Run | None:
    """Fine-tune a model, a fresh one if none is given; None where the arm trains nothing.

    Raises:
        BookError: FunASR's sampler made another number of batches than the arm asks for.
    """
    if arm.steps == 0:
        return None
    run = finetune.run(built or build(arm), training_list(arm, seed),
                       call_set("valid", CHANNELS["telephone"], arm.valid),
                       f"{arm.name}_{seed}".replace(" ", "_").replace(",", ""), seed,
                       checkpoints=False)
    if arm.steps and len(run.steps) != arm.steps:
        raise BookError(f"{arm.name}: {len(run.steps)} steps were done and {arm.steps} were asked "
                        "for: widen the limits of dataset_conf.")
    return run


@lru_cache(maxsize=8)
def test_sets(limit: int = TEST_SENTENCES, bands: tuple[str, ...] = BANDS) -> dict[str, list[dict]]:
    """The same test sentences in every band."""
    return {band: call_set("test", CHANNELS[band], limit) for band in bands}


def words(limit: int = TEST_SENTENCES) -> list[int]:
    """Reference words of each test sentence."""
    return [len(manifests.transcript(item).split()) for item in corpus.load_set("test")[:limit]]


@dataclass(frozen=True)
class Heard:
    """A trained arm and what it hears.

    Attributes:
        training: its training; None where it had none.
        errors: band to branch to word errors of each sentence, shape (sentences,).
        seconds: of training and hearing.
    """

    built: mini.Built
    training: finetune.Run | None
    errors: dict[str, dict[str, np.ndarray]]
    seconds: int


def train_and_hear(arm: Arm, seed: int, tests: Mapping[str, Sequence[dict]],
                   branches: Sequence[str] = BRANCHES,
                   state: Mapping[str, Any] | None = None) -> Heard:
    """Train an arm once and hear it.

    Args:
        tests: from `test_sets`.
        state: weights to start from; the pretrained ones without it. LoRA's may be left out.
    """
    started = time.perf_counter()
    built = build(arm)
    if state is not None:
        lora_weights = {name: weight for name, weight in built.model.state_dict().items()
                        if ".lora_" in name}
        built.model.load_state_dict({**lora_weights, **state})
    training = train(arm, seed, built)
    errors = decoding.hear(built, tests, branches)
    return Heard(built, training, errors, round(time.perf_counter() - started))


def written(errors: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, str]]:
    """Word errors as recorded rows hold them: a line of numbers for each band and branch."""
    return {band: {branch: packed(counts) for branch, counts in row.items()}
            for band, row in errors.items()}
