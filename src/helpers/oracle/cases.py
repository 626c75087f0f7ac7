"""Drawn launches: one seed, one config with overrides, manifests, a directory, processes.

A case is a small JSON. Most cases differ from a launch that works in nothing or one thing, some in
two or three; the plain settings (what is frozen, batches, rates, processes) are drawn for all.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from funasr_preflight import audit
from funasr_preflight.launch.directory import MODEL_DIR
from funasr_preflight.launch.reading import key_of
from funasr_preflight.launch.yaml_file import value_at
from helpers.oracle import materials
from helpers.paths import CONFIGS, CORPUS
from helpers.speech import manifests

REMOVE = "__remove__"
OUT, TRAIN, VALID = "out", "train.jsonl", "valid.jsonl"
PATH_KEYS = ("llm_conf.init_param_path", "tokenizer_conf.init_param_path",
             "dataset_conf.ctc_tokenizer_conf.vocab_path", "init_param", "model_conf")
"""Keys of the published files that stand in the way of a merge."""
BASES = ("pretrained", "config_8k_telephone", "stage1_encoder_adapt", "published/"
         "config_8k_telephone", "published/stage1_encoder_adapt", "recommended_8k")
LARGEST_BATCH = 40
QUIET = {"train_conf.use_deepspeed": False}


@dataclass
class Drawn:
    """A launch.

    Attributes:
        seed: draws all of it.
        base: the YAML that it is made from; "" for an overlay of a few keys, "none" for no YAML.
        alone: whether the YAML is launched without the model directory's config.
        values: dotted keys of the YAML that are set, or taken out (REMOVE).
        overrides: of the command line, MODEL_DIR for the directory.
        directory: one of `materials.VARIANTS`.
        processes: of the run.
        train, valid: how the manifests are made.
        mutations: what was changed on purpose, as [kind, what].
    """

    seed: int
    base: str
    alone: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    directory: str = "whole"
    processes: int = 1
    train: dict[str, Any] = field(default_factory=dict)
    valid: dict[str, Any] = field(default_factory=dict)
    mutations: list[list[Any]] = field(default_factory=list)


def drawn(seed: int) -> Drawn:
    """The case of a seed."""
    draw = random.Random(f"oracle {seed}")
    case = Drawn(seed, draw.choices((*BASES, "", "none"), (1, 2, 2, 3, 3, 5, 6, 2))[0])
    _launch(case, draw)
    _plain_settings(case, draw)
    for _ in range(draw.choices((0, 1, 2, 3), (26, 50, 16, 8))[0]):
        mutation = draw.choices(list(MUTATIONS), [weight for weight, _ in MUTATIONS.values()])[0]
        change = MUTATIONS[mutation][1](case, draw)
        if change is not None:
            case.mutations.append([mutation, change])
    size = _effective(case, "dataset_conf.batch_size")
    if _effective(case, "dataset_conf.batch_type") == "example" and not _is_small(size):
        _put(case, "dataset_conf.batch_size", draw.choice((1, 2, 4, 8, 16)), draw)
    return case


def _is_small(size: Any) -> bool:
    """Whether a number of samples is none, or one that a small machine can collate."""
    try:
        return float(size) <= LARGEST_BATCH
    except (TypeError, ValueError):
        return size is not None


def yaml_values(case: Drawn, full: bool = True) -> dict[str, Any] | None:
    """The YAML of a case, nested; None where the launch has none.

    Args:
        full: with the dimensions as written; otherwise those of the small model in the place of
            the released ones.
    """
    if case.base == "none":
        return None
    values = copy.deepcopy(_base(case.base))
    for key, value in case.values.items():
        _assign(values, key.split("."), value)
    if not full:
        for key, small in materials.SMALL.items():
            known = value_at(_base("pretrained"), key)
            if value_at(values, key) == known and known is not None:
                _assign(values, key.split("."), small)
        if case.alone and "ctc_vocab_size" not in values:
            values["ctc_vocab_size"] = MINI_VOCABULARY
    return values


MINI_VOCABULARY = 2576


@cache
def _base(name: str) -> dict[str, Any]:
    if not name:
        return {}
    return OmegaConf.to_container(OmegaConf.load(CONFIGS / f"{name}.yaml"))


def _assign(values: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        if not isinstance(values.get(part), dict):
            if value == REMOVE:
                return
            values[part] = {}
        values = values[part]
    if value == REMOVE:
        values.pop(parts[-1], None)
    else:
        values[parts[-1]] = value


def _launch(case: Drawn, draw: random.Random) -> None:
    """How the YAML and the directory come together: mostly in a way that works."""
    raw = draw.random() < 0.06 and case.base not in ("", "none", "recommended_8k")
    case.overrides = [f"++train_data_set_list={TRAIN}", f"++valid_data_set_list={VALID}",
                      f"++output_dir={OUT}"]
    if case.base == "none":
        case.overrides.insert(0, f"++model={MODEL_DIR}")
        case.overrides += [f"++{key}={as_override(value)}" for key, value in QUIET.items()]
        return
    case.values |= QUIET
    if raw:
        case.mutations.append(["launch", "as published"])
        case.overrides.insert(0, f"++model={MODEL_DIR}")
        return
    if case.base.startswith("published") and draw.random() < 0.2:
        case.alone = True
        for key in PATH_KEYS[:2]:
            case.values[key] = f"{MODEL_DIR}/Qwen3-0.6B"
        case.values[PATH_KEYS[2]] = f"{MODEL_DIR}/multilingual.tiktoken"
        case.overrides.append(f"++init_param={MODEL_DIR}/model.pt")
        return
    for key in PATH_KEYS:
        if value_at(_base(case.base), key, REMOVE) != REMOVE:
            case.values[key] = REMOVE
    if draw.random() < 0.5:
        case.overrides.insert(0, f"++model={MODEL_DIR}")
    else:
        case.values["model"] = MODEL_DIR
    if draw.random() < 0.25:
        case.directory = "without_ctc"


def _plain_settings(case: Drawn, draw: random.Random) -> None:
    case.processes = draw.choices((1, 2, 3, 4, 8), (50, 20, 8, 12, 10))[0]
    claimed = draw.random() < 0.4
    case.train = {"lines": int(2 ** draw.uniform(3, 7.3)) if claimed else int(
        2 ** draw.uniform(2.5, 6)), "claimed": claimed, "files": draw.choices(
            (0, 1, 2, 5), (70, 8, 14, 8))[0]}
    case.valid = {"lines": draw.randint(2, 6), "claimed": False, "files": 0}
    if case.train["files"]:
        case.overrides[_place(case, "train_data_set_list")] = "++train_data_set_list=train.list"
    settings: dict[str, Callable[[], Any]] = {
        "audio_encoder_conf.freeze": lambda: draw.random() < 0.25,
        "audio_adaptor_conf.freeze": lambda: draw.random() < 0.5,
        "llm_conf.freeze": lambda: draw.random() < 0.85,
        "ctc_decoder_conf.freeze": lambda: draw.random() < 0.6,
        "freeze_param": lambda: draw.choice(("ctc", "ctc,audio_encoder.tp_encoders", "ctc")),
        "llm_conf.use_lora": lambda: draw.random() < 0.3,
        "llm_conf.llm_dtype": lambda: draw.choice(("fp32", "bf16")),
        "train_conf.effective_save_name_excludes": lambda: draw.choice((None, ["llm."])),
        "train_conf.accum_grad": lambda: draw.choice((1, 1, 2, 4)),
        "train_conf.max_epoch": lambda: draw.choice((1, 2, 5)),
        "train_conf.use_bf16": lambda: draw.random() < 0.3,
        "train_conf.validate_interval": lambda: draw.choice((2, 50, 2000)),
        "train_conf.save_checkpoint_interval": lambda: draw.choice((2, 100, 2000)),
        "train_conf.keep_nbest_models": lambda: draw.choice((1, 5, 10)),
        "train_conf.avg_nbest_model": lambda: draw.choice((1, 3, 10)),
        "train_conf.avg_keep_nbest_models_type": lambda: draw.choice(("acc", "loss")),
        "optim": lambda: draw.choice(("adam", "adamw", "adamw")),
        "optim_conf.lr": lambda: draw.choice((1e-5, 5e-5, 1e-4, 2e-4)),
        "scheduler_conf.warmup_steps": lambda: draw.choice((5, 100, 2500)),
        "dataset_conf.batch_type": lambda: draw.choice(("token", "token", "example", "length")),
        "dataset_conf.batch_size": lambda: draw.choice((700, 1500, 3000, 6000, 12000)),
        "dataset_conf.sort_size": lambda: draw.choice((-1, 8, 64, 1024)),
        "dataset_conf.max_token_length": lambda: draw.choice((700, 1024, 2048, 3500)),
        "dataset_conf.max_source_length": lambda: draw.choice((500, 2000, 12000)),
        "dataset_conf.min_source_length": lambda: draw.choice((0, 10, 40)),
        "dataset_conf.max_target_length": lambda: draw.choice((20, 2048)),
        "dataset_conf.batch_size_sample_max": lambda: draw.choice((2, 5, 15, 200)),
        "dataset_conf.batch_size_token_max": lambda: draw.choice((500, 2500, 6000)),
        "dataset_conf.data_split_num": lambda: draw.choice((1, 1, 2, 5)),
        "dataset_conf.retry": lambda: draw.choice((1, 2, 20, 100)),
        "dataset_conf.shuffle": lambda: draw.random() < 0.8,
        "dataset_conf.prompt_classes": lambda: draw.choice((None, "MultiContextPrompt")),
        "dataset_conf.num_workers": lambda: draw.choice((0, 4)),
        "dataset_conf.drop_last": lambda: draw.random() < 0.5,
        "dataset_conf.batch_sampler": lambda: draw.choice((
            "BatchSampler", "EspnetStyleBatchSampler", "DynamicBatchLocalShuffleSampler")),
    }
    if draw.random() < 0.8:  # arithmetic of 16 bits is slow on a CPU
        _put(case, "llm_conf.llm_dtype", "fp32", draw)
    sound = {"freeze_param": "ctc", "ctc_decoder_conf.freeze": True,
             "train_conf.effective_save_name_excludes": None,
             "dataset_conf.data_split_num": 1, "dataset_conf.prompt_classes": None}
    for key, value in sound.items():
        if draw.random() < 0.8:
            _put(case, key, value, draw)
    for key in draw.sample(list(settings), draw.randint(0, 9)):
        _put(case, key, settings[key](), draw)


def _effective(case: Drawn, key: str) -> Any:
    for text in reversed(case.overrides):
        name, _, value = text.lstrip("+~").partition("=")
        if name == key:
            return value
    if key in case.values:
        return case.values[key]
    return None if case.base == "none" else value_at(_base(case.base), key)


def _put(case: Drawn, key: str, value: Any, draw: random.Random) -> None:
    """Set a key, in the YAML or on the command line."""
    case.overrides = [text for text in case.overrides if key_of(text) != key]
    if case.base == "none" or draw.random() < 0.25:
        case.overrides.append(f"++{key}={as_override(value)}")
    else:
        case.values[key] = value


def as_override(value: Any) -> str:
    """A value as Hydra's command line takes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(as_override, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{as_override(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        plain = value and all(sign.isalnum() or sign in "_./-:" for sign in value)
        ambiguous = not plain or value[0].isdigit() or value in ("null", "true", "false", "yes")
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" if ambiguous else value
    return str(value)


