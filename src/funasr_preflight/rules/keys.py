"""Rules on the keys themselves: are they known, are they read, can their values be meant?"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from typing import Any

from funasr_preflight.context import Context
from funasr_preflight.findings import (
    REMOVE,
    Finding,
    Severity,
    Table,
    error,
    note,
    problem,
    warning,
)
from funasr_preflight.launch.directory import PATHS
from funasr_preflight.launch.yaml_file import is_number
from funasr_preflight.rules.registry import rule
from funasr_preflight.texts import Text, say

NEVER_READ, NO_EFFECT = "never read", "read without effect"
OTHERWISE = "live, but not as described"
LAUNCHER_KEYS = frozenset((
    "hub", "model_path", "model_revision", "check_latest", "remote_code", "trust_remote_code",
    "config", "disable_update", "log_level", "ncpu", "is_training", "init_param", "output_dir",
    "train_data_set_list", "valid_data_set_list", "dataset_conf.dataloader", "token_list",
    "vocab_size", "input_size", "jieba_usr_dict", "disable_log", "disable_pbar"))
"""Keys that the launcher, the download or the building of a model reads or writes: the audit of
the training path does not know them."""
FREE_SECTIONS = ("hydra", "defaults", "distributed", "preprocessor_speech_conf",
                 "preprocessor_noise_conf", "preprocessor_text_conf")
CHOOSERS = {"optim": "adamw", "scheduler": "warmuplr"}
"""Keys that choose a class whose section refuses what it does not know, and the audited class."""
SAVE_EXCLUDES = "train_conf.effective_save_name_excludes"
_NUMBERS = ("int", "float")
_SECTIONS = {
    "train_conf": ("max_epoch", "accum_grad", "grad_clip", "log_interval", "validate_interval",
                   "save_checkpoint_interval", "keep_nbest_models", "early_stopping_patience",
                   "grad_clip_type"),
    "dataset_conf": ("sort_size", "num_workers", "data_split_num", "retry", "max_source_length",
                     "min_source_length", "max_target_length", "max_token_length", "batch_size",
                     "multiturn_num_max", "use_dynamic_output_ratio", "audio_downsample_rate",
                     "int_pad_value", "float_pad_value"),
    "optim_conf": ("lr", "weight_decay", "betas", "eps"),
    "scheduler_conf": ("warmup_steps",),
    "frontend_conf": ("fs", "n_mels", "frame_length", "frame_shift", "lfr_m", "lfr_n", "dither",
                      "window"),
    "audio_encoder_conf": ("output_size", "attention_heads", "linear_units", "num_blocks",
                           "tp_blocks", "dropout_rate", "attention_dropout_rate", "kernel_size",
                           "sanm_shfit"),
    "audio_adaptor_conf": ("downsample_rate", "ffn_dim", "n_layer", "dropout_rate",
                           "attention_dropout_rate", "attention_heads"),
    "ctc_decoder_conf": ("downsample_rate", "ffn_dim", "llm_dim", "n_layer", "dropout_rate",
                         "attention_dropout_rate", "attention_heads")}
CALCULATED = frozenset(f"{section}.{name}" for section, names in _SECTIONS.items()
                       for name in names)
"""Keys whose value reaches arithmetic, a comparison or a shape."""
NEVER_NULL = CALCULATED | {
    "ctc_vocab_size", "llm_conf.llm_dtype", "optim", "scheduler", "audio_encoder", "audio_adaptor",
    "frontend", "tokenizer", "dataset", "dataset_conf.index_ds", "dataset_conf.batch_sampler",
    "dataset_conf.dataloader"}
"""Keys whose null ends the run, where a key left out has a default."""
LOADED = (*PATHS, "ctc_decoder_conf.init_param_path", "frontend_conf.cmvn_file")
"""Keys of files that are opened."""
ONE_VALUE = frozenset((*NEVER_NULL, *LOADED))
"""Keys that end the run where they hold keys themselves."""
REGISTERED_AS = dict.fromkeys(("ctc_tokenizer", "dataset_conf.ctc_tokenizer"), "tokenizer")
"""Keys that name a class of another key's register."""
NAMES = ("freeze_param", "excludes", SAVE_EXCLUDES)
"""Keys that FunASR goes through name by name."""
CHOICES = {"llm_conf.llm_dtype": ("bf16", "fp16", "fp32"),
           "frontend_conf.window": ("hamming", "hanning", "povey", "rectangular", "blackman")}
