"""What FunASR's data path does to a training set: its filters, its batches, its order.

Nothing here imitates the library. A synthetic manifest, drawn lengths without audio, goes through
FunASR's own loader, sampler, dataset and collator; the two functions that read audio and make
features are replaced by ones that return features of the length that the manifest names.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import soundfile
import torch
from omegaconf import OmegaConf

from funasr_preflight.laws.geometry import encoder_frames
from helpers.config import configs
from helpers.errors import BookError
from helpers.session import funasr_silenced
from helpers.speech import manifests, mini_tokenizer

STAGES = ("index", "sampler", "dataset", "collator")
_DATASETS = "funasr.datasets.fun_asr_datasets.datasets"


@contextmanager
def _without_audio(fails: frozenset[str] = frozenset()) -> Iterator[None]:
    """Inside, FunASR's dataset gets features of the length that the audio's name says."""
    def load(name, **_kwargs):
        if name in fails:
            raise FileNotFoundError(name)
        return int(name)

    def features(frames, **_kwargs):
        stacked = encoder_frames(frames)
        return torch.zeros(1, stacked, 1), torch.tensor([stacked])

    with (mock.patch(f"{_DATASETS}.load_audio_text_image_video", load),
          mock.patch(f"{_DATASETS}.extract_fbank", features), funasr_silenced()):
        yield


@contextmanager
def loader(name: str, items: Sequence[dict], changes: Mapping[str, Any] | None = None,
           over: str | None = "pretrained", files: int | None = None):
    """FunASR's `DataloaderMapStyle` over these lines, as a config sets it up.

    Args:
        changes: keys of `dataset_conf` to replace; None takes a key away.
        over: the config it is laid over; None leaves the YAML alone.
        files: None gives one `.jsonl`; a number splits the lines over so many, named in a list.
    """
    from funasr.register import tables

    if not items:
        raise BookError("The manifest is empty: give at least one line.")
    with funasr_silenced(), tempfile.TemporaryDirectory() as folder:
        path = manifests.write_manifest(items, Path(folder) / "all.jsonl")
        train = str(path)
        if files:
            parts = [manifests.write_manifest(items[n::files], Path(folder) / f"part_{n}.jsonl")
                     for n in range(files)]
            train = str(Path(folder) / "parts.list")
            Path(train).write_text("\n".join(map(str, parts)) + "\n", encoding="utf-8")
        yield tables.dataloader_classes.get("DataloaderMapStyle")(
            tokenizer=SimpleNamespace(encode=cache(mini_tokenizer.load().encode)),
            dataset="FunASR", train_data_set_list=train, valid_data_set_list=str(path),
            dataset_conf=dataset_conf(name, changes, over) | {"num_workers": 0})


def dataset_conf(name: str, changes: Mapping[str, Any] | None = None,
                 over: str | None = "pretrained") -> dict[str, Any]:
    """A config's `dataset_conf`, merged or alone, with some keys replaced or (None) removed."""
    config = configs.merge_over(over, name) if over else configs.load(name)
    conf = OmegaConf.to_container(config, resolve=True)["dataset_conf"]
    conf |= changes or {}
    return {key: value for key, value in conf.items()
            if value is not None or key not in (changes or {})}


@dataclass(frozen=True)
class DataPass:
    """Which lines get how far, and the batches they make.

    Attributes:
        kept: stage to a boolean for each manifest line: still there after that stage.
        batches: the sampler's batches, as indices into the manifest.
        padded: for each batch, its speech frames with padding: samples x longest, in 10 ms frames.
        squared: for each batch, samples x longest x longest.
        padding: share of `padded` that is padding, over all batches.
        replaced: samples for which the dataset returned another one.
    """

    kept: dict[str, np.ndarray]
    batches: list[list[int]]
    padded: np.ndarray
    squared: np.ndarray
    padding: float
    replaced: int


