"""Does a chapter open with its answer, and is what follows short enough to be read?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest

from helpers.site.commands import lengths

MOST_WORDS, MOST_CODE = 1000, 60
VERDICTS = {"holds", "holds in part", "does not hold", "not tested at full size"}
BOX = re.compile(r"^(`{3,})\{admonition\} ([^\n]*)\n:class: ([\w -]+)\n(.*?)^\1[ ]*$",
                 re.DOTALL | re.MULTILINE)
RECORDS = re.compile(r"claims\.\w+|(page\.)?note|glue")
"""Calls that keep a verdict or a number for the page and show nothing to paste."""
each_chapter = pytest.mark.parametrize("name", lengths.chapters())


def before_the_argument(name: str) -> list[Any]:
    """The cells of a chapter above its first section, that one cut off at the heading."""
    cells = []
    for cell in lengths.source(name).cells:
        if cell.cell_type == "markdown":
            opening, heading, _ = cell.source.partition("\n## ")
            cells.append(opening)
            if heading or opening.startswith("## "):
                break
        else:
            cells.append(cell)
    return cells


@each_chapter
def test_a_chapter_opens_with_its_answer(name: str) -> None:
    opening, *rest = before_the_argument(name)
    title, badges, *_ = opening.split("\n\n")
    assert title.startswith("# ") and badges.startswith("{bdg-")
    boxes = BOX.findall(opening)
    assert boxes, "no box stands between the badges and the first cell"
    assert opening.split("\n\n", 2)[2].startswith("```{admonition}")
    _, heading, kind, answer = boxes[0]
    assert (heading, kind) == ("In short", "answer")
    said = {bold.rstrip(".:").lower() for bold in re.findall(r"\*\*([^*]+)\*\*", answer)}
    assert said & VERDICTS, "no verdict of the fixed vocabulary"
    assert len(re.findall(r"\{glue:text\}", answer)) >= 3, "three numbers carry the answer"
    assert not any(lengths.shows_code(cell) for cell in rest if not isinstance(cell, str))


@each_chapter
def test_config_and_run_time_stand_with_the_answer(name: str) -> None:
    whole = "\n\n".join(cell.source for cell in lengths.source(name).cells
                        if cell.cell_type == "markdown")
    opening = before_the_argument(name)[0]
    assert (BOX.findall(whole) and
            [box[1:3] for box in BOX.findall(whole) if box[2] == "config-box"]
            == [box[1:3] for box in BOX.findall(opening) if box[2] == "config-box"])
    assert ("Run this chapter", "dropdown") in [box[1:3] for box in BOX.findall(opening)]


def test_half_of_the_chapters_can_be_read_in_minutes() -> None:
    words, code = lengths.median_length([lengths.length(name) for name in lengths.chapters()])
    assert words <= MOST_WORDS
    assert code <= MOST_CODE


# Code in plain sight

def only_keeps_books(statements: list[ast.stmt]) -> bool:
    """Whether statements check, settle or note, and do nothing that a reader could use."""
    return all(_keeps_books(statement) for statement in statements)


def _keeps_books(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.For | ast.If | ast.With):
        return only_keeps_books(statement.body)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return bool(RECORDS.fullmatch(ast.unparse(statement.value.func)))
    return isinstance(statement, ast.Assert | ast.Import | ast.ImportFrom)


@pytest.mark.parametrize("code", [
    "assert a == b", "claims.settle('x', {'y': z})\nnote(a=1)", "for a in b:\n    assert a",
    "from x import y\nclaims.untestable('x')"])
def test_code_that_keeps_books_is_recognised(code: str) -> None:
    assert only_keeps_books(ast.parse(code).body)


@pytest.mark.parametrize("code", ["print(a)\nassert a", "a = model.generate(b)", "table([], [])"])
def test_code_of_use_is_left_alone(code: str) -> None:
    assert not only_keeps_books(ast.parse(code).body)


def bookkeeping(name: str) -> Iterator[str]:
    """Cells in plain sight that a reader has no use for."""
    for number, cell in enumerate(lengths.source(name).cells):
        if lengths.shows_code(cell) and only_keeps_books(ast.parse(cell.source).body):
            yield f"notebooks/{name}, cell {number + 1}: {cell.source.splitlines()[0]}"


@each_chapter
def test_what_checks_settles_or_notes_is_folded(name: str) -> None:
    assert list(bookkeeping(name)) == []


# The counting

@pytest.mark.parametrize(("markdown", "count"), [
    ("The rate is {glue:text}`rate:.0f` % of it.", 6),
    ("See {doc}`the other chapter <other>`: `lr` rises.", 6),
    ("```yaml\nlr: 5e-5 # not read as prose\n```\nTwo words", 2),
    ("```{admonition} In short\n:class: answer\nTwo words\n```", 4),
    ("```{admonition} Solution\n:class: dropdown\nfolded words\n```\nseen", 1),
    ("````{admonition} Box\n:class: config-box\nRead\n```yaml\nlr: 1\n```\nthis\n````", 3),
    ("(a-label)=\n## A heading\n\n| a | table |", 4)])
def test_words_in_plain_sight_are_counted(markdown: str, count: int) -> None:
    assert lengths.words(markdown) == count
