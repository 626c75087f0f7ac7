"""Read a YAML without trusting it, with the line of each key.

It is composed, never constructed: tags that would make objects, aliases that explode, cycles,
duplicate keys and other surprises end in one sentence that names the line.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from funasr_preflight.errors import BookError, reason_of
from funasr_preflight.private_names import omegaconf_scalars
from funasr_preflight.texts import Text, quoted, say

LARGEST_BYTES = 1_000_000
DEEPEST = 30
MOST_NODES = 50_000
YAML_CONFIG = say("a YAML config")
_SAFE_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in
                       ("map", "seq", "str", "int", "float", "bool", "null"))


@dataclass
class Document:
    """A YAML: its name, nested values, and dotted key (leaves and sections) to line."""

    name: str
    values: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)


def local(path: str, folders: Sequence[Path] = (Path(),)) -> Path:
    """A path that a launch names, as it is found from here: in the first folder that has it."""
    plain = path.replace("\\", "/") if "\\" in path and ":" not in path else path
    for folder in folders:
        try:
            if (folder / plain).exists():
                return folder / plain
        except (OSError, ValueError):
            break
    return Path(plain)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of the leaves; lists and empty mappings are leaves."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def is_number(value: Any) -> bool:
    """Whether a value is a number, which true and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def value_at(values: Any, key: str, otherwise: Any = None) -> Any:
    """The value of a dotted key in nested values, or something else where it is not there."""
    for part in key.split(".") if key else ():
        if not isinstance(values, Mapping) or part not in values:
            return otherwise
        values = values[part]
    return values


def read_text(path: Path, description: Text) -> str:
    """The text of a file that a user names.

    Raises:
        BookError: it is missing, a folder, too large, or not UTF-8 text.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
            raise BookError(say("{file} is no file, but a pipe or a device: give {what}.",
                                file=path.name, what=description))
        if about.st_size > LARGEST_BYTES:
            raise BookError(say("{file} has more than {largest:,} bytes: give {what}, not data.",
                                file=path.name, largest=LARGEST_BYTES, what=description))
        text = path.read_bytes().decode("utf-8")
    except BookError:
        raise
    except UnicodeDecodeError as error:
        raise BookError(say("{file}, byte {byte}: not UTF-8. Save {what} as UTF-8.",
                            file=path.name, byte=error.start + 1, what=description)) from None
    except (OSError, ValueError) as error:
        shown = (path.name or str(path))[:80].replace("\0", "?").replace("\n", "?")
        raise BookError(say("{file} cannot be read ({reason}): give the path of {what}.",
                            file=shown, reason=reason_of(error), what=description)) from None
    if "\0" in text:
        raise BookError(say("{file}, line {line}: there is a NUL byte. Save {what} as plain text.",
                            file=path.name, line=text[:text.index(chr(0))].count(chr(10)) + 1,
                            what=description))
    return text


def read_yaml(path: Path) -> Document:
    """A YAML's values, as FunASR's loader reads them, interpolations as written; and its lines.

    Raises:
        BookError: it cannot be read, or is not such a config.
    """
    text = read_text(path, YAML_CONFIG)
    document = Document(path.name, {})
    node = composed(text, path.name)
    if not isinstance(node, yaml.MappingNode):
        raise BookError(say("{file} holds no keys: give a config with `key: value` lines.",
                            file=path.name))
    document.values = _plain(node, "", document, omegaconf_scalars(), [0], ())
    return document


def composed(text: str, name: str) -> yaml.Node | None:
    """The nodes of a YAML's text, with their places.

    Raises:
        BookError: it is no YAML, or nested beyond any config.
    """
    loader = _loader()
    try:
        depth = 0
        for number, event in enumerate(yaml.parse(text, Loader=loader)):
            depth += isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent))
            depth -= isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent))
            if depth > DEEPEST or number > 3 * MOST_NODES:
                raise BookError(say("{name}, line {line}: nested or long beyond any config. Give "
                                    "a fine-tuning config of FunASR.", name=name,
                                    line=event.start_mark.line + 1))
        return yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = say("{file}, line {line}", file=name, line=mark.line + 1) if mark else name
        problem = getattr(error, "problem", None)
        problem = quoted(problem) if problem else say("it is no YAML")
        raise BookError(say("{place}: {problem}. Correct the YAML there.", place=where,
                            problem=problem)) from None


def _loader():
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _plain(node: yaml.Node, prefix: str, document: Document, scalars, count: list[int],
           inside: tuple[int, ...]) -> Any:
    count[0] += 1
    line = node.start_mark.line + 1
    if count[0] > MOST_NODES or id(node) in inside:
        raise BookError(say("{file}, line {line}: the aliases make this file endless or huge. "
                            "Write the values out.", file=document.name, line=line))
    if node.tag not in _SAFE_TAGS and not node.tag.endswith((":timestamp", ":value", ":merge")):
        raise BookError(say("{file}, line {line}: the tag {tag} is not for a config. Remove it.",
                            file=document.name, line=line, tag=node.tag))
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
        raise BookError(say("{file}, line {line}: `{value}` cannot be read as a value. Correct "
                            "it, or put it in quotes.", file=document.name, line=line,
                            value=node.value[:40])) from None


def _mapping(node: yaml.MappingNode, prefix: str, document: Document, scalars, count,
             inside) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise BookError(say("{file}, line {line}: a key must be a plain name.",
                                file=document.name, line=line))
        name = key_node.value
        if name == "<<":
            raise BookError(say("{file}, line {line}: FunASR's loader does not merge with `<<`. "
                                "Write the keys out.", file=document.name, line=line))
        if name in values:
            raise BookError(say("{file}, line {line}: `{prefix}{name}` is there twice, and "
                                "FunASR's loader stops at that. Remove one.", file=document.name,
                                line=line, prefix=prefix, name=name))
        document.lines.setdefault(f"{prefix}{name}", line)
        values[name] = _plain(value_node, f"{prefix}{name}.", document, scalars, count, inside)
    return values
