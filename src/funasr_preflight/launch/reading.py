"""Read a user's config as FunASR would, without trusting it: YAML, overrides, the launch mode.

A YAML is composed, never constructed: tags that would make objects, aliases that explode, cycles,
duplicate keys and other surprises end in one sentence that names the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from funasr_preflight.context import Mode, Source
from funasr_preflight.errors import BookError
from funasr_preflight.texts import Text, say

PRETRAINED = Path(__file__).parents[1] / "base" / "pretrained.yaml"
LARGEST_BYTES = 1_000_000
DEEPEST = 30
MOST_NODES = 50_000
_REFERENCE = re.compile(r"\$\{\s*([.\w-]+)\s*\}")
_NESTED = re.compile(r"\$\{[^}]*\$\{")
_SAFE_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in
                       ("map", "seq", "str", "int", "float", "bool", "null"))


@dataclass(frozen=True)
class Config:
    """A user's config, read.

    Attributes:
        source: the YAML with overrides, as dotted keys.
        merged: what FunASR builds the run from, nested and resolved. In mode "alone" it is what it
            would be once the run is launched merged: the rest of a report is about that.
        mode: "merged" over the model directory's config, or "alone".
        assumed: what was taken for granted.
        not_in_config: overrides without `+` of keys that the YAML does not have.
        removed: keys that an override takes out.
        base: dotted keys and values of the model directory's own config, as written.
    """

    source: Source
    merged: dict[str, Any]
    mode: Mode
    assumed: tuple[Text, ...] = ()
    not_in_config: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    base: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Document:
    name: str
    values: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)


def read(path: str | Path, overrides: Sequence[str] = (), over: str | Path | None = None) -> Config:
    """Read a config.

    Args:
        path: the YAML.
        overrides: as on FunASR's command line: `key=value`, `+key=value`, `++key=value`, `~key`.
        over: a model directory, or its `config.yaml`; the book's pretrained config without it.

    Raises:
        BookError: a file that cannot be read, is not such a config, or an override that is none.
    """
    document = _read_yaml(Path(path))
    applied = _overridden(document, overrides)
    source = Source(document.name, dict(flatten(document.values)), document.lines,
                    tuple(applied.changed))
    base, assumed = _base(over)
    names_model = "model" in applied.changed and any(
        sign in str(document.values.get("model", "")) for sign in "/$")
    mode: Mode = "alone" if "model_conf" in document.values else "merged"
    if mode == "merged" and not names_model:
        assumed.append(say("launched with ++model=MODEL_DIR, so that FunASR lays the file over the "
                           "model directory's own config"))
    if mode == "alone":
        assumed.append(say("beyond the launch itself, the report reads the file as it would be "
                           "laid over the model directory's config"))
    merged = _merged(base.values, document.values)
    return Config(source, _resolved(merged, document), mode, tuple(assumed),
                  tuple(applied.not_in_config), tuple(applied.removed),
                  dict(flatten(base.values)))


def load_yaml(path: Path) -> dict[str, Any]:
    """The nested values of a YAML, as FunASR's loader reads them, interpolations as written.

    Raises:
        BookError: it cannot be read, or is not such a config.
    """
    return _read_yaml(path).values


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of the leaves; lists and empty mappings are leaves."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def read_text(path: Path, what: str, largest: int = LARGEST_BYTES) -> str:
    """The text of a file that a user names.

    Raises:
        BookError: it is missing, a folder, too large, or not UTF-8 text.
    """
    try:
        if path.stat().st_size > largest:
            raise BookError(f"{path.name} has more than {largest:,} bytes: give {what}, not data.")
        text = path.read_bytes().decode("utf-8")
    except BookError:
        raise
    except UnicodeDecodeError as error:
        raise BookError(f"{path.name}, byte {error.start + 1}: not UTF-8. Save {what} as UTF-8."
                        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        shown = (path.name or str(path))[:80].replace("\0", "?").replace("\n", "?")
        raise BookError(f"{shown} cannot be read ({reason}): give the path of {what}.") from None
    if "\0" in text:
        raise BookError(f"{path.name}, line {text[:text.index(chr(0))].count(chr(10)) + 1}: there "
                        f"is a NUL byte. Save {what} as plain text.")
    return text


def _read_yaml(path: Path) -> _Document:
    text = read_text(path, "a YAML config")
    document = _Document(path.name, {})
    node = _composed(text, path.name)
    if not isinstance(node, yaml.MappingNode):
        raise BookError(f"{path.name} holds no keys: give a config with `key: value` lines.")
    document.values = _plain(node, "", document, _scalars(), [0], ())
    return document


def _composed(text: str, name: str) -> yaml.Node | None:
    loader = _loader()
    try:
        depth = 0
        for number, event in enumerate(yaml.parse(text, Loader=loader)):
            depth += isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent))
            depth -= isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent))
            if depth > DEEPEST or number > 3 * MOST_NODES:
                raise BookError(f"{name}, line {event.start_mark.line + 1}: nested or long beyond "
                                "any config. Give a fine-tuning config of FunASR.")
        return yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}, line {mark.line + 1}" if mark else name
        problem = getattr(error, "problem", None) or "not YAML"
        raise BookError(f"{place}: {problem}. Correct the YAML there.") from None


def _loader():
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _scalars():
    """OmegaConf's own loader: it reads 5e-6 as a number, as FunASR does, where plain YAML would
    make it a string."""
    from omegaconf._utils import get_yaml_loader

    return get_yaml_loader()("")


def _plain(node: yaml.Node, prefix: str, document: _Document, scalars, count: list[int],
           inside: tuple[int, ...]) -> Any:
    count[0] += 1
    line = node.start_mark.line + 1
    if count[0] > MOST_NODES or id(node) in inside:
        raise BookError(f"{document.name}, line {line}: the aliases make this file endless or huge."
                        " Write the values out.")
    if node.tag not in _SAFE_TAGS and not node.tag.endswith((":timestamp", ":value", ":merge")):
        raise BookError(f"{document.name}, line {line}: the tag {node.tag} is not for a config. "
                        "Remove it.")
    inside = (*inside, id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, f"{prefix}{number}.", document, scalars, count, inside)
                for number, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, prefix, document, scalars, count, inside)
    try:
        tag = scalars.resolve(yaml.ScalarNode, node.value, (node.style in (None, ""), False))
        return scalars.construct_object(yaml.ScalarNode(tag, node.value, node.start_mark))
    except (yaml.YAMLError, ValueError, OverflowError):
        raise BookError(f"{document.name}, line {line}: `{node.value[:40]}` cannot be read as a "
                        "value. Correct it, or put it in quotes.") from None


def _mapping(node: yaml.MappingNode, prefix: str, document: _Document, scalars, count,
             inside) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise BookError(f"{document.name}, line {line}: a key must be a plain name.")
        name = key_node.value
        if name == "<<":
            raise BookError(f"{document.name}, line {line}: FunASR's loader does not merge with "
                            "`<<`. Write the keys out.")
        if name in found:
            raise BookError(f"{document.name}, line {line}: `{prefix}{name}` is there twice, and "
                            "FunASR's loader stops at that. Remove one.")
        document.lines.setdefault(f"{prefix}{name}", line)
        found[name] = _plain(value_node, f"{prefix}{name}.", document, scalars, count, inside)
    return found


@dataclass
class _Applied:
    changed: list[str] = field(default_factory=list)
    not_in_config: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def _overridden(document: _Document, overrides: Sequence[str]) -> _Applied:
    """Apply overrides in place, parsed by Hydra, as FunASR's launcher parses them."""
    applied = _Applied()
    for text, one in zip(overrides, _parsed(overrides), strict=True):
        if one.is_sweep_override():
            raise BookError(f"Override `{text}`: FunASR's launcher makes one run, not a sweep. "
                            "Give one value.")
        key = one.key_or_group
        if not key.strip("."):
            raise BookError(f"Override `{text}` names no key: write key=value.")
        if one.is_delete():
            applied.removed.append(key)
            if not _removed(document.values, key.split(".")):
                applied.not_in_config.append(key)
            continue
        if not (one.is_add() or one.is_force_add()) and not _has(document.values, key.split(".")):
            applied.not_in_config.append(key)
        _set(document.values, key.split("."), one.value(), text)
        applied.changed.append(key)
    return applied