def _place(case: Drawn, key: str) -> int:
    return next(number for number, text in enumerate(case.overrides) if key_of(text) == key)


DIMENSIONS = frozenset((*materials.SMALL, "audio_encoder_conf.attention_heads",
                        "audio_encoder_conf.kernel_size", "frontend_conf.n_mels",
                        "frontend_conf.lfr_m", "llm_conf.lora_conf.r", "ctc_vocab_size",
                        "ctc_decoder_conf.attention_heads", "audio_adaptor_conf.attention_heads"))
NOT_TURNED = frozenset((
    "debug", "dataset_conf.num_workers", "train_conf.use_wandb", "use_fsdp", "train_conf.use_fsdp",
    "train_conf.use_deepspeed", "use_deepspeed", "train_conf.deepspeed_config", "hub",
    "device", "train_conf.device", "train_conf.rank", "train_conf.local_rank", "backend",
    "train_conf.world_size", "train_conf.output_dir", "llm_conf.hub", "audio_encoder_conf.hub",
    "dataset_conf.ctc_tokenizer_conf.num_languages", "model", "init_param", "output_dir",
    "oss_bucket", "seed", "ngpu", "train_conf.use_ddp"))
"""Keys whose effect needs a GPU, a network, a keyboard or another package, or that have mutations
of their own."""


