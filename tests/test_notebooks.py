"""The notebook pairs as files: in step, complete, and honest about where numbers come from.

Each notebook is a pair in `notebooks/`: `NAME.md` is the edited source, `NAME.ipynb` holds the
stored outputs that are published. nbval runs them elsewhere; here nothing is executed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jupytext
import pytest
import yaml
from jupytext.compare import NotebookDifference, compare_notebooks

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
MOST_LINES = 15
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
NAMES = sorted({path.stem for path in NOTEBOOKS.glob("*.*")
                if path.suffix in (".md", ".ipynb")})
each_notebook = pytest.mark.parametrize("name", NAMES)


# Reading a pair

@cache
def source(name: str) -> Any:
    """The edited half of a pair, for everyone who only looks."""
    path = NOTEBOOKS / f"{name}.md"
    assert path.is_file(), f"notebooks/{name}.md is missing: it is the source of the pair"
    return jupytext.read(path)


@cache
def stored(name: str) -> Any:
    """The half with the outputs, likewise."""
    path = NOTEBOOKS / f"{name}.ipynb"
    assert path.is_file(), f"notebooks/{name}.ipynb is missing: run make execute"
    return jupytext.read(path)


def place(name: str, index: int, cell: Any) -> str:
    """Name of a notebook and a cell, for a message: its number and how it begins."""
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"notebooks/{name}, cell {index + 1} ({first.strip()[:60]!r})"


def code_cells(notebook: Any) -> Iterator[tuple[int, Any]]:
    """Code cells with something in them, with their places in the notebook."""
    return ((index, cell) for index, cell in enumerate(notebook.cells)
            if cell.cell_type == "code" and cell.source.strip())


def outputs(notebook: Any) -> Iterator[tuple[int, Any, Any]]:
    """Place, cell and output, for every stored output."""
    return ((index, cell, output) for index, cell in code_cells(notebook)
            for output in cell.outputs)


def data_of(output: Any) -> dict[str, Any]:
    """MIME type to content; empty for text streams and errors."""
    return output.get("data", {})


def is_glued(output: Any) -> bool:
    """Whether an output is a value kept for the text and not shown where it is made."""
    return any(kind.startswith("application/papermill.record/") for kind in data_of(output))


def report(faults: list[str]) -> None:
    """Fail with all faults, one a line."""
    assert not faults, "\n" + "\n".join(faults)


# The pair

def test_every_notebook_is_a_pair_and_in_the_contents() -> None:
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"\bnotebooks/(\w+)", toc))
    assert listed, "_toc.yml lists no notebook"
    faults = [f"notebooks/{name}{suffix} does not exist" for name in sorted(listed | set(NAMES))
              for suffix in (".md", ".ipynb") if not (NOTEBOOKS / f"{name}{suffix}").is_file()]
    faults += [f"notebooks/{name} is not in _toc.yml" for name in NAMES if name not in listed]
    report(faults)


@each_notebook
def test_pair_is_in_step(name: str) -> None:
    try:
        compare_notebooks(deepcopy(source(name)), deepcopy(stored(name)), fmt="md:myst",
                          compare_outputs=False, compare_ids=False)
    except NotebookDifference as difference:
        pytest.fail(f"notebooks/{name}.md and .ipynb have drifted apart: run make execute\n"
                    f"{difference}")


@each_notebook
def test_outputs_are_stored_in_one_clean_run(name: str) -> None:
    notebook = stored(name)
    counts = [cell.execution_count for _, cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), (
        f"notebooks/{name}.ipynb was not run once from top to bottom (cells ran as {counts}): "
        "run make execute")
    assert any(True for _ in outputs(notebook)), f"notebooks/{name}.ipynb has no output"


@each_notebook
def test_no_stored_error_or_stray_message(name: str) -> None:
    faults = []
    for index, cell, output in outputs(stored(name)):
        text = json.dumps(output, default=str)
        if output.output_type == "error" or "Traceback (most recent call last)" in text:
            faults.append(f"{place(name, index, cell)} stores an error")
        elif output.output_type == "stream" and output.name == "stderr":
            faults.append(f"{place(name, index, cell)} stores a message on stderr: "
                          f"{output.text.strip()[:120]!r}")
    report(faults)


MACHINE_PATH = re.compile(
    r"(?<![\w.~/-])(/(?:work|root|home|tmp|Users|private|var/folders|mnt|opt)/[\w.-]*)"
    r"|(?<!\w)([A-Za-z]:\\+\w+)")
EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[\w+/=\\\s-]+")


def machine_paths(text: str) -> list[str]:
    """Paths that exist on one machine only, base64 content left out."""
    return [match[0] for match in MACHINE_PATH.finditer(EMBEDDED.sub("", text))]


def test_machine_paths_are_recognised() -> None:
    assert machine_paths("at /home/ann/x.py") and machine_paths("C:\\Users") and machine_paths(
        "'/" + "tmp/a'")
    assert not machine_paths("https://example.org/home/x ../tmp/a configs/work/b data/tmp/x")


@each_notebook
def test_no_machine_path(name: str) -> None:
    notebook = stored(name)
    faults = []
    for index, cell in enumerate(notebook.cells):
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts.append(str(output.get("text", "")))
            texts += [str(content) for kind, content in data_of(output).items()
                      if kind not in ("image/png", "image/jpeg")]
        faults += [f"{place(name, index, cell)} holds the machine path {path!r}"
                   for text in texts for path in machine_paths(text)]
    report(faults)


@each_notebook
def test_widget_views_have_their_state(name: str) -> None:
    notebook = stored(name)
    states = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    report([f"{place(name, index, cell)} shows a widget without stored state: run make execute"
            for index, cell, output in outputs(notebook)
            if WIDGET_VIEW in data_of(output)
            and data_of(output)[WIDGET_VIEW]["model_id"] not in states])


# Figures

@each_notebook
def test_figures_have_caption_label_and_alt_text(name: str) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS.glob("*.md"))
    faults = []
    for index, cell in code_cells(stored(name)):
        pictures = [output for output in cell.outputs if not is_glued(output)
                    and any(kind.startswith("image/") for kind in data_of(output))]
        settings = cell.metadata.get("mystnb", {})
        if not pictures and "figure" not in settings:
            continue
        where = place(name, index, cell)
        figure, alt = settings.get("figure", {}), settings.get("image", {}).get("alt", "")
        label = str(figure.get("name", ""))
        if not pictures:
            faults.append(f"{where} has a caption and no figure")
        if len(pictures) > 1:
            faults.append(f"{where} shows {len(pictures)} figures under one caption")
        if not str(figure.get("caption", "")).strip():
            faults.append(f"{where}: the figure has no caption (mystnb.figure.caption)")
        if not label.startswith("fig-"):
            faults.append(f"{where}: the figure's label must begin with fig- "
                          f"(mystnb.figure.name is {label!r})")
        elif not re.search(rf"\{{numref\}}`(?:[^`]*<)?{re.escape(label)}>?`", text):
            faults.append(f"{where}: no text refers to the figure with {{numref}}`{label}`")
        if len(str(alt).split()) < 4:
            faults.append(f"{where}: the figure has no alt text (mystnb.image.alt)")
    report(faults)


@each_notebook
def test_pictures_inside_html_have_alt_text(name: str) -> None:
    faults = []
    for index, cell, output in outputs(stored(name)):
        html = str(data_of(output).get("text/html", ""))
        faults += [f"{place(name, index, cell)}: an img in HTML has no alt text"
                   for tag in re.findall(r"<img\b[^>]*>", html)
                   if not re.search(r"""\balt=(["'])(?!\1)""", tag)]
        faults += [f"{place(name, index, cell)}: an svg in HTML has neither title nor aria-label"
                   for tag in re.findall(r"<svg\b[\s\S]*?</svg>", html)
                   if "aria-label" not in tag and "<title" not in tag and "aria-hidden" not in tag]
    report(faults)


