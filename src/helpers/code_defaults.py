"""What FunASR's code falls back on when a config does not set a key, read from its source.

For each part of the config there is a short list of the classes and functions that receive it.
Their source is parsed, not run: a key is *read* where it is a parameter that the body uses, the
literal name in a `.get("name", default)`, or the literal name in `something["name"]`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from helpers.configs import same_value

NO_READER = "no reader"
IGNORED = "never used"
REQUIRED = "required"
OTHER_VALUE = "other value"

_NANO = "funasr.models.fun_asr_nano.model:FunASRNano"
_ADAPTOR = "funasr.models.llm_asr.adaptor:Transformer"
_DATASETS = "funasr.datasets.fun_asr_datasets"
_SAMPLERS = "funasr.datasets.audio_datasets.samplers"
_TRAINER = "funasr.train_utils.trainer_ds:Trainer"
_LOADER = "funasr.datasets.dataloader_entry:DataloaderMapStyle"
READERS: dict[str, tuple[str, ...]] = {
    "": ("funasr.auto.auto_model:AutoModel.build_model", _NANO, "funasr.bin.train_ds:main",
         "funasr.bin.train_ds:main_hydra", _TRAINER, _LOADER),
    "model_conf": (_NANO,),
    "audio_encoder_conf": ("funasr.models.sense_voice.model:SenseVoiceEncoderSmall", _NANO),
    "llm_conf": (_NANO,),
    "llm_conf.lora_conf": (_NANO,),
    "audio_adaptor_conf": (_ADAPTOR, _NANO),
    "ctc_decoder_conf": (_ADAPTOR, _NANO),
    "ctc_conf": ("funasr.models.fun_asr_nano.ctc:CTC", _NANO),
    "frontend_conf": ("funasr.frontends.wav_frontend:WavFrontend",),
    "specaug_conf": ("funasr.models.specaug.specaug:SpecAugLFR",),
    "train_conf": (_TRAINER, "funasr.bin.train_ds:main",
                   "funasr.bin.train_ds:_resolve_distributed_config"),
    "optim_conf": ("torch.optim:AdamW",),
    "scheduler_conf": ("funasr.schedulers.warmup_lr:WarmupLR",),
    "dataset_conf": (f"{_DATASETS}.datasets", f"{_SAMPLERS}:CustomDistributedBatchSampler_fn",
                     f"{_SAMPLERS}:CustomDistributedBufferDynamicBatchSampler", _LOADER, _NANO),
    "dataset_conf.prompt_conf": (f"{_DATASETS}.multicontext_prompt:MultiContextPrompt",),
    "dataset_conf.ctc_tokenizer_conf": ("funasr.tokenizer.whisper_tokenizer:SenseVoiceTokenizer",),
    "tokenizer_conf": ("funasr.tokenizer.hf_tokenizer:HuggingfaceTokenizer",),
}
"""Dotted parent key to the code that receives it, as `module:object` or a whole `module`."""


@dataclass(frozen=True)
class CodeDefault:
    """Where the code reads a key, and what it uses when the key is not set.

    Attributes:
        key: dotted key.
        kind: "default" (there are values to fall back on), REQUIRED (there is none: an error),
            IGNORED (a parameter takes it and its function never looks at it), NO_READER (nothing
            in READERS reads it).
        values: the defaults, one for each place that reads the key and has its own idea of it;
            an expression that is not a literal is kept as its source text.
        place: file and line, inside the installed package, of the first reader.
    """

    key: str
    kind: str
    values: tuple[Any, ...] = ()
    place: str = ""

    @property
    def text(self) -> str:
        """The defaults in YAML notation, or the kind where there is none."""
        if self.kind != "default":
            return self.kind
        return " or ".join(dict.fromkeys(map(yaml_text, self.values)))


def code_default(key: str) -> CodeDefault:
    """What the code does with a key that is not set."""
    parent, _, name = key.rpartition(".")
    found = [use for reader in READERS.get(parent, ()) for use in _uses(reader)
             if use.name == name and use.receiver in _receivers(reader, parent)]
    for kind in ("default", REQUIRED, IGNORED):
        uses = [use for use in found if use.kind == kind]
        if uses:
            values = tuple(use.value for use in uses) if kind == "default" else ()
            return CodeDefault(key, kind, values, uses[0].place)
    return CodeDefault(key, NO_READER)


def against(key: str, value: Any) -> str:
    """What omitting a key means where it would else have this value.

    Returns:
        "same value" or "other value" for the code's defaults compared with this one; REQUIRED,
        IGNORED or NO_READER where there is no default to compare.
    """
    default = code_default(key)
    if default.kind != "default":
        return default.kind
    same = all(same_value(one, value) for one in default.values)
    return "same value" if same else OTHER_VALUE


def _receivers(reader: str, parent: str) -> tuple[str, ...]:
    """The variables that hold this part of the config in a reader's code.

    FunASRNano gets every part as an argument of its own; the others get one part as keywords.
    """
    own = parent.rpartition(".")[2]
    return (own,) if reader == _NANO and parent not in ("", "model_conf") else ("", "kwargs", own)


def yaml_text(value: Any) -> str:
    """A value as a YAML file would show it; source text and strings are left bare."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _short_float(value)
    if value == "":
        return '""'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(yaml_text(item) for item in value)}]"
    return str(value)


