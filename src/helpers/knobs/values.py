"""What to try for each key: other values, at the bench's scale, and other baselines.

A switch is turned over and a number doubled. Where that would not bind on a few short utterances,
or is no sensible value, the value is listed here. Files that a value names are made on the spot.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from helpers.errors import BookError
from helpers.model import mini
from helpers.paths import CACHE

FEWER_LAYERS, OTHER_TOKENS, OTHER_CTC_TOKENS, CMVN, WORDS, DEEPSPEED = (
    "an LLM with fewer layers", "a tokenizer without its last merges",
    "a vocabulary without its last line", "a file of means and scales", "a list of two words",
    "a DeepSpeed file")
"""Names of files and folders that `file_for` makes; in a value, they stand for the path."""

OTHER_VALUES: dict[str, tuple[Any, ...]] = {
    "model": ("SenseVoiceSmall",),
    "model_conf.lsm_weight": (0.5, 0.0),
    "audio_encoder": ("SANMEncoder", "ConformerEncoder"),
    "audio_encoder_conf.output_size": (96,),
    "audio_encoder_conf.attention_heads": (2,),
    "audio_encoder_conf.dropout_rate": (0.5,),
    "audio_encoder_conf.positional_dropout_rate": (0.9,),
    "audio_encoder_conf.attention_dropout_rate": (0.5,),
    "audio_encoder_conf.input_layer": ("linear", "no_such_layer"),
    "audio_encoder_conf.pos_enc_class": ("StreamSinusoidalPositionEncoder", "no_such_class"),
    "audio_encoder_conf.kernel_size": (5,),
    "audio_encoder_conf.sanm_shfit": (3,),
    "audio_encoder_conf.selfattention_layer_type": ("selfattn", "no_such_type"),
    "audio_encoder_conf.freeze_layer_num": (1, 2, 50),
    "llm": ("Qwen3-8b", "no_such_llm"),
    "llm_conf.hub": ("ms", "no_such_hub"),
    "llm_conf.llm_dtype": ("fp32",),
    "llm_conf.init_param_path": (FEWER_LAYERS,),
    "llm_conf.lora_conf.task_type": ("SEQ_CLS", "no_such_task"),
    "llm_conf.lora_conf.lora_dropout": (0.5,),
    "llm_conf.lora_conf.bias": ("all", "lora_only"),
    "llm_conf.lora_conf.target_modules": (["k_proj"],),
    "audio_adaptor": ("Linear",),
    "ctc_decoder": (None, "Linear"),
    "ctc_weight": (0.0, 100.0),
    "ctc_conf.dropout_rate": (0.5,),
    "ctc_conf.ctc_type": ("cudnnctc", "no_such_type"),
    "frontend": ("WavFrontendOnline",),
    "frontend_conf.fs": (8000,),
    "frontend_conf.window": ("povey",),
    "frontend_conf.n_mels": (40,),
    "frontend_conf.frame_length": (32,),
    "frontend_conf.frame_shift": (12,),
    "frontend_conf.lfr_m": (5,),
    "frontend_conf.lfr_n": (4,),
    "frontend_conf.cmvn_file": (CMVN,),
    "specaug": ("SpecAug", "no_such_class"),
    "specaug_conf.freq_mask_width_range": ([0, 60],),
    "specaug_conf.time_mask_width_range": ([0, 200],),
    "specaug_conf.num_freq_mask": (5,),
    "specaug_conf.num_time_mask": (9,),
    "train_conf.accum_grad": (2,),
    "train_conf.grad_clip": (0.01,),
    "train_conf.max_epoch": (1,),
    "train_conf.keep_nbest_models": (1,),
    "train_conf.log_interval": (1,),
    "train_conf.validate_interval": (2,),
    "train_conf.save_checkpoint_interval": (2,),
    "train_conf.avg_nbest_model": (1,),
    "train_conf.effective_save_name_excludes": (None, ["ctc."]),
    "train_conf.deepspeed_config": (DEEPSPEED,),
    "optim": ("adam",),
    "optim_conf.weight_decay": (0.5,),
    "optim_conf.betas": ([0.5, 0.9],),
    "scheduler": ("noamlr",),
    "scheduler_conf.warmup_steps": (4,),
    "dataset": ("AudioDataset", "OpenAIDataset"),
    "dataset_conf.index_ds": ("IndexDSJsonl", "OpenAIIndexDSJsonl"),
    "dataset_conf.batch_sampler": ("CustomDistributedBatchSampler",
                                   "DynamicBatchLocalShuffleSampler",
                                   "RankFullLocalShuffleDynamicBatchSampler",
                                   "EspnetStyleBatchSampler"),
    "dataset_conf.batch_type": ("example",),
    "dataset_conf.batch_size": (150,),
    "dataset_conf.max_token_length": (66,),
    "dataset_conf.sort_size": (4,),
    "dataset_conf.batch_size_scale_ratio_max": (1, 100),
    "dataset_conf.batch_size_scale_threshold": (1, 100000),
    "dataset_conf.batch_size_token_max": (300,),
    "dataset_conf.batch_size_sample_max": (3,),
    "dataset_conf.num_workers": (2,),
    "dataset_conf.audio_adaptor_downsample_rate": (4, 0),
    "dataset_conf.audio_encoder_downsample_rate": (6, 0),
    "dataset_conf.data_split_num": (2,),
    "dataset_conf.retry": (1,),
    "dataset_conf.max_source_length": (62,),
    "dataset_conf.max_target_length": (2,),
    "dataset_conf.min_source_length": (62,),
    "dataset_conf.prompt_classes": (None, "MultiContextPromptNew"),
    "dataset_conf.prompt_conf.max_neg_hotwords_num": (2,),
    "dataset_conf.prompt_conf.min_neg_hotwords_num": (2,),
    "dataset_conf.ctc_tokenizer": ("WhisperTokenizer",),
    "dataset_conf.ctc_tokenizer_conf.vocab_path": (OTHER_CTC_TOKENS,),
    "dataset_conf.ctc_tokenizer_conf.num_languages": (10,),
    "dataset_conf.use_dynamic_output_ratio": (1.0,),
    "tokenizer": ("WhisperTokenizer", None),
    "tokenizer_conf.init_param_path": (OTHER_TOKENS,),
    "tokenizer_conf.unk_symbol": ("<other>", "anna"),
}


@dataclass(frozen=True)
class Baseline:
    """A config to compare with, where a key may matter that does not matter in the first one.

    Attributes:
        name: in words, for the table.
        config: a fine-tuning config's name.
        values: dotted keys that differ from that config, beside the bench's own.
        keys: prefixes of the keys that it is for; every key without one.
        skips: prefixes of the keys that it is not for.
        options: keywords of `bench.observe`.
    """

    name: str
    config: str = "config_8k_telephone"
    values: dict[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()
    options: dict[str, bool] = field(default_factory=dict)

    def concerns(self, key: str) -> bool:
        return ((not self.keys or key.startswith(self.keys))
                and not (self.skips and key.startswith(self.skips)))


BATCH_TYPE = "dataset_conf.batch_type"
"""With `batch_size: 6000`, the other type makes a batch of 6000 utterances: over 20 GB."""
MAIN = Baseline("the main config", skips=(BATCH_TYPE,))
BASELINES: tuple[Baseline, ...] = (
    MAIN,
    Baseline("a batch size of 90", keys=(BATCH_TYPE,), values={"dataset_conf.batch_size": 90}),
    Baseline("LoRA on", values={"llm_conf.use_lora": True}, keys=("llm_conf.lora_conf.",)),
    Baseline("a checkpoint is there", keys=("train_conf.resume",), options={"resume": True}),
    Baseline("a recording is missing", keys=("dataset_conf.retry",),
             options={"unreadable": True}),
    Baseline("a file of other hotwords is given", keys=("dataset_conf.prompt_conf.",), values={
        "dataset_conf.prompt_conf.english_hotwords_list": WORDS,
        "dataset_conf.prompt_conf.chinese_hotwords_list": WORDS}),
    Baseline("other hotwords may be drawn", keys=("dataset_conf.prompt_conf.min",), values={
        "dataset_conf.prompt_conf.english_hotwords_list": WORDS,
        "dataset_conf.prompt_conf.chinese_hotwords_list": WORDS,
        "dataset_conf.prompt_conf.max_neg_hotwords_num": 2}),
    Baseline("batches by number", keys=("dataset_conf.",), skips=(BATCH_TYPE,), values={
        "dataset_conf.batch_type": "example", "dataset_conf.batch_size": 3}),
    Baseline("no sorting buffer", keys=("dataset_conf.",),
             values={"dataset_conf.sort_size": 0, "dataset_conf.batch_size": 300}),
    Baseline("the stage 1 config", config="stage1_encoder_adapt"),
    Baseline("the LLM trains too", values={"llm_conf.freeze": False, "ctc_decoder_conf.freeze":
                                           True}),
)
"""The first one is for every key; the rest is asked, in turn, about keys that moved nothing yet."""


def other_values(key: str, value: Any) -> tuple[Any, ...]:
    """What to try instead of a value.

    Raises:
        BookError: the key has no listed values and its type suggests none.
    """
    if key in OTHER_VALUES:
        return OTHER_VALUES[key]
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, (int, float)) and value:
        return (value * 2,)
    raise BookError(f"`{key}: {value}` has no other value to try: add one to OTHER_VALUES in "
                    "helpers/knobs/values.py.")


def with_files(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, with the path for each name of a file that this module makes."""
    return {key: str(file_for(value)) if isinstance(value, str) and value in _MAKERS else value
            for key, value in values.items()}


