"""One setting chooses the model, one chooses the data; every chapter's GPU cells obey them.

    BOOK_MODEL   mini (the default), full, a Fun-ASR-Nano folder, or its name on a hub
    BOOK_DATA    corpus (the default), FILE.jsonl, or minds14:LANGUAGE
    BOOK_DEVICE  cuda (the default), or cpu, where a large model is slow

`full` has the released architecture and random weights: it shows what a run costs, not what it
learns. A hub name is `FunAudioLLM/Fun-ASR-Nano-2512` (ModelScope), or the same after `hf:`.
"""

from __future__ import annotations

import argparse
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from helpers.config import configs
from helpers.errors import BookError
from helpers.evaluation import decoding, normalise
from helpers.evaluation.error_rates import error_rate
from helpers.evaluation.intervals import ErrorRate
from helpers.model import mini
from helpers.model.mini import Built
from helpers.speech import corpus, manifests, minds14
from helpers.telephone.channel import telephone_set
from helpers.training import finetune

LONGEST_ANSWER_TOKENS = 512
"""Where a large model is stopped: its answers are longer than the mini's."""
MODEL_SETTING, DATA_SETTING, DEVICE_SETTING = "BOOK_MODEL", "BOOK_DATA", "BOOK_DEVICE"


@dataclass(frozen=True)
class Sets:
    """Manifest lines to train on, to validate on, and to test on by kind of audio."""

    train: list[dict]
    valid: list[dict]
    tests: dict[str, list[dict]]