"""Keys whose other values end the run, before or at its first batch."""
RUNS_BELOW = ("num_blocks", "n_layer", "accum_grad", "log_interval", "validate_interval",
              "save_checkpoint_interval", "keep_nbest_models", "batch_size_token_max", "dither",
              "grad_clip", "avg_nbest_model", "min_source_length", "lora_alpha", "r",
              "use_dynamic_output_ratio", "warmup_steps")
"""Numbers out of range that FunASR takes without a word, unless they are 0 in a division."""
ENDS_AT_ZERO = ("accum_grad", "log_interval", "validate_interval", "save_checkpoint_interval",
                "warmup_steps")
FILLED_IN = ("audio_adaptor_conf.encoder_dim", "audio_adaptor_conf.llm_dim",
             "ctc_decoder_conf.encoder_dim")
"""Keys that the model's class writes itself."""
BROKEN = {"scheduler": ("custom_lambdalr", "tri_stage")}
"""Names in FunASR's register whose class ends the run, whatever its section says."""
USED_IN_DECODING = ("ctc_decoder", "frontend")
"""Keys of classes that a training step does without, or takes in any form."""
MAY_BE_NULL = ("scheduler_conf", "dataset_conf.prompt_conf")
"""Sections whose null FunASR takes for an empty one, or does not look at."""
LORA_BIAS = ("none", "all", "lora_only")
_LANGUAGE = re.compile(r"[a-z]{2,3}|[a-z]{4,}", re.IGNORECASE)
LOWEST_RATE = 1000
"""In Hz: no audio has a rate below it."""
_TWICE = (*(f"train_conf.{name}" for name in ("rank", "local_rank", "world_size", "device",
                                              "excludes", "output_dir")),
          *(f"dataset_conf.{name}" for name in ("frontend", "tokenizer", "is_training", "path",
                                                "dataset", "start_step")))
"""Keys that FunASR hands to the same call by itself."""
NEVER_NULL_OF_LORA = tuple(f"llm_conf.lora_conf.{name}" for name in (
    "r", "lora_alpha", "lora_dropout", "target_modules"))
TRULY_WHOLE = ("max_epoch", "data_split_num", "sort_size", "retry", "num_workers",
               "avg_nbest_model", "n_mels", "lfr_m", "lfr_n", "kernel_size", "attention_heads",
               "num_blocks", "tp_blocks", "n_layer", "output_size", "linear_units", "ffn_dim",
               "llm_dim", "encoder_dim", "r", "downsample_rate")
"""Whole numbers that FunASR counts with or makes tensors of: it takes no 2.0 for 2 there."""
SCORES = ("acc", "loss")
_PREPROCESSORS = ("SpeechPreprocessSpeedPerturb", "TextPreprocessSegDict",
                  "TextPreprocessRemovePunctuation")
PREPROCESSORS = {"preprocessor_speech": _PREPROCESSORS, "preprocessor_noise": _PREPROCESSORS}
"""What FunASR's register has under these keys."""
AT_LEAST_ONE = ("max_epoch", "accum_grad", "batch_size", "batch_size_sample_max", "log_interval",
                 "validate_interval", "save_checkpoint_interval", "keep_nbest_models",
                 "avg_nbest_model", "data_split_num", "max_token_length", "batch_size_token_max",
                 "max_source_length", "max_target_length", "warmup_steps", "retry", "fs", "n_mels",
                 "lfr_m", "lfr_n", "downsample_rate", "num_blocks", "n_layer", "output_size",
                 "linear_units", "attention_heads", "ffn_dim", "kernel_size", "frame_length",
                 "frame_shift", "multiturn_num_max")
NOT_NEGATIVE = ("weight_decay", "eps", "num_workers", "dither", "grad_clip", "min_source_length",
                 "num_freq_mask", "num_time_mask", "r", "lora_alpha", "use_dynamic_output_ratio")
PAIRS = (("min_source_length", "max_source_length"), ("min_target_length", "max_target_length"),
          ("prompt_conf.min_neg_hotwords_num", "prompt_conf.max_neg_hotwords_num"))


