"""Write a corrected copy of a config: the edits of the findings, every other letter as it was.

The text is edited at the places that the YAML parser gives, and never written anew: indentation,
quotes, comments and order stay.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from funasr_preflight.errors import BookError, reason_of
from funasr_preflight.findings import REMOVE, Finding
from funasr_preflight.launch.yaml_file import (
    YAML_CONFIG,
    composed,
    flatten,
    read_text,
    read_yaml,
)
from funasr_preflight.texts import say

_LINE = re.compile(r"[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])"
                   r"|[^\r\n\x85\u2028\u2029]+")
_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*(?:,[\w./+-]+)*")
INDENT = 2


@dataclass(frozen=True)
class Mended:
    """What was written.

    Attributes:
        keys: that were changed or removed.
        diff: from the old text to the new, line by line.
        left: edits that are the user's to decide, as (key, value), and were not made.
    """

    keys: tuple[str, ...]
    diff: str
    left: tuple[tuple[str, str], ...] = ()


def edits_of(findings: Iterable[Finding], decide: bool = True) -> dict[str, Any]:
    """Dotted key to its new value or `REMOVE`; where two findings disagree, the first counts.

    Args:
        decide: whether edits that are a matter of judgement are among them.
    """
    edits: dict[str, Any] = {}
    for finding in findings:
        for key, value in finding.edits if decide or not finding.decision else ():
            edits.setdefault(key, value)
    return edits


def write(path: str | Path, findings: Iterable[Finding], out: str | Path, decide: bool = True
          ) -> Mended:
    """Write a copy of a YAML with the edits of findings applied.

    Args:
        path: the YAML that was checked.
        findings: what the check found, the worst first.
        out: the new file; an older one of that name is replaced, the input never.
        decide: as `edits_of` takes it.

    Raises:
        BookError: `out` is the input, no regular file, or cannot be written.
    """
    path, out, findings = Path(path), Path(out), list(findings)
    _check_place(path, out)
    before, old = dict(flatten(read_yaml(path).values)), read_text(path, YAML_CONFIG)
    edits = edits_of(findings, decide)
    text, done = corrected(old, edits, path.name)
    kept = {key: value for key, value in before.items()
            if not any(key == edited or key.startswith(f"{edited}.") for edited in done)}
    with _replacing(out) as partial:
        with partial.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
        after = dict(flatten(read_yaml(partial).values)) if kept or text.strip() else {}
        if any(repr(after.get(key, REMOVE)) != repr(value) for key, value in kept.items()):
            raise BookError(say("{file} cannot be edited without changing other keys: make the "
                                "changes by hand.", file=path.name))
    lines = difflib.unified_diff(_LINE.findall(old), _LINE.findall(text), path.name, out.name)
    left = tuple((key, "-" if value is REMOVE else _rendered(value))
                 for key, value in edits_of(findings).items() if key not in edits)
    return Mended(done, "".join(line if line.endswith("\n") else f"{line}\n" for line in lines),
                  left)


def corrected(text: str, edits: Mapping[str, Any], name: str) -> tuple[str, tuple[str, ...]]:
    """A YAML's text with edits applied, and the keys that were changed.

    Args:
        edits: dotted key to its new value, or to `REMOVE`.
        name: of the file, for messages.

    Raises:
        BookError: the YAML cannot be read.
    """
    done = []
    for key, value in edits.items():
        root = composed(text, name)
        if not isinstance(root, yaml.MappingNode):
            break
        sheet = _Sheet(text)
        changed = (_removed if value is REMOVE else _set)(sheet, root, key.split("."), value)
        if changed and sheet.text() != text:
            text = sheet.text()
            done.append(key)
    return text, tuple(done)


class _Sheet:
    """A text that is changed at places given as line and column, both from 0."""

    def __init__(self, text: str):
        self.lines = _LINE.findall(text)
        self.newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"

    def text(self) -> str:
        return "".join(self.lines)

    def replace(self, start: tuple[int, int], end: tuple[int, int], new: str) -> None:
        (first, left), (last, right) = start, end
        after = self.lines[last][right:] if last < len(self.lines) else ""
        self.lines[first:last + 1] = [self.lines[first][:left] + new + after]

    def drop(self, first: int, last: int) -> None:
        """Take lines out, both ends included, but for those that are nothing but a comment."""
        kept = [line for line in self.lines[first:last + 1] if line.lstrip().startswith("#")]
        self.lines[first:last + 1] = kept
        around = self.lines[max(0, first - 1):first + 1]
        if not kept and around and not "".join(around).strip() and (len(around) == 2 or not first):
            del self.lines[first if first < len(self.lines) else first - 1]  # one blank is enough

    def insert(self, below: int, line: str) -> None:
        if below >= 0 and not self.lines[below].endswith(("\n", "\r")):
            self.lines[below] += self.newline
        self.lines.insert(below + 1, line + self.newline)


def _start(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line, node.start_mark.column


def _end(node: yaml.Node) -> tuple[int, int]:
    """Where a value ends, without the blank lines and comments below a block."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    line, column = node.end_mark.line, node.end_mark.column
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and column == 0:
        return line - 1, 10**9
    return line, column


