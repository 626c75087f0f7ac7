"""The cells of a chapter that want the reader's GPU, and what they stand on.

A cell with the tag `your-gpu` names a model and data by their settings. What the cells after it
make of them wants the GPU too; of the cells before it, those are run that make what they use.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TAG = "your-gpu"


@dataclass(frozen=True)
class CellNames:
    """The names of a cell: bound anew, changed in place, and used before the cell binds them.

    What its functions use is looked up when they are called: `used_later`.
    """

    bound: frozenset[str]
    changed: frozenset[str]
    used: frozenset[str]
    imported: frozenset[str]
    used_later: frozenset[str]


def is_marked(cell) -> bool:
    """Whether a notebook's cell says that it wants a GPU."""
    return cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])


def to_run(cells: Sequence) -> list[int]:
    """Numbers of the cells to run, in order: the marked ones, their consequences, their grounds."""
    names = [names_of(cell.source if cell.cell_type == "code" else "") for cell in cells]
    modules = frozenset().union(*(one.imported for one in names))  # a call changes none of them
    chosen: set[int] = set()
    made: set[str] = set()
    for number, (cell, one) in enumerate(zip(cells, names, strict=True)):
        if is_marked(cell) or one.used & made:
            chosen.add(number)
            made |= one.bound | one.changed - modules
        else:
            made -= one.bound
    while True:
        before = len(chosen)
        wanted = set().union(*(names[number].used_later for number in chosen))
        for number in reversed(range(max(chosen, default=0) + 1)):
            one = names[number]
            if number in chosen or (one.bound | one.changed - modules) & wanted:
                chosen.add(number)
                wanted = (wanted - one.bound) | one.used
        if len(chosen) == before:
            break
    return sorted(chosen)


def names_of(source: str) -> CellNames:
    """The names of a cell's code; IPython's own lines (`%`, `!`) have none."""
    plain = "\n".join("pass" if line.startswith(("%", "!")) else line
                      for line in source.splitlines())
    bound: set[str] = set()
    changed: set[str] = set()
    used: set[str] = set()
    imported: set[str] = set()
    later: set[str] = set()
    for statement in ast.parse(plain).body:
        text = ast.unparse(statement)
        top = symtable.symtable(text, "cell", "exec")
        own = {one.get_name() for one in top.get_symbols()
               if one.is_assigned() or one.is_imported()}
        read = {one.get_name() for table in _tables(top) for one in table.get_symbols()
                if one.is_referenced() and (table is top or one.is_global())}
        later |= {one.get_name() for table in _tables(top) if table.get_type() == "function"
                  for one in table.get_symbols() if one.is_referenced() and one.is_global()}
        used |= read - bound - _bound_by_loops(statement)
        changed |= set(_changed(statement))
        bound |= own
        imported |= {one.get_name() for one in top.get_symbols() if one.is_imported()}
    return CellNames(*map(frozenset, (bound, changed - bound, used, imported, later)))


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