def _is_specaug(key: str) -> bool:
    return key.partition(".")[0] in ("specaug", "specaug_conf")


def _own_keys(context: Context) -> Iterator[tuple[str, Any]]:
    """Keys of the YAML that the knob test or a class knows, without SpecAug's, which has a rule."""
    for key, value in context.own.values.items():
        if context.audit.known(key) and not _is_specaug(key):
            yield key, value


def _differs_from_base(context: Context, key: str, value: Any) -> bool:
    """Whether a value says something else than the model directory's own config."""
    return key not in context.base or context.base[key] != value


@rule("keys-unknown", say("Keys that FunASR does not know"), "introduction")
def unknown_keys(context: Context) -> Iterator[Finding]:
    for key, value in context.own.values.items():
        within_one_value = any(key.startswith(f"{section}.") for section in ONE_VALUE)
        if context.audit.known(key) or _free_form(context, key) or within_one_value:
            continue  # of the last another rule speaks
        section = key.rpartition(".")[0]
        meant = context.audit.suggest(key)
        ends = context.audit.refuses(section)
        text = (say("`{key}` is no key of `{section}`, and its class ends the run at that.",
                    key=key, section=section) if ends else
                say("Nothing on the path of this run reads `{key}`. FunASR takes it in silence, "
                    "and it changes nothing.", key=key))
        fix = say("Did you mean `{meant}`?", meant=meant) if meant else say("Take it out.")
        near = meant and meant.rpartition(".")[0] == section and meant not in context.own.values
        yield problem(Severity.ERROR if ends else Severity.WARNING, text, fix, decision=True,
                      edits={key: REMOVE, **({meant: value} if near else {})})


def _free_form(context: Context, key: str) -> bool:
    """Whether a key belongs to a class that was not audited, or is handed to another library."""
    parts = key.split(".")
    if (key in LAUNCHER_KEYS or parts[:2] == ["llm_conf", "load_kwargs"]
            or any(part in FREE_SECTIONS for part in parts[:2])):
        return True
    chooser = parts[0].removesuffix("_conf")
    return chooser in CHOOSERS and context.get(chooser, CHOOSERS[chooser]) != CHOOSERS[chooser]


@rule("keys-refused", say("Settings that the optimizer or scheduler does not take"),
      "learning_rate")
def refused(context: Context) -> Iterator[Finding]:
    """What `keys-unknown` cannot see: other classes than the audited, and keys of the base."""
    for chooser, audited in CHOOSERS.items():
        section, name = f"{chooser}_conf", context.get(chooser, audited)
        conf = context.get(section, {})
        accepted = context.audit.accepts(chooser, name) if isinstance(name, str) else None
        if accepted is None or not isinstance(conf, dict):
            continue
        for key in conf:
            full = f"{section}.{key}"
            if key in accepted or full in context.own.values and name == audited:
                continue
            inherited = full not in context.own.values
            close = difflib.get_close_matches(str(key), list(accepted), 1)
            fix = (say("Take `{key}` out of the model directory's config.yaml, or leave "
                       "`{chooser}` as it is: no override can remove what comes from there.",
                       key=full, chooser=chooser) if inherited else
                   say("Did you mean `{meant}`?", meant=f"{section}.{close[0]}") if close else
                   say("Take it out; {name} takes {names}.", name=name, names=", ".join(accepted)))
            text = (say("`{chooser}: {name}` takes no `{key}`, which the model directory's config "
                        "sets, and the run ends there.", chooser=chooser, name=name, key=key)
                    if inherited else
                    say("`{chooser}: {name}` takes no `{key}`, and the run ends there.",
                        chooser=chooser, name=name, key=key))
            yield error(text, fix, chooser if inherited else full,
                        edits={} if inherited else {full: REMOVE})
        lacking = [key for key, optional in accepted.items() if not optional and key not in conf]
        if lacking:
            yield error(say("`{chooser}: {name}` cannot do without {lacking}, and the run ends "
                            "there.", chooser=chooser, name=name, lacking=", ".join(lacking)),
                        say("Set it in `{section}`.", section=section), chooser)


@rule("keys-never-read", say("Keys that nothing reads"), "which_knobs")
def never_read(context: Context) -> Iterator[Finding]:
    yield from _idle(context, NEVER_READ,
                     say("Nothing reads `{key}`, so its {value} changes nothing. {note}"))