def _entry(node: yaml.Node, name: str) -> int | None:
    indices = [index for index, (key, _) in enumerate(node.value) if key.value == name]
    return indices[0] if indices else None


def _is_alias(key: yaml.Node, value: yaml.Node) -> bool:
    return _start(value) < _start(key)


def _removed(sheet: _Sheet, node: yaml.Node, parts: list[str], _: Any = None) -> bool:
    """Take a key out; a section that is left empty goes too. Comments stay."""
    if not isinstance(node, yaml.MappingNode) or (index := _entry(node, parts[0])) is None:
        return False
    key, value = node.value[index]
    if parts[1:] and (_is_alias(key, value) or not _would_empty(value, parts[1:])):
        return not _is_alias(key, value) and _removed(sheet, value, parts[1:])
    end = max(_end(value), (key.end_mark.line, key.end_mark.column))
    if _is_alias(key, value):
        end = key.end_mark.line, 0
    if not node.flow_style:
        sheet.drop(key.start_mark.line, end[0])
    elif index + 1 < len(node.value):
        sheet.replace(_start(key), _start(node.value[index + 1][0]), "")
    elif index:
        sheet.replace(_end(node.value[index - 1][1]), end, "")
    else:
        sheet.replace(_start(key), end, "")
    return True


def _would_empty(node: yaml.Node, parts: list[str]) -> bool:
    """Whether a section has nothing but the key that is to go."""
    if not isinstance(node, yaml.MappingNode) or [key.value for key, _ in node.value] != parts[:1]:
        return False
    return len(parts) == 1 or _would_empty(node.value[0][1], parts[1:])


def _set(sheet: _Sheet, node: yaml.Node, parts: list[str], value: Any) -> bool:
    index = _entry(node, parts[0])
    if index is None:
        _add(sheet, node, parts, value)
        return True
    key, old = node.value[index]
    if _is_alias(key, old):
        return False
    if parts[1:]:
        return isinstance(old, yaml.MappingNode) and bool(old.value) and _set(
            sheet, old, parts[1:], value)
    new = _rendered(value, old.style if isinstance(old, yaml.ScalarNode) else None)
    if isinstance(old, yaml.CollectionNode) and not old.flow_style:
        line, last = key.end_mark.line, _end(old)[0]
        sheet.drop(line + 1, last)
        rest = sheet.lines[line][key.end_mark.column:]
        colon = key.end_mark.column + rest.index(":") + 1
        sheet.replace((line, colon), (line, colon), f" {new}")
    else:
        start, end = _start(old), _end(old)
        block = isinstance(old, yaml.ScalarNode) and old.style in ("|", ">")
        sheet.replace(start, end, f" {new}" if start == end else
                      new + sheet.newline if block else new)
    return True


def _add(sheet: _Sheet, node: yaml.Node, parts: list[str], value: Any) -> None:
    """A new key at the end of its section."""
    *outer, last = parts
    if node.flow_style:
        inner = f"{last}: {_rendered(value)}"
        for part in reversed(outer):
            inner = f"{part}: {{{inner}}}"
        line, column = node.end_mark.line, node.end_mark.column - 1
        sheet.replace((line, column), (line, column), f", {inner}" if node.value else inner)
        return
    indent = node.value[0][0].start_mark.column if node.value else 0
    step = _step(node)
    below = _end(node)[0]
    for depth, part in enumerate(parts):
        shown = f" {_rendered(value)}" if part is last and depth == len(outer) else ""
        sheet.insert(below + depth, " " * (indent + step * depth) + f"{part}:{shown}")


def _step(node: yaml.Node) -> int:
    """By how much this file indents a section."""
    for key, value in node.value:
        if isinstance(value, yaml.MappingNode) and not value.flow_style and value.value:
            step = value.value[0][0].start_mark.column - key.start_mark.column
            if step > 0:
                return step
    return INDENT


def _rendered(value: Any, style: str | None = None) -> str:
    """A value as YAML that OmegaConf and every other loader read alike."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_rendered, value))}]"
    if not isinstance(value, str):
        return str(value)
    if style == "'":
        return "'" + value.replace("'", "''") + "'"
    plain = _PLAIN.fullmatch(value) and not isinstance(
        yaml.safe_load(value), (bool, type(None), int, float)) and style != '"'
    return value if plain else json.dumps(value, ensure_ascii=False)


def _check_place(path: Path, out: Path) -> None:
    """Refuse the config itself, and everything that is no regular file."""
    try:
        there = out.exists()
        same, regular = there and path.samefile(out), there and stat.S_ISREG(out.stat().st_mode)
    except (OSError, ValueError):
        return  # the writing says what is wrong with the name
    if same:
        raise BookError(say("{file} is the config itself: name another file for --fix.",
                            file=out.name))
    if there and not regular:
        raise BookError(say("{file} is no regular file: name another for --fix.", file=out.name))


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
        raise BookError(say("{file} cannot be written ({reason}): name a file in a folder that "
                            "is there.", file=out.name, reason=reason_of(error))) from None
    finally:
        with suppress(OSError, ValueError):
            partial.unlink(missing_ok=True)
