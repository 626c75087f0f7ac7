"""The two recipes of the source document, and the book's own, run end to end on the mini.

A recipe is a list of phases. Each phase trains with one config, through FunASR's own trainer
(`helpers.training.finetune`), and starts from the weights that the phase before it left. After each
phase both branches decode the same test sentences, as a call delivers them and in wideband.

`python -m helpers.experiments.recipes --record` runs every recipe with every seed and writes
`results/recipes.json`, one row for each run, as soon as the run is done. A run that is already in
the file is not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from omegaconf import DictConfig
from tqdm import tqdm

from helpers.config import configs
from helpers.config.departures import RECOMMENDED
from helpers.errors import BookError, one_sentence
from helpers.evaluation import decoding, error_rates
from helpers.evaluation.error_rates import Difference, ErrorRate
from helpers.experiments.provenance import provenance
from helpers.model import mini
from helpers.paths import CACHE, RESULTS
from helpers.speech import corpus, manifests
from helpers.telephone.channel import telephone_set
from helpers.training import finetune

MAIN, STAGE1 = configs.FINE_TUNING
FILE = RESULTS / "recipes.json"
BRANCHES = ("llm", "ctc")
BANDS = ("telephone", "wideband")
SEEDS = (0, 1, 2)

RATE_FACTOR = 10.0
"""The mini's learning rate for one of the config's. The same for all, so ratios stay."""
STEPS_FOR_ONE = 100
"""So many steps of the config's warm-up are one step here."""
STEPS_PER_EPOCH = 20
LONGEST_FRAMES = 300
"""Longest utterance to train on, in 10 ms frames."""
TEST_SENTENCES = 120
VALID_SENTENCES = 20


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
    """A way from the pretrained model to one for the telephone.

    Attributes:
        name: its name in the recorded file.
        title: its name for the reader.
        phases: what is done, in order.
    """

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
    Recipe("recommended", "recommended", (
        Phase("after the recommended config", RECOMMENDED, 120, replay=1 / 3),)),
    Recipe("recommended_without_replay", "recommended, without replay", (
        Phase("after the recommended config alone", RECOMMENDED, 120),)),
)}
"""All have the same number of steps. The configs give stage 1 half as many epochs as the main
config, and so does the recipe that has both."""


Stage = tuple[str, str]
"""A recipe's name and the label of one of its phases."""


@dataclass(frozen=True)
class Measured:
    """Errors of both branches on both bands after one phase of one run.

    Attributes:
        label: the phase's.
        steps: optimizer steps since the start of the run.
        loss: on the validation set at the end of the phase; None where nothing was trained.
        errors: (branch, band) to word errors in each test sentence, shape (sentences,).
    """

    label: str
    steps: int
    loss: float | None
    errors: dict[tuple[str, str], np.ndarray]


def settings(config: str | DictConfig, epochs: int = 1) -> DictConfig:
    """A config at the pace of the mini: what it says, and a common factor on time and rate.

    Args:
        config: a config's name or path, or a loaded config.
        epochs: epochs of STEPS_PER_EPOCH steps.
    """
    own = configs.merge_over("pretrained", config)
    return finetune.with_overrides(config, finetune.SHORT_RUN, {
        "optim_conf.lr": RATE_FACTOR * own.optim_conf.lr,
        "scheduler_conf.warmup_steps": max(1, round(own.scheduler_conf.warmup_steps
                                                    / STEPS_FOR_ONE)),
        "train_conf.max_epoch": epochs})


def training_list(config: str | DictConfig, seed: int, replay: float = 0.0,
                  steps: int = STEPS_PER_EPOCH) -> list[dict]:
    """As many utterances as give the config `steps` batches an epoch.

    FunASR's sampler closes a batch at `batch_size_sample_max` utterances, its first one earlier.
    The seed draws the utterances; no sentence is there both as telephone speech and in wideband.

    Raises:
        BookError: the corpus has fewer utterances than that.
    """
    most = configs.merge_over("pretrained", config).dataset_conf.batch_size_sample_max
    size = steps * most - 1
    short = [item for item in corpus.load_set("adapt") if item["speech_length"] <= LONGEST_FRAMES]
    if size > len(short):
        raise BookError(f"{steps} steps of {most} utterances need {size} of up to "
                        f"{LONGEST_FRAMES} frames, and there are {len(short)}: ask for fewer "
                        "steps an epoch.")
    chosen = random.Random(seed).sample(short, size)
    wide = {item["key"] for item in chosen[:round(replay * size)]}
    called = {item["key"]: item for item in telephone_set("adapt")}
    return [item if item["key"] in wide else called[item["key"]] for item in chosen]


