"""`make execute` stores outputs only after a clean run, and the same ones each time."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest

from helpers.ledger import chapters
from helpers.paths import ROOT
from helpers.site.commands import execute

ASSETS = ROOT / "src" / "helpers" / "pages" / "assets"

pytestmark = pytest.mark.slow

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

"""


@pytest.fixture
def chapter(tmp_path):
    """Writes a chapter of one code cell; returns its source."""
    def write(code: str) -> Path:
        source = tmp_path / "chapter.md"
        source.write_text(f"{HEAD}# A chapter\n\n```{{code-cell}} ipython3\n{code}\n```\n")
        return source
    return write


def test_two_runs_store_the_same_bytes_widgets_included(chapter):
    source = chapter("import ipywidgets\nbox = ipywidgets.HBox([ipywidgets.IntSlider()])\nbox")
    assert not execute.in_step(source)
    assert not execute.execute(source).startswith("failed")
    assert execute.in_step(source)
    stored = source.with_suffix(".ipynb").read_bytes()
    execute.execute(source)
    assert source.with_suffix(".ipynb").read_bytes() == stored
    notebook = jupytext.read(source.with_suffix(".ipynb"))
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    view = notebook.cells[1].outputs[0].data["application/vnd.jupyter.widget-view+json"]
    slider, = state[view["model_id"]]["state"]["children"]
    assert state[slider.removeprefix("IPY_MODEL_")]["model_name"] == "IntSliderModel"
    nbformat.validate(notebook)


@pytest.mark.parametrize(("code", "reason"), [
    ("print('half'); 1 / 0", "ZeroDivisionError"),
    ("import sys; print(sys.prefix + '/bin')", "an output of cell 1 names"),
    ("import os; os._exit(1)", "process died"),
])
def test_a_bad_run_leaves_the_stored_notebook_alone(chapter, code, reason):
    source = chapter("print('well')")
    execute.execute(source)
    stored = source.with_suffix(".ipynb").read_bytes()
    line = execute.execute(chapter(code))
    assert line.startswith("failed chapter") and reason in line
    assert source.with_suffix(".ipynb").read_bytes() == stored
    assert not execute.in_step(source)
    assert {path.name for path in source.parent.iterdir()} == {"chapter.md", "chapter.ipynb"}


def test_what_pages_quote_is_what_the_stored_notebooks_say() -> None:
    """Else the ledger and the sheet would show the values of an older run."""
    stored = execute.as_text(execute.stored_chapters())
    assert chapters.FILE.read_text(encoding="utf-8") == stored, "run make execute"


def test_a_chapter_gives_its_values_keys_and_commands(chapter):
    source = chapter("from helpers.pages.page import note\n"
                     "note(b=0.5, a='two', c=None)  # train_conf.max_epoch")
    with source.open("a", encoding="utf-8") as file:
        file.write("\n```bash\npreflight a.yaml \\\n  --fix\n```\n")
    assert not execute.execute(source).startswith("failed")
    assert execute.quotable(source) == {"values": {"a": "two", "b": 0.5, "c": None},
                                    "keys": ["train_conf.max_epoch"], "tables": [],
                                    "commands": ["preflight a.yaml --fix"]}


def test_a_page_that_quotes_chapters_without_saying_so_fails(chapter):
    """It would show what they said before this run."""
    code = "from helpers.ledger import claims\nclaims.load()['lr-critical'].reason()"
    source = chapter(code)
    assert "quotes_chapters: true" in execute.execute(source)
    head = HEAD.replace("\n---\n\n", "\nbook:\n  quotes_chapters: true\n---\n\n")
    source.write_text(source.read_text().replace(HEAD, head))
    assert not execute.execute(source).startswith("failed")


STYLED = {"data-filter-table": ("filter_table.css", "filter_table.js"),
          'class="players': ("players.css", "players.js"),
          'class="cheat-sheet': ("cheat_sheet.css",),
          'class="choices': ("choices.css",), 'class="preflight ': ("preflight.css",)}


@pytest.mark.parametrize("mark", STYLED)
def test_stored_pages_have_todays_styles(mark: str) -> None:
    """A changed style that a notebook did not store would reach no page, and fail in nbval late."""
    holders = 0
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        outputs = [text for cell in nbformat.read(path, as_version=4).cells
                   for output in cell.get("outputs", [])
                   if mark in (text := output.get("data", {}).get("text/html", ""))]
        holders += len(outputs)
        for asset in STYLED[mark]:
            # Scripts are stored with the id of their element put in.
            parts = re.split(r"[A-Z]+_ID", (ASSETS / asset).read_text(encoding="utf-8"))
            assert all(part in text for text in outputs for part in parts), (
                f"{path.stem} holds an older {asset}: make execute NAMES={path.stem}")
    assert holders


def test_a_drawing_of_a_figure_that_is_gone_is_dropped(tmp_path, monkeypatch) -> None:
    """Else a changed figure leaves its old drawings in the repository for ever."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[
        nbformat.v4.new_output("display_data", {execute.SVG: "<svg/>"})])])
    nbformat.write(notebook, tmp_path / "chapter.ipynb")
    monkeypatch.setattr(execute, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(execute, "PHONE_DRAWINGS", tmp_path)
    monkeypatch.setattr(execute.translated_drawing, "folder", lambda language: tmp_path)
    name = execute.phone_drawing.fingerprint("<svg/>")
    for stem in (name, f"{name}-zh", "0" * 64, f"{'0' * 64}-zh"):
        (tmp_path / f"{stem}.svg").touch()
    execute.drop_left_over_drawings()
    assert {path.stem for path in tmp_path.glob("*.svg")} == {name, f"{name}-zh"}
