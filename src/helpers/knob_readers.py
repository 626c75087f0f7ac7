"""Where the library reads a key: found in its syntax trees, kept only if the line really ran.

`helpers.code_defaults.READERS` says which classes and functions receive each part of a config.
Here their files are parsed, every place that looks at a key's name is noted, and the places are
compared with the lines that ran while the bench built, loaded, trained and decoded. Handing a
section on with `**conf` is not reading it, and neither is a parameter that its function never
mentions again.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers.code_defaults import READERS

LOOK_UPS = ("get", "get_setting")
_NANO = "FunASRNano"


@dataclass(frozen=True)
class Place:
    """One place in the library that looks at a key's name.

    Attributes:
        name: the last part of the key.
        file: path from the package on, such as "funasr/models/specaug/specaug.py".
        line: of the expression.
        statement: first and last line of the statement around it.
        owner: dotted name of the function, "Class.method".
        receiver: the variable that is asked; "" for a parameter.
    """

    name: str
    file: str
    line: int
    statement: tuple[int, int]
    owner: str
    receiver: str

    @property
    def text(self) -> str:
        return f"{self.file}, line {self.line}"

    def ran(self, executed: Collection[tuple[str, int]]) -> bool:
        first, last = self.statement
        return any((self.file, line) in executed for line in range(first, last + 1))


def on_this_path(key: str, executed: Collection[tuple[str, int]]) -> list[Place]:
    """Places that receive this key's section, look at its name, and ran."""
    return [place for place in _received(key) if place.ran(executed)]


def elsewhere(key: str, executed: Collection[tuple[str, int]]) -> list[Place]:
    """Places that look at a key of this name and did not run: other classes, other branches.

    Those that would receive this key's section come first; a place in another class may mean
    another key of the same name.
    """
    own = [place for place in _received(key) if not place.ran(executed)]
    name = key.rpartition(".")[2]
    others = [place for file in _files_with(name) for place in _places(file)
              if place.name == name and not place.ran(executed)]
    return list(dict.fromkeys(own + others))


def ignored_by(key: str) -> str:
    """The function that has a parameter of this name and never mentions it again, or ""."""
    parent, _, name = key.rpartition(".")
    for module, owner in _present(parent):
        file = _file_of(module, owner)
        for found_name, found_owner, line in _ignored(file):
            if found_name == name and (not owner or found_owner == owner
                                       or found_owner.startswith(f"{owner}.")):
                return f"{found_owner} ({_shown(file)}, line {line})"
    return ""


def _present(parent: str) -> Iterator[tuple[str, str]]:
    """The readers of a section whose module this version of FunASR has."""
    for reader in READERS.get(parent, ()):
        module, _, owner = reader.partition(":")
        with contextlib.suppress(ModuleNotFoundError):
            importlib.util.find_spec(module)
            yield module, owner


def _received(key: str) -> list[Place]:
    parent, _, name = key.rpartition(".")
    found = []
    for module, owner in _present(parent):
        receivers = _receivers(owner, parent)
        found += [place for place in _places(_file_of(module, owner))
                  if place.name == name and place.receiver in receivers
                  and (not owner or place.owner == owner or place.owner.startswith(f"{owner}."))
                  and (place.receiver or _is_handed_on(place, parent, owner))]
    return list(dict.fromkeys(found))


def _is_handed_on(place: Place, parent: str, owner: str) -> bool:
    """Whether a parameter of this function is filled from the section, by `**section`."""
    if not parent:
        return place.owner == f"{_NANO}.__init__"
    return place.owner == owner or place.owner.endswith("__init__")


def _receivers(owner: str, parent: str) -> tuple[str, ...]:
    """The variables that hold this section: FunASRNano has one for each, the others keywords."""
    own = parent.rpartition(".")[2]
    return (own,) if owner == _NANO and parent not in ("", "model_conf") else ("", "kwargs", own)


def _file_of(module: str, owner: str) -> Path:
    if module == "torch.optim":  # the package gives the class its own module
        module = f"torch.optim.{owner.lower()}"
    return Path(importlib.util.find_spec(module).origin)


def _files_with(name: str) -> list[Path]:
    return [file for file, text in _texts() if name in text]


@cache
def _texts() -> tuple[tuple[Path, str], ...]:
    root = Path(importlib.util.find_spec("funasr").origin).parent
    return tuple((file, file.read_text(encoding="utf-8", errors="replace"))
                 for file in sorted(root.rglob("*.py")))


@cache
def _places(file: Path) -> tuple[Place, ...]:
    shown = _shown(file)
    tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
    return tuple(Place(name, shown, line, statement, owner, receiver)
                 for name, line, statement, owner, receiver in _walk(tree, "", (1, 1)))


@cache
def _ignored(file: Path) -> tuple[tuple[str, str, int], ...]:
    tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
    return tuple((argument.arg, owner, argument.lineno)
                 for function, owner in _functions(tree, "")
                 for argument in (*function.args.args, *function.args.kwonlyargs)
                 if argument.arg not in ("self", "cls") and not any(
                     isinstance(node, ast.Name) and node.id == argument.arg
                     for statement in function.body for node in ast.walk(statement)))


def _functions(node: ast.AST, owner: str) -> Iterator[tuple[ast.FunctionDef, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            name = f"{owner}.{child.name}".lstrip(".")
            if isinstance(child, ast.FunctionDef):
                yield child, name
            yield from _functions(child, name)


def _shown(file: Path) -> str:
    return file.as_posix().rpartition("/site-packages/")[2]


def _walk(node: ast.AST, owner: str, statement: tuple[int, int]) -> Iterator[tuple]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        owner = f"{owner}.{node.name}".lstrip(".")
        if not isinstance(node, ast.ClassDef):
            yield from _parameters(node, owner)
    if isinstance(node, ast.stmt):
        last = node.body[0].lineno - 1 if getattr(node, "body", None) else node.end_lineno
        statement = (node.lineno, max(node.lineno, last))
    found = _look_up(node)
    if found:
        yield found[0], node.lineno, statement, owner, found[1]
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, owner, statement)


def _look_up(node: ast.AST) -> tuple[str, str] | None:
    """Name and receiver, if the node is `x.get("name")` or `x["name"]`."""
    if isinstance(node, ast.Call) and node.args and _is_text(node.args[0]):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in LOOK_UPS:
            return node.args[0].value, _receiver(getattr(called, "value", None))
    if (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
            and _is_text(node.slice)):
        return node.slice.value, _receiver(node.value)
    return None


def _receiver(node: ast.AST | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript) and _is_text(node.slice):
        return node.slice.value
    if isinstance(node, ast.Call) and node.args and _is_text(node.args[0]):
        return node.args[0].value
    return "kwargs" if isinstance(node, ast.Attribute) else ""


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _parameters(function: ast.FunctionDef, owner: str) -> Iterator[tuple]:
    """For each parameter, the first statement of the body that mentions it."""
    listed = function.args
    names = {argument.arg for argument in (*listed.posonlyargs, *listed.args, *listed.kwonlyargs)}
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
                names.remove(node.id)
                yield node.id, node.lineno, _around(statement, node), owner, ""


def _around(statement: ast.stmt, node: ast.AST) -> tuple[int, int]:
    """The innermost statement that holds a node, as first and last line."""
    inner = [one for one in ast.walk(statement) if isinstance(one, ast.stmt)
             and one.lineno <= node.lineno <= one.end_lineno]
    best = max(inner, key=lambda one: one.lineno)
    last = best.body[0].lineno - 1 if getattr(best, "body", None) else best.end_lineno
    return best.lineno, max(best.lineno, last)