@rule("keys-no-effect", say("Keys that are read and change nothing"), "which_knobs")
def no_effect(context: Context) -> Iterator[Finding]:
    yield from _idle(context, NO_EFFECT,
                     say("`{key}: {value}` is read and changes nothing. {note}"))


def _idle(context: Context, verdict: str, text: Text) -> Iterator[Finding]:
    """A warning for each key of a verdict where the user expects something of it, else a note."""
    for key, value in _own_keys(context):
        if context.audit.verdict(key) == verdict and value is not None and not (
                key.endswith("deepspeed_config") and any(
                    map(context.get, ("use_deepspeed", "train_conf.use_deepspeed")))):
            expected = _differs_from_base(context, key, value)
            yield problem(Severity.WARNING if expected else Severity.NOTE,
                          text.filled(key=key, value=_short(value), note=context.audit.note(key)),
                          say("Take it out, so that nobody relies on it."), key,
                          edits={} if _has_to_be_there(context, key) else {key: REMOVE})


def _has_to_be_there(context: Context, key: str) -> bool:
    """Whether a YAML that is launched alone needs a key, whatever its value: by `model_conf` FunASR
    knows such a launch, and of `FILLED_IN` Hydra's struct takes no key that it has not read."""
    alone = context.mode == "alone" and not context.launch.lacking
    return alone and bool(context.own.values.get("init_param")) and (
        key in FILLED_IN or key.partition(".")[0] == "model_conf")


@rule("keys-otherwise", say("Keys that do something else than they seem to"), "which_knobs")
def otherwise(context: Context) -> Iterator[Finding]:
    for key, value in _own_keys(context):
        if (context.audit.verdict(key) == OTHERWISE and _differs_from_base(context, key, value)
                and value not in context.audit.defaults(key)):
            text = context.audit.note(key)
            if text:
                yield note(say("`{key}: {value}`. {note}", key=key, value=_short(value), note=text),
                           key=key)


@rule("keys-type", say("Values of the wrong type"), "which_knobs")
def wrong_type(context: Context) -> Iterator[Finding]:
    for key, value in _own_keys(context):
        expected = context.audit.type_of(key)
        if expected == "int" and float in map(type, context.audit.defaults(key)):
            expected = "float"
        broken = isinstance(value, float) and key.rpartition(".")[2] in TRULY_WHOLE
        if value is None or not (broken or _wrong(value, expected)) or (
                key == SAVE_EXCLUDES and isinstance(value, str)):
            continue  # FunASR splits that one at its commas
        ends = expected in _NUMBERS and (broken or not isinstance(value, (bool, int, float))) and (
            context.audit.verdict(key) not in (NEVER_READ, NO_EFFECT))
        yield problem(Severity.ERROR if ends else Severity.WARNING,
                      say("`{key}` is {value} of type {found}, and {wanted} is wanted.", key=key,
                          value=_short(value), found=type(value).__name__, wanted=expected),
                      say("Write a value of type {wanted}.", wanted=expected), key)


@rule("keys-section", say("A section that holds a value instead of keys"), "introduction")
def no_section(context: Context) -> Iterator[Finding]:
    for key, value in context.own.values.items():
        if (key.endswith("_conf") and context.audit.section_known(key) and value != {}
                and not _is_specaug(key) and (value is not None or key not in MAY_BE_NULL)):
            yield error(say("`{key}` is {value}, and FunASR looks for keys in it.", key=key,
                            value=_short(value)), say("Write its keys below it, or take it out."),
                        edits={key: REMOVE})


def _wrong(value: Any, expected: str) -> bool:
    if isinstance(value, str) and "$" in value:
        return False  # an interpolation, or a variable of the shell
    number = is_number(value)
    fits = {"int": number and (isinstance(value, int) or value.is_integer()), "float": number,
            "bool": isinstance(value, bool), "str": isinstance(value, str),
            "list": isinstance(value, list)}
    return not fits.get(expected, True)


