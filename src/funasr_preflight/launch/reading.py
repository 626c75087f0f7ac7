"""Read a user's config as FunASR would: YAML or none, overrides, model directory, launch mode."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from funasr_preflight import audit
from funasr_preflight.context import Launch, Mode, Source
from funasr_preflight.errors import BookError
from funasr_preflight.findings import COMMAND_LINE
from funasr_preflight.launch.directory import (
    HUGGING_FACE,
    ModelDirectory,
    check_model,
    final_paths,
    merged,
    named_directory,
    read_directory,
    released,
)
from funasr_preflight.launch.yaml_file import (
    DEEPEST,
    LARGEST_BYTES,
    Document,
    flatten,
    read_yaml,
    value_at,
)
from funasr_preflight.texts import Text, say

_REFERENCE = re.compile(r"\$\{\s*([.\w-]+)\s*\}")
_NESTED = re.compile(r"\$\{[^}]*\$\{")
PIECES = ("model", "audio_encoder", "audio_encoder_conf", "audio_adaptor", "audio_adaptor_conf",
          "llm_conf", "llm_conf.init_param_path", "frontend", "tokenizer",
          "tokenizer_conf.init_param_path", "dataset", "dataset_conf.index_ds")
CTC_PIECES = ("dataset_conf.ctc_tokenizer", "dataset_conf.ctc_tokenizer_conf.vocab_path")
"""What a YAML that is launched alone has to bring along; the second where it has a CTC branch."""


@dataclass(frozen=True)
class Config:
    """A user's config, read.

    Attributes:
        source: the YAML with overrides, as dotted keys.
        merged: what FunASR builds the run from, nested and resolved. Of a YAML that is launched
            alone and lacks something it is what it would be once the run is launched merged: the
            rest of a report is about that.
        mode: "merged" over the model directory's config, or "alone".
        launch: what is known of the launch itself.
        assumed: what was taken for granted.
        applied: what became of the overrides.
        base: dotted keys and values of the model directory's own config, as written.
    """

    source: Source
    merged: dict[str, Any]
    mode: Mode
    launch: Launch
    assumed: tuple[Text, ...]
    applied: Applied
    base: Mapping[str, Any]


@dataclass(frozen=True)
class Origin:
    """A whole command, from which a config is read.

    Attributes:
        name: of the script, or "command line".
        lines: line of each override in it; none on a command line.
        folders: where relative paths are looked for.
        whole: whether it is all that is launched, so that what it lacks is lacking.
    """

    name: str = COMMAND_LINE
    lines: tuple[int | None, ...] = ()
    folders: tuple[Path, ...] = (Path(),)
    whole: bool = False


YAML_ALONE = Origin()
"""No command: only a YAML was named."""


def read(path: str | Path | None, overrides: Sequence[str] = (), over: str | Path | None = None,
         origin: Origin = YAML_ALONE) -> Config:
    """Read a config.

    Args:
        path: the YAML; None where the launch has none.
        overrides: as on FunASR's command line: `key=value`, `+key=value`, `++key=value`, `~key`.
        over: a model directory, or its `config.yaml`; without it the one that `model` names where
            that is here, else the released one.
        origin: the command that they come from.

    Raises:
        BookError: a file that cannot be read, is not such a config, or an override that is none;
            or a config of another model.
    """
    assumed: list[Text] = []
    document = Document(origin.name, {}) if path is None else _with_defaults(Path(path), assumed)
    applied = _overridden(document, overrides, origin)
    values, classes = document.values, audit.load().classes("model")
    source = Source(document.name, dict(flatten(values)), document.lines, tuple(applied.changed),
                    applied.places)
    mode: Mode = "alone" if "model_conf" in values else "merged"
    check_model(values, classes, document.name)
    directory = _directory(over, values, origin, mode)
    check_model(directory.document.values, classes, str(directory.path or over or say("The base")))
    lacking = _lacking(values) if mode == "alone" else ()
    hub = str(values.get("hub", "ms"))
    if mode == "merged" or lacking:
        paths = final_paths(directory, values, hub)
    else:
        paths = final_paths(ModelDirectory(None, Document("", {}), {}), values, "hf")
    if mode == "merged":
        if over is None and directory.path is None:
            assumed.append(say("the model directory is that of Fun-ASR-Nano-2512 as released"))
        if not origin.whole and not _names_model(values):
            assumed.append(say("launched with ++model=MODEL_DIR, so that FunASR lays the file over "
                               "the model directory's own config"))
    elif lacking:
        assumed.append(say("beyond the launch itself, the report reads the file as it would be "
                           "laid over the model directory's config"))
    seen = values if mode == "alone" and not lacking else merged(directory.document.values, values)
    launch = Launch(origin.whole, hub, directory.path, directory.weights, directory.lacks, paths,
                    lacking, origin.folders, directory.filled is not None,
                    hub in HUGGING_FACE and directory.path is None)
    return Config(source, _resolved(seen, document), mode, launch, tuple(assumed), applied,
                  dict(flatten(directory.document.values)))


def _directory(over: str | Path | None, values: Mapping[str, Any], origin: Origin, mode: Mode
               ) -> ModelDirectory:
    if over is not None:
        return read_directory(Path(over))
    here = named_directory(values, origin.folders) if mode == "merged" else None
    return released() if here is None else read_directory(here)


def _names_model(values: Mapping[str, Any]) -> bool:
    return any(sign in str(values.get("model", "")) for sign in "/\\$") or "model" in values and (
        values["model"] != "FunASRNano")


def _lacking(values: dict[str, Any]) -> tuple[str, ...]:
    """Pieces that a YAML launched alone does not bring along."""
    pieces = PIECES
    if values.get("ctc_decoder") and not values.get("ctc_tokenizer"):
        pieces = (*PIECES, *CTC_PIECES)
    lacking = [piece for piece in pieces if value_at(values, piece) is None]
    return tuple(piece for piece in lacking if piece.rpartition(".")[0] not in lacking)


def _with_defaults(path: Path, assumed: list[Text], depth: int = 0) -> Document:
    """A YAML over those that its `defaults` list names, in Hydra's order; the file's own name."""
    document = read_yaml(path)
    listed = document.values.pop("defaults", None)
    if listed is None:
        return document
    entries = listed if isinstance(listed, list) else [listed]
    if "_self_" not in entries:
        entries = [*entries, "_self_"]
    values: dict[str, Any] = {}
    for entry in entries:
        if entry == "_self_":
            values = merged(values, document.values)
            continue
        group, option = next(iter(entry.items())) if isinstance(entry, dict) and len(
            entry) == 1 else ("", entry)
        plain = isinstance(option, str) and all(
            re.fullmatch(r"[\w./-]*", name) and ".." not in name for name in (group, option))
        if not plain or depth > DEEPEST or group.startswith(("/", "override", "optional")):
            assumed.append(say("{file}, line {line}: `{entry}` of `defaults` is not followed",
                               file=document.name, line=document.lines.get("defaults"),
                               entry=str(entry)[:60]))
            continue
        file = path.parent / group / (option if option.endswith(".yaml") else f"{option}.yaml")
        other = _with_defaults(file, assumed, depth + 1).values
        for part in reversed([part for part in group.split("/") if part]):
            other = {part: other}
        values = merged(values, other)
    document.values = values
    return document


@dataclass
class Applied:
    """Keys that overrides change or remove; those that the YAML lacks, where an override has no
    `+`, or has already, where it has one; and where each override stands."""

    changed: list[str] = field(default_factory=list)
    not_in_config: list[str] = field(default_factory=list)
    already_there: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    places: dict[str, tuple[str, int | None]] = field(default_factory=dict)


def _overridden(document: Document, overrides: Sequence[str], origin: Origin) -> Applied:
    """Apply overrides in place, parsed by Hydra, as FunASR's launcher parses them."""
    applied = Applied()
    lines = (*origin.lines, *[None] * len(overrides))
    for text, override, line in zip(overrides, _parsed(overrides), lines, strict=False):
        if override.is_sweep_override():
            raise BookError(say("Override `{override}`: FunASR's launcher makes one run, not a "
                                "sweep. Give one value.", override=text))
        key = override.key_or_group
        if not key.strip("."):
            raise BookError(say("Override `{override}` names no key: write key=value.",
                                override=text))
        applied.places[key] = (COMMAND_LINE if line is None else origin.name), line
        if override.is_delete():
            applied.removed.append(key)
            if not _removed(document.values, key):
                applied.not_in_config.append(key)
            continue
        there = value_at(document.values, key, applied) is not applied
        if not (there or override.is_add() or override.is_force_add() or key.startswith("hydra.")):
            applied.not_in_config.append(key)
        value = _simple(override.value())
        if (override.is_add() and not isinstance(value, (dict, list))
                and value_at(document.values, key) is not None):
            applied.already_there.append(key)
        _set(document.values, key.split("."), value, text)
        applied.changed.append(key)
    return applied


