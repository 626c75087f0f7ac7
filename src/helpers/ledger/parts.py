"""Whether a part of a verdict could come out "no".

A part counts only if it could. Three kinds cannot, and are found in the source of the cell that
gives them: an expression that depends on nothing that was measured, a comparison of a thing with
itself, and one that asks only the configs that this book wrote from the document.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
from collections import defaultdict
from collections.abc import Iterator
from types import FrameType

OWN = ("helpers.config.", "helpers.paths.", "numpy", "math")
"""Where a value comes from that says nothing by itself: our own files, and arithmetic."""
CHANGING = {"add", "append", "extend", "insert", "setdefault", "update"}
"""Methods that put something into what they are called on."""
WITNESSES = ("helpers.config.document.public_values",)
"""What of these modules asks the published files."""


class Witness:
    """The names of a piece of code, and what they were made from."""

    def __init__(self, code: str) -> None:
        self.tree = ast.parse(code)
        self.imported: dict[str, str] = {}
        self.made_from: dict[str, list[ast.AST]] = defaultdict(list)
        for node in ast.walk(self.tree):
            self._note(node)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.ImportFrom):
            self.imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}"
                              for alias in node.names}
        elif isinstance(node, ast.Import):
            self.imported |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value)
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.NamedExpr)):
            self._bind(node.target, node.value)
        elif isinstance(node, (ast.For, ast.comprehension)):
            self._bind(node.target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._bind(node.optional_vars, node.context_expr)
        elif isinstance(node, ast.FunctionDef):
            self.made_from[node.name].append(node)
        if isinstance(node, (ast.Expr, ast.Assign)):
            self._note_changes(node)

    def _note_changes(self, statement: ast.stmt) -> None:
        """What is put into a list or mapping is what it was made from; so is when that happens."""
        for call in ast.walk(statement):
            if (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
                    and call.func.attr in CHANGING and isinstance(call.func.value, ast.Name)):
                self.made_from[call.func.value.id].append(statement)

    def _bind(self, target: ast.expr, value: ast.AST | None) -> None:
        if value is not None:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    self.made_from[name.id].append(value)

    def roots(self, node: ast.AST) -> set[str]:
        """What an expression depends on: imported names in full, `?` before unknown ones."""
        roots: set[str] = set()
        waiting, followed = [node], set()
        while waiting:
            node = waiting.pop()
            parameters = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
            for name in ast.walk(node):
                if not isinstance(name, ast.Name) or name.id in followed | parameters:
                    continue
                if name.id in self.imported:
                    roots.add(self._in_full(node, name))
                elif name.id in self.made_from:
                    followed.add(name.id)
                    waiting += self.made_from[name.id]
                elif not hasattr(builtins, name.id):
                    roots.add(f"?{name.id}")
        return roots

    def _in_full(self, node: ast.AST, name: ast.Name) -> str:
        full = self.imported[name.id]
        return next((f"{full}.{inner.attr}" for inner in ast.walk(node)
                     if isinstance(inner, ast.Attribute) and inner.value is name), full)

    def parts(self, mapping: ast.expr) -> Iterator[tuple[str, ast.expr]]:
        """Label and expression of each part of a mapping, followed through names and functions."""
        if isinstance(mapping, ast.Dict):
            for label, value in zip(mapping.keys, mapping.values, strict=True):
                yield from self.parts(value) if label is None else [(ast.unparse(label), value)]
        elif isinstance(mapping, ast.DictComp):
            yield ast.unparse(mapping.key), mapping.value
        elif isinstance(mapping, ast.Name):
            for value in self.made_from.get(mapping.id, ()):
                if isinstance(value, (ast.Dict, ast.DictComp)):
                    yield from self.parts(value)
        elif isinstance(mapping, ast.Call) and isinstance(mapping.func, ast.Name):
            for definition in self.made_from.get(mapping.func.id, ()):
                for inner in ast.walk(definition):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        yield from self.parts(inner.value)

    def fault(self, part: ast.expr) -> str:
        """Why a part could not come out "no", or nothing."""
        for inner in ast.walk(part):
            if isinstance(inner, ast.Compare) and ast.dump(inner.left) in map(
                    ast.dump, inner.comparators):
                return "compares a thing with itself"
            if isinstance(inner, ast.BoolOp) and any(
                    isinstance(value, ast.Constant) for value in inner.values):
                return "has a constant beside `and` or `or`"
        roots = self.roots(part)
        if not roots:
            return "depends on nothing that was found"
        if all(root.startswith(OWN) and not root.startswith(WITNESSES) for root in roots):
            return "asks only files that this book wrote"
        return ""

    def faults(self, function: str = "settle", line: int | None = None) -> list[str]:
        """Each part that could not come out "no", one sentence each.

        Args:
            function: whose second argument holds the parts.
            line: where the call is; without it, every call.
        """
        return [f"the part {label} {why}: it could not come out \u201cno\u201d and is no part"
                for call in ast.walk(self.tree)
                if isinstance(call, ast.Call) and len(call.args) == 2
                and getattr(call.func, "attr", getattr(call.func, "id", "")) == function
                and (line is None or call.lineno <= line <= (call.end_lineno or line))
                for label, value in self.parts(call.args[1]) if (why := self.fault(value))]


def faults_of_caller(frame: FrameType | None) -> list[str]:
    """The same for the cell or file that is calling; nothing where its source is not to be had."""
    if frame is None:
        return []
    code = "".join(linecache.getlines(inspect.getfile(frame), frame.f_globals))
    try:
        return Witness(code).faults(line=frame.f_lineno)
    except SyntaxError:  # no Python of its own, such as the text of a magic
        return []
