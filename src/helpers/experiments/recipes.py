"""The two recipes of the source document, and the book's own, run end to end on the mini.

A recipe is a list of phases. Each phase trains with one config, as an arm of
`helpers.experiments.runs`, and starts from the weights that the phase before it left. After each
phase both branches decode the same test sentences, as a call delivers them and in wideband.

`python -m helpers.experiments.recipes --record` runs every recipe with every seed and writes
`results/recipes.json`, one row for each run, as soon as the run is done. A run that is already in
the file is not repeated.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from omegaconf import DictConfig

from helpers.config import configs
from helpers.config.departures import RECOMMENDED
from helpers.errors import BookError
from helpers.evaluation.decoding import BRANCHES
from helpers.experiments import runs
from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.experiments.results import Results
from helpers.experiments.runs import MAIN, SEEDS, STAGE1, TEST_SENTENCES, Heard
from helpers.paths import CONFIGS, RESULTS
from helpers.training import finetune

RECORDS = RunRecords(RESULTS / "recipes.json", "python -m helpers.experiments.recipes --record",
                     ("recipe", "seed"))
BANDS = runs.BANDS[:2]
RATE_FACTOR = 10.0
"""The mini's learning rate for one of the config's. The same for all, so ratios stay."""
STEPS_FOR_ONE = 100
"""So many steps of the config's warm-up are one step here."""
STEPS_PER_EPOCH = 20
MIXED = 1 / 3
"""Share of wideband speech in the list that the recommended config is trained with."""
PUBLISHED_MAIN, PUBLISHED_STAGE1 = configs.PUBLISHED
TWICE_THE_RATE: dict[str, Any] = {"optim_conf.lr": 1e-4}
SECOND_STACK_FROZEN = {"freeze_param": "ctc,audio_encoder.tp_encoders,audio_encoder.tp_norm"}
DECIDING = ("main", "main_mixed", "faster_frozen")
"""The recipes between which the recommendation is chosen."""


@dataclass(frozen=True)
class Phase:
    """One stretch of training with one config, followed by a measurement.

    Attributes:
        label: what the measurement is called, such as "after stage 1".
        config: a config's name or path; its frontend also decodes.
        steps: optimizer steps, a multiple of STEPS_PER_EPOCH; with 0 nothing is trained.
        replay: share of the training utterances that are wideband; the rest is telephone speech.
        overrides: dotted keys of the config to replace, at the config's own pace.
    """

    label: str
    config: str
    steps: int
    replay: float = 0.0
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """A way from the pretrained model to one for the telephone, phase after phase."""

    name: str
    title: str
    phases: tuple[Phase, ...]

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)


RECIPES = {recipe.name: recipe for recipe in (
    Recipe("before", "before fine-tuning", (
        Phase("pretrained, main's frontend", MAIN, 0),
        Phase("pretrained, stage 1's frontend", STAGE1, 0))),
    Recipe("stage1", "stage 1", (Phase("after stage 1", STAGE1, 120),)),
    Recipe("main", "main config", (Phase("after the main config", MAIN, 120),)),
    Recipe("stage1_then_main", "stage 1, then main", (
        Phase("after stage 1", STAGE1, 40),
        Phase("at the switch", MAIN, 0),
        Phase("after stage 1, then main", MAIN, 80))),
    Recipe("published_stage1", "published stage 1", (
        Phase("after published stage 1", PUBLISHED_STAGE1, 120),)),
    Recipe("published_stage1_then_main", "published stage 1, then published main", (
        Phase("after published stage 1", PUBLISHED_STAGE1, 40),
        Phase("after published stage 1, then published main", PUBLISHED_MAIN, 80))),
    Recipe("main_mixed", "main config, mixed list", (
        Phase("after the main config, mixed list", MAIN, 120, replay=MIXED),)),
    Recipe("faster", "twice the rate, mixed list", (
        Phase("after twice the rate", RECOMMENDED, 120, replay=MIXED, overrides=TWICE_THE_RATE),)),
    Recipe("faster_frozen", "twice the rate, second stack frozen, mixed list", (
        Phase("after twice the rate, second stack frozen", RECOMMENDED, 120, replay=MIXED,
              overrides=TWICE_THE_RATE | SECOND_STACK_FROZEN),)),
    Recipe("faster_frozen_calls", "twice the rate, second stack frozen, calls alone", (
        Phase("after twice the rate, second stack frozen, calls alone", RECOMMENDED, 120,
              overrides=TWICE_THE_RATE | SECOND_STACK_FROZEN),)),
)}
"""All have the same number of steps. The configs give stage 1 half as many epochs as the main
config, and so do the recipes that have both."""

Stage = tuple[str, str]
"""A recipe's name and the label of one of its phases."""


def settings(config: str | DictConfig, epochs: int = 1) -> DictConfig:
    """A config at the pace of the mini: what it says, and a common factor on time and rate."""
    return runs.Arm("", config=config, pace=_pace(config), epochs=epochs).settings


def _pace(config: str | DictConfig) -> dict[str, Any]:
    merged = configs.merge_over("pretrained", config)
    return {"optim_conf.lr": RATE_FACTOR * merged.optim_conf.lr,
            "scheduler_conf.warmup_steps": max(1, round(merged.scheduler_conf.warmup_steps
                                                        / STEPS_FOR_ONE))}


