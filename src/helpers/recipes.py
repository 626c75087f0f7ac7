"""The two recipes of the source document, and the book's own, run end to end on the mini.

A recipe is a list of phases. Each phase trains with one config, through FunASR's own trainer
(`helpers.finetune`), and starts from the weights that the phase before it left. After each phase
both branches decode the same test sentences, as a call delivers them and in wideband.

`python -m helpers.recipes --record` runs every recipe with every seed and writes
`results/recipes.json`, one row for each run, as soon as the run is done. A run that is already in
the file is not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from filelock import FileLock
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from omegaconf import DictConfig
from tqdm import tqdm

from helpers import anatomy, configs, corpus, evaluate, finetune, mini
from helpers.config_table import shown
from helpers.errors import BookError, one_sentence
from helpers.evaluate import Difference, ErrorRate
from helpers.figures import MARKERS
from helpers.paths import CACHE, CONFIGS, RESULTS
from helpers.provenance import provenance
from helpers.telephone import telephone_set

MAIN, STAGE1 = configs.FINE_TUNING
RECOMMENDED = str(CONFIGS / "recommended_8k.yaml")
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
            heard = evaluate.decode(built, items, branch)
            found[branch, band], _ = evaluate.error_counts(
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
    words = [len(corpus.transcript(item).split()) for item in corpus.load_set("test")[:limit]]
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
           "provenance": provenance(f"python -m helpers.recipes --record --only {recipe.name} "
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
                        "`python -m helpers.recipes --record`.") from None
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
    words = [len(corpus.transcript(item).split()) for item in tests["telephone"]]
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
        return evaluate.rate_of_counts(errors.sum(0), len(errors) * self.words)

    def by_seed(self, stage: Stage, branch: str, band: str) -> list[float]:
        """The error rate of each seed."""
        return [float(row.sum() / self.words.sum()) for row in self.errors(stage, branch, band)]

    def difference(self, stage: Stage, other: Stage, branch: str, band: str) -> Difference:
        """How much higher the error rate of one stage is than another's, on the same sentences."""
        return evaluate.difference(self.errors(stage, branch, band),
                                   self.errors(other, branch, band), self.words)


@dataclass(frozen=True)
class Departure:
    """A key of the recommended config that differs from a source config, and why.

    Attributes:
        key: dotted key; several, separated by commas, where they are left out together.
        value: what the recommended config says, or `configs.NOT_SET` where it leaves the key out.
        chapter: the chapter with the evidence.
        why: a few words.
    """

    key: str
    value: Any
    chapter: str
    why: str


def departures(path: str | Path = RECOMMENDED) -> list[Departure]:
    """Every departure that a config explains: `[chapter] why` in the comment on the key's line,
    or a line `# - KEY: [chapter] why` for what it leaves out."""
    text = Path(path).read_text(encoding="utf-8")
    values, found = configs.flatten(path), []
    lines = text.splitlines()
    for key, line in _lines_of_keys(yaml.compose(text, Loader=yaml.SafeLoader)):
        comment = re.search(r"#\s*\[(\w+)\]\s*(.+)$", lines[line])
        if comment:
            found.append(Departure(key, values[key], *comment.groups()))
    found += [Departure(key, configs.NOT_SET, chapter, why) for key, chapter, why in
              re.findall(r"(?m)^# - (.+?): \[(\w+)\] (.+)$", text)]
    return found


def remarks(path: str | Path = RECOMMENDED) -> dict[str, str]:
    """Key to the comment on its line, where the comment names no chapter."""
    text = Path(path).read_text(encoding="utf-8")
    lines = text.splitlines()
    found = {key: re.search(r"#\s*([^\[\s].*)$", lines[line]) for key, line in
             _lines_of_keys(yaml.compose(text, Loader=yaml.SafeLoader))}
    return {key: comment[1] for key, comment in found.items() if comment}


def unexplained(path: str | Path = RECOMMENDED) -> list[str]:
    """Keys whose merged value differs from a merged source config, without a word on why."""
    mine = configs.flatten(configs.merge_over("pretrained", path))
    told = {key for departure in departures(path) for key in departure.key.split(", ")}
    found = {}
    for name in configs.FINE_TUNING:
        theirs = configs.flatten(configs.merge_over("pretrained", name))
        for key in [*theirs, *mine]:
            same = key in theirs and key in mine and configs.same_value(theirs[key], mine[key])
            if not same and not any(key == one or key.startswith(f"{one}.") for one in told):
                found[key] = None
    return list(found)