@cache
def turnable() -> tuple[str, ...]:
    """Keys that FunASR knows: those of the audited configs, and those that it reads with a
    default."""
    known = audit.load()
    read = [f"{section}.{name}".lstrip(".")
            for section, names in known.content["sections"].items() if section != "specaug_conf"
            for name, use in names.items() if use["kind"] == "default" and section]
    top = ["freeze_param", "lora_only", "excludes", "fp16", "bf16", "ctc_vocab_size", "ctc_weight",
           "length_normalized_loss", "enable_tf32", "lora_bias", "ignore_init_mismatch"]
    keys = [*known.content["keys"], *read, *top]
    return tuple(key for key in dict.fromkeys(keys)
                 if key not in NOT_TURNED and not key.startswith(("specaug", "model_conf"))
                 and not key.endswith(("_conf", "kwargs")))


def _value_of_any_type(case: Drawn, draw: random.Random) -> str | None:
    """A known key gets a value of some type."""
    key = draw.choice(turnable())
    usual = audit.load().type_of(key)
    default = audit.load().default(key)
    usual = usual if usual not in ("", "NoneType") else type(default).__name__
    types = ["null", "int", "float", "bool", "str", "list", "dict", usual, usual, usual]
    type_name = draw.choice(types)
    value: Any = {
        "int": lambda: draw.choice((0, -1, 1, 2, 7, -100) if key in DIMENSIONS else
                                   (0, -1, 1, 2, 3, 10, 100, 100000, -5)),
        "float": lambda: draw.choice((0.0, 0.5, 1.0, 1.5, -0.1, 1e-12, 2.0, 100.0)),
        "bool": lambda: draw.random() < 0.5,
        "str": lambda: draw.choice(("", "1", "0.1", "true", "none", "abc", "1e-4", "10")),
        "list": lambda: draw.choice(([], [1], [0, 1], ["a"], [0.9, 0.99])),
        "dict": lambda: draw.choice(({}, {"a": 1})),
    }.get(type_name, lambda: None)()
    _put(case, key, value, draw)
    return key


