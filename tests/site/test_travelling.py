"""Can a reader use the notebook that a page's download button brings, without the page?"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from browsing import PAGES, ROOT, SITE, report
from bs4 import BeautifulSoup
from docutils import nodes
from IPython.core.interactiveshell import InteractiveShell
from markdown_it import MarkdownIt
from markdown_it.token import Token

from helpers.site import first_cell, travelling
from helpers.site.plain_markdown import block

pytestmark = pytest.mark.site

COPIES = ROOT / "_build" / travelling.FOLDER
DOWNLOADS = SITE / "_sources" / "notebooks"
NAMES = [page.removeprefix("notebooks/") for page in PAGES if page.startswith("notebooks/")]
each_notebook = pytest.mark.parametrize("name", NAMES)

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
LEFT_BEHIND = {"a role": re.compile(r"\{[\w:-]+\}$"), "a label": re.compile(r"^\([\w-]+\)=$"),
               "a fence of colons": re.compile(r"^:{3,}"), "a comment": re.compile(r"^% "),
               "an attribute": re.compile(r"\{[#.][\w-]+\}")}
"""What MyST reads and a notebook program shows as it is: patterns for runs of plain text."""
FORMULA = re.compile(r"(\$\$?)[^$]*\1")
ADDRESS = re.compile(r"""(?<=href=")[^"#]*""")


def downloaded(name: str) -> Any:
    return nbformat.read(DOWNLOADS / f"{name}.ipynb", as_version=4)


def tokens(text: str) -> Iterator[Token]:
    """The parts of a markdown text as a notebook program reads it, words in lines included."""
    for token in MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


def left_behind(text: str) -> list[str]:
    """What a text still holds of MyST."""
    found = [f"a directive {token.info}" for token in tokens(text)
             if token.type == "fence" and token.info.startswith("{")]
    return found + [f"{what} in {token.content!r}" for token in tokens(text)
                    if token.type == "text" for what, mark in LEFT_BEHIND.items()
                    if mark.search(token.content)]


@pytest.mark.parametrize("text", [
    "See {glue:text}`a:.1f` %.", "{doc}`dataset`", "| a |\n|---|\n| {term}`CTC` |", "(here)=\n\nx",
    ":::{note}\nx\n:::", "```{admonition} A\nx\n```", "> - {numref}`fig-a`", "% a remark",
    "[a](b){.c}"])
def test_what_is_left_of_myst_is_found(text: str) -> None:
    assert left_behind(text)


def test_braces_of_other_kinds_are_left_alone() -> None:
    assert not left_behind("`{glue}` and `(a)=`, {a set}, x (y)= z\n\n```yaml\n{a: 1}\n```")


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(notebook: Any) -> str:
    """All markdown cells as one page of HTML."""
    return "\n".join(MARKDOWN.render(cell.source) for cell in notebook.cells
                     if cell.cell_type == "markdown")


def letters(text: str) -> str:
    return re.sub(r"\W+", "", text)


@each_notebook
def test_nothing_of_myst_is_left(name: str) -> None:
    report([f"cell {number}: {fault}" for number, cell in enumerate(downloaded(name).cells)
            if cell.cell_type == "markdown" for fault in left_behind(cell.source)], name)


@each_notebook
def test_it_is_a_notebook_with_the_chapters_code_and_outputs(name: str) -> None:
    notebook = downloaded(name)
    nbformat.validate(notebook)
    stored = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert [cell.source for cell in code_cells(notebook)[1:]] == [
        cell.source for cell in code_cells(stored)]
    assert [ADDRESS.sub("", str(cell.outputs)) for cell in code_cells(notebook)[1:]] == [
        ADDRESS.sub("", str(cell.outputs)) for cell in code_cells(stored)]
    assert notebook.metadata.get("widgets") == stored.metadata.get("widgets")


@each_notebook
def test_it_says_all_that_the_page_says(name: str) -> None:
    page = BeautifulSoup((SITE / "notebooks" / f"{name}.html").read_text(encoding="utf-8"),
                         "html.parser").select_one("main article")
    for part in page.select(".cell, .section-number, .toctree-wrapper, nav, math"):
        part.decompose()
    text = BeautifulSoup(shown(downloaded(name)), "html.parser").get_text()
    there = letters(text) + letters(FORMULA.sub("", text))
    said = page.select("h1, h2, h3, p, pre, td")
    assert said
    report([part.get_text() for part in said if letters(part.get_text()) not in there], name)


@each_notebook
def test_its_links_lead_to_downloads_or_to_whole_addresses(name: str) -> None:
    notebook = downloaded(name)
    pages = [shown(notebook), *("".join(output.get("data", {}).get("text/html", ""))
                                for cell in code_cells(notebook) for output in cell.outputs)]
    faults = []
    for page in map(lambda html: BeautifulSoup(html, "html.parser"), pages):
        for link in page.select("a[href]"):
            file, _, anchor = link["href"].partition("#")
            if not (re.match("https?://", file) or file and (DOWNLOADS / file).is_file()
                    or not file and page.find(id=anchor)):
                faults.append(link["href"])
    report(faults, f"{name} has links that lead nowhere")


@each_notebook
def test_it_lies_alone_where_it_is_run(name: str) -> None:
    file, = (COPIES / name).iterdir()
    assert file.read_bytes() == (DOWNLOADS / f"{name}.ipynb").read_bytes()


def test_the_button_brings_it(site: Path) -> None:
    page = (site / "notebooks" / f"{NAMES[1]}.html").read_text(encoding="utf-8")
    assert f'href="../_sources/notebooks/{NAMES[1]}.ipynb"' in page


def test_a_new_chapter_is_copied_and_an_old_one_leaves(tmp_path: Path) -> None:
    app = SimpleNamespace(
        outdir=tmp_path / "html", builder=SimpleNamespace(format="html"),
        env=SimpleNamespace(found_docs={"notebooks/here", "book/glossary"},
                            doc2path={"notebooks/here": "here.ipynb",
                                      "book/glossary": "glossary.md"}.get))
    assert travelling.lacking(app) == ["notebooks/here"]
    for name in ("here", "gone"):
        (tmp_path / travelling.FOLDER / name).mkdir(parents=True)
        (tmp_path / travelling.FOLDER / name / f"{name}.ipynb").write_text(name)
    (tmp_path / "html/_sources/notebooks").mkdir(parents=True)
    assert travelling.lacking(app) == []
    travelling.offer(app)
    assert [path.name for path in (tmp_path / travelling.FOLDER).iterdir()] == ["here"]
    assert (tmp_path / "html/_sources/notebooks/here.ipynb").read_text() == "here"


# The addresses of an edition that will be somewhere

def links(base: str) -> travelling.Links:
    config = SimpleNamespace(html_theme_options={}, html_baseurl=base)
    return travelling.Links(SimpleNamespace(config=config), "notebooks/dataset")


@pytest.mark.parametrize(("link", "beside", "published"), [
    ({"refuri": "https://a.org/b.html#c"}, "https://a.org/b.html#c", "https://a.org/b.html#c"),
    ({"refuri": "sample_rate.html", "internal": True}, "sample_rate.ipynb",
     "https://x.org/book/notebooks/sample_rate.html"),
    ({"refuri": "../book/glossary.html#term-CTC", "internal": True}, "",
     "https://x.org/book/book/glossary.html#term-CTC"),
    ({"refid": "data-knobs", "internal": True}, "",
     "https://x.org/book/notebooks/dataset.html#data-knobs"),
])
def test_a_link_leads_to_the_notebook_beside_or_to_the_published_page(
        link: dict[str, Any], beside: str, published: str) -> None:
    node = nodes.reference("", "x", **link)
    assert links("").address(node) == beside
    assert links("https://x.org/book/").address(node) == published


def test_links_in_what_cells_show_do_the_same() -> None:
    html = '<a href="sample_rate.html#b">x</a> <a href="https://a.org/c.html">y</a>'
    assert travelling.LINK.sub(links("").in_output, html) == html.replace(
        "sample_rate.html", "sample_rate.ipynb")
    assert travelling.LINK.sub(links("https://x.org/book").in_output, html) == html.replace(
        "sample_rate.html", "https://x.org/book/notebooks/sample_rate.html")


@pytest.mark.parametrize("text", [
    "2 * 3 and *x*, _x_ and a_b_", "[a](b) and ![c]", "`x` `", "<b> & <c", "it costs $5 or $6",
    "1. is no list", "12) nor this", "- nor this", "# no heading", "> no quote", "+ x", "a\\*b"])
def test_plain_words_stay_as_they_are(text: str) -> None:
    written = block(nodes.paragraph("", text), lambda _: "")
    html = BeautifulSoup(MARKDOWN.render(written), "html.parser")
    assert html.get_text().strip() == text and [tag.name for tag in html.find_all()] == ["p"]
    assert "$" not in written.replace(r"\$", "")


# The first cell

@pytest.fixture
def without_book_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BOOK_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)