@rule("keys-null", say("A null where FunASR needs a value"), "which_knobs")
def null(context: Context) -> Iterator[Finding]:
    for key, value in context.own.values.items():
        if value is None and (key in NEVER_NULL or key in NEVER_NULL_OF_LORA
                              and context.on("llm_conf.use_lora")):
            yield error(say("`{key}` is null, which is not the same as left out: FunASR takes it "
                            "as it is, and the run ends.", key=key),
                        say("Take it out, or give a value."), edits={key: REMOVE})
    if (context.get("dataset_conf.ctc_tokenizer", "") is None and context.get("ctc_decoder")
            and not context.get("ctc_tokenizer")):
        key = "dataset_conf.ctc_tokenizer"
        yield error(say("`{key}` is null, and the model ends the run without one.", key=key),
                    say("Take it out."), edits={key: REMOVE})


@rule("keys-crash", say("Values that end the run at its first step"), "training_settings")
def crash(context: Context) -> Iterator[Finding]:
    """Found by running them (FunASR 1.4.16): nothing before the step says so."""
    if context.get("ctc_conf.blank_id") is not None and "ctc_conf.blank_id" in context.own.values:
        yield error(say("`ctc_conf.blank_id` reaches the CTC class twice, and the run ends when "
                        "the model is built."), say("Take it out."),
                    edits={"ctc_conf.blank_id": REMOVE})
    for key in _TWICE:
        if key in context.own.values:
            yield error(say("`{key}` is given by FunASR itself as well, and the run ends at the "
                            "second value.", key=key), say("Take it out."), edits={key: REMOVE})
    for key in ("bf16", "fp16"):
        if context.on(key):
            yield error(say("`{key}` at the top level is for decoding: it turns the whole model "
                            "to 16 bits and the features stay in 32, so the first step ends the "
                            "run.", key=key), say("Take it out and set train_conf.use_bf16."),
                        edits={key: REMOVE})
    if context.on("train_conf.use_fp16") and not context.on("train_conf.use_bf16"):
        yield warning(say("`train_conf.use_fp16` can end the run or make it learn nothing: "
                          "FunASR's loss scaling does not fit all that it trains."),
                      say("Set train_conf.use_bf16: true in its place."),
                      edits={"train_conf.use_fp16": False}, decision=True)
    score = context.get("train_conf.avg_keep_nbest_models_type", SCORES[0])
    if score not in SCORES:
        yield error(say("`train_conf.avg_keep_nbest_models_type` is {score}, and FunASR keeps acc "
                        "and loss only: the first validation ends the run.", score=_short(score)),
                    say("Write loss."), decision=True,
                    edits={"train_conf.avg_keep_nbest_models_type": "loss"})
    for option, names in PREPROCESSORS.items():
        name = context.get(f"dataset_conf.{option}")
        if name and name not in names:
            yield error(say("`dataset_conf.{kind}: {name}` names nothing that FunASR has, and the "
                            "run ends there.", kind=option, name=_short(name)),
                        say("Choose one of {names}.", names=", ".join(names)),
                        f"dataset_conf.{option}")


@rule("keys-ends", say("Values that FunASR's code cannot take"), "which_knobs")
def ends(context: Context) -> Iterator[Finding]:
    """Found by running them and in the source (FunASR 1.4.16); types of audited numbers and
    ranges have rules of their own."""
    own = context.own.values
    for key, value in own.items():
        why = _cannot_take(context, key, value)
        if why:
            yield _ends(key, value, why)
    key = "dataset_conf.prompt_conf"
    if context.get(key, 0) is None and context.get("dataset_conf.prompt_classes"):
        why = say("the class in `prompt_classes` takes its keys from there.")
        yield _ends(key, None, why, edits={key: REMOVE})
    for chooser, names in BROKEN.items():
        if context.get(chooser) in names:
            why = say("with this version of PyTorch, FunASR's own class cannot be made.")
            yield _ends(chooser, context.get(chooser), why,
                        say("Write {usual}.", usual=CHOOSERS[chooser]))
    for key in dict.fromkeys(name.rpartition(".")[0] for name in own):
        if key in ONE_VALUE:
            yield error(say("`{key}` holds keys, and FunASR wants one value there: the run ends.",
                            key=key), say("Write one value."), edits={key: REMOVE})
    for section, width in _WIDTHS.items():
        key = f"{section}.attention_heads"
        heads, wide = context.get(key), context.get(f"{section}.{width[0]}", width[1])
        if all(type(size) is int and size > 0 for size in (heads, wide)) and wide % heads:
            yield error(say("`{key}` is {heads}, which does not divide the width {wide}: the run "
                            "ends when the model is built.", key=key, heads=heads, wide=wide),
                        say("Take it out."), key)