def _null(case: Drawn, draw: random.Random) -> str:
    key = draw.choice(turnable())
    _put(case, key, None, draw)
    return key


def _typo(case: Drawn, draw: random.Random) -> str | None:
    """A key that the case sets is misspelt."""
    own = [key for key, value in case.values.items()
           if value != REMOVE and key != "model" and len(key.rpartition(".")[2]) > 2]
    if not own or case.base == "none":
        return None
    key = draw.choice(own)
    section, dot, name = key.rpartition(".")
    index = draw.randrange(1, len(name))
    typo = draw.choice((name[:index] + name[index + 1:], name[:index] + name[index] + name[index:],
                        name.replace("_", ""), name + "s", name.capitalize()))
    known = {known.rpartition(".")[2] for known in turnable()}
    if typo == name or typo in known:
        return None
    case.values[f"{section}{dot}{typo}"] = case.values.pop(key)
    return f"{section}{dot}{typo}"


def _moved(case: Drawn, draw: random.Random) -> str | None:
    """A key stands in another section, or at the top."""
    own = [key for key, value in case.values.items() if value != REMOVE and "." in key]
    if not own or case.base == "none":
        return None
    key = draw.choice(own)
    section = draw.choice(("", "train_conf.", "dataset_conf.", "optim_conf.", "llm_conf."))
    moved = section + key.rpartition(".")[2]
    if moved == key or moved in turnable() or moved in case.values:
        return None
    case.values[moved] = case.values.pop(key)
    return moved


def _path(case: Drawn, draw: random.Random) -> str:
    key = draw.choice((*PATH_KEYS[:4], "init_param", "frontend_conf.cmvn_file",
                       "ctc_decoder_conf.init_param_path",
                       "dataset_conf.prompt_conf.chinese_hotwords_list"))
    whole = {PATH_KEYS[0]: f"{MODEL_DIR}/Qwen3-0.6B",
             PATH_KEYS[1]: f"{MODEL_DIR}/Qwen3-0.6B",
             PATH_KEYS[2]: f"{MODEL_DIR}/multilingual.tiktoken",
             "init_param": f"{MODEL_DIR}/model.pt"}.get(key, "nowhere/file.txt")
    value = draw.choice((None, "nowhere/model.pt.avg", "", f"{MODEL_DIR}/nothing", whole))
    _put(case, key, value, draw)
    return key


