"""Write a corrected copy of a config: the edits of the findings, with comments and order kept."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from funasr_preflight.errors import BookError
from funasr_preflight.findings import REMOVE, Finding
from funasr_preflight.launch.reading import flatten, load_yaml, read_text

_END_OF_LINE, _BEFORE = 2, 1


def edits_of(findings: Iterable[Finding]) -> dict[str, Any]:
    """Dotted key to its new value or `REMOVE`; where two findings disagree, the first counts."""
    found: dict[str, Any] = {}
    for finding in findings:
        for key, value in finding.edits:
            found.setdefault(key, value)
    return found


def write(path: str | Path, findings: Iterable[Finding], out: str | Path) -> tuple[str, ...]:
    """Write a copy of a YAML with the edits of findings applied.

    Args:
        path: the YAML that was checked.
        findings: what the check found, the worst first.
        out: the new file; an older one of that name is replaced, the input never.

    Returns:
        Keys that were changed or removed.

    Raises:
        BookError: `out` is the input, or cannot be written.
    """
    path, out = Path(path), Path(out)
    if _same_file(path, out):
        raise BookError(f"{out.name} is the config itself: name another file for --fix.")
    before = dict(flatten(load_yaml(path)))
    text, done = corrected(read_text(path, "a YAML config"), edits_of(findings), path.name)
    kept = {key: value for key, value in before.items()
            if not any(key == one or key.startswith(f"{one}.") for one in done)}
    with _replacing(out) as partial:
        partial.write_text(text, encoding="utf-8")
        after = dict(flatten(load_yaml(partial)))
        if any(repr(after.get(key, REMOVE)) != repr(value) for key, value in kept.items()):
            raise BookError(f"{path.name} cannot be edited without changing other keys: make the "
                            "changes by hand.")
    return done


def corrected(text: str, edits: Mapping[str, Any], name: str) -> tuple[str, tuple[str, ...]]:
    """A YAML's text with edits applied, and the keys that were changed.

    Args:
        text: the YAML.
        edits: dotted key to its new value, or to `REMOVE`.
        name: of the file, for messages.

    Raises:
        BookError: the YAML cannot be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    if _has_indented_items(text):
        yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar(
            "tag:yaml.org,2002:null", "null"))
    try:
        document = yaml.load(text)
    except (YAMLError, ValueError):
        raise BookError(f"{name} cannot be read as YAML 1.2: write it without anything but keys, "
                        "values and comments.") from None
    done = tuple(key for key, value in edits.items()
                 if (_removed(document, key.split(".")) if value is REMOVE
                     else _set(document, key.split("."), value)))
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue(), done


def _has_indented_items(text: str) -> bool:
    """Whether the items of a list stand further in than their key."""
    for above, line in pairwise(text.splitlines()):
        item, key = line.lstrip(" "), above.lstrip(" ")
        if item.startswith("- ") and above.partition(" #")[0].rstrip().endswith(":"):
            return len(line) - len(item) > len(above) - len(key)
    return False


def _removed(node: Any, parts: list[str]) -> bool:
    """Take a key out; a section that is left empty goes too. Comments below it stay."""
    name, rest = parts[0], parts[1:]
    if not isinstance(node, dict) or name not in node:
        return False
    if rest and not _would_empty(node[name], rest):
        return _removed(node[name], rest)
    below = _above(node, name) + _take_below(node, name)
    before = list(node)[:list(node).index(name)]
    del node[name]
    node.ca.items.pop(name, None)
    if not below:
        return True
    if before:
        _give_below(node, before[-1], below)
    else:
        _give_above(node, below)
    return True


def _would_empty(node: Any, parts: list[str]) -> bool:
    """Whether a section has nothing but the key that is to go."""
    if not isinstance(node, dict) or list(node) != parts[:1]:
        return False
    return len(parts) == 1 or _would_empty(node[parts[0]], parts[1:])


def _set(node: Any, parts: list[str], value: Any) -> bool:
    from ruamel.yaml.comments import CommentedMap

    name, rest = parts[0], parts[1:]
    if not isinstance(node, dict):
        return False
    if name in node and rest and isinstance(node[name], dict):
        return _set(node[name], rest, value)
    if name in node and not rest:
        node[name] = value
        return True
    if name in node:
        return False
    for part in reversed(rest):
        value = CommentedMap({part: value})
    last = next(reversed(node), None)
    below = _take_below(node, last) if last is not None else ""
    node[name] = value
    if below:
        _give_below(node, name, below)
    return True


def _last_token_place(node: Any, name: str) -> tuple[Any, Any]:
    """The mapping or list, and its key, that holds the comments below a key and all it has."""
    value = node[name]
    if isinstance(value, dict) and value and not value.fa.flow_style():
        return _last_token_place(value, next(reversed(value)))
    if isinstance(value, list) and value and not value.fa.flow_style():
        return _last_token_place(value, len(value) - 1)
    return node, name


def _above(node: Any, name: str) -> str:
    """The comment lines that the parser keeps with a key because they stand above it."""
    tokens = (node.ca.items.get(name) or [None, None])[_BEFORE] or []
    return "".join(token.value for token in tokens)


def _take_below(node: Any, name: str) -> str:
    """Remove and return the comment lines between a key and the next, without its own."""
    holder, key = _last_token_place(node, name)
    place = _END_OF_LINE if isinstance(holder, dict) else 0
    token = (holder.ca.items.get(key) or [None] * 4)[place]
    if token is None:
        return ""
    own, newline, below = token.value.partition("\n")
    if not below:
        return ""
    token.value = own + newline
    if not own.strip():
        holder.ca.items[key][place] = None
    return below


def _give_below(node: Any, name: str, text: str) -> None:
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    holder, key = _last_token_place(node, name)
    place = _END_OF_LINE if isinstance(holder, dict) else 0
    slots = holder.ca.items.setdefault(key, [None] * 4 if place else [None, None])
    if slots[place] is None:
        slots[place] = CommentToken("\n" + text, CommentMark(0), None)
    else:
        slots[place].value = slots[place].value.rstrip("\n") + "\n" + text


def _give_above(node: Any, text: str) -> None:
    from ruamel.yaml.error import CommentMark
    from ruamel.yaml.tokens import CommentToken

    if node.ca.comment is None:
        node.ca.comment = [None, []]
    if node.ca.comment[_BEFORE] is None:
        node.ca.comment[_BEFORE] = []
    node.ca.comment[_BEFORE].append(CommentToken(text, CommentMark(0), None))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return other.exists() and one.samefile(other)
    except (OSError, ValueError):
        return False


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A file beside `out` that takes its name if all goes well, and else is gone."""
    partial = out.with_name(f"{out.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(out)
    except BookError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise BookError(f"{out.name} cannot be written ({reason}): name a file in a folder that "
                        "is there.") from None
    finally:
        with suppress(OSError, ValueError):
            partial.unlink(missing_ok=True)