def key_of(override: str) -> str:
    """The dotted key of an override, as it is written."""
    return override.lstrip("+~").partition("=")[0]


def _parsed(overrides: Sequence[str]) -> list:
    if not overrides:
        return []
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        try:
            if len(text) > 10_000 or "\0" in text:
                raise BookError(say("Override `{override}...` is no `key=value`: correct it.",
                                    override=text[:40]))
            parsed += parser.parse_overrides([text])
        except (HydraException, RecursionError):
            raise BookError(say("Override `{override}` is not in the form key=value, +key=value, "
                                "++key=value or ~key: correct it.", override=text[:80])) from None
    return parsed


def _set(values: dict[str, Any], parts: Sequence[str], value: Any, text: str) -> None:
    for part in parts[:-1]:
        if not isinstance(values.get(part, 0), (dict, list)):
            values[part] = {}  # Hydra makes a section of a value and of a null
        values = values[part]
        if not isinstance(values, dict):
            raise BookError(say("Override `{override}`: `{section}` holds a list, not keys. "
                                "Correct the name.", override=text, section=part))
    old = values.get(parts[-1])
    values[parts[-1]] = merged(old, value) if isinstance(old, dict) and isinstance(
        value, dict) else value


def _simple(value: Any) -> Any:
    """Hydra's own types as plain ones."""
    if isinstance(value, dict):
        return {str(_simple(key)): _simple(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_simple(item) for item in value]
    return getattr(value, "text", value)


def _removed(values: dict[str, Any], key: str) -> bool:
    section, _, name = key.rpartition(".")
    inside = value_at(values, section)
    there = isinstance(inside, dict) and name in inside
    if there:
        del inside[name]
    return there


def _resolved(values: dict[str, Any], document: Document) -> dict[str, Any]:
    """Interpolations replaced, as FunASR does before it builds anything."""
    if not any(isinstance(value, str) and "${" in value or isinstance(value, list)
               for _, value in flatten(values)):
        return values
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    _check_references(values, document)
    try:
        return OmegaConf.to_container(OmegaConf.create(values), resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        key = getattr(error, "full_key", None) or next(
            (key for key, value in flatten(values) if isinstance(value, str) and "${" in value), "")
        raise BookError(say("{place}: `{key}` points to something that is not there, or to "
                            "itself. Correct the ${{...}}.", place=_place(document, key),
                            key=key)) from None


def _place(document: Document, key: str) -> Text | str:
    line = document.lines.get(key)
    return say("{file}, line {line}", file=document.name, line=line) if line else document.name


def _check_references(values: dict[str, Any], document: Document) -> None:
    """Refuse interpolations that are nested, or that would grow to an endless value."""
    leaves = {key: str(value) for key, value in flatten(values)}
    sizes: dict[str, int] = {}

    def size(key: str, inside: tuple[str, ...]) -> int:
        if key in inside or len(inside) > DEEPEST:
            return 0  # a cycle, which the resolver names
        if key not in sizes:
            sizes[key] = sum(grown(leaf, value, (*inside, key)) for leaf, value in leaves.items()
                             if leaf == key or leaf.startswith(f"{key}."))
        return sizes[key]

    def grown(key: str, value: str, inside: tuple[str, ...]) -> int:
        return len(value) + sum(size(_target(key, name), inside)
                                for name in _REFERENCE.findall(value))

    for key, value in leaves.items():
        if "${" in value and (_NESTED.search(value) or grown(key, value, (key,)) > LARGEST_BYTES):
            raise BookError(say("{place}: `{key}` puts other keys in, over and over. Write its "
                                "value out.", place=_place(document, key), key=key))


def _target(key: str, name: str) -> str:
    """The dotted key that a reference in a key's value names; dots in front go upwards."""
    up = len(name) - len(name.lstrip("."))
    if not up:
        return name
    parents = key.split(".")[:-up]
    return ".".join([*parents, name[up:]])
