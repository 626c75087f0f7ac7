"""Where FunASR's source reads a key of the config, and what it uses when the key is not set.

READERS says which classes and functions receive each part of the config. Their files are parsed,
neither imported nor run, so any version of FunASR can be read: what a version lacks reads nothing.
A key is *read* where it is a parameter that the body uses, the literal name in a
`.get("name", default)`, or the literal name in `something["name"]`. Handing a section on with
`**conf` is not reading it.
"""

from __future__ import annotations

import ast
import importlib.util
import traceback
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from helpers.config.configs import same_value
from helpers.config.values import yaml_text

DEFAULT = "default"
NO_READER = "no reader"
IGNORED = "never used"
REQUIRED = "required"
OTHER_VALUE = "other value"

_NANO = "funasr.models.fun_asr_nano.model:FunASRNano"
_ADAPTOR = "funasr.models.llm_asr.adaptor:Transformer"
_DATASETS = "funasr.datasets.fun_asr_datasets"
_SAMPLERS = "funasr.datasets.audio_datasets.samplers"
_TRAINER = "funasr.train_utils.trainer_ds:Trainer"
_PROGRAM = "funasr.bin.train_ds"
_DISTRIBUTED = f"{_PROGRAM}:_resolve_distributed_config"
_LOADER = "funasr.datasets.dataloader_entry:DataloaderMapStyle"
READERS: dict[str, tuple[str, ...]] = {
    "": ("funasr.auto.auto_model:AutoModel.build_model", _NANO, f"{_PROGRAM}:main",
         f"{_PROGRAM}:main_hydra", _TRAINER, _LOADER),
    "model_conf": (_NANO,),
    "audio_encoder_conf": ("funasr.models.sense_voice.model:SenseVoiceEncoderSmall", _NANO),
    "llm_conf": (_NANO,),
    "llm_conf.lora_conf": (_NANO,),
    "audio_adaptor_conf": (_ADAPTOR, _NANO),
    "ctc_decoder_conf": (_ADAPTOR, _NANO),
    "ctc_conf": ("funasr.models.fun_asr_nano.ctc:CTC", _NANO),
    "frontend_conf": ("funasr.frontends.wav_frontend:WavFrontend",),
    "specaug_conf": ("funasr.models.specaug.specaug:SpecAugLFR",),
    "train_conf": (_TRAINER, f"{_PROGRAM}:main", _DISTRIBUTED),
    "optim_conf": ("torch.optim.adamw:AdamW",),
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
        kind: DEFAULT (there are values to fall back on), REQUIRED (there is none: an error),
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
        if self.kind != DEFAULT:
            return self.kind
        return " or ".join(dict.fromkeys(map(yaml_text, self.values)))


@dataclass(frozen=True)
class SourceLine:
    """One line of a library's source that looks at a key's name.

    Attributes:
        name: the last part of the key.
        receiver: the variable that is asked, `llm_conf` in `llm_conf.get(...)`; "" for a parameter.
        owner: dotted name of the function, "Class.method".
        kind: DEFAULT, REQUIRED or IGNORED.
        default: the value for a key that is not set; None unless the kind is DEFAULT.
        file: path from the package on, such as "funasr/models/specaug/specaug.py".
        declared: line of the expression, or of the parameter in its function's head.
        line: the same, but of a parameter the first line of the body that mentions it.
        statement: first and last line of the statement around `line`.
    """

    name: str
    receiver: str
    owner: str
    kind: str = field(compare=False)
    default: Any = field(compare=False)
    file: str
    declared: int
    line: int
    statement: tuple[int, int]

    @property
    def text(self) -> str:
        return f"{self.file}, line {self.line}"

    @property
    def place_of_default(self) -> str:
        return f"{self.file}, line {self.declared}"

    def ran(self, executed: Collection[tuple[str, int]]) -> bool:
        """Whether one of these lines, as (file, line), belongs to the statement."""
        first, last = self.statement
        return any((self.file, line) in executed for line in range(first, last + 1))


def code_default(key: str) -> CodeDefault:
    """What the code does with a key that is not set."""
    return default_of(key, _lines_about(key))


def default_of(key: str, lines: Collection[SourceLine]) -> CodeDefault:
    """What these source lines, all about one key, do where it is not set."""
    for kind in (DEFAULT, REQUIRED, IGNORED):
        same_kind = [line for line in lines if line.kind == kind]
        if same_kind:
            values = tuple(line.default for line in same_kind) if kind == DEFAULT else ()
            return CodeDefault(key, kind, values, same_kind[0].place_of_default)
    return CodeDefault(key, NO_READER)


def against(key: str, value: Any) -> str:
    """"same value" or OTHER_VALUE, as the code's defaults for a key are, or why there are none."""
    default = code_default(key)
    if default.kind != DEFAULT:
        return default.kind
    same = all(same_value(fallback, value) for fallback in default.values)
    return "same value" if same else OTHER_VALUE


def lines_for(section: str, readers: Collection[str]) -> list[SourceLine]:
    """The lines of these readers that ask a variable which holds this section of the config.

    FunASRNano gets every section as an argument of its own; the others get one as keywords.
    """
    own = section.rpartition(".")[2]
    return [line for reader in readers for line in lines_of(reader)
            if line.receiver in ((own,) if reader == _NANO and section not in ("", "model_conf")
                                 else ("", "kwargs", own))]


def on_this_path(key: str, executed: Collection[tuple[str, int]]) -> list[SourceLine]:
    """Lines that receive this key's section, look at its name, and ran."""
    return [line for line in _received(key) if line.ran(executed)]


def elsewhere(key: str, executed: Collection[tuple[str, int]]) -> list[SourceLine]:
    """Lines that look at a key of this name, or of another class's, and did not run.

    Those that would receive this key's section come first.
    """
    name = key.rpartition(".")[2]
    others = [line for file, text in _texts() if name in text for line in _lines(file)
              if line.name == name and line.kind != IGNORED]
    return [line for line in dict.fromkeys(_received(key) + others) if not line.ran(executed)]


def ignored_by(key: str) -> str:
    """The function that has a parameter of this name and never mentions it again, or ""."""
    return next((f"{line.owner} ({line.place_of_default})" for line in _lines_about(key)
                 if line.kind == IGNORED), "")


def _lines_about(key: str) -> list[SourceLine]:
    section, _, name = key.rpartition(".")
    return [line for line in lines_for(section, READERS.get(section, ())) if line.name == name]


def _received(key: str) -> list[SourceLine]:
    section = key.rpartition(".")[0]
    return list(dict.fromkeys(line for line in _lines_about(key) if line.kind != IGNORED
                              and (line.receiver or _is_handed_on(line, section))))


def _is_handed_on(parameter: SourceLine, section: str) -> bool:
    """Whether a parameter of this function is filled from the section, by `**section`."""
    owners = [reader.partition(":")[2] for reader in READERS[section]]
    return (parameter.owner == "FunASRNano.__init__" if not section
            else parameter.owner in owners or parameter.owner.endswith("__init__"))


@cache
def lines_of(reader: str) -> tuple[SourceLine, ...]:
    """Every line of a `module:object` that looks at some key's name; none if it is not there."""
    module, _, owner = reader.partition(":")
    file = package_folder(module).joinpath(*module.split(".")[1:]).with_suffix(".py")
    first, last = _extent(_tree(file), owner) if file.is_file() else (0, 0)
    return tuple(line for line in _lines(file) if first <= line.declared <= last) if last else ()


def _extent(node: ast.AST, owner: str) -> tuple[int, float]:
    """First and last line of a definition, the later of two that have one name."""
    for name in filter(None, owner.split(".")):
        node = next((inner for inner in reversed(getattr(node, "body", ()))
                     if getattr(inner, "name", "") == name), ast.Module([]))
    return getattr(node, "lineno", 1), getattr(node, "end_lineno", 0 if owner else float("inf"))


@cache
def short_file(file: str | Path) -> str:
    """A library file's path from its package on: `funasr/...` or `torch/...`."""
    file = Path(file)
    return file.relative_to(next(root.parent for root in map(package_folder, ("funasr", "torch"))
                                 if file.is_relative_to(root))).as_posix()


def raised_in_funasr(error: BaseException) -> tuple[FrameType | None, str]:
    """The last frame inside FunASR that an error came through, and its file and line."""
    frames = [frame for frame in traceback.walk_tb(error.__traceback__)
              if Path(frame[0].f_code.co_filename).is_relative_to(package_folder("funasr"))]
    if not frames:
        return None, ""
    frame, line = frames[-1]
    return frame, f"{short_file(frame.f_code.co_filename)}, line {line}"


@cache
def package_folder(module: str) -> Path:
    """Where the package of a dotted name is installed."""
    return Path(importlib.util.find_spec(module.partition(".")[0]).origin).parent


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8", errors="replace"))


@cache
def _texts() -> tuple[tuple[Path, str], ...]:
    return tuple((file, file.read_text(encoding="utf-8", errors="replace"))
                 for file in sorted(package_folder("funasr").rglob("*.py")))


@cache
def _lines(file: Path) -> tuple[SourceLine, ...]:
    return tuple(SourceLine(name, receiver, owner, kind, default, short_file(file), *where)
                 for name, receiver, owner, kind, default, *where in _walk(_tree(file), "", (1, 1)))


def _walk(node: ast.AST, owner: str, statement: tuple[int, int]) -> Iterator[tuple]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        owner = f"{owner}.{node.name}".lstrip(".")
        if not isinstance(node, ast.ClassDef):
            yield from _parameters(node, owner)
    if isinstance(node, ast.stmt):
        statement = _head(node)
    receiver, name, *default = _look_up(node)
    if name:
        yield (name, receiver, owner, DEFAULT if default else REQUIRED, *(default or (None,)),
               node.lineno, node.lineno, statement)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, owner, statement)