def file_for(name: str) -> Path:
    """Make (once) one of the files or folders named above, in the cache."""
    path = CACHE / "knobs" / "files" / name.replace(" ", "_")
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            _MAKERS[name](path)
    return path


def _fewer_layers(folder: Path) -> None:
    shutil.copytree(mini.model_directory("mini") / "Qwen3-0.6B", folder)
    config = json.loads((folder / "config.json").read_text())
    config["num_hidden_layers"] -= 1
    if "layer_types" in config:
        config["layer_types"] = config["layer_types"][:config["num_hidden_layers"]]
    (folder / "config.json").write_text(json.dumps(config))


def _other_tokens(folder: Path) -> None:
    shutil.copytree(mini.model_directory("mini") / "Qwen3-0.6B", folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    merges = tokenizer["model"]["merges"]
    del merges[len(merges) // 2:]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")


def _other_ctc_tokens(path: Path) -> None:
    lines = (mini.model_directory("mini") / "multilingual.tiktoken").read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")


def _cmvn(path: Path) -> None:
    wide = 560
    path.write_text("".join(f"<{name}> {wide} {wide}\n<LearnRateCoef> 0 [ {number * wide}]\n"
                            for name, number in (("AddShift", "-8.0 "), ("Rescale", "0.25 "))))


_MAKERS = {FEWER_LAYERS: _fewer_layers, OTHER_TOKENS: _other_tokens,
           OTHER_CTC_TOKENS: _other_ctc_tokens, CMVN: _cmvn,
           WORDS: lambda path: path.write_text("lisbon\nmarch\n"),
           DEEPSPEED: lambda path: path.write_text('{"train_micro_batch_size_per_gpu": 1}')}