def _lines_of_keys(node: yaml.MappingNode, prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, value in node.value:
        key = f"{prefix}{name.value}"
        if isinstance(value, yaml.MappingNode):
            yield from _lines_of_keys(value, f"{key}.")
        else:
            yield key, name.start_mark.line


@dataclass(frozen=True)
class Impact:
    """What a run under one config does, for the document's impact summary.

    Attributes:
        may: components with a parameter that may learn.
        learns: components that get a gradient.
        passes: how many times a run reads a single `.jsonl`, over all its epochs.
        deepspeed: whether FunASR's launcher would use DeepSpeed.
    """

    may: frozenset[str]
    learns: frozenset[str]
    passes: int
    deepspeed: bool

    def of(self, component: str) -> str:
        """What happens to a component."""
        if component in self.learns:
            return "learns"
        return "may learn, no gradient" if component in self.may else "frozen"


def impact(name: str, built: mini.Built, items: Sequence[dict]) -> Impact:
    """Look at one of the three configs, through the mini and FunASR's launcher.

    Args:
        built: the mini under that config.
        items: manifest lines of one training batch.
    """
    from funasr.bin.train_ds import _resolve_distributed_config

    merged = configs.resolve(configs.merge_over("pretrained", name))
    _, _, deepspeed, _, _ = _resolve_distributed_config(merged, world_size=2)
    return Impact(
        frozenset(map(anatomy.component_of, anatomy.flagged(built.model))),
        frozenset(map(anatomy.component_of, anatomy.reached(built, items).names)),
        merged["train_conf"]["max_epoch"] * merged["dataset_conf"]["data_split_num"],
        bool(deepspeed))


IMPACT_TABLE = (
    ("Encoder trainable", "frozen", "active", "audio_encoder",
     ("impact-encoder-pretrained", "impact-encoder-fine-tuning")),
    ("CTC decoder trainable", "active", "varies", "ctc_decoder",
     ("impact-ctc-pretrained", "impact-ctc-fine-tuning")),
    ("Learning rate", "5e-6", "50-200x higher", "optim_conf.lr",
     ("impact-pretrained-lr", "lr-impact-50-to-200")),
    ("Epochs", "2", "10-20", "train_conf.max_epoch", ("impact-epochs",)),
    ("Gradient accumulation", "1", "1", "train_conf.accum_grad", ("impact-gradient-accumulation",)),
    ("Weight decay", "0", "0.01", "optim_conf.weight_decay", ("decay-impact",)),
    ("DeepSpeed", "enabled", "disabled", "train_conf.use_deepspeed", ("impact-deepspeed",)),
    ("Batch size", "6000 tokens", "6000 tokens", "dataset_conf.batch_size",
     ("impact-batch-size",)),
    ("Max sequence length", "3500", "1024 (memory)", "dataset_conf.max_token_length",
     ("impact-max-length",)),
)
"""The document's closing table: aspect, its two cells, component or key, claims of the ledger."""


def impact_rows(found: Mapping[str, Impact]) -> list[list[str]]:
    """The document's table beside what is so: aspect, then each stated cell and what was found.

    Args:
        found: config name to `impact`.
    """
    merged = {name: configs.flatten(configs.merge_over("pretrained", name)) for name in found}
    pretrained, *tuned = found
    rows = []
    for aspect, before, after, subject, _ in IMPACT_TABLE:
        cells = {name: _impact_cell(subject, merged[name], merged[pretrained], found[name])
                 for name in found}
        rows.append([aspect, before, cells[pretrained], after,
                     "; ".join(dict.fromkeys(cells[name] for name in tuned))])
    return rows


def _impact_cell(subject: str, config: Mapping[str, Any], base: Mapping[str, Any],
                 found: Impact) -> str:
    if subject in mini.COMPONENTS:
        return found.of(subject)
    value = shown(config[subject])
    if subject == "optim_conf.lr" and config is not base:
        return f"{value}, {config[subject] / base[subject]:.0f}x"
    if subject == "train_conf.max_epoch":
        return f"{value}, {found.passes:,} passes"
    if subject == "train_conf.use_deepspeed":
        return "enabled" if found.deepspeed else "disabled"
    return value


def plane(recorded: Recorded, paths: Mapping[str, Sequence[Stage]],
          names: Mapping[Stage, str] | None = None, limit: float = 100) -> Figure:
    """Telephone against wideband error rate, a panel for each branch, a path for each recipe.

    Args:
        paths: a recipe's title to the stages that it passes, in order.
        names: what to write beside a stage.
        limit: upper end of both axes, in percent.
    """
    figure, panels = plt.subplots(1, len(BRANCHES), figsize=(8.6, 4.7), sharex=True, sharey=True)
    for axes, branch in zip(panels, BRANCHES, strict=True):
        axes.axline((0, 0), slope=1, color="0.6", linewidth=0.8, linestyle=":")
        for number, (title, stages) in enumerate(paths.items()):
            rates = [[recorded.rate(stage, branch, band) for band in BANDS] for stage in stages]
            places = 100 * np.array([[rate.rate for rate in row] for row in rates])
            axes.plot(*places.T, color=f"C{number}", linewidth=1.2, alpha=0.7)
            spread = 100 * np.array([[(rate.rate - rate.low, rate.high - rate.rate)
                                      for rate in row] for row in rates])
            axes.errorbar(*places.T, xerr=spread[:, 0].T, yerr=spread[:, 1].T, fmt="none",
                          color=f"C{number}", linewidth=0.9, alpha=0.8)
            axes.plot(*places[:-1].T, MARKERS[number], color=f"C{number}", fillstyle="none")
            axes.plot(*places[-1], MARKERS[number], color=f"C{number}", label=title, markersize=8)
            for stage, place in zip(stages, places, strict=True):
                axes.annotate((names or {}).get(stage, ""), place, xytext=(6, 6),
                              textcoords="offset points", fontsize="small")
        axes.set(title=f"{branch.upper()} branch", xlabel="telephone word error rate (%)",
                 xlim=(0, limit), ylim=(0, limit), aspect="equal")
    panels[0].set(ylabel="wideband word error rate (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.recipes", description=__doc__)
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
    from helpers.notebook import setup

    setup()
    run_and_record(RECIPES[name], seed)


def _record_all(wanted: Sequence[tuple[str, int]], jobs: int) -> None:
    """Each run in a process of its own with one thread, `jobs` of them side by side."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "helpers.recipes", "--run-one"]
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