def arm(phase: Phase, name: str = "recipe") -> runs.Arm:
    """A phase as an arm.

    Raises:
        BookError: the phase is not a whole number of epochs.
    """
    epochs, rest = divmod(phase.steps, STEPS_PER_EPOCH)
    if rest:
        raise BookError(f"{phase.label}: {phase.steps} steps are not whole epochs of "
                        f"{STEPS_PER_EPOCH}: give a multiple.")
    config = finetune.with_overrides(configs.load(phase.config), phase.overrides)
    return runs.Arm(name, config=config, pace=_pace(config), steps=phase.steps,
                    epochs=max(1, epochs), replay=phase.replay)


def training_list(config: str, seed: int, replay: float = 0.0) -> list[dict]:
    """The utterances of one epoch under a config, as many as fill its steps."""
    return runs.training_list(arm(Phase(config, config, STEPS_PER_EPOCH, replay)), seed)


def run(recipe: Recipe, seed: int, limit: int = TEST_SENTENCES,
        state: Mapping[str, Any] | None = None) -> list[Heard]:
    """Run a recipe once, and measure after each phase.

    Args:
        seed: draws the training utterances, and seeds dropout and dither.
        state: weights to start from; the pretrained mini's without it.
    """
    heard = []
    for number, phase in enumerate(recipe.phases):
        heard.append(runs.train_and_hear(arm(phase, f"{recipe.name} {number}"), seed,
                                         runs.test_sets(limit, BANDS), state=state))
        state = heard[-1].built.model.state_dict()
    return heard


def as_row(recipe: Recipe, seed: int, heard: Sequence[Heard]) -> Row:
    """A run as it is recorded, without where it comes from."""
    phases, steps = [], 0
    for phase, outcome in zip(recipe.phases, heard, strict=True):
        steps += phase.steps
        phases.append({
            **asdict(phase), "replay": round(phase.replay, 3),
            "config": configs.path_of(phase.config).relative_to(CONFIGS).as_posix(),
            "settings": paced_keys(phase),
            "total_steps": steps,
            "validation_loss": outcome.training.validations[-1].loss if outcome.training else None,
            "errors": runs.written(outcome.errors)})
    return {"recipe": recipe.name, "seed": seed, "phases": phases}


def paced_keys(phase: Phase) -> dict[str, Any]:
    """What a recorded row says of a phase's config: the keys that decide how the mini learns."""
    paced = replace(arm(phase), epochs=phase.steps // STEPS_PER_EPOCH)
    flat = configs.flatten(configs.merge_over("pretrained", paced.settings))
    return {key: flat.get(key) for key in DECISIVE}


DECISIVE = (
    "audio_encoder_conf.freeze", "audio_adaptor_conf.freeze", "freeze_param", "frontend_conf.fs",
    "optim_conf.lr", "optim_conf.weight_decay", "scheduler_conf.warmup_steps",
    "train_conf.max_epoch", "dataset_conf.batch_size_sample_max", "dataset_conf.max_token_length")


def in_memory(recipes: Sequence[Recipe], limit: int) -> RecordedRecipes:
    """Run recipes here and now, one seed each, and give what a recording would."""
    return RecordedRecipes([as_row(recipe, 0, run(recipe, 0, limit)) for recipe in recipes])


def shortened(name: str, steps: int) -> Recipe:
    """A recorded recipe with every training phase cut to `steps` steps."""
    recipe = RECIPES[name]
    return replace(recipe, phases=tuple(
        replace(phase, steps=min(phase.steps, steps)) for phase in recipe.phases))


class RecordedRecipes(Results):
    """The recorded runs, read as error rates; an arm is a `Stage`."""

    def __init__(self, rows: Sequence[Row]):
        self.rows = list(rows)
        super().__init__((((row["recipe"], phase["label"]), row["seed"], phase["errors"])
                          for row in rows for phase in row["phases"]), RECORDS.command)
        self.total_steps: dict[Stage, int] = {
            (row["recipe"], phase["label"]): phase["total_steps"]
            for row in rows for phase in row["phases"]}

    @classmethod
    def read(cls) -> RecordedRecipes:
        """From the recorded file."""
        return cls(RECORDS.read())


def seeds_of(name: str) -> tuple[int, ...]:
    """The seeds that a recipe is recorded with."""
    if not RECIPES[name].steps:
        return SEEDS[:1]
    return runs.MORE_SEEDS if name in DECIDING else SEEDS


def make(name: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """The row that a recording stores."""
    started = time.perf_counter()
    row = as_row(RECIPES[name], seed, run(RECIPES[name], seed))
    yield {**row, "seconds": round(time.perf_counter() - started)}


def show() -> None:
    """The recorded error rates, in the terminal."""
    from rich.console import Console
    from rich.table import Table

    recorded = RecordedRecipes.read()
    columns = [(band, branch) for band in BANDS for branch in BRANCHES]
    table = Table("recipe", "measured", "seeds",
                  *(f"{band}, {branch.upper()}" for band, branch in columns))
    for stage in recorded.arms:
        table.add_row(*stage, str(len(recorded.seeds(stage))),
                      *(str(recorded.rate(stage, *column)) for column in columns))
    Console().print(table)


RECORDING = Recording("helpers.experiments.recipes", RECORDS,
                      {(name, seed): [(name, seed)] for name in RECIPES
                       for seed in seeds_of(name)}, make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
