"""Would a reader find two values for one key, or a value and not what stands behind it?

Boxes, file, cheat sheet, checklist and the checker's advice are compared with one table.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup

from helpers.config import configs, recommended
from helpers.config.recommended import GRADES, SHORT, TABLE, Advice, advice
from helpers.config.values import shown
from helpers.errors import BookError
from helpers.pages.cheat_sheet_page import sheet
from helpers.paths import ROOT
from helpers.site.commands.recommended import chapter_fences

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
CHECKER = sorted((ROOT / "src" / "funasr_preflight").rglob("*.py"))
KEYS = {row.key for row in configs.compare()}.union(*(row.key.split(", ") for row in TABLE))
INLINE = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*): ([^`]+)`")
STATED = re.compile(r"(?<![\w.])`?([a-z_]+(?:\.[a-z_]+)*)(?:: |` to )"
                    r"(null|true|false|fp\d+|bf16|example|token|[\d.e+-]+)(?!\w)")
FILE = recommended.PATH.read_text(encoding="utf-8")


def rows_of(name: str) -> list[Advice]:
    """The rows of a key, or of the keys that end in this name, in every situation."""
    return [row for row in TABLE for key in row.key.split(", ")
            if key == name or key.endswith(f".{name}")]


def agrees(row: Advice, value: Any) -> bool:
    """Null drops what a config below would bring: for a key to be left out, that is the same."""
    if row.value is configs.NOT_SET:
        return value is None
    return configs.same_value(row.value, value)


def fault(place: str, name: str, value: Any, when: str | None = None) -> Iterator[str]:
    """What is wrong with a stated value: not that of the table, or one that has no row there."""
    rows = [row for row in rows_of(name) if when is None or row.when == when]
    if not rows and any(key == name or key.endswith(f".{name}") for key in KEYS):
        yield f"{place}: {name} is given a value and has no grade"
    elif rows and not any(agrees(row, value) for row in rows):
        yield f"{place}: {name} is {value!r}, and the table has {[row.value for row in rows]}"


def faults_in_boxes(text: str, place: str) -> Iterator[str]:
    for box in recommended.boxes(text):
        for found in recommended.FENCE.finditer(box):
            fence = recommended.fence(found[1])
            for key, value in fence.keys.items():
                yield from fault(place, key, value, fence.when)
        for name, value in INLINE.findall(box):
            yield from fault(place, name, yaml.safe_load(value))


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    """Place and text of what a module of the checker advises; what it found amiss is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    first = {"problem": 1, "error": 0, "warning": 0, "note": 0}
    problems = [(node, first[ast.unparse(node.func)]) for node in ast.walk(tree)
                if isinstance(node, ast.Call) and ast.unparse(node.func) in first]
    amiss = {one for node, at in problems for text in node.args[at:at + 1]
             for one in ast.walk(text)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "say" and isinstance(
                node.args[0], ast.Constant) and node not in amiss:
            yield f"{path.name}:{node.lineno}", node.args[0].value


def edits_of(path: Path) -> Iterator[tuple[str, str, Any]]:
    """Place, key and value of each change that `--fix` may make, where both are written out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "edits":
            for edits in ast.walk(node.value):
                for pair in zip(edits.keys, edits.values, strict=True) if isinstance(
                        edits, ast.Dict) else ():
                    if all(isinstance(one, ast.Constant) for one in pair):
                        yield f"{path.name}:{pair[0].lineno}", *(one.value for one in pair)


# The table

@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.key} {row.when}".strip())
def test_every_row_has_a_grade_a_chapter_and_a_reason(row: Advice) -> None:
    assert row.grade in GRADES and len(row.why.split()) > 1
    assert (ROOT / "notebooks" / f"{row.chapter}.md").is_file()


def test_a_key_has_one_row_in_each_situation() -> None:
    told = [(key, row.when) for row in TABLE for key in row.key.split(", ")]
    assert len(told) == len(set(told))


def test_what_a_merge_brings_along_is_in_the_pretrained_config_as_recommended() -> None:
    pretrained = configs.flatten("pretrained")
    for row in TABLE:
        if not row.when and not row.in_file and row.key in pretrained and (
                row.value is not configs.NOT_SET):
            assert configs.same_value(pretrained[row.key], row.value), row.key


def test_a_key_without_a_row_is_named() -> None:
    with pytest.raises(BookError, match="no row for optim_conf.momentum"):
        recommended.values("optim_conf.lr", "optim_conf.momentum")


# What readers get

def test_the_file_is_the_tables() -> None:
    assert recommended.file_text() == FILE, "run python -m helpers.site.commands.recommended"
    said = configs.flatten(recommended.PATH)
    assert said == {row.key: row.value for row in TABLE if row.in_file and not row.when
                    and row.value is not configs.NOT_SET}


def test_every_line_of_the_file_shows_its_grade() -> None:
    lines = FILE.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\s*\w+: \S", line):
            comment = line if "#" in line else lines[number - 1]
            assert re.search(rf"# \[({'|'.join(GRADES)}), \w+\] \w", comment), line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_boxes_of_a_chapter_are_the_tables(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert recommended.with_boxes(text) == text, "run python -m helpers.site.commands.recommended"
    assert list(faults_in_boxes(text, path.stem)) == []


def test_the_checklist_states_no_other_value() -> None:
    text = (ROOT / "notebooks" / "checklist.md").read_text(encoding="utf-8")
    assert [found for name, value in INLINE.findall(text)
            for found in fault("checklist", name, yaml.safe_load(value))] == []


def test_the_cheat_sheet_states_no_other_value_and_shows_the_grades() -> None:
    bodies = BeautifulSoup(sheet(), "html.parser").select(".cheat-setting")
    told = [body.get_text().replace("\u200b", "") for body in bodies]
    for row in TABLE:
        if row.in_file and not row.when:
            text = next(one for one in told if f"[{SHORT[row.grade]}] {row.why}." in one and (
                row.key.partition(", ")[0].rpartition(".")[2] in one))
            assert row.value is configs.NOT_SET or shown(row.value) in text, row.key


@pytest.mark.parametrize("path", CHECKER, ids=lambda path: path.stem)
def test_the_checker_advises_no_other_value(path: Path) -> None:
    found = [one for place, key, value in edits_of(path) for one in fault(place, key, value)]
    for place, text in texts_of(path):
        for name, value in STATED.findall(text):
            if name in KEYS or any(key.endswith(f".{name}") for key in KEYS):
                found += fault(place, name, yaml.safe_load(value.rstrip(".")))
    assert found == []


def test_the_checkers_freeze_list_is_in_the_recommended_one() -> None:
    assert "ctc" in advice("freeze_param").value.split(",")


def test_the_box_for_a_launch_alone_has_all_rows_for_it() -> None:
    (text,) = chapter_fences("frozen_and_omitted")
    assert set(recommended.fence(text).keys) == {
        row.key for row in TABLE if row.when == recommended.ALONE}


# Would a fault be found?

@pytest.mark.parametrize("text", [
    "```yaml\noptim_conf: {lr: 3.0e-4}\n```", "```yaml\ntrain_conf: {max_epoch: 20}\n```",
    "```yaml\ndataset_conf: {min_source_length: 3}\n```", "Set `dataset_conf.retry: 20`.",
    "```yaml\n# Where the LLM learns:\noptim_conf: {lr: 1.0e-4}\n```"])
def test_another_value_or_one_without_a_grade_is_found(text: str) -> None:
    box = f"````{{admonition}} What to put in your config\n:class: config-box\n{text}\n````\n"
    assert len(list(faults_in_boxes(box, "here"))) == 1


def test_the_checkers_sentences_and_edits_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text('say("Set `sort_size` to 512 or more, and llm_conf.llm_dtype: fp16.")\n'
                    'error(edits={"train_conf.use_deepspeed": True})\n')
    (_, text), = texts_of(path)
    assert STATED.findall(text) == [("sort_size", "512"), ("llm_conf.llm_dtype", "fp16")]
    assert [edit[1:] for edit in edits_of(path)] == [("train_conf.use_deepspeed", True)]


def test_one_edit_changes_the_file_and_every_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """The integrity of the whole: no value is typed a second time."""
    other = tuple(Advice(row.key, "ctc", *list(vars(row).values())[2:])
                  if row.key == "freeze_param" else row for row in TABLE)
    monkeypatch.setattr(recommended, "TABLE", other)
    assert re.search(r"^freeze_param: ctc( |$)", recommended.file_text(), flags=re.MULTILINE)
    texts = [recommended.with_boxes(path.read_text(encoding="utf-8")) for path in NOTEBOOKS]
    boxes = [box for text in texts for box in recommended.boxes(text) if "freeze_param:" in box]
    assert len(boxes) >= 3 and not [box for box in boxes if "tp_norm" in box]