@dataclass(frozen=True)
class Workbench:
    """A model and data, by their settings."""

    model: str = "mini"
    data: str = "corpus"
    device: str = "cuda"

    @property
    def language(self) -> str:
        """The language by whose rules transcripts are normalised: MInDS-14's, or English."""
        return self.data.partition(":")[2] or "en"

    @property
    def is_mini(self) -> bool:
        """Whether everything runs at the mini's size, on a CPU."""
        return self.model == "mini"

    def build(self, config: configs.ConfigLike = "pretrained", **options: Any) -> Built:
        """Build the model that a config describes: the mini on the CPU, any other on the device.

        Raises:
            BookError: no GPU, no such folder, or a hub that does not answer.
        """
        if self.is_mini:
            return mini.build(config, **options)
        weights = ({"size": "full", "load_weights": False} if self.model == "full" else
                   {"model_dir": model_folder(self.model)})
        return mini.build(config, device=self.device, **weights, **options)

    def sets(self, tokenizer: Any = None) -> Sets:
        """The data that the setting names, ready for `finetune.run` and `evaluate.decode`.

        Raises:
            BookError: a file that is missing or broken, or data that cannot be had.
        """
        if self.data == "corpus":
            return Sets(telephone_set("adapt"), telephone_set("valid"),
                        {"telephone": telephone_set("test"), "wideband": corpus.load_set("test")})
        source, _, language = self.data.partition(":")
        if source == "minds14":
            splits = minds14.sets(language or "en-US", tokenizer)
            return Sets(splits["train"], splits["valid"], {"telephone": splits["test"]})
        return _split_manifest(Path(self.data))

    def calls(self) -> list[dict]:
        """Lines to listen to without training: all of a manifest, else the test set's calls.

        Raises:
            BookError: as `sets`.
        """
        if self.data.endswith(".jsonl"):
            return manifests.read_manifest(Path(self.data))
        return self.sets().tests["telephone"]

    def some_calls(self, count: int) -> list[dict]:
        """So many of `calls`, evenly spread.

        Raises:
            BookError: fewer than one is asked for; otherwise as `calls`.
        """
        if count < 1:
            raise BookError("--sentences has to be at least 1.")
        calls = self.calls()
        return calls[::max(1, len(calls) // count)][:count]

    def heard(self, items: Sequence[dict]) -> dict[str, list[decoding.Hypothesis]]:
        """What each branch of the model, under nothing but its own config, makes of the lines."""
        built = self.build(configs.as_config({}))
        return {branch: decoding.decode(built, items, branch, "decoding",
                                        longest_answer=LONGEST_ANSWER_TOKENS)
                for branch in decoding.branches_of(built)}


def add_options(parser: argparse.ArgumentParser, **model: Any) -> None:
    """The options of every command that lets a model hear calls.

    Args:
        model: how `--model` is declared.
    """
    parser.add_argument("--model", **model)
    parser.add_argument("--data",
                        help=f"a .jsonl manifest, or minds14:LANGUAGE ({DATA_SETTING})")
    parser.add_argument("--device", help=f"cuda or cpu ({DEVICE_SETTING})")
    parser.add_argument("--sentences", type=int, default=200, help="so many lines (default: 200)")


def print_rows(*rows: Iterable[str]) -> None:
    """Cells in the terminal, row by row."""
    for row in rows:
        print(*row, sep=" | ")


def from_options(options: argparse.Namespace) -> Workbench:
    """The workbench of a command: its options go before the environment's settings.

    Raises:
        BookError: as `from_environment`.
    """
    settings = {MODEL_SETTING: options.model, DATA_SETTING: options.data,
                DEVICE_SETTING: options.device}
    return from_environment(os.environ | {name: value for name, value in settings.items() if value})


def from_environment(environment: Mapping[str, str] = os.environ) -> Workbench:
    """The workbench that BOOK_MODEL, BOOK_DATA and BOOK_DEVICE ask for.

    Raises:
        BookError: a setting that names nothing.
    """
    model = environment.get(MODEL_SETTING, "mini") or "mini"
    data = environment.get(DATA_SETTING, "corpus") or "corpus"
    if not (data == "corpus" or data.partition(":")[0] == "minds14" or data.endswith(".jsonl")):
        raise BookError(f"{DATA_SETTING}={data} names no data: set it to corpus, to a .jsonl "
                        "manifest, or to minds14:LANGUAGE.")
    return Workbench(model, data, environment.get(DEVICE_SETTING) or "cuda")


GPU_PACE: dict[str, Any] = {"scheduler_conf.warmup_steps": 20, "train_conf.max_epoch": 3}
"""What a short run of a large model changes beside `finetune.SHORT_RUN`: warm-up and length."""
RESULT_HEAD = ("Config", "Branch", "Set", "Before, %", "After, %", "Format alone, %")


def on_gpu(bench: Workbench) -> bool:
    """Whether the cells marked "your GPU" run; where they do not, one printed sentence says why."""
    if bench.is_mini:
        print(f"Not run: {MODEL_SETTING} names no larger model. Set it to a Fun-ASR-Nano folder on "
              "a GPU machine; what was recorded on the mini is above.")
    return not bench.is_mini


def short_runs(bench: Workbench, recipes: Mapping[str, configs.ConfigLike],
               utterances: int = 200, sentences: int = 48, seed: int = 0) -> list[list[str]]:
    """Fine-tune the workbench's model once with each config, one model in memory at a time.

    Args:
        recipes: label to config; what a single process needs has to be in it (SHORT_RUN).

    Returns:
        Rows under RESULT_HEAD: error rates of normalised texts with intervals before and after, by
        branch and set, and what a right transcript in the released style would score without
        normalising. A copy of the weights without CTC tensors gives rows of the LLM branch only.

    Raises:
        BookError: no GPU, or a model or data that cannot be had.
    """
    sets = bench.sets()
    train, valid = sets.train[:utterances], sets.valid[:max(1, sentences // 2)]
    rows = []
    for label, recipe in recipes.items():
        built = bench.build(recipe)
        branches = decoding.branches_of(built)
        before = _heard(built, branches, sets, sentences, bench.language, seed)
        finetune.run(built, train, valid, "your_gpu", seed, checkpoints=False)
        after = _heard(built, branches, sets, sentences, bench.language, seed)
        del built
        floors = {band: str(format_alone(items[:sentences])) for band, items in sets.tests.items()}
        rows += [[label, *key, str(before[key]), str(after[key]), floors[key[1]]] for key in before]
    return rows


def format_alone(items: Sequence[dict]) -> ErrorRate:
    """What a right transcript in the released style scores where nothing is normalised."""
    texts = [manifests.transcript(item) for item in items]
    return error_rate(texts, [normalise.in_released_style(text) for text in texts],
                      voices=[manifests.voice(item) for item in items])


def _heard(built: Built, branches: Sequence[str], sets: Sets, sentences: int, language: str,
           seed: int) -> dict[tuple[str, str], ErrorRate]:
    """Error rate of each branch on each test set, normalised."""
    torch.manual_seed(seed)  # the frontend's dither is random
    decoded = {(branch, band): decoding.decode(built, items[:sentences], branch)
               for branch in branches for band, items in sets.tests.items()}
    return {key: decoding.score(texts, key[0], language=language) for key, texts in decoded.items()}


def model_folder(name: str) -> Path:
    """A local Fun-ASR-Nano folder: the one given, or FunASR's download of a hub name.

    Raises:
        BookError: neither a folder nor a hub name, or the download failed.
    """
    folder = Path(name)
    if folder.is_dir() or name.startswith((".", "/", "~")) or "/" not in name:
        return folder.expanduser()  # mini.build says what a wrong folder lacks
    hub, _, model = name.rpartition(":")
    from funasr.download import download_model_from_hub as funasr_hub

    download = (funasr_hub.get_or_download_model_dir_hf if hub == "hf"
                else funasr_hub.get_or_download_model_dir)
    try:
        return Path(download(model))
    except Exception as error:  # each hub's client raises its own kinds
        hub_name = "the Hugging Face hub" if hub == "hf" else "ModelScope"
        raise BookError(f"{model} cannot be downloaded from {hub_name} ({type(error).__name__}): "
                        "connect to it, or give a local folder.") from None


def _split_manifest(path: Path) -> Sets:
    """Hold out a tenth of a manifest for testing and a tenth for validation, by key."""
    parts: dict[str, list[dict]] = {"train": [], "valid": [], "test": []}
    for number, item in enumerate(manifests.read_manifest(path)):
        bucket = zlib.crc32(str(item.get("key", number)).encode()) % 10
        parts["test" if bucket == 0 else "valid" if bucket == 1 else "train"].append(item)
    empty = [name for name, items in parts.items() if not items]
    if empty:
        raise BookError(f"{path.name} is too short to be split: nothing is left for "
                        f"{' and '.join(empty)}; give some hundred lines.")
    return Sets(parts["train"], parts["valid"], {"telephone": parts["test"]})
