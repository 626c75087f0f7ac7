"""Who may import whom: a maintainer who reads a package needs to know only those above it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from helpers.paths import ROOT

SOURCE = ROOT / "src"
LAYERS = ("errors", "paths", "session", "config", "speech", "telephone", "ledger", "model",
          "training", "evaluation", "experiments", "gpu", "pretraining", "knobs", "audit", "pages",
          "site")
DRAWING = {"matplotlib", "ipywidgets"}
DOOR = SOURCE / "funasr_preflight" / "with_funasr.py"
PACKAGES = [SOURCE / "helpers", SOURCE / "funasr_preflight"]
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path) for path in MODULES}


def imports(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, module and name of everything that a module imports, at its head or in a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (node.lineno, whole, "") if whole in NAMES else (
                    node.lineno, node.module, alias.name)


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


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_lies_above_it(path: Path) -> None:
    assert list(faults(path)) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name_of(path): {module for _, module, _ in imports(path) if module in NAMES}
             - {name_of(path)} for path in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_few_modules_stand_outside_a_package() -> None:
    assert len(list((SOURCE / "helpers").glob("[!_]*.py"))) <= 6


def opened_notebooks(path: Path) -> Iterator[str]:
    """Libraries that read notebooks, and paths that lead to one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