def _head(statement: ast.stmt) -> tuple[int, int]:
    """First and last line of a statement; of one with a body, up to the body."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if body else statement.end_lineno
    return statement.lineno, max(statement.lineno, last)


def _look_up(node: ast.AST) -> tuple:
    """Receiver and name, and the default of `x.get("name", default)`; ("", "") if it is neither
    that nor `x["name"]`."""
    if isinstance(node, ast.Call) and node.args and _is_text(node.args[0]):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in ("get", "get_setting"):
            default = literal(node.args[1]) if len(node.args) > 1 else None
            return _receiver(getattr(called, "value", None)), node.args[0].value, default
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_text(node.slice):
        return _receiver(node.value), node.slice.value
    return "", ""


def _receiver(node: ast.AST | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call) and node.args and _is_text(node.args[0]):
        return node.args[0].value
    return "kwargs" if isinstance(node, ast.Attribute) else ""


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _parameters(function: ast.FunctionDef, owner: str) -> Iterator[tuple]:
    """Each parameter with its default, and the first statement of the body that mentions it."""
    listed = function.args
    positional = listed.posonlyargs + listed.args
    defaults = [None] * (len(positional) - len(listed.defaults)) + listed.defaults
    names = [node for statement in function.body for node in ast.walk(statement)
             if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    for parameter, default in [*zip(positional, defaults, strict=True),
                               *zip(listed.kwonlyargs, listed.kw_defaults, strict=True)]:
        mention = next((node for node in names if node.id == parameter.arg), None)
        kind = IGNORED if mention is None else REQUIRED if default is None else DEFAULT
        if parameter.arg not in ("self", "cls"):
            line = (mention or parameter).lineno
            yield (parameter.arg, "", owner, kind, literal(default) if kind == DEFAULT else None,
                   parameter.lineno, line, _innermost(function, line))


def _innermost(function: ast.FunctionDef, line: int) -> tuple[int, int]:
    return _head(max((node for node in ast.walk(function) if isinstance(node, ast.stmt)
                      and node.lineno <= line <= node.end_lineno), key=lambda node: node.lineno))


def literal(node: ast.expr) -> Any:
    """A default's value, or its source text where it is not a literal."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