# Code

@each_notebook
def test_code_cells_are_short(name: str) -> None:
    sizes = [(index, cell, lines_of_code(cell.source))
             for index, cell in code_cells(source(name))]
    report([f"{place(name, index, cell)} has {lines} lines of code, more than {MOST_LINES}: "
            "move the plumbing to src/helpers" for index, cell, lines in sizes
            if lines > MOST_LINES])


# Numbers in prose

PROSE_BOXES = {"admonition", "attention", "caution", "danger", "dropdown", "epigraph", "error",
               "figure", "glossary", "hint", "important", "list-table", "margin", "note",
               "seealso", "sidebar", "table", "tab-item", "tip", "warning", "grid",
               "grid-item-card", "card", "tab-set", "topic"}
FENCE = re.compile(r"^\s*(`{3,}|~{3,}|:{3,})\s*(?:\{([\w:-]+)\})?\s*(.*)$")
NOT_PROSE = [re.compile(pattern) for pattern in (
    r"<!--.*?-->",
    r"\{[\w:-]+\}`+[^`]*`+",  # roles: glue, term, numref, cite, badges
    r"(`+)(?:(?!\1).)+?\1",  # code
    r"\$\$.*?\$\$|\$[^$\s](?:[^$]*[^$\s])?\$",  # math
    r"(?<=\])\([^)\s]*\)",  # the address of a link; its text stays
    r"<https?://[^>]*>|\bhttps?://\S+",
    r"\[\^[\w-]+\]",
    r"^\s*\[[\w-]+\]:.*$",
    r"</?[a-zA-Z][^>]*>",
    r"\{[#.][^}]*\}",  # attributes
    r"^\s*\([\w-]+\)=\s*$",  # labels
)]
CLAIM = re.compile(r"^(`{3,}|:{3,})\{admonition\}[^\n]*\n:class: claim\n.*?^\1\s*$",
                   re.MULTILINE | re.DOTALL)