def _model(case: Drawn, draw: random.Random) -> str | None:
    """`model` is wrong, or `model_conf` is there, or the command leaves something out."""
    change = draw.choice(("model_conf", "no model", "no train", "no valid", "list", "class"))
    if change == "model_conf" and case.base != "none":
        case.values["model_conf.length_normalized_loss"] = True
        case.values.pop("model_conf", None)
        case.alone = True
    elif change == "no model":
        case.overrides = [override for override in case.overrides if "model=" not in override]
        if case.base != "none":
            case.values["model"] = REMOVE
    elif change in ("no train", "no valid"):
        key = f"{change[3:]}_data_set_list"
        case.overrides = [override for override in case.overrides if key not in override]
        if draw.random() < 0.3:
            case.overrides.append(f"++{key}=null")
    elif change == "list":
        case.overrides[_place(case, "train_data_set_list")] = f"++train_data_set_list=[{TRAIN}]"
    else:
        key = draw.choice(("audio_encoder", "frontend", "audio_adaptor", "ctc_decoder",
                           "tokenizer", "dataset", "dataset_conf.index_ds", "optim", "scheduler",
                           "dataset_conf.batch_sampler", "dataset_conf.dataloader",
                           "dataset_conf.ctc_tokenizer"))
        names = audit.load().classes(key)
        name = draw.choice((*names, "NoSuchClass", str(value_at(_base("pretrained"), key)).lower()))
        _put(case, key, name, draw)
        return f"{key}={name}"
    return change


def _directory(case: Drawn, draw: random.Random) -> str | None:
    if case.alone:
        return None
    case.directory = draw.choice(materials.VARIANTS[1:])
    return case.directory


def _freeze(case: Drawn, draw: random.Random) -> str:
    value = draw.choice((
        "ctc", "ctc, ctc_decoder", "ctc,ctc_decoder", "audio_encoder", ["ctc", "llm"],
        "audio_encoder.tp_encoders,ctc", "ctc, audio_encoder.encoders", "", "ctc,", None,
        "audio_encoder.encoders.0,ctc", "encoder", "llm.model.layers.0",
        "audio_adaptor.blocks.0,ctc", "audio_encoder.", "ctc.ctc_lo", ["ctc"], 3, "ctc_decoder",
        "audio_encoder,audio_adaptor,llm,ctc_decoder,ctc", "ctc;llm", "*"))
    for part in ("audio_encoder", "audio_adaptor", "llm", "ctc_decoder"):
        if draw.random() < 0.5:
            _put(case, f"{part}_conf.freeze", draw.random() < 0.5, draw)
    _put(case, "freeze_param", value, draw)
    return str(value)


def _excludes(case: Drawn, draw: random.Random) -> str:
    value = draw.choice((
        "llm.", ["llm."], "ctc., llm.", "ctc.,llm.", "ctc.,", "", None, ["audio_encoder."],
        "audio_adaptor.", ["ctc_decoder.", "ctc."], "llm", ["llm.model.layers.0."], "None",
        "module.llm.", ["audio_encoder.", "audio_adaptor."], 5, ["llm.lm_head."], "lm.", [""]))
    key = draw.choice(("train_conf.effective_save_name_excludes",) * 4 + ("excludes",
                                                                         "train_conf.excludes"))
    _put(case, key, value, draw)
    return f"{key}={value}"


def _lora(case: Drawn, draw: random.Random) -> str:
    _put(case, "llm_conf.use_lora", True, draw)
    for key, value in draw.sample((
            ("llm_conf.lora_conf.target_modules", draw.choice((
                ["q_proj"], ["proj"], ["q_proj", "k_proj", "v_proj", "o_proj"], ["mlp"], [],
                "q_proj", ["lm_head"], ["self_attn"], ["0"], None, ["layers"], "q_proj,v_proj",
                ["gate_proj", "up_proj", "down_proj"]))),
            ("llm_conf.lora_conf.r", draw.choice((1, 8, 64, 0, -1, 2.0, None, "8"))),
            ("llm_conf.lora_conf.lora_dropout", draw.choice((0.0, 0.5, 1.0, 1.5, -0.1))),
            ("llm_conf.lora_conf.lora_alpha", draw.choice((0, 16, 32, 1.5))),
            ("lora_only", draw.choice((True, False))),
            ("lora_bias", draw.choice(("none", "all", "lora_only", "other"))),
            ("llm_conf.freeze", draw.choice((True, False))),
            ("audio_encoder_conf.freeze", draw.choice((True, False))),
            ("train_conf.effective_save_name_excludes", draw.choice((["llm."], None))),
            ("llm_conf.lora_conf", draw.choice(({}, None)))), draw.randint(1, 3)):
        _put(case, key, value, draw)
    return "use_lora"