def _short_float(value: float) -> str:
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    text = f"{value:g}"
    return text if "." in text or "e" in text or "n" in text else f"{text}.0"


@dataclass(frozen=True)
class _Use:
    name: str
    receiver: str
    kind: str
    value: Any
    place: str


@cache
def _uses(reader: str) -> tuple[_Use, ...]:
    """What a reader looks at; nothing where this version of FunASR has no such reader."""
    module_name, _, attribute = reader.partition(":")
    try:
        target = importlib.import_module(module_name)
        for name in filter(None, attribute.split(".")):
            target = getattr(target, name)
    except (ModuleNotFoundError, AttributeError):
        return ()
    target = inspect.unwrap(target)
    lines, first = inspect.getsourcelines(target)
    first = max(first, 1)
    file = Path(inspect.getsourcefile(target))
    package = module_name.partition(".")[0]
    shown = "/".join(file.parts[len(file.parts) - file.parts[::-1].index(package) - 1:])
    tree = ast.parse(textwrap.dedent("".join(lines)))
    uses = []
    for node in ast.walk(tree):
        for name, receiver, kind, value, line in _uses_in(node):
            uses.append(_Use(name, receiver, kind, value, f"{shown}, line {first + line - 1}"))
    return tuple(uses)


def _uses_in(node: ast.AST):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield from _parameters(node)
    elif (isinstance(node, ast.Call) and _name_of(node.func) in ("get", "get_setting")
          and node.args and isinstance(node.args[0], ast.Constant)):
        default = _literal(node.args[1]) if len(node.args) > 1 else None
        yield node.args[0].value, _receiver(node.func), "default", default, node.lineno
    elif (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
          and isinstance(node.slice.value, str) and isinstance(node.ctx, ast.Load)):
        yield node.slice.value, _receiver(node), REQUIRED, None, node.lineno


def _parameters(function: ast.FunctionDef):
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    pairs = [*zip(positional, defaults, strict=True),
             *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    used = {node.id for statement in function.body for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for argument, default in pairs:
        if argument.arg in ("self", "cls"):
            continue
        if argument.arg not in used:
            yield argument.arg, "", IGNORED, None, argument.lineno
        elif default is None:
            yield argument.arg, "", REQUIRED, None, argument.lineno
        else:
            yield argument.arg, "", "default", _literal(default), argument.lineno


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _receiver(node: ast.expr) -> str:
    """The variable that is asked: `llm_conf` in `llm_conf.get(...)`; "" if not a plain name."""
    value = getattr(node, "value", None)
    if isinstance(value, ast.Name):
        return value.id
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
        return str(value.slice.value)
    return "kwargs" if isinstance(value, ast.Attribute) else ""
