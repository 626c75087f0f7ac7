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

from funasr_preflight.errors import BookError
from funasr_preflight.private_names import omegaconf_scalars

LARGEST_BYTES = 1_000_000
DEEPEST = 30
MOST_NODES = 50_000
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


def load_yaml(path: Path) -> dict[str, Any]:
    """The nested values of a YAML, as FunASR's loader reads them, interpolations as written.

    Raises:
        BookError: it cannot be read, or is not such a config.
    """
    return read_yaml(path).values


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
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
            raise BookError(f"{path.name} is no file, but a pipe or a device: give {what}.")
        if about.st_size > largest:
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


def read_yaml(path: Path) -> Document:
    """A YAML's values and lines.

    Raises:
        BookError: it cannot be read, or is not such a config.
    """
    text = read_text(path, "a YAML config")
    document = Document(path.name, {})
    node = composed(text, path.name)
    if not isinstance(node, yaml.MappingNode):
        raise BookError(f"{path.name} holds no keys: give a config with `key: value` lines.")
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


def _plain(node: yaml.Node, prefix: str, document: Document, scalars, count: list[int],
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


def _mapping(node: yaml.MappingNode, prefix: str, document: Document, scalars, count,
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