def _precision(case: Drawn, draw: random.Random) -> str:
    key, value = draw.choice((
        ("train_conf.use_fp16", True), ("train_conf.use_bf16", True), ("bf16", True),
        ("fp16", True), ("llm_conf.llm_dtype", "fp16"), ("llm_conf.llm_dtype", "bf16"),
        ("llm_conf.llm_dtype", "fp32"), ("llm_conf.llm_dtype", "float32"),
        ("train_conf.use_deepspeed", True), ("debug", True),
        ("audio_encoder_conf.activation_checkpoint", True),
        ("llm_conf.activation_checkpoint", True), ("train_conf.find_unused_parameters", True)))
    _put(case, key, value, draw)
    if draw.random() < 0.3:
        _put(case, "llm_conf.freeze", False, draw)
    return key


def _optimizer(case: Drawn, draw: random.Random) -> str:
    key, value = draw.choice((
        ("optim_conf.lr", draw.choice((0, -1e-4, 1.0, 10, 0.5, "1e-4", None, 1e-30))),
        ("optim_conf.weight_decay", draw.choice((-0.1, 0.5, None, "0.01"))),
        ("optim_conf.betas", draw.choice(([0.9, 0.98], [0.9], [1.0, 0.9], 0.9, None))),
        ("optim_conf.eps", draw.choice((1e-8, 0, -1))),
        ("optim_conf.momentum", 0.9), ("optim_conf.foo", 1),
        ("optim", draw.choice(("sgd", "adam", "adamw", "AdamW", "lion", None, "radam"))),
        ("scheduler", draw.choice(("noam", "warmuplr", "tri_stage", "WarmupLR", "cosine", None,
                                   "torch_lambdalr", "lambdalr", "custom_lambdalr"))),
        ("scheduler_conf.warmup_steps", draw.choice((0, -5, 0.5, 25000.0, None, "100"))),
        ("scheduler_conf", draw.choice((None, {}))), ("optim_conf", draw.choice((None, {}))),
        ("scheduler_conf.total_steps", 1000),
        ("train_conf.grad_clip", draw.choice((0, -1, 5, 0.001, None, "5"))),
        ("train_conf.grad_clip_type", draw.choice((0, 1, 2, "inf", None))),
        ("train_conf.accum_grad", draw.choice((0, -1, 1, 3, 50, 1000, 2.0, 1.5, None, "2")))))
    _put(case, key, value, draw)
    return key


def _data(case: Drawn, draw: random.Random) -> str:
    numbers = (0, -1, 1, 2, 5, 60, 300, 1500, 6000, 100000, 2.5, 300.0, None, "60", [1])
    name = draw.choice((
        "batch_size", "batch_size", "max_token_length", "sort_size", "batch_size_sample_max",
        "batch_size_token_max", "max_source_length", "min_source_length", "max_target_length",
        "data_split_num", "retry", "batch_type", "batch_sampler", "drop_last", "shuffle",
        "prompt_classes", "prompt_conf", "min_target_length", "length_scale_source",
        "use_dynamic_output_ratio", "multiturn_num_max", "is_training", "preprocessor_speech",
        "do_think", "sys_prompt", "audio_downsample_rate", "rank_split", "index_ds"))
    value = {
        "batch_type": ("example", "token", "length", "tokens", None, 1),
        "batch_sampler": ("EspnetStyleBatchSampler", "CustomDistributedBatchSampler", "Batch",
                          None), "drop_last": (True, False, None), "shuffle": (True, False, None),
        "prompt_classes": ("MultiContextPrompt", "MultiContextPromptNew", "None", None, ""),
        "prompt_conf": (None, {}), "is_training": (True, False),
        "preprocessor_speech": ("SpeechPreprocessSpeedPerturb", "Nothing", None),
        "do_think": (True, False), "sys_prompt": (True, False), "rank_split": (True, False),
        "index_ds": ("FunASR", "IndexDSJsonl", None),
        "data_split_num": (0, -1, 1, 2, 7, 300, None, "2", 2.0),
        "retry": (0, 1, 2, 5, 100, None, -1, 2.0, "3"),
    }.get(name, numbers)
    _put(case, f"dataset_conf.{name}", draw.choice(value), draw)
    return f"dataset_conf.{name}"