def _parsed(overrides: Sequence[str]) -> list:
    if not overrides:
        return []
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    found = []
    for text in overrides:
        try:
            if len(text) > 10_000 or "\0" in text:
                raise BookError(f"Override `{text[:40]}...` is no `key=value`: correct it.")
            found += parser.parse_overrides([text])
        except (HydraException, RecursionError):
            raise BookError(f"Override `{text[:80]}` is not in the form key=value, +key=value, "
                            "++key=value or ~key: correct it.") from None
    return found


def _has(values: Any, parts: Sequence[str]) -> bool:
    for part in parts:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def _set(values: dict[str, Any], parts: Sequence[str], value: Any, text: str) -> None:
    for part in parts[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise BookError(f"Override `{text}`: `{part}` holds a value, not keys. Correct the "
                            "name.")
    new, old = _simple(value), values.get(parts[-1])
    values[parts[-1]] = _merged(old, new) if isinstance(old, dict) and isinstance(
        new, dict) else new


def _simple(value: Any) -> Any:
    """Hydra's own types as plain ones."""
    if isinstance(value, dict):
        return {str(_simple(key)): _simple(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_simple(one) for one in value]
    return getattr(value, "text", value)


def _removed(values: Any, parts: Sequence[str]) -> bool:
    if not _has(values, parts):
        return False
    for part in parts[:-1]:
        values = values[part]
    del values[parts[-1]]
    return True


def _base(over: str | Path | None) -> tuple[_Document, list[Text]]:
    if over is None:
        return _read_yaml(PRETRAINED), [
            say("the model directory is that of Fun-ASR-Nano-2512 as released")]
    path = Path(over)
    return _read_yaml(path / "config.yaml" if path.is_dir() else path), []


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """FunASR's merge: mappings key by key, everything else from the file on top."""
    found = dict(base)
    for name, value in own.items():
        both = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = _merged(found[name], value) if both else value
    return found


def _resolved(merged: dict[str, Any], document: _Document) -> dict[str, Any]:
    """Interpolations replaced, as FunASR does before it builds anything."""
    if not any(isinstance(value, str) and "${" in value or isinstance(value, list)
               for _, value in flatten(merged)):
        return merged
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    _check_references(merged, document)
    try:
        return OmegaConf.to_container(OmegaConf.create(merged), resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        key = getattr(error, "full_key", None) or next(
            (one for one, value in flatten(merged) if isinstance(value, str) and "${" in value), "")
        line = document.lines.get(key)
        place = f"{document.name}, line {line}" if line else document.name
        raise BookError(f"{place}: `{key}` points to something that is not there, or to itself. "
                        "Correct the ${...}.") from None


def _check_references(merged: dict[str, Any], document: _Document) -> None:
    """Refuse interpolations that are nested, or that would grow to an endless value."""
    leaves = {key: str(value) for key, value in flatten(merged)}
    sizes: dict[str, int] = {}

    def size(key: str, inside: tuple[str, ...]) -> int:
        if key in inside or len(inside) > DEEPEST:
            return 0  # a cycle, which the resolver names
        if key not in sizes:
            sizes[key] = sum(grown(one, value, (*inside, key)) for one, value in leaves.items()
                             if one == key or one.startswith(f"{key}."))
        return sizes[key]

    def grown(key: str, value: str, inside: tuple[str, ...]) -> int:
        return len(value) + sum(size(_target(key, name), inside)
                                for name in _REFERENCE.findall(value))

    for key, value in leaves.items():
        if "${" in value and (_NESTED.search(value) or grown(key, value, (key,)) > LARGEST_BYTES):
            line = document.lines.get(key)
            place = f"{document.name}, line {line}" if line else document.name
            raise BookError(f"{place}: `{key}` puts other keys in, over and over. Write its value "
                            "out.")


def _target(key: str, name: str) -> str:
    """The dotted key that a reference in a key's value names; dots in front go upwards."""
    up = len(name) - len(name.lstrip("."))
    if not up:
        return name
    parents = key.split(".")[:-up]
    return ".".join([*parents, name[up:]])
