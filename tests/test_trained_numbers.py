"""Would `make test` fail on a reader's machine? No number that another CPU computes is compared.

nbval compares what a cell printed or noted with what is stored. A loss after training differs
between processors in its last digits, and after a few steps in its first. A cell that shows a
fraction which comes out of training, decoding or timing has to carry `nbval-ignore-output`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
COMPUTE = re.compile(r"(finetune\.run|two_processes\.(one_pass|run)|gpu_cost\.measure"
                     r"|decoding\.(decode|score|hear)|anatomy\.reached|(arms|runs)\.(run|train\w*)"
                     r"|recipes\.in_memory|call_cost\.heard_now|sample_rate\.hear\w*"
                     r"|.*\.(backward|generate|forward))")
"""Calls, as notebooks spell them, whose results depend on the machine's arithmetic."""
SHOW = re.compile(r"print|(page\.)?(table|note)|glue|display")
EXACT = {"names", "error", "tokens", "kept", "number", "learning_rate", "folder", "param_groups",
         "state_dict", "logged"}
"""Attributes of results that no arithmetic of weights changes: names, counts, sizes, schedules."""
FRACTION = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[-+]?\d+)?(?!\.?\d)")
TEXT = ("text/plain", "text/html", "application/papermill.record/text/plain")


class Followed(ast.NodeVisitor):
    """Module-level names whose values come from a computing call, in the order of execution."""

    def __init__(self):
        self.names: set[str] = set()
        self.showing: set[str] = set()

    def computes(self, node: ast.AST) -> bool:
        """Whether the machine's arithmetic decides a value of this expression or function."""
        if isinstance(node, ast.Attribute) and node.attr in EXACT:
            return False
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "len" or COMPUTE.fullmatch(called):
                return called != "len"
        if isinstance(node, ast.Name):
            return isinstance(node.ctx, ast.Load) and node.id in self.names
        if not hasattr(node, "generators"):
            return any(map(self.computes, ast.iter_child_nodes(node)))
        before = self.names.copy()
        for loop in node.generators:
            self._store(loop.target, self.computes(loop.iter))
        parts = [part for part in ast.iter_child_nodes(node)
                 if not isinstance(part, ast.comprehension)]
        found = any(map(self.computes, parts))
        self.names = before
        return found

    def shows(self, source: str) -> bool:
        """Follow one cell; whether it hands a computed value to any call that may show it."""
        return any([self._statement(statement) for statement in ast.parse(source).body])

    def _statement(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self._store(target, self.computes(node.value))
            return False
        if isinstance(node, ast.FunctionDef):
            self._set(node.name, any(map(self.computes, node.body)))
            if any(isinstance(part, ast.Call) and SHOW.fullmatch(ast.unparse(part.func))
                   for part in ast.walk(node)):
                self.showing.add(node.name)
            return False
        if isinstance(node, ast.For):
            self._store(node.target, self.computes(node.iter))
        if isinstance(node, ast.For | ast.With | ast.If | ast.Try):
            return any([self._statement(inner) for inner in node.body])
        if isinstance(node, ast.Expr) and isinstance(call := node.value, ast.Call) and \
                ast.unparse(call.func) not in self.showing:  # what it returns is dropped
            return any(map(self.computes, [*call.args, *call.keywords]))
        return isinstance(node, ast.Expr) and self.computes(node)

    def _store(self, target: ast.expr, computed: bool) -> None:
        if isinstance(target, ast.Name):
            self._set(target.id, computed)
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._store(part, computed)
        elif isinstance(target, ast.Subscript | ast.Attribute | ast.Starred) and computed:
            self._store(target.value, computed)  # the rest of a container stays what it was

    def _set(self, name: str, computed: bool) -> None:
        (self.names.add if computed else self.names.discard)(name)


def fractions(cell) -> list[str]:
    """Numbers with decimals in what nbval compares of a cell, but for those typed in the cell."""
    texts = [output.get("text", "") for output in cell.outputs]
    texts += [str(content) for output in cell.outputs
              for kind, content in output.get("data", {}).items() if kind in TEXT]
    return [number for text in texts
            for number in FRACTION.findall(re.sub(r"<svg[\s\S]*?</svg>", "", text))
            if number not in cell.source]


def compared(notebook) -> list[tuple[str, list[str]]]:
    """Sources and fractions of the cells that show a computed fraction which nbval compares."""
    followed, found = Followed(), []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        shows = followed.shows(cell.source)
        if shows and fractions(cell) and "nbval-ignore-output" not in cell.metadata.get("tags", ()):
            found.append((cell.source, fractions(cell)))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_number_that_another_processor_computes_is_compared(path):
    faults = compared(nbformat.read(path, as_version=4))
    assert not faults, "tag these cells nbval-ignore-output and assert their facts:\n\n" + \
        "\n\n".join(f"{source}\n-> {', '.join(numbers[:5])}" for source, numbers in faults)


COMPUTED = "run = finetune.run(built, train, valid, 'x')\n"


@pytest.mark.parametrize(("source", "fault"), [
    ("print(run.steps[-1].loss)", True),
    ("note(loss=[step.loss for step in run.steps])", True),
    ("losses = {1: run.validations[-1].loss}\nfor value in losses.values():\n    print(value)",
     True),
    ("def last():\n    return run.steps[-1].loss\n\nprint(last())", True),
    ("def show():\n    print(run.steps[-1].loss)\n\nshow()", True),
    ("def again():\n    return finetune.run(built, train, valid, 'y')\n\nagain()\nprint(math.pi)",
     False),
    ("print([step.learning_rate for step in run.steps])", False),
    ("run = recorded()\nprint(run.loss)", False),
    ("assert run.steps[-1].loss < 3\nprint(math.pi)", False)])
def test_a_number_is_followed_from_the_training_to_the_page(source, fault):
    cells = [nbformat.v4.new_code_cell(COMPUTED), nbformat.v4.new_code_cell(
        source, outputs=[nbformat.v4.new_output("stream", text="3.0123")])]
    assert bool(compared(nbformat.v4.new_notebook(cells=cells))) == fault
    cells[1].metadata["tags"] = ["nbval-ignore-output"]
    assert not compared(nbformat.v4.new_notebook(cells=cells))