LIST_NUMBER = re.compile(r"^\s*(?:>\s*)*\d+[.)]\s+")


@dataclass(frozen=True)
class Allowed:
    """A number that may be typed, and why."""

    pattern: re.Pattern[str]
    reason: str


@cache
def allowed_numbers() -> list[Allowed]:
    entries = yaml.safe_load((ROOT / "tests/allowed_numbers.yml").read_text(encoding="utf-8"))
    return [Allowed(re.compile(entry["pattern"]), entry["reason"]) for entry in entries]


def prose(markdown: str) -> str:
    """Text that a reader reads as sentences: code, math, roles and addresses taken out.

    A claim box goes too: what stands there is the source document's word, numbers included.
    """
    kept: list[str] = []
    open_fences: list[tuple[str, bool]] = []
    for line in CLAIM.sub("", markdown).splitlines():
        fence = FENCE.match(line)
        if open_fences and fence and _closes(open_fences[-1][0], fence):
            open_fences.pop()
            continue
        if open_fences and not open_fences[-1][1]:
            continue
        if fence:
            directive = fence[2] or ""
            open_fences.append((fence[1], directive in PROSE_BOXES))
            kept.append(fence[3] if directive in PROSE_BOXES - {"figure"} else "")
        elif not (open_fences and re.match(r"^\s*:[\w-]+:", line)):
            kept.append(LIST_NUMBER.sub("", line))
    text = "\n".join(kept)
    for pattern in NOT_PROSE:
        text = re.sub(pattern.pattern, " ", text, flags=re.MULTILINE | re.DOTALL
                      if pattern.pattern.startswith("<!--") else re.MULTILINE)
    return text


def _closes(opening: str, fence: re.Match[str]) -> bool:
    return (fence[1][0] == opening[0] and len(fence[1]) >= len(opening)
            and not fence[2] and not fence[3].strip())


def typed_numbers(markdown: str) -> list[str]:
    """Numbers that prose states by hand, with the words around them."""
    text = " ".join(prose(markdown).split())
    for allowed in allowed_numbers():
        text = allowed.pattern.sub("", text)
    return [text[max(0, match.start() - 30):match.end() + 20].strip()
            for match in re.finditer(r"\d[\d.,]*", text)]


def lines_of_code(cell: str) -> int:
    """Lines that a reader follows: neither empty ones nor the list of what is imported."""
    imported = {line for node in ast.parse(cell).body
                if isinstance(node, ast.Import | ast.ImportFrom)
                for line in range(node.lineno, node.end_lineno + 1)}
    return len([line for number, line in enumerate(cell.splitlines(), start=1)
                if line.strip() and number not in imported])