LINE_FAULTS = (
    "no_text_length", "no_speech_length", "zero_length", "negative_length", "huge_length",
    "text_as_string", "speech_as_string", "length_word", "length_float", "length_list",
    "length_null", "length_lists", "length_bool", "no_messages", "messages_null",
    "messages_string", "message_string", "no_user", "no_assistant", "no_system", "no_content",
    "content_null", "content_number", "no_role", "no_bang", "no_tags", "missing_audio",
    "unreadable_audio", "empty_audio", "folder_audio", "empty_text", "source_target", "turns",
    "prompt", "blank", "broken", "no_object", "not_utf8", "nul", "carriage_return", "key_list",
    "swapped_tags", "short_audio", "long_audio", "wrong_length")
FILE_FAULTS = ("empty_file", "no_final_newline", "crlf", "bom", "blank_end", "blank_lines",
               "duplicates", "same_as_valid", "list_blank", "list_missing", "list_indented",
               "no_file", "json_array")


def _lines(case: Drawn, draw: random.Random) -> str:
    which = "valid" if draw.random() < 0.2 else "train"
    fault = draw.choice(LINE_FAULTS)
    share = draw.choice((1.0, 0.3, 0.0))
    getattr(case, which).setdefault("faults", []).append([fault, share])
    return f"{which}:{fault}:{share}"


def _file(case: Drawn, draw: random.Random) -> str:
    which = "valid" if draw.random() < 0.2 else "train"
    fault = draw.choice(FILE_FAULTS)
    if fault.startswith("list") and not getattr(case, which)["files"]:
        getattr(case, which)["files"] = 2
        case.overrides[_place(case, f"{which}_data_set_list")] = \
            f"++{which}_data_set_list={which}.list"
    getattr(case, which)["file"] = fault
    return f"{which}:{fault}"


def _hub(case: Drawn, draw: random.Random) -> str:
    value = draw.choice(("hf", "huggingface", "ms", "modelscope", "openai", None, "other"))
    _put(case, "hub", value, draw)
    return f"hub={value}"


def _override(case: Drawn, draw: random.Random) -> str:
    key = draw.choice(turnable())
    text = draw.choice((f"~{key}", f"{key}=1", f"+{key}=1"))
    case.overrides.append(text)
    return text


MUTATIONS: dict[str, tuple[int, Callable[[Drawn, random.Random], Any]]] = {
    "value": (18, _value_of_any_type), "null": (5, _null), "typo": (7, _typo), "moved": (4, _moved),
    "path": (6, _path), "model": (6, _model), "directory": (4, _directory), "freeze": (6, _freeze),
    "excludes": (5, _excludes), "lora": (6, _lora), "precision": (5, _precision),
    "optimizer": (6, _optimizer), "data": (11, _data), "lines": (11, _lines), "file": (4, _file),
    "hub": (2, _hub), "override": (2, _override)}


def manifest_lines(case: Drawn, which: str) -> list[dict[str, Any]]:
    """The lines of a manifest before anything is broken in them."""
    about = getattr(case, which)
    draw = random.Random(f"lines {case.seed} {which}")
    sentences = _sentences()
    lines = []
    for number in range(about["lines"]):
        frames = draw.choice(materials.CLIP_FRAMES)
        text, tokens = sentences[draw.randrange(len(sentences))]
        if about["claimed"]:
            frames = materials.CLIP_FRAMES[1]
        line = manifests.chatml(f"{which}_{number}", str(materials.clip(frames)), text, frames,
                                tokens)
        if about["claimed"]:
            line["speech_length"] = int(math.exp(draw.gauss(5.8, 0.8)))
            line["text_length"] = max(1, line["speech_length"] // draw.randint(15, 60))
        lines.append(line)
    return lines


@cache
def _sentences() -> tuple[tuple[str, int], ...]:
    return tuple((manifests.transcript(item), item["text_length"])
                 for item in manifests.read_manifest(CORPUS / "adapt.jsonl")[:200])
