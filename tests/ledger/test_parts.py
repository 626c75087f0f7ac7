"""Is a part refused that could not come out "no"?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from helpers.errors import BookError
from helpers.ledger import claims, parts
from helpers.paths import ROOT

CHAPTERS = sorted({claim.chapter for claim in claims.load().values()})
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?:---\n.*?\n---\n|(?::[^\n]*\n)*)(.*?)^```\s*$",
                  re.MULTILINE | re.DOTALL)
HEAD = """
from helpers.config import configs, document
from helpers.ledger import claims
from helpers.model import mini
import numpy as np
rows = configs.compare()
built = mini.build("pretrained")
calls = []
hook = built.register(lambda *_: calls.append(1))

def share(value):
    return value > len(built)
"""


def code_of(chapter: str) -> str:
    """All code cells of a chapter."""
    path = ROOT / "notebooks" / f"{chapter}.md"
    return "\n".join(CELL.findall(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_part_in_the_book_could_come_out_no(chapter: str) -> None:
    assert parts.Witness(code_of(chapter)).faults() == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_parts_are_seen(chapter: str) -> None:
    """A call whose parts were not found would pass the test above for nothing."""
    source = parts.Witness(code_of(chapter))
    for call in ast.walk(source.tree):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "settle":
            assert list(source.parts(call.args[1])), ast.unparse(call)


@pytest.mark.parametrize("part", [
    "True", "not False", "1 < 2", "len('abc') == 3", "all([True])",
    "built.size == built.size", "built.size > 3 or True",
    "rows[0].key == 'model'", "configs.load('pretrained').audio_encoder_conf.freeze",
    "np.isclose(rows[0].value / rows[1].value, 10)", "document.marked('new')",
])
def test_a_part_that_could_not_come_out_no_is_named(part: str) -> None:
    for given in (f"{{'it': {part}}}", f"{{**{{'it': {part}}}}}", f"{{n: {part} for n in 'ab'}}"):
        source = parts.Witness(f"{HEAD}\nclaims.settle('a', {given})\n")
        assert len(source.faults()) == 1, given
    named = parts.Witness(f"{HEAD}\nit = {{'it': {part}}}\nclaims.settle('a', it)\n")
    assert len(named.faults()) == 1
    function = parts.Witness(f"{HEAD}\ndef of():\n    return {{'it': {part}}}\n"
                            "claims.settle('a', of())\n")
    assert len(function.faults()) == 1


@pytest.mark.parametrize("part", [
    "built.size > 3", "share(3)", "bool(calls)", "'x' in built.names",
    "claims.published('model')['model']['pretrained'] == 'x'",
    "document.public_values()['model'] == rows[0].value", "unknown > 3",
])
def test_a_part_that_could_is_left_alone(part: str) -> None:
    source = parts.Witness(f"{HEAD}\nclaims.settle('a', {{'it': {part}}})\n")
    assert source.faults() == []


def test_the_cell_itself_refuses_it(tmp_path: Path) -> None:
    code = ("from helpers.ledger import claims\n"
            "claims.settle('encoder-150-million', {'it': False})\n")
    file = tmp_path / "cell.py"
    file.write_text(code, encoding="utf-8")
    with pytest.raises(BookError, match="encoder-150-million: the part 'it' depends on nothing"):
        exec(compile(code, str(file), "exec"), {"__name__": "cell"})