def sentence(said: str) -> str:
    """The one line that was said; its sentence has the package in it."""
    line, = said.splitlines()
    assert "`helpers`" in line and line.endswith(".") and "Traceback" not in line
    return line


def refusal(repository: str) -> str:
    """What the first cell says where it cannot get the book."""
    with pytest.raises(first_cell.BookMissing) as raised:
        first_cell.prepare(repository, "0.0.1")
    return sentence(str(raised.value))


@each_notebook
def test_the_first_cell_is_the_one_that_looks_for_the_book(name: str) -> None:
    cell = downloaded(name).cells[0]
    assert cell.cell_type == "code" and not cell.outputs
    assert cell.source.startswith(Path(first_cell.__file__).read_text(encoding="utf-8"))


def test_without_the_book_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    """In a Python that finds nothing but its own library."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", downloaded(NAMES[0]).cells[0].source],
                          cwd=tmp_path, env={"BOOK_ROOT": str(tmp_path)}, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and not done.stdout
    error, _, said = done.stderr.splitlines()[-1].partition(": ")
    assert error.endswith("BookMissing") and "BOOK_ROOT" in sentence(said)


@pytest.mark.usefixtures("without_book_root")
def test_in_a_notebook_it_ends_run_all_with_its_sentence(
        capsys: pytest.CaptureFixture[str]) -> None:
    """Else a reader who runs all cells sees the last of twenty errors, and not the first."""
    source = downloaded(NAMES[0]).cells[0].source.rpartition("\n")[0]
    done = InteractiveShell().run_cell(f'{source}\nprepare("", "0.0.1")')
    assert not done.success
    assert "FunASR 0.0.1" in sentence(capsys.readouterr().out.strip())


def test_with_the_book_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    exec(downloaded(NAMES[0]).cells[0].source, {})
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("without_book_root")
def test_another_funasr_is_named() -> None:
    assert "FunASR 0.0.1" in refusal("")


@pytest.mark.usefixtures("without_book_root")
def test_an_address_that_cannot_be_cloned_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in refusal(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("version", [(3, 10, 1), (3, 13, 0)])
def test_another_python_is_named(version: tuple[int, ...],
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    assert "Python 3.11 or 3.12" in refusal("")


@pytest.mark.parametrize("said", ["", "no network"])
def test_a_copy_of_the_book_is_installed_with_exact_versions(
        said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(first_cell, "complaint", lambda *command: commands.append(command) or said)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setenv("BOOK_ROOT", str(ROOT))
    if said:
        assert "no network" in refusal("") and len(commands) == 1
    else:
        first_cell.prepare("", "0.0.1")
        assert {str(ROOT), str(ROOT / "src")} < set(commands[1])
        assert sys.path[0] == str(ROOT / "src")
    announced, = capsys.readouterr().out.splitlines()
    assert "minutes" in announced and str(ROOT / "requirements.lock") in commands[0]


def test_a_command_that_fails_gives_its_last_line() -> None:
    fail = "import sys; sys.exit('first\\nthe reason.')"
    assert first_cell.complaint(sys.executable, "-c", fail) == "the reason"
    assert first_cell.complaint(sys.executable, "-c", "") == ""
    assert first_cell.complaint("no-such-program")