def _ends(key: str, value: Any, why: Text, fix: Text | None = None, **more: Any) -> Finding:
    return error(say("`{key}: {value}` ends the run: {why}", key=key, value=_short(value), why=why),
                 fix or say("Take it out, or give a value that fits."), key, **more)


_WIDTHS = {"audio_encoder_conf": ("output_size", 512), "audio_adaptor_conf": ("none", 1024),
           "ctc_decoder_conf": ("llm_dim", 512)}
"""Section to the key of the width that its attention heads share out, and the released width; the
adaptor's is the LLM's."""


def _cannot_take(context: Context, key: str, value: Any) -> Text | None:
    """Why FunASR cannot take a value, of those that no other rule on keys looks at."""
    if value is None or isinstance(value, str) and "$" in value:
        return None
    if key in NAMES and not isinstance(value, str) and not (
            isinstance(value, list) and all(isinstance(name, str) for name in value)):
        return say("names are wanted, with commas between, or a list of them.")
    if key in CHOICES and value not in CHOICES[key]:
        return say("it takes one of {names}.", names=", ".join(CHOICES[key]))
    if key in ("train_conf.grad_clip_type", "dataset_conf.audio_downsample_rate"):
        turned = float if key.startswith("train_conf") else int
        try:
            turned(value)
        except (TypeError, ValueError):
            return say("it cannot be turned into a number.")
    elif key == "optim_conf.betas":
        if not isinstance(value, list) or len(value) != 2 or not all(
                is_number(beta) and 0 <= beta < 1 for beta in value):
            return say("two numbers from 0 to below 1 are wanted.")
    elif (key in CALCULATED or key == "ctc_vocab_size") and not context.audit.type_of(key):
        if not isinstance(value, (bool, int, float)):
            return say("a number is wanted.")
        if key == "ctc_vocab_size" and value < 0:
            return say("no layer has so many outputs.")
    elif key == "scheduler_conf.last_epoch" and value != -1:
        return say("the scheduler takes the run for one that goes on, and finds no first rate.")
    elif key == "optim_conf.differentiable" and value:
        return say("the step would have to be differentiated, which PyTorch refuses.")
    elif key == "llm_conf.lora_conf.lora_dropout" and context.on("llm_conf.use_lora") and (
            is_number(value) and value > 1):
        return say("it is no share.")
    elif key == "lora_bias" and context.on("lora_only") and value not in LORA_BIAS:
        return say("it takes one of {names}.", names=", ".join(LORA_BIAS))
    elif key == "dataset_conf.ctc_tokenizer_conf.language" and context.get("ctc_decoder") and (
            not isinstance(value, str) or not _LANGUAGE.fullmatch(value)):
        return say("no language is called that.")
    elif key == "dataset_conf.batch_size" and isinstance(value, float) and context.get(
            "dataset_conf.batch_type", "example") == "example":
        return say("a number of samples is wanted, without a point.")
    elif key == "dataset_conf.length_scale_source" and context.filters.scaled and (
            not is_number(value) or not value):
        return say("lengths are divided by it.")
    elif key == "frontend_conf.fs" and is_number(value) and 1 <= value < LOWEST_RATE:
        return say("no audio has such a rate, and no features come of it.")
    return None


@rule("keys-range", say("Values that cannot be meant"), "which_knobs")
def out_of_range(context: Context) -> Iterator[Finding]:
    for key, value in _own_keys(context):
        if not is_number(value):
            continue
        name = key.rpartition(".")[2]
        if name == "lora_alpha" and value == 0 and not context.on("llm_conf.use_lora"):
            continue
        why = _out_of_range(name, value)
        if why:
            runs = _is_finite(value) and (
                name == "lr" and value >= 1 or name.endswith("dropout_rate") and value == 1
                or name == "lora_dropout" and value <= 1
                or name in RUNS_BELOW and not (name in ENDS_AT_ZERO and value == 0)
                and not (name == "warmup_steps" and value < 0))
            yield problem(Severity.WARNING if runs else Severity.ERROR,
                          say("`{key}: {value}` {why}", key=key, value=_short(value), why=why),
                          say("Give a value that can be meant."), key)