def test_sets(limit: int = TEST_SENTENCES, name: str = "test") -> dict[str, list[dict]]:
    """The same sentences as a call delivers them and in wideband."""
    return {"telephone": telephone_set(name, limit), "wideband": corpus.load_set(name)[:limit]}


def measure(built: mini.Built, tests: Mapping[str, Sequence[dict]],
            branches: Sequence[str] = BRANCHES) -> dict[tuple[str, str], np.ndarray]:
    """Word errors in each test sentence: (branch, band) to integers of shape (sentences,)."""
    found = {}
    for branch in branches:
        for band, items in tests.items():
            heard = decoding.decode(built, items, branch)
            found[branch, band], _ = error_rates.error_counts(
                [one.reference for one in heard], [getattr(one, branch) for one in heard])
    return found


def run(recipe: Recipe, seed: int, tests: Mapping[str, Sequence[dict]],
        progress: str | None = None) -> list[Measured]:
    """Run a recipe once, from the pretrained mini, and measure after each phase.

    Args:
        recipe: what to do.
        seed: draws the training utterances, and seeds dropout and dither.
        tests: band to manifest lines, from `test_sets`.
        progress: text of the progress bars; none is shown without it.

    Raises:
        BookError: a phase is not a whole number of epochs.
    """
    state, steps, measured = None, 0, []
    valid = telephone_set("valid", VALID_SENTENCES)
    for number, phase in enumerate(recipe.phases):
        built = mini.build(settings(_config(phase), epochs=max(1, _epochs(phase))))
        if state is not None:
            built.model.load_state_dict(state)
        loss = None
        if phase.steps:
            train = training_list(_config(phase), seed, phase.replay)
            done = finetune.run(built, train, valid, f"recipe_{recipe.name}_{seed}_{number}",
                                seed, progress, checkpoints=False)
            loss = done.validations[-1].loss
            if len(done.steps) != phase.steps:
                raise BookError(f"{recipe.name}, phase {number + 1}: {len(done.steps)} steps were "
                                f"done and {phase.steps} were asked for: lower batch_size_sample_"
                                "max or raise batch_size, so that sentences fill the batches.")
            steps += len(done.steps)
        state = built.model.state_dict()
        measured.append(Measured(phase.label, steps, loss, measure(built, tests)))
    return measured


def run_and_record(recipe: Recipe, seed: int, path: Path = FILE, limit: int = TEST_SENTENCES,
                   progress: str | None = None) -> dict[str, Any] | None:
    """Run a recipe once and add its row to the file; None if the file already has it.

    Raises:
        BookError: the file's rows were scored on other sentences.
    """
    words = [len(manifests.transcript(item).split()) for item in corpus.load_set("test")[:limit]]
    with _locked(path):
        content = read(path) if path.exists() else {"words": words, "rows": []}
    if content["words"] != words:
        raise BookError(f"{path.name} holds runs scored on {len(content['words'])} sentences, not "
                        f"{limit}: use the same number, or remove the file.")
    if any((row["recipe"], row["seed"]) == (recipe.name, seed) for row in content["rows"]):
        return None
    started = time.perf_counter()
    measured = run(recipe, seed, test_sets(limit), progress)
    row = {**as_row(recipe, seed, measured), "seconds": round(time.perf_counter() - started),
           "provenance": provenance("python -m helpers.experiments.recipes --record "
                                    f"--only {recipe.name} "
                                    f"--seed {seed}", seed=seed)}
    with _locked(path):
        rows = read(path)["rows"] if path.exists() else []
        content = {"words": words, "rows": [*rows, row]}
        write(content, path)
    return row


def as_row(recipe: Recipe, seed: int, measured: Sequence[Measured]) -> dict[str, Any]:
    """A run as it is recorded, without where it comes from."""
    return {"recipe": recipe.name, "seed": seed, "phases": [
        {**asdict(phase), "replay": round(phase.replay, 3),
         "config": configs.path_of(phase.config).name,
         "settings": paced_keys(phase), "total_steps": found.steps, "validation_loss": found.loss,
         "errors": {band: {branch: " ".join(map(str, found.errors[branch, band]))
                           for branch in BRANCHES if (branch, band) in found.errors}
                    for band in BANDS}}
        for phase, found in zip(recipe.phases, measured, strict=True)]}


