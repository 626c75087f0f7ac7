"""Who may import whom: a maintainer who reads a package needs to know only those above it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from helpers.paths import ROOT

SOURCE = ROOT / "src"
LAYERS = ("errors", "paths", "session", "config", "speech", "telephone", "ledger", "model",
          "training", "evaluation", "experiments", "gpu", "real_voices", "pretraining", "knobs",
          "audit", "versions", "oracle", "pages", "site")
OWN = {"helpers", "funasr_preflight"}
DRAWING = {"matplotlib", "ipywidgets"}
DOOR = SOURCE / "funasr_preflight" / "with_funasr.py"
ADAPTERS = {"helpers.model.funasr_private", "funasr_preflight.private_names"}
"""Who may touch names that other libraries keep for themselves: one module of each package."""
PACKAGES = [SOURCE / "helpers", SOURCE / "funasr_preflight"]
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path) for path in MODULES}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> list[tuple[int, str, str]]:
    """Line, module and name of everything that a module imports, at its head or in a function."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.append((node.lineno, whole, "") if whole in NAMES else (
                    node.lineno, node.module, alias.name))
    return found


def layer(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def faults(path: Path) -> Iterator[str]:
    own, package = name_of(path), layer(name_of(path))
    for line, module, name in imports(path):
        top = module.split(".")[0]
        said = f"{path.relative_to(ROOT)}:{line} imports {module} {name}".rstrip()
        if own.startswith("funasr_preflight"):
            if top in {"torch", "funasr", "helpers"} and path != DOOR:
                yield f"{said}: only {DOOR.name} may ask FunASR, PyTorch and the book"
            continue
        if top in DRAWING and package not in {"pages", "site"}:
            yield f"{said}: drawing belongs to helpers.pages"
        if top == "helpers" and layer(module) != package:
            if LAYERS.index(layer(module)) > LAYERS.index(package):
                yield f"{said}: {layer(module)} lies below {package}"
            if package == "ledger" and layer(module) not in {"config", "errors", "paths"}:
                yield f"{said}: the ledger stands on the configs alone"
        if top in {"helpers", "funasr_preflight"} and module != own and name.startswith("_"):
            yield f"{said}: another module's private name"


def is_private(name: object) -> bool:
    return isinstance(name, str) and any(
        part.startswith("_") and not part.startswith("__") for part in name.split("."))


def called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def private_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each underscore name of something else than the object itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and (
                ast.unparse(node.value) not in {"self", "cls", "super()"}):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call) and called(node) in {"getattr", "setattr", "object"}:
            yield from ((node.lineno, text.value) for text in node.args[1:2]
                        if isinstance(text, ast.Constant) and is_private(text.value))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", "") or "", *(alias.name for alias in node.names)]
            yield from ((node.lineno, name) for name in names if is_private(name))