def _is_finite(value: float) -> bool:
    """Whether a float can hold a number; integers can be too large for one."""
    return abs(value) <= sys.float_info.max


def _out_of_range(name: str, value: float):
    if isinstance(value, float) and not _is_finite(value):
        return say("is no finite number.")
    if name == "lr" and not 0 < value < 1:
        return say("is no learning rate: it has to lie between 0 and 1.")
    if name in AT_LEAST_ONE and value < 1:
        return say("has to be at least 1.")
    if name in NOT_NEGATIVE and value < 0:
        return say("cannot be negative.")
    if name == "lora_alpha" and value == 0:
        return say("takes LoRA's matrices times 0: they add nothing and learn nothing.")
    if name.endswith(("dropout_rate", "lora_dropout")) and not 0 <= value < 1:
        return say("is no share: it has to be at least 0 and below 1.")
    return None


@rule("keys-class", say("Names that FunASR's registers do not have"), "which_knobs")
def unknown_class(context: Context) -> Iterator[Finding]:
    for key, value in context.own.values.items():
        names = context.audit.classes(REGISTERED_AS.get(key, key))
        if not names or value is None or value in names or _is_specaug(key) or (
                "$" in str(value)):
            continue
        if key in REGISTERED_AS and context.get("ctc_decoder") not in (
                context.audit.classes("ctc_decoder")):
            continue  # without a CTC branch nothing makes its tokenizer
        if key == "model" and (context.mode == "merged" or re.search(r"[/\\:]", str(value))):
            continue  # a model directory or a hub's name, which FunASR resolves
        close = ([name for name in names if name.lower() == str(value).lower()]
                 or difflib.get_close_matches(str(value), names, 1))
        fix = (say("Write {name}.", name=close[0]) if close else
               say("Choose one of {names}.", names=", ".join(names[:12])))
        runs = key == "ctc_decoder"  # FunASR looks it up, and goes on without one
        yield problem(Severity.WARNING if runs else Severity.ERROR,
                      say("`{key}: {value}` names nothing that FunASR has: the model is built "
                          "without a CTC branch.", key=key, value=_short(value)) if runs else
                      say("`{key}: {value}` names nothing that FunASR has, and the run ends there.",
                          key=key, value=_short(value)), fix, key, decision=True,
                      edits={key: close[0]} if close else {})


@rule("keys-deprecated", say("Classes that the library gives up"), "learning_rate")
def deprecated(context: Context) -> Iterator[Finding]:
    for key in CHOOSERS:
        advice = context.audit.deprecated(key, str(context.own.values.get(key)))
        if advice:
            yield warning(say("`{key}: {value}`: the library itself says \"{said}\"", key=key,
                              value=_short(context.own.values[key]), said=advice),
                          say("Write {usual}.", usual=CHOOSERS[key]), key)


@rule("keys-exchanged", say("Another class than the model was made with"), "which_knobs")
def exchanged(context: Context) -> Iterator[Finding]:
    """Names that exist, at keys where another class ends the run, or the decoding after it."""
    base = context.base
    for key, value in context.own.values.items():
        raises = context.audit.verdict(key) == "raises"
        if ((raises or key in USED_IN_DECODING) and value in context.audit.classes(key)
                and base.get(key, value) != value and (key != "model" or context.mode == "alone")):
            yield warning(
                say("`{key}` is {value}, and the model directory has {usual}. In the audit, "
                    "another class ended the run: {note}", key=key, value=_short(value),
                    usual=_short(base[key]), note=context.audit.note(key)) if raises else
                say("`{key}` is {value}, and the model directory has {usual}. Training may run "
                    "with it; the released weights belong to the other class, and decoding may "
                    "end.", key=key, value=_short(value), usual=_short(base[key])),
                say("Leave the key out, unless the class and all its keys are your own."),
                edits={key: REMOVE}, decision=True)


@rule("keys-debug", say("The run stops in a debugger"), "which_knobs")
def debugger(context: Context) -> Iterator[Finding]:
    if context.on("debug"):
        yield error(say("`debug: true` stops the training program in Python's debugger before "
                        "anything is built: a run without a keyboard hangs or ends there."),
                    say("Take it out."), edits={"debug": False})