def paced_keys(phase: Phase) -> dict[str, Any]:
    """What a recorded row says of a phase's config: the keys that decide how the mini learns."""
    flat = configs.flatten(configs.merge_over("pretrained", settings(_config(phase),
                                                                     _epochs(phase))))
    return {key: flat.get(key) for key in DECISIVE}


DECISIVE = (
    "audio_encoder_conf.freeze", "audio_adaptor_conf.freeze", "freeze_param", "frontend_conf.fs",
    "optim_conf.lr", "optim_conf.weight_decay", "scheduler_conf.warmup_steps",
    "train_conf.max_epoch", "dataset_conf.batch_size_sample_max", "dataset_conf.max_token_length")


def read(path: Path = FILE) -> dict[str, Any]:
    """The recorded file: `words` of each test sentence, and `rows`, one for each run.

    Raises:
        BookError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BookError(f"There is no {path.name} in results/: make it with "
                        "`python -m helpers.experiments.recipes --record`.") from None
    except json.JSONDecodeError as error:
        raise BookError(f"{path.name}, line {error.lineno}: not JSON. Restore the file, or remove "
                        "it and record again.") from None


def write(content: dict[str, Any], path: Path) -> None:
    """Store the rows in the order of RECIPES and seeds; the file appears whole or not at all."""
    order = list(RECIPES)
    content["rows"].sort(key=lambda row: (order.index(row["recipe"]) if row["recipe"] in order
                                          else len(order), row["recipe"], row["seed"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    words = json.dumps(content["words"])
    partial.write_text(json.dumps({**content, "words": "WORDS"}, indent=1)
                       .replace('"WORDS"', words) + "\n", encoding="utf-8")
    partial.replace(path)


def in_memory(recipes: Sequence[Recipe], limit: int, seed: int = 0,
              progress: bool = False) -> Recorded:
    """Run recipes here and now, one seed each, and give what a recording would."""
    tests = test_sets(limit)
    words = [len(manifests.transcript(item).split()) for item in tests["telephone"]]
    rows = [as_row(recipe, seed, run(recipe, seed, tests, recipe.title if progress else None))
            for recipe in recipes]
    return Recorded({"words": words, "rows": rows})


def shortened(name: str, steps: int) -> Recipe:
    """A recorded recipe with every training phase cut to `steps` steps."""
    recipe = RECIPES[name]
    return replace(recipe, phases=tuple(
        replace(phase, steps=min(phase.steps, steps)) for phase in recipe.phases))


def contradictions(recorded: Recorded, live: Recorded,
                   pairs: Sequence[tuple[Stage, Stage]]) -> list[str]:
    """Where a live run is clearly on the other side of what was recorded.

    Args:
        pairs: the stages to compare. A pair counts, branch by branch and band by band, where the
            recorded interval of its difference leaves zero out.

    Returns:
        One line for each difference whose live interval leaves zero out on the other side.
    """
    found = []
    for stage, other in pairs:
        for branch in BRANCHES:
            for band in BANDS:
                then = recorded.difference(stage, other, branch, band)
                now = live.difference(stage, other, branch, band)
                if then.direction * now.direction < 0:
                    found.append(f"{stage[1]} against {other[1]}, {branch}, {band}: "
                                 f"{then.value:+.1%} recorded, {now.value:+.1%} live")
    return found


class Recorded:
    """The recorded runs, read as error rates.

    A stage is (recipe, label of a phase). Its errors are pooled over seeds; intervals come from
    resampling the test sentences, all seeds of a sentence together, so they say what another set
    of sentences would change. `by_seed` says what another seed changes.
    """

    def __init__(self, content: Mapping[str, Any]):
        self.words = np.array(content["words"])
        self.rows: list[dict[str, Any]] = content["rows"]
        self._errors: dict[Stage, dict[int, dict[tuple[str, str], np.ndarray]]] = {}
        self.total_steps: dict[Stage, int] = {}
        for row in self.rows:
            for phase in row["phases"]:
                stage = (row["recipe"], phase["label"])
                self.total_steps[stage] = phase["total_steps"]
                self._errors.setdefault(stage, {})[row["seed"]] = {
                    (branch, band): np.array(text.split(), dtype=int)
                    for band, branches in phase["errors"].items()
                    for branch, text in branches.items()}

    @classmethod
    def read(cls, path: Path = FILE) -> Recorded:
        """From the recorded file."""
        return cls(read(path))

    @property
    def stages(self) -> list[Stage]:
        return list(self._errors)

    def seeds(self, stage: Stage) -> list[int]:
        return sorted(self._errors[stage])

    def errors(self, stage: Stage, branch: str, band: str) -> np.ndarray:
        """Word errors, shape (seeds, sentences)."""
        return np.array([self._errors[stage][seed][branch, band] for seed in self.seeds(stage)])

    def rate(self, stage: Stage, branch: str, band: str) -> ErrorRate:
        """Error rate over all seeds, with its interval over sentences."""
        errors = self.errors(stage, branch, band)
        return error_rates.rate_of_counts(errors.sum(0), len(errors) * self.words)

    def by_seed(self, stage: Stage, branch: str, band: str) -> list[float]:
        """The error rate of each seed."""
        return [float(row.sum() / self.words.sum()) for row in self.errors(stage, branch, band)]

    def difference(self, stage: Stage, other: Stage, branch: str, band: str) -> Difference:
        """How much higher the error rate of one stage is than another's, on the same sentences."""
        return error_rates.difference(self.errors(stage, branch, band),
                                   self.errors(other, branch, band), self.words)


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments.recipes",
                                     description=__doc__)
    parser.add_argument("--record", action="store_true", help="run, and write results/recipes.json")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this recipe")
    parser.add_argument("--seed", action="append", type=int, metavar="S", help="only this seed")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, one thread each")
    parser.add_argument("--run-one", nargs=2, metavar=("NAME", "S"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = set(options.only or ()) - set(RECIPES)
    if unknown:
        print(f"There is no recipe {', '.join(sorted(unknown))}: choose from "
              f"{', '.join(RECIPES)}.", file=sys.stderr)
        return 2
    if options.run_one:
        _run_one(options.run_one[0], int(options.run_one[1]))
    elif options.record:
        _record_all(wanted(options.only, options.seed), options.jobs)
        print_table(Recorded.read())
    else:
        print_table(Recorded.read())
    return 0


def wanted(names: Sequence[str] | None = None,
           seeds: Sequence[int] | None = None) -> list[tuple[str, int]]:
    """Recipes and seeds to run; what trains nothing needs one seed."""
    return [(name, seed) for name in names or RECIPES
            for seed in (seeds or SEEDS)[:None if RECIPES[name].steps else 1]]


def print_table(recorded: Recorded) -> None:
    """The recorded error rates, in the terminal."""
    from rich.console import Console
    from rich.table import Table

    columns = [(branch, band) for band in BANDS for branch in BRANCHES]
    table = Table("recipe", "measured", "seeds",
                  *(f"{band}, {branch.upper()}" for branch, band in columns))
    for stage in recorded.stages:
        table.add_row(*stage, str(len(recorded.seeds(stage))),
                      *(str(recorded.rate(stage, *column)) for column in columns))
    Console().print(table)


def _run_one(name: str, seed: int) -> None:
    from helpers.session import setup

    setup()
    run_and_record(RECIPES[name], seed)


def _record_all(wanted: Sequence[tuple[str, int]], jobs: int) -> None:
    """Each run in a process of its own with one thread, `jobs` of them side by side."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "helpers.experiments.recipes", "--run-one"]
    with (ThreadPoolExecutor(jobs) as pool,
          tqdm(total=len(wanted), desc="runs", disable=None) as bar):
        for done in as_completed([pool.submit(subprocess.run, [*command, name, str(seed)],
                                              env=environment, check=False, text=True,
                                              capture_output=True) for name, seed in wanted]):
            if done.result().returncode:
                raise BookError((done.result().stderr.strip().splitlines() or ["a run failed"])[-1])
            bar.update()


def _config(phase: Phase) -> DictConfig:
    """The config with the phase's overrides, still at its own pace."""
    return finetune.with_overrides(configs.load(phase.config), phase.overrides)


def _epochs(phase: Phase) -> int:
    epochs, rest = divmod(phase.steps, STEPS_PER_EPOCH)
    if rest:
        raise BookError(f"{phase.label}: {phase.steps} steps are not whole epochs of "
                        f"{STEPS_PER_EPOCH}: give a multiple.")
    return epochs


def _locked(path: Path) -> FileLock:
    CACHE.mkdir(parents=True, exist_ok=True)
    return FileLock(CACHE / f"{path.name}.lock")


if __name__ == "__main__":
    sys.exit(main())
