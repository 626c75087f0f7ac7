"""One setting chooses the model, one chooses the data; every chapter's GPU cells obey them.

    BOOK_MODEL   mini (the default), full, a Fun-ASR-Nano folder, or its name on a hub
    BOOK_DATA    corpus (the default), FILE.jsonl, or minds14:LANGUAGE

`full` has the released architecture and random weights: it shows what a run costs, not what it
learns. A hub name is `FunAudioLLM/Fun-ASR-Nano-2512` (ModelScope), or the same after `hf:`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from helpers.config import configs
from helpers.errors import BookError
from helpers.evaluation import decoding
from helpers.model import mini
from helpers.model.mini import Built
from helpers.speech import corpus, manifests, minds14
from helpers.telephone.channel import telephone_set
from helpers.training import finetune

MODEL_SETTING, DATA_SETTING = "BOOK_MODEL", "BOOK_DATA"


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

    @property
    def is_mini(self) -> bool:
        """Whether everything runs at the mini's size, on a CPU."""
        return self.model == "mini"

    def build(self, config: configs.ConfigLike = "pretrained", **options: Any) -> Built:
        """Build the model that a config describes: the mini on the CPU, anything else on the GPU.

        Raises:
            BookError: no GPU, no such folder, or a hub that does not answer.
        """
        if self.is_mini:
            return mini.build(config, **options)
        if self.model == "full":
            return mini.build(config, size="full", device="cuda", load_weights=False, **options)
        return mini.build(config, device="cuda", model_dir=model_folder(self.model), **options)

    def sets(self, tokenizer: Any = None) -> Sets:
        """The data that the setting names, ready for `finetune.run` and `evaluate.decode`.

        Raises:
            BookError: a file that is missing or broken, or data that cannot be had.
        """
        if self.data == "corpus":
            return Sets(telephone_set("adapt"), telephone_set("valid"),
                        {"telephone": telephone_set("test"), "wideband": corpus.load_set("test")})
        kind, _, language = self.data.partition(":")
        if kind == "minds14":
            splits = minds14.sets(language or "en-US", tokenizer)
            return Sets(splits["train"], splits["valid"], {"telephone": splits["test"]})
        return _split_manifest(Path(self.data))


def from_environment(environment: Mapping[str, str] = os.environ) -> Workbench:
    """The workbench that BOOK_MODEL and BOOK_DATA ask for.

    Raises:
        BookError: a setting that names nothing.
    """
    model = environment.get(MODEL_SETTING, "mini") or "mini"
    data = environment.get(DATA_SETTING, "corpus") or "corpus"
    if not (data == "corpus" or data.partition(":")[0] == "minds14" or data.endswith(".jsonl")):
        raise BookError(f"{DATA_SETTING}={data} names no data: set it to corpus, to a .jsonl "
                        "manifest, or to minds14:LANGUAGE.")
    return Workbench(model, data)


GPU_PACE: dict[str, Any] = {"scheduler_conf.warmup_steps": 20, "train_conf.max_epoch": 3}
"""What a short run of a large model changes beside `finetune.SHORT_RUN`: warm-up and length."""
RESULT_HEAD = ("Config", "Branch", "Set", "Before, %", "After, %")


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
        Rows under RESULT_HEAD: word error rates with intervals before and after, by branch and set.

    Raises:
        BookError: no GPU, or a model or data that cannot be had.
    """
    sets = bench.sets()
    train, valid = sets.train[:utterances], sets.valid[:max(1, sentences // 2)]
    rows = []
    for label, recipe in recipes.items():
        built = bench.build(recipe)
        before = _heard(built, sets, sentences, seed)
        finetune.run(built, train, valid, "your_gpu", seed, checkpoints=False)
        after = _heard(built, sets, sentences, seed)
        del built
        rows += [[label, *of, str(before[of]), str(after[of])] for of in before]
    return rows


def _heard(built: Built, sets: Sets, sentences: int, seed: int) -> dict[tuple[str, str], Any]:
    """Word error rate of each branch on each test set."""
    torch.manual_seed(seed)  # the frontend's dither is random
    decoded = {(branch, kind): decoding.decode(built, items[:sentences], branch)
               for branch in ("llm", "ctc") for kind, items in sets.tests.items()}
    return {of: decoding.score(texts, of[0]) for of, texts in decoded.items()}


def model_folder(name: str) -> Path:
    """A local Fun-ASR-Nano folder: the one given, or FunASR's download of a hub name.

    Raises:
        BookError: neither a folder nor a hub name, or the download failed.
    """
    folder = Path(name)
    if folder.is_dir() or name.startswith((".", "/", "~")) or "/" not in name:
        return folder.expanduser()  # mini.build says what a wrong folder lacks
    hub, _, rest = name.rpartition(":")
    from funasr.download import download_model_from_hub as funasr_hub

    download = (funasr_hub.get_or_download_model_dir_hf if hub == "hf"
                else funasr_hub.get_or_download_model_dir)
    try:
        return Path(download(rest))
    except Exception as error:  # each hub's client raises its own kinds
        where = "the Hugging Face hub" if hub == "hf" else "ModelScope"
        raise BookError(f"{rest} cannot be downloaded from {where} ({type(error).__name__}): "
                        "connect to it, or give a local folder.") from None


def _split_manifest(path: Path) -> Sets:
    """Hold out a tenth of a manifest for testing and a tenth for validation, by key."""
    parts: dict[str, list[dict]] = {"train": [], "valid": [], "test": []}
    for number, item in enumerate(manifests.read_manifest(path)):
        drawn = zlib.crc32(str(item.get("key", number)).encode()) % 10
        parts["test" if drawn == 0 else "valid" if drawn == 1 else "train"].append(item)
    empty = [name for name, items in parts.items() if not items]
    if empty:
        raise BookError(f"{path.name} is too short to be split: nothing is left for "
                        f"{' and '.join(empty)}; give some hundred lines.")
    return Sets(parts["train"], parts["valid"], {"telephone": parts["test"]})