@rule("keys-default", say("Keys that say what holds without them"), "which_knobs")
def restated(context: Context) -> Iterator[Finding]:
    """One quiet note. What holds without a key is the base's value, or else the code's default."""
    base = context.base
    if not base or context.mode == "alone":
        return
    same = [key for key, value in _own_keys(context)
            if (base[key] == value if key in base else
                bool(context.audit.defaults(key))
                and all(default == value and type(default) is type(value)
                        for default in context.audit.defaults(key)))]
    if same:
        yield note(say("{count} keys set what would hold without them: {names}.", count=len(same),
                       names=", ".join(same)), key=same[0])


@rule("keys-conflict", say("Keys that contradict each other"), "training_settings")
def conflicts(context: Context) -> Iterator[Finding]:
    train = "train_conf"
    if context.on(f"{train}.use_fp16") and context.on(f"{train}.use_bf16"):
        yield warning(say("`train_conf.use_fp16` and `train_conf.use_bf16` are both true: FunASR "
                          "computes in bfloat16, and scales the loss as for float16."),
                      say("Keep use_bf16."), edits={f"{train}.use_fp16": False}, decision=True)
    keep, average = (context.get(f"{train}.{name}") for name in ("keep_nbest_models",
                                                                 "avg_nbest_model"))
    if isinstance(keep, int) and isinstance(average, int) and average > keep > 0:
        yield warning(say("`train_conf.avg_nbest_model` is {average} and only {keep} checkpoints "
                          "are kept: {keep} are averaged.", average=average, keep=keep),
                      say("Set both to the same number."), edits={f"{train}.avg_nbest_model": keep})
    for low, high in PAIRS:
        least, most = (context.get(f"dataset_conf.{name}") for name in (low, high))
        if is_number(least) and is_number(most) and least > most:
            key = f"dataset_conf.{low}"
            yield error(say("`{low}` is {least} and `{high}` is {most}: nothing lies between.",
                            low=low, least=least, high=high, most=most),
                        say("Exchange them, or leave both out."),
                        key if key in context.own.values else f"dataset_conf.{high}")
    if context.on("lora_only") and not context.on("llm_conf.use_lora"):
        yield error(say("`lora_only` is true and `llm_conf.use_lora` is not: nothing is left "
                        "that may learn."), say("Turn LoRA on, or take `lora_only` out."),
                    edits={"lora_only": REMOVE}, decision=True)


@rule("keys-omitted", say("Keys that fall back on the code's defaults"), "frozen_and_omitted")
def omitted(context: Context) -> Iterator[Finding]:
    """Only where the YAML is launched alone: merged, the model directory's config fills them."""
    if context.mode != "alone":
        return
    base = context.base
    missing = [key for key in base if key not in context.own.values and context.audit.reader(key)]
    other = [key for key in missing if context.audit.reader(key)["kind"] == "default"
             and context.audit.default(key) != base[key]]
    if other:
        yield warning(say("Launched alone, {missing} keys of the released config are not set, and "
                          "{other} of them fall back on another value: {names}.",
                          missing=len(missing), other=len(other), names=", ".join(other[:6])),
                      say("Launch it over the model directory."), "model_conf")


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    if isinstance(value, bool):
        text = text.lower()
    return text if len(text) <= 40 else f"{text[:37]}..."


def inherited(context: Context) -> Table:
    """What the keys of a run become that the YAML leaves out, where it is launched merged."""
    base = context.base
    rows = tuple((key, _short(value)) for key, value in base.items()
                 if key not in context.own.values and _decides_the_run(context, key))
    return Table("inherited", say("Keys that the YAML leaves out, and what the model directory's "
                                  "config makes of them"), (say("Key"), say("Value")), rows)


def _decides_the_run(context: Context, key: str) -> bool:
    live = context.audit.verdict(key) not in (NEVER_READ, NO_EFFECT, "")
    section, _, name = key.rpartition(".")
    return live and (name in ("freeze", "use_lora") or section.partition(".")[0] in
                     ("train_conf", "dataset_conf", "optim_conf", "scheduler_conf")
                     or key in CHOOSERS)
