"""The cells of a chapter that want the reader's GPU, and what they stand on.

A cell with the tag `your-gpu` names a model and data by their settings. What the cells after it
make of them wants the GPU too; of the cells before it, those are run that make what they use.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

TAG = "your-gpu"
MAY_PASS = (ast.If, ast.For, ast.While, ast.Try, ast.Match)
"""Statements that may end without binding the names in them."""
AT_ONCE = {"listcomp", "setcomp", "dictcomp", "genexpr"}
"""Functions to the compiler, which run where they stand."""


@dataclass(frozen=True)
class CellNames:
    """The names of a cell.

    Attributes:
        bound, surely_bound: that it gives a value; whatever way it takes.
        changed: whose objects it changes in place.
        used: that it needs from the cells before it.
        used_later: that its functions look up when they are called.
        imported: of `bound`, modules and what is taken from them.
    """

    bound: frozenset[str]
    surely_bound: frozenset[str]
    changed: frozenset[str]
    used: frozenset[str]
    used_later: frozenset[str]
    imported: frozenset[str]


def is_marked(cell) -> bool:
    """Whether a notebook's cell says that it wants a GPU."""
    return cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])


def to_run(cells: Sequence) -> list[int]:
    """Numbers of the cells to run, in order: the marked ones, their consequences, their grounds."""
    names = [names_of(cell.source if cell.cell_type == "code" else "") for cell in cells]
    modules = _modules(names)
    chosen: set[int] = set()
    affected: set[str] = set()
    for number, (cell, cell_names) in enumerate(zip(cells, names, strict=True)):
        if is_marked(cell) or cell_names.used & affected:
            chosen.add(number)
            affected |= cell_names.bound | cell_names.changed - modules
        else:
            affected -= cell_names.surely_bound
    return with_grounds(names, chosen)


def with_grounds(names: Sequence[CellNames], cells: Iterable[int]) -> list[int]:
    """Numbers of these cells and of those that make what they use, in order."""
    modules, chosen = _modules(names), set(cells)
    while True:
        before = len(chosen)
        needed = set().union(*(names[number].used_later for number in chosen))
        for number in reversed(range(max(chosen, default=0) + 1)):
            cell_names = names[number]
            if number in chosen or (cell_names.bound | cell_names.changed - modules) & needed:
                chosen.add(number)
                needed = (needed - cell_names.surely_bound) | cell_names.used
        if len(chosen) == before:
            return sorted(chosen)


def names_of(source: str) -> CellNames:
    """The names of a cell's code; IPython's own lines (`%`, `!`) have none."""
    plain = "\n".join("pass" if line.startswith(("%", "!")) else line
                      for line in source.splitlines())
    bound, surely, changed, used, later, imported = (set() for _ in range(6))
    for statement in ast.parse(plain).body:
        top = symtable.symtable(ast.unparse(statement), "cell", "exec")
        inner = list(_tables(top))[1:]
        read = _added_to(statement) | {
            symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
        read |= {name for table in inner for name in _globals(table)}
        used |= read - surely - _bound_by_loops(statement)
        later |= {name for table in inner if table.get_name() not in AT_ONCE
                  for name in _globals(table)}
        own = {symbol.get_name() for symbol in top.get_symbols()
               if symbol.is_assigned() or symbol.is_imported()}
        bound |= own
        surely |= set() if isinstance(statement, MAY_PASS) else own
        changed |= set(_changed(statement)) - surely
        imported |= {symbol.get_name() for symbol in top.get_symbols() if symbol.is_imported()}
    return CellNames(*map(frozenset, (bound, surely, changed, used, later, imported)))


def _modules(names: Iterable[CellNames]) -> frozenset[str]:
    """What is imported: a call changes none of them."""
    return frozenset().union(*(cell_names.imported for cell_names in names))


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """Names of the notebook that a function or class reads."""
    return (symbol.get_name() for symbol in table.get_symbols()
            if symbol.is_referenced() and symbol.is_global())


def _added_to(statement: ast.stmt) -> set[str]:
    """Names as in `name += 1`, which the compiler's table does not call read."""
    return {node.target.id for node in ast.walk(statement)
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)}


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _bound_by_loops(statement: ast.stmt) -> set[str]:
    """Names that a loop or a `with` binds before its body uses them."""
    targets = [node.target if isinstance(node, ast.For) else node.optional_vars
               for node in ast.walk(statement)
               if isinstance(node, ast.For) or isinstance(node, ast.withitem)]
    return {name.id for target in targets if target is not None for name in ast.walk(target)
            if isinstance(name, ast.Name)}


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Names whose objects a statement changes: by an item, an attribute, or a method's call."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield from _root(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(
                node.value.func, ast.Attribute):
            yield from _root(node.value.func)


def _root(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id
