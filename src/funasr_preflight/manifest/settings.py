"""The keys of `dataset_conf` that decide which lines are read and how they are batched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from funasr_preflight.launch.yaml_file import is_number

ESPNET = "EspnetStyleBatchSampler"
OTHER_COUNTS = "OpenAIIndexDSJsonl"
"""An index that reads ChatML, and divides its lengths."""
UNLIMITED = 2**53


@dataclass(frozen=True)
class FilterConf:
    """Limits and batch settings, as FunASR takes them: a key left out has the code's default.

    Lengths of speech are in 10 ms frames, lengths of text in tokens, as the manifest names them.

    Attributes:
        fs: rate in Hz to which audio is resampled.
        max_token_length: limit of speech + text in the sampler; None where nothing is compared.
        dataset_token_length: limit of the LLM's input in the dataset, in tokens.
        batch_size: with `batch_type` "example" a number of samples, else samples x longest.
        batch_size_token_max: limit of samples x longest LLM input in the collator.
        sort_size: lines that are sorted together; below 1 nothing is sorted.
        prompt: the class that puts context before training prompts; None for none.
        retry: so often the dataset looks for another sample, and the collator drops one, less one.
        processes: among which the sampler divides a pass.
    """

    fs: int = 16000
    max_token_length: int | None = 2048
    dataset_token_length: int = 1500
    max_source_length: int = 8000
    min_source_length: int = 10
    max_target_length: int = 2048
    index: str = "FunASR"
    batch_sampler: str = "BatchSampler"
    batch_type: str = "example"
    batch_size: int = 1
    batch_size_token_max: int = 2500
    batch_size_sample_max: int = 200
    sort_size: int = -1
    shuffle: bool = True
    data_split_num: int = 1
    prompt: str | None = None
    token_type: bool = True
    """Whether the collator drops samples: it does unless `batch_type` says "example"."""
    retry: int = 100
    drop_last: bool = False
    processes: int = 1
    scaled: bool = False
    """Whether the sampler divides lengths by `length_scale_source` before it compares them."""

    @property
    def reads_messages(self) -> bool:
        """Whether the index class reads ChatML; others pass over it without a word."""
        return not self.index.startswith("IndexDSJsonl")

    @classmethod
    def of(cls, config: Mapping[str, Any], processes: int = 1) -> FilterConf:
        """From a merged config. A value of a wrong type counts as left out."""
        conf, frontend = (value if isinstance(value, Mapping) else {} for value in (
            config.get("dataset_conf"), config.get("frontend_conf")))
        declared = conf.get("batch_type", "example")  # whatever else is no "example" is no number
        batch_type = declared if isinstance(declared, str) else "token"
        sampler = _text(conf, "batch_sampler", cls.batch_sampler)
        named = _number(conf, "max_token_length", None)
        unlimited = batch_type == "example"
        scaled = sampler != ESPNET and (unlimited or _number(conf, "sort_size", -1) <= 0)
        scale = conf.get("length_scale_source", 1) if scaled else 1
        limit = None if sampler == ESPNET else named if named is not None else (
            None if unlimited else cls.max_token_length)
        if limit is not None and is_number(scale) and abs(scale) < 2**53 and scale:
            limit = int(limit * scale) if scale > 0 else UNLIMITED
        as_written = {name: _number(conf, name, getattr(cls, name)) for name in (
            "max_source_length", "min_source_length", "max_target_length", "batch_size_token_max",
            "batch_size_sample_max", "retry")}
        return cls(
            **as_written, fs=_number(frontend, "fs", cls.fs),
            max_token_length=limit, scaled=scaled,
            dataset_token_length=named if named is not None else cls.dataset_token_length,
            index=_text(conf, "index_ds", cls.index), batch_sampler=sampler, batch_type=batch_type,
            batch_size=max(1, _number(conf, "batch_size", cls.batch_size)),
            sort_size=_number(conf, "sort_size", 1024 if sampler == ESPNET else cls.sort_size),
            shuffle=conf.get("shuffle", True) is not False,
            data_split_num=max(1, _number(conf, "data_split_num", 1)),
            prompt=_text(conf, "prompt_classes", None),
            token_type=conf.get("batch_type") != "example",
            drop_last=bool(conf.get("drop_last", False)), processes=max(1, processes))


def _number(conf: Mapping[str, Any], key: str, default: Any) -> Any:
    value = conf.get(key)
    return int(value) if is_number(value) and abs(value) < 2**53 else default


def _text(conf: Mapping[str, Any], key: str, default: Any) -> Any:
    value = conf.get(key)
    return value if isinstance(value, str) else default
