"""For each rule: what it looks at, where FunASR does it, and a run that breaks it.

Places are file and line of the audited version; a test holds each to a word that stands there. An
example is checked when it is shown, so what it says is what the rule says today.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.texts import Text, say

YAML, OVERRIDES, COMMAND = say("the YAML"), say("the overrides"), say("the whole command")
TRAIN, BOTH, AUDIO = (say("the training manifest"), say("both manifests"),
                      say("the audio that the manifests name"))
DIRECTORY, VERSION = say("the model directory"), say("the version of FunASR")


@dataclass(frozen=True)
class Spot:
    """A line of FunASR, and a word that stands in it."""

    file: str
    line: int
    word: str


@dataclass(frozen=True)
class Explanation:
    """What `--explain` adds to a rule's title, and a run that breaks the rule.

    Attributes:
        looks_at: keys, files and options.
        places: where FunASR does it.
        yaml: the run's config, on top of the released one.
        overrides: as on the command line.
        train, valid: lines of the manifests.
        files: text of further files by name, beside the YAML.
        sounds: name of a WAV to rate, channels and seconds of silence.
        settings: further arguments of `check`.
    """

    looks_at: tuple[Text | str, ...]
    places: tuple[Spot, ...]
    yaml: str = "optim_conf:\n  lr: 1.0e-4\n"
    overrides: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    sounds: Mapping[str, tuple[int, int, float]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def line(name: str = "a.wav", seconds: float = 3.0, text: str = "yes please", mark: str = "!"
         ) -> str:
    """A manifest line as FunASR reads it."""
    user = f"语音转写：<|startofspeech|>{mark}{name}<|endofspeech|>"
    return json.dumps({"messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": user}, {"role": "assistant", "content": text}],
        "speech_length": round(seconds * FEATURE_FRAMES_A_SECOND),
        "text_length": 2}, ensure_ascii=False)


def lines(count: int, seconds: float = 3.0) -> tuple[str, ...]:
    """So many lines of one length, each with audio and words of its own."""
    return tuple(line(f"{number}.wav", seconds, f"number {number}") for number in range(count))


_AUTO, _DOWNLOAD = "funasr/auto/auto_model.py", "funasr/download/download_model_from_hub.py"
_PROGRAM, _TRAINER = "funasr/bin/train_ds.py", "funasr/train_utils/trainer_ds.py"
_MODEL = "funasr/models/fun_asr_nano/model.py"
_DATA = "funasr/datasets/fun_asr_datasets/datasets.py"
_SAMPLERS, _LOADER = ("funasr/datasets/audio_datasets/samplers.py",
                      "funasr/datasets/dataloader_entry.py")
_SOUND = "funasr/utils/load_utils.py"
_ALONE = Spot(_AUTO, 558, "model_conf")
_WEIGHTS = Spot(_AUTO, 663, "init_param")
_ABSENT = Spot(_AUTO, 675, "init_param")
_GROUPS = Spot(_TRAINER, 1061, "optim_conf")
_SCHEDULE = Spot(_TRAINER, 1068, "scheduler_conf")
_EXCLUDES = Spot(_TRAINER, 169, "effective_save_name_excludes")
_VALIDATES = Spot(_TRAINER, 697, "validate_interval")
_LISTS = Spot(_DATA, 412, "jsonl")
_INDEX = Spot(_DATA, 440, "json.loads")
_OPENS = Spot(_DATA, 227, "load_audio")
_BATCH = Spot(_SAMPLERS, 366, "batch_size")
_WAVS = {"a.wav": (16000, 1, 3.0)}
_THREE = "audio_encoder_conf:\n  freeze: {0}\naudio_adaptor_conf:\n  freeze: {1}\n"

EXPLANATIONS: dict[str, Explanation] = {
    "launch-alone": Explanation(("model_conf", DIRECTORY), (_ALONE,), "model_conf: {}\n"),
    "override-refused": Explanation((OVERRIDES, YAML), (Spot(_PROGRAM, 75, "hydra"),),
                                    overrides=("optim_conf.weight_decay=0.01",)),
    "launch-incomplete": Explanation(
        (COMMAND,), (Spot(_PROGRAM, 87, "model"),), "",
        ("++model=FunAudioLLM/Fun-ASR-Nano-2512", "++train_data_set_list=train.jsonl"),
        settings={"whole": True}),
    "launch-lists": Explanation(("train_data_set_list", "valid_data_set_list"), (_LISTS,),
                                "train_data_set_list: [one.jsonl, two.jsonl]\n"),
    "launch-weights": Explanation(
        ("init_param", DIRECTORY), (_WEIGHTS, _ABSENT), "init_param: null\n"),
    "launch-paths": Explanation(
        ("llm_conf.init_param_path", "tokenizer_conf.init_param_path",
         "dataset_conf.ctc_tokenizer_conf.vocab_path"),
        (Spot(_DOWNLOAD, 75, "merge"),), "llm_conf:\n  init_param_path: null\n"),
    "launch-directory": Explanation(
        (DIRECTORY,), (Spot(_DOWNLOAD, 72, "file_path_metas"),),
        files={"nano/config.yaml": "model: FunASRNano\n"}, settings={"over": "nano"}),
    "launch-tensors": Explanation((DIRECTORY, "hub"),
                                  (Spot(_MODEL, 285, "disable_incomplete_ctc"),),
                                  overrides=("++hub=hf",)),
    "launch-remote-code": Explanation(
        ("trust_remote_code", "remote_code"), (Spot(_DOWNLOAD, 115, "import_module"),),
        "trust_remote_code: true\n", files={"model.py": "# a class of your own\n"}),
    "launch-excludes": Explanation(
        ("excludes",), (Spot(_TRAINER, 164, "excludes"),), "excludes: [audio_encoder.]\n"),
    "keys-unknown": Explanation(
        (YAML,), (Spot(_TRAINER, 116, "kwargs.get"),), "train_conf:\n  max_epochs: 3\n"),
    "keys-refused": Explanation(
        ("optim_conf", "scheduler_conf"), (_GROUPS, _SCHEDULE), "scheduler: steplr\n"),
    "keys-never-read": Explanation((YAML,), (), "audio_encoder_conf:\n  freeze_layer_num: 3\n"),
    "keys-no-effect": Explanation((YAML,), (Spot(_MODEL, 199, "ctc_weight"),), "ctc_weight: 0.5\n"),
    "keys-otherwise": Explanation((YAML,), (_BATCH,), "dataset_conf:\n  batch_size: 6001\n"),
    "keys-type": Explanation((YAML,), (), "train_conf:\n  max_epoch: ten\n"),
    "keys-section": Explanation((YAML,), (), "train_conf: 3\n"),
    "keys-null": Explanation(
        (YAML,), (Spot(_TRAINER, 763, "accum_grad"),), "train_conf:\n  accum_grad: null\n"),
    "keys-crash": Explanation(
        ("ctc_conf.blank_id", "bf16", "fp16", "train_conf.use_fp16",
         "train_conf.avg_keep_nbest_models_type", "dataset_conf.preprocessor_speech"),
        (Spot(_MODEL, 204, "ctc_conf"), Spot(_TRAINER, 240, "avg_keep_nbest_models_type")),
        "ctc_conf:\n  blank_id: 0\n"),
    "keys-ends": Explanation(
        ("freeze_param", "excludes", "llm_conf.llm_dtype", "optim_conf", "frontend_conf"),
        (Spot(_MODEL, 129, "dtype_map"), Spot(_PROGRAM, 157, "freeze_param")), "freeze_param: 3\n"),
    "keys-range": Explanation((YAML,), (), "train_conf:\n  accum_grad: 0\n"),
    "keys-class": Explanation((YAML,), (Spot(_AUTO, 649, "model_classes"),), "scheduler: warmup\n"),
    "keys-deprecated": Explanation(
        ("optim", "scheduler"), (Spot("funasr/schedulers/noam_lr.py", 48, "deprecated"),),
        "scheduler: noamlr\n"),
    "keys-exchanged": Explanation(
        (YAML,), (Spot(_MODEL, 100, "encoder_class"),), "audio_adaptor: Linear\n"),
    "keys-debug": Explanation(("debug",), (Spot(_PROGRAM, 85, "set_trace"),), "debug: true\n"),
    "keys-default": Explanation((YAML,), (), "optim_conf:\n  lr: 5.0e-6\n"),
    "keys-conflict": Explanation(
        ("train_conf.use_fp16", "train_conf.use_bf16", "train_conf.avg_nbest_model",
         "train_conf.keep_nbest_models", "lora_only"), (Spot(_TRAINER, 114, "use_bf16"),),
        "train_conf:\n  keep_nbest_models: 5\n  avg_nbest_model: 10\n"),
    "keys-omitted": Explanation((YAML,), (_ALONE,), "model_conf: {}\n"),
    "trains-nothing": Explanation(
        ("audio_encoder_conf.freeze", "audio_adaptor_conf.freeze", "llm_conf.freeze",
         "freeze_param"), (Spot(_MODEL, 103, "freeze"),), _THREE.format("true", "true")),
    "trains-without-gradient": Explanation(
        ("ctc_decoder_conf.freeze", "freeze_param", "--gpus"), (Spot(_TRAINER, 1031, "DDP"),),
        "ctc_decoder_conf:\n  freeze: false\n", settings={"gpus": 2}),
    "trains-encoder-frozen": Explanation(
        ("audio_encoder_conf.freeze",), (Spot(_MODEL, 103, "freeze"),),
        _THREE.format("true", "false")),
    "trains-freeze-param": Explanation(("freeze_param",), (Spot(_PROGRAM, 158, "split"),),
                                       'freeze_param: "ctc, audio_encoder"\n'),
    "trains-lora-not-saved": Explanation(
        ("llm_conf.use_lora", "train_conf.effective_save_name_excludes"), (_EXCLUDES,),
        "llm_conf:\n  use_lora: true\ntrain_conf:\n  effective_save_name_excludes: [llm.]\n"),
    "trains-in-half": Explanation(("llm_conf.llm_dtype", "llm_conf.freeze"),
                                  (Spot(_MODEL, 129, "dtype"),), "llm_conf:\n  freeze: false\n"),
    "run-deepspeed": Explanation(
        ("train_conf.use_deepspeed", "train_conf.deepspeed_config"),
        (Spot(_TRAINER, 1074, "open"),), "train_conf:\n  use_deepspeed: true\n"),
    "run-activation-checkpoint": Explanation(
        ("audio_encoder_conf.activation_checkpoint", "llm_conf.activation_checkpoint"),
        (Spot("funasr/models/sense_voice/model.py", 632, "*="),),
        "audio_encoder_conf:\n  activation_checkpoint: true\n"),
    "run-frontend-rate": Explanation(
        ("frontend_conf.fs",), (Spot("funasr/frontends/wav_frontend.py", 130, "fs"),),
        "frontend_conf:\n  fs: 8000\n"),
    "schedule-warmup-unfinished": Explanation(
        ("scheduler_conf.warmup_steps", "--steps", TRAIN),
        (Spot("funasr/schedulers/warmup_lr.py", 40, "warmup_steps"),),
        "scheduler_conf:\n  warmup_steps: 5000\n", settings={"steps": 1000}),
    "schedule-mean": Explanation(
        ("optim_conf.lr", "scheduler_conf.warmup_steps", "--steps", TRAIN),
        (Spot("funasr/schedulers/warmup_lr.py", 40, "warmup_steps"),),
        "scheduler_conf:\n  warmup_steps: 100\n", settings={"steps": 100_000}),
    "schedule-not-drawn": Explanation(
        ("scheduler", "--steps"), (_SCHEDULE,),
        "scheduler: noamlr\nscheduler_conf:\n  warmup_steps: 100\n", settings={"steps": 300_000}),
    "schedule-intervals": Explanation(
        ("train_conf.validate_interval", "train_conf.save_checkpoint_interval", TRAIN),
        (_VALIDATES,), "train_conf:\n  validate_interval: 5000\n", train=lines(4)),
    "schedule-unscored": Explanation(
        ("train_conf.save_checkpoint_interval", "train_conf.validate_interval"), (_VALIDATES,),
        "train_conf:\n  save_checkpoint_interval: 500\n  validate_interval: 1000\n"),
    "after-no-llm": Explanation(("train_conf.effective_save_name_excludes",), (_EXCLUDES,),
                                "train_conf:\n  effective_save_name_excludes: [llm.]\n"),
    "after-lacks": Explanation(("train_conf.effective_save_name_excludes",), (_EXCLUDES,),
                               "train_conf:\n  effective_save_name_excludes: [audio_encoder.]\n"),
    "after-best": Explanation(("train_conf.validate_interval", "train_conf.max_epoch", TRAIN),
                              (_VALIDATES,), "train_conf:\n  max_epoch: 1\n", train=lines(4)),
    "after-prompt": Explanation(
        ("dataset_conf.prompt_classes",), (Spot(_DATA, 57, "prompt_classes"),),
        "dataset_conf:\n  prompt_classes: MultiContextPrompt\n"),
    "after-resume": Explanation(("train_conf.resume",), (Spot(_TRAINER, 102, "resume"),)),
    "cost-averaging": Explanation(
        ("train_conf.avg_nbest_model", "train_conf.keep_nbest_models"),
        (Spot("funasr/train_utils/average_nbest_models.py", 86, "torch.load"),),
        "train_conf:\n  max_epoch: 200\n  avg_nbest_model: 200\n  keep_nbest_models: 200\n"),
    "specaug-not-applied": Explanation(("specaug", "specaug_conf"), (), "specaug: SpecAugLFR\n"),
    "rate-out-of-range": Explanation(
        ("optim_conf.lr", "llm_conf.use_lora"), (_GROUPS,),
        "audio_encoder_conf:\n  freeze: false\noptim_conf:\n  lr: 0.01\n"),
    "cost-gpu-memory": Explanation(
        ("--gpu-memory", "dataset_conf.batch_size", "train_conf.use_bf16", TRAIN), (_BATCH,),
        "audio_encoder_conf:\n  freeze: false\ntrain_conf:\n  use_deepspeed: false\n",
        settings={"gpu_bytes": 4 * GIBIBYTE}),
    "version-cannot-train": Explanation((VERSION,), (), settings={"funasr": "1.2.9"}),
    "version-lora": Explanation((VERSION, "llm_conf.use_lora"), (Spot(_MODEL, 133, "use_lora"),),
                                "llm_conf:\n  use_lora: true\n", settings={"funasr": "1.4.0"}),
    "version-feat-permute": Explanation(
        (VERSION, "audio_encoder_conf.feat_permute"), (),
        "audio_encoder_conf:\n  feat_permute: true\n", settings={"funasr": "1.3.0"}),
    "version-save": Explanation(
        (VERSION, "train_conf.save_checkpoint_interval", "train_conf.validate_interval"),
        (_VALIDATES,), "train_conf:\n  save_checkpoint_interval: 500\n  validate_interval: 1000\n",
        settings={"funasr": "1.4.0"}),
    "version-deepspeed": Explanation(
        (VERSION, "train_conf.use_deepspeed", "--gpus"), (Spot(_PROGRAM, 71, "use_ddp"),),
        "train_conf:\n  use_deepspeed: true\n  deepspeed_config: ds.json\n",
        settings={"funasr": "1.4.0", "gpus": 2}),
    "version-freeze-param": Explanation(
        (VERSION, "freeze_param"), (Spot(_PROGRAM, 157, "freeze_param"),),
        "freeze_param: ctc,ctc_decoder\n", settings={"funasr": "1.2.9"}),
    "version-ctc-stays": Explanation(
        (VERSION, DIRECTORY), (Spot(_MODEL, 285, "disable_incomplete_ctc"),),
        overrides=("++hub=hf",), settings={"funasr": "1.3.2"}),
    "data-stops-reading": Explanation(
        (BOTH,), (_INDEX,), train=('{"key": "no messages"}', *lines(2))),
    "data-malformed": Explanation((BOTH,), (_INDEX,), train=("{", *lines(2))),
    "data-nothing-left": Explanation(
        (BOTH, "dataset_conf"), (Spot(_DATA, 467, "min_source_length"),), train=lines(2, 0.05)),
    "data-lost": Explanation((BOTH, "dataset_conf"), (Spot(_DATA, 465, "max_source_length"),),
                             train=(*lines(2), line("long.wav", 900.0))),
    "data-empty-batch": Explanation(
        ("dataset_conf.batch_size", BOTH), (_BATCH,),
        "dataset_conf:\n  batch_type: token\n  batch_size: 60\n", train=lines(4)),
    "data-dropped-in-collator": Explanation(
        ("dataset_conf.batch_size_token_max", BOTH), (Spot(_DATA, 379, "batch_size_token_max"),),
        "dataset_conf:\n  batch_type: token\n  batch_size: 6000\n  batch_size_token_max: 50\n",
        train=lines(20)),
    "data-replaced-in-dataset": Explanation(
        ("dataset_conf.max_token_length", BOTH), (Spot(_DATA, 333, "max_token_length"),),
        "dataset_conf:\n  batch_type: example\n  batch_size: 1\n  max_token_length: 100\n"
        "  prompt_classes: MultiContextPrompt\n", train=lines(20, 0.5)),
    "data-padding": Explanation(
        ("dataset_conf.sort_size", TRAIN), (Spot(_SAMPLERS, 33, "sort_size"),),
        "dataset_conf:\n  batch_type: token\n  batch_size: 6000\n  sort_size: -1\n",
        train=tuple(line(f"{number}.wav", 1.0 if number % 2 else 9.0, f"number {number}")
                    for number in range(20))),
    "data-lonely-batches": Explanation(
        ("dataset_conf.batch_size", TRAIN), (_BATCH,),
        "dataset_conf:\n  batch_type: token\n  batch_size: 400\n", train=lines(20)),
    "data-read-again": Explanation(
        ("dataset_conf.data_split_num", TRAIN), (Spot(_LOADER, 107, "data_split_num"),),
        "dataset_conf:\n  data_split_num: 4\n", train=lines(20)),
    "data-no-step": Explanation(
        ("train_conf.accum_grad", TRAIN), (Spot(_TRAINER, 783, "accum_grad"),),
        "train_conf:\n  accum_grad: 100\n", train=lines(4)),
    "data-batches-repeat": Explanation(
        (BOTH, "--gpus"), (Spot(_SAMPLERS, 297, "Sampler"),), train=lines(1), settings={"gpus": 2}),
    "data-unequal-processes": Explanation(
        ("dataset_conf.sort_size", "dataset_conf.batch_type", TRAIN, "--gpus"),
        (Spot(_SAMPLERS, 297, "Sampler"),),
        "dataset_conf:\n  batch_type: token\n  batch_size: 1500\n  sort_size: -1\n",
        train=tuple(line(f"{number}.wav", 1.0 + number * number % 11, f"number {number}")
                    for number in range(97)), settings={"gpus": 4}),
    "data-uneven": Explanation(
        ("dataset_conf.drop_last", "dataset_conf.batch_type", BOTH, "--gpus"),
        (Spot(_SAMPLERS, 90, "total_size"),),
        "dataset_conf:\n  batch_type: example\n  batch_size: 4\n  drop_last: true\n",
        train=lines(9)),
    "data-suspicious": Explanation((BOTH,), (Spot(_DATA, 225, "!"),), train=(line(mark=""),)),
    "data-duplicates": Explanation((BOTH,), (_OPENS,), train=(line(), line())),
    "data-overlap": Explanation((BOTH,), (), train=lines(2), valid=lines(2)),
    "data-same-sentences": Explanation((BOTH,), (), train=lines(2), valid=lines(2)),
    "data-audio": Explanation((AUDIO,), (_OPENS,), train=lines(2), settings={"probe": 10}),
    "data-remote-audio": Explanation(
        (AUDIO,), (Spot(_SOUND, 99, "http"),), train=(line("https://example.org/a.wav"),),
        settings={"probe": 10}),
    "data-speech-length": Explanation(
        (BOTH, AUDIO), (Spot(_DATA, 452, "speech_length"),), train=(line(seconds=9.0),),
        sounds=_WAVS, settings={"probe": 10}),
    "data-downsampled": Explanation(
        ("frontend_conf.fs", AUDIO), (Spot(_SOUND, 181, "Resample"),),
        "frontend_conf:\n  fs: 8000\n", train=(line(),), sounds=_WAVS, settings={"probe": 10}),
    "data-mixed-rates": Explanation(
        (AUDIO,), (Spot(_SOUND, 181, "Resample"),), train=(line(), line("b.wav")),
        sounds={**_WAVS, "b.wav": (8000, 1, 3.0)}, settings={"probe": 10}),
    "data-channels": Explanation((AUDIO,), (Spot(_SOUND, 130, "mean"),), train=(line(),),
                                 sounds={"a.wav": (16000, 2, 3.0)}, settings={"probe": 10}),
}