def reach(name: str, items: Sequence[dict], changes: Mapping[str, Any] | None = None,
          over: str | None = "pretrained", collate: bool = True) -> DataPass:
    """Take one pass over the lines with FunASR's loader and note who is lost where.

    Args:
        collate: also run the dataset and the collator; without, only index and sampler.
    """
    line_of = {item["key"]: number for number, item in enumerate(items)}
    kept = {stage: np.zeros(len(items), bool) for stage in STAGES}
    replaced = 0
    torch.manual_seed(0)
    with loader(name, items, changes, over) as dataloader, _without_audio():
        train = dataloader.build_iter()[0]
        line_numbers = [line_of[entry["key"]] for entry in train.dataset.index_ds.contents]
        kept["index"][line_numbers] = True
        sampled = [batch for batch in train.batch_sampler if batch]
        batches = [[line_numbers[index] for index in batch] for batch in sampled]
        kept["sampler"][[index for batch in batches for index in batch]] = True
        for indices, lines in zip(sampled, batches, strict=True) if collate else ():
            samples = [train.dataset[index] for index in indices]
            returned = [line_of[sample["item"]["key"]] for sample in samples]
            same = [line for line, served in zip(lines, returned, strict=True) if line == served]
            replaced += len(lines) - len(same)
            kept["dataset"][same] = True
            collated = [line_of[item["key"]] for item in train.dataset.collator(samples)["item"]]
            kept["collator"][[index for index in collated if index in same]] = True
    lengths = np.array([item["speech_length"] for item in items])
    longest = np.array([lengths[batch].max() for batch in batches])
    counts = np.array([len(batch) for batch in batches])
    speech = sum(lengths[batch].sum() for batch in batches)
    return DataPass(kept, batches, counts * longest, counts * longest**2,
                    float(1 - speech / (counts * longest).sum()), replaced)


@dataclass(frozen=True)
class Splits:
    """What `data_split_num` makes of an epoch.

    Attributes:
        splits: how many the loader reports.
        filled: how many of them hold any line.
        lines: lines read in an epoch.
        same_order: whether every filled split has the batches of the first, in its order.
    """

    splits: int
    filled: int
    lines: int
    same_order: bool


def splits(name: str, items: Sequence[dict], files: int | None = None) -> Splits:
    """Read every split of an epoch with FunASR's loader."""
    lines, orders = 0, []
    with loader(name, items, files=files) as dataloader:
        for part in range(dataloader.data_split_num):
            train = dataloader.build_iter(data_split_i=part)[0]
            lines += len(train.dataset)
            if len(train.dataset):
                orders.append([list(batch) for batch in train.batch_sampler])
    return Splits(dataloader.data_split_num, len(orders), lines,
                  all(order == orders[0] for order in orders))


def fetch(name: str, items: Sequence[dict], changes: Mapping[str, Any],
          fails: Sequence[int] = (), indices: Sequence[int] = (0,)) -> list[dict | None]:
    """Samples as FunASR's dataset returns them; `fails` are lines whose audio cannot be read."""
    broken = frozenset(manifests.audio_path(items[index]) for index in fails)
    with loader(name, items, changes) as dataloader, _without_audio(broken):
        torch.manual_seed(0)
        dataset = dataloader.build_iter()[0].dataset
        return [dataset[index] for index in indices]


def collate(name: str, items: Sequence[dict], samples: Sequence[dict | None]) -> dict | str:
    """What FunASR's collator makes of these samples, or the error that it ends in."""
    with loader(name, items) as dataloader:
        try:
            return dataloader.build_iter()[0].dataset.collator(list(samples))
        except (KeyError, IndexError) as error:
            return f"{type(error).__name__}: {error}"


def reading_costs(cases: Sequence[tuple[Any, np.ndarray, int]], repeats: int = 15) -> list[float]:
    """Milliseconds of one core for a second of speech: FunASR's reading, resampling and features.

    The cases take turns, and the processor's own time counts, so that what else the machine does
    falls on all of them.

    Args:
        cases: a `WavFrontend`, whose `fs` is what the file is resampled to, mono speech, and its
            rate in Hz.
    """
    from funasr.utils.load_utils import extract_fbank, load_audio_text_image_video

    best = np.full(len(cases), np.inf)
    with funasr_silenced(), tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.wav" for number in range(len(cases))]
        for path, (_, samples, rate) in zip(paths, cases, strict=True):
            soundfile.write(path, samples, rate, subtype="PCM_16")
        for _ in range(repeats):
            for number, (frontend, *_) in enumerate(cases):
                started = time.process_time()
                audio = load_audio_text_image_video(str(paths[number]), fs=frontend.fs)
                extract_fbank(audio, data_type="sound", frontend=frontend, is_final=True)
                best[number] = min(best[number], time.process_time() - started)
    return [1000 * seconds * rate / len(samples)
            for seconds, (_, samples, rate) in zip(best, cases, strict=True)]