@pytest.mark.parametrize("markdown", [
    "The error is {glue:text}`wer:.1f` %, at 8 kHz, see `lr: 5e-5` and [here](a/b2.md#c-3).",
    "```yaml\nlr: 0.1\n```", "1. First\n2. Second", "$x = 2$ and {numref}`fig-2`",
    "{bdg-primary}`mini on 1 CPU`", "FunASR 1.4.16, section 9, stage 1, G.711 and bfloat16",
    "```{admonition} Claim\n:class: claim\nAbout 150M parameters\n```"])
def test_prose_without_typed_numbers_passes(markdown: str) -> None:
    assert typed_numbers(markdown) == []


@pytest.mark.parametrize("markdown", [
    "The error is 12.5 %.", "About 160M parameters", "```{admonition} Took 3 s\nfast\n```",
    "| a | 7 |", "```{admonition} Claim\n:class: claim\nx\n```\nand 7",
    ":::{note}\nIt fell by 4 points.\n:::", "## 10x faster",
    "```python\n1\n```\nthen 2 more", "[3 of 5](x.md)"])
def test_typed_numbers_are_found(markdown: str) -> None:
    assert typed_numbers(markdown)


def test_every_allowed_number_has_a_reason() -> None:
    assert all(len(allowed.reason) > 10 for allowed in allowed_numbers())


@each_notebook
def test_no_number_is_typed_in_prose(name: str) -> None:
    faults = []
    for index, cell in enumerate(source(name).cells):
        texts = [cell.source] if cell.cell_type == "markdown" else []
        settings = cell.metadata.get("mystnb", {})
        texts += [str(settings.get("figure", {}).get("caption", "")),
                  str(settings.get("image", {}).get("alt", ""))]
        faults += [f"{place(name, index, cell)} types a number: ...{words}... (glue it from a "
                   "cell, or give its reason in tests/allowed_numbers.yml)"
                   for text in texts for words in typed_numbers(text)]
    report(faults)


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "book").glob("*.md")))
def test_no_number_is_typed_on_other_pages(page: str) -> None:
    text = (ROOT / "book" / page).read_text(encoding="utf-8")
    report([f"book/{page} types a number: ...{words}..." for words in typed_numbers(text)])


# Glued values

GLUE = re.compile(r"\{glue(?::\w*)?\}`([^`]+)`|^`{3,}\{glue(?::\w*)?\}\s*(\S+)((?:\n:.*)*)",
                  re.MULTILINE)


def glued_keys(name: str) -> set[str]:
    return {output.get("metadata", {}).get("scrapbook", {}).get("name", "")
            for _, _, output in outputs(stored(name))}


def glue_uses(text: str) -> Iterator[tuple[str, str]]:
    """Page and key of each glued value in a text; no page means the text's own."""
    for match in GLUE.finditer(text):
        page, _, rest = (match[1] or match[2]).rpartition("::")
        doc = re.search(r":doc:\s*(\S+)", match[3] or "")
        key = rest.split(":")[0] if match[1] else rest
        yield (doc[1] if doc else page), key


def test_glue_uses_are_recognised() -> None:
    text = "{glue:text}`a:.1f` {glue:}`b` {glue:text}`x.ipynb::c:.2f`\n```{glue} d\n:doc: y.md\n```"
    assert list(glue_uses(text)) == [("", "a"), ("", "b"), ("x.ipynb", "c"), ("y.md", "d")]


@each_notebook
def test_glued_values_exist(name: str) -> None:
    faults = []
    for index, cell in enumerate(source(name).cells):
        if cell.cell_type != "markdown":
            continue
        for page, key in glue_uses(cell.source):
            other = Path(page).stem if page else name
            if not (NOTEBOOKS / f"{other}.ipynb").is_file():
                faults.append(f"{place(name, index, cell)} glues from "
                              f"notebooks/{other}.ipynb, which does not exist")
            elif key not in glued_keys(other):
                faults.append(f"{place(name, index, cell)} uses the value {key!r}, which no cell "
                              f"of notebooks/{other}.ipynb glues")
    report(faults)