def patches(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of each change from outside to a module, class or function of this house."""
    ours = {(alias.asname or alias.name).partition(".")[0] for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
            if (getattr(node, "module", None) or alias.name).split(".")[0] in OWN}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            first = ast.unparse(node.args[0])
            if called(node) in {"setattr", "delattr", "object"} and first.split(".")[0] in ours or (
                    called(node) == "patch" and first.strip("'f\"").split(".")[0] in OWN):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) and (
                ast.unparse(node).split(".")[0] in ours):
            yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_other_libraries_private_names_are_touched_in_one_place(path: Path) -> None:
    """A new version of FunASR may take such a name away: then one module has to be mended."""
    found = list(private_names(tree_of(path)))
    assert found == [] or name_of(path) in ADAPTERS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nobody_changes_another_module_from_outside(path: Path) -> None:
    """What a function needs is a parameter of it; a patch breaks when the other side is renamed."""
    assert list(patches(tree_of(path))) == []


@pytest.mark.parametrize(("code", "private", "patched"), [
    ("import torch\ntorch._C.x()", 1, 0), ("from a import b\ngetattr(b, '_c')", 1, 0),
    ("from omegaconf._utils import f", 1, 0), ("from a import _f", 1, 0),
    ("class A:\n def f(self): return self._x + super()._x + self.__class__.__name__", 0, 0),
    ("from unittest import mock\nfrom helpers import paths\nmock.patch.object(paths, 'X')", 0, 1),
    ("from unittest import mock\nmock.patch('helpers.paths.ROOT', 1)", 0, 1),
    ("import helpers.paths\nhelpers.paths.ROOT = 1", 0, 1),
    ("from helpers import paths\npaths.ROOT += 1\nsetattr(paths, 'ROOT', 2)", 0, 2),
    ("from helpers import paths\nimport torch\ntorch.x = paths.ROOT", 0, 0)])
def test_the_two_searches_find_what_they_look_for(code: str, private: int, patched: int) -> None:
    tree = ast.parse(code)
    assert (len(list(private_names(tree))), len(list(patches(tree)))) == (private, patched)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_lies_above_it(path: Path) -> None:
    assert list(faults(path)) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name_of(path): {module for _, module, _ in imports(path) if module in NAMES}
             - {name_of(path)} for path in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def copied_laws(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of lengths, sizes and divisions that `funasr_preflight.laws` knows."""
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(
            node, ast.Assign | ast.BinOp | ast.UnaryOp) else ""
        if (re.fullmatch(r"2 \*\* 30|1024 \*\* 3|-\(-.* // [68]\)|.*360000", text)
                or re.match(r"[A-Z_]*(FRAME_SECONDS = 0.0[16]|FRAMES_AN?_[A-Z]+ = \d|"
                            r"LFR_?[A-Z]* = \d|STACK = \d)", text)
                or re.search(r"(100|0\.01|0\.06) \* .*(second|speech|duration|frame)"
                             r"|(second|speech|frame).* [/*] (100|0\.01|0\.06)\b", text)):
            yield node.lineno, text


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent.name != "laws"],
                         ids=name_of)
def test_a_law_is_written_down_once(path: Path) -> None:
    """Two copies come to disagree: the checker then says another number than the chapter."""
    assert list(copied_laws(tree_of(path))) == []


@pytest.mark.parametrize(("code", "copies"), [
    ("STACK = 6", 1), ("FRAMES_A_SECOND = 100", 1), ("FRAME_SECONDS = 0.06", 1),
    ("x = -(-frames // 6)", 2), ("x = item['speech_length'] / 100", 2), ("x = 2**30", 2),
    ("x = round(0.01 * info.duration)", 2), ("x = 100 * share", 0), ("STACK = LFR_STEP", 0)])
def test_the_search_for_copied_laws_finds_them(code: str, copies: int) -> None:
    assert bool(list(copied_laws(ast.parse(code)))) == bool(copies)


def test_a_class_has_a_name_of_its_own() -> None:
    """A maintainer who searches for a class finds one."""
    found = [node.name for path in MODULES
             for node in ast.walk(tree_of(path))
             if isinstance(node, ast.ClassDef)]
    assert sorted({name for name in found if found.count(name) > 1}) == []


def test_few_modules_stand_outside_a_package() -> None:
    assert len(list((SOURCE / "helpers").glob("[!_]*.py"))) <= 6


def opened_notebooks(path: Path) -> Iterator[str]:
    """Libraries that read notebooks, and paths that lead to one."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield from (f"{path.relative_to(ROOT)}:{node.lineno} opens {part.value}"
                        for part in ast.walk(node) if isinstance(part, ast.Constant)
                        and re.search(r"^notebooks\b|\.ipynb$", str(part.value)))
    yield from (f"{path.relative_to(ROOT)}:{line} imports {module}"
                for line, module, _ in imports(path)
                if module.split(".")[0] in {"jupytext", "nbformat", "nbclient"})


def test_only_the_site_which_publishes_them_opens_notebooks() -> None:
    """Pages show what `make execute` wrote down, else their order of running is kept by hand."""
    opened = {name_of(path): list(opened_notebooks(path)) for path in MODULES}
    assert opened["helpers.site.commands.execute"]
    assert [fault for module, faults in opened.items() if layer(module) != "site"
            for fault in faults] == []
