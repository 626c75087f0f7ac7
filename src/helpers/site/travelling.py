"""Give readers notebooks that stand alone: what the download button of a chapter brings.

The text is that of the page, as markdown which Jupyter, Colab and VS Code show: values and titles
are words, boxes are quotes. A link to a chapter goes to its notebook in the same folder, or to its
page where the settings say where the book will be. The code and its stored outputs are the
chapter's own. The first cell says what is missing where the book's code is not installed.

Each copy lies alone in a folder of `_build/travelling`, where `make test` runs it, and beside the
others in the site's `_sources/notebooks`, where the button takes it from.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

from helpers.site import first_cell
from helpers.site.plain_markdown import block, inline
from helpers.site.share_card import base_address

LINES_OF_A_CELL = 10_000
"""MyST-NB numbers the lines of a page by cells: the first has the lines from here on."""

CHAPTERS = "notebooks/"
FOLDER = "travelling"
LINK = re.compile(r'(?<=href=")([\w./-]+\.html)(#[^"]*)?(?=")')
NOT_FOR_READERS = ("jupytext", "book")
"""What a stored notebook tells Jupytext and the book: a copy has no other half."""


class Links:
    """Where the links of one page lead in its downloaded notebook."""

    def __init__(self, app: Sphinx, page: str) -> None:
        self.page, self.base = page, base_address(app)

    def address(self, node: nodes.Element) -> str:
        """The address of a node's link, empty where there is none to follow."""
        if node.tagname == "download_reference":
            return f"{self.base}/_downloads/{node['filename']}" if self.base else ""
        uri = node.get("refuri", "")
        if not node.get("internal"):
            return uri
        if not uri and self.base:
            uri = f"{posixpath.basename(self.page)}.html#{node['refid']}"
        return self.of_page(*uri.partition("#")[::2])

    def of_page(self, file: str, anchor: str = "") -> str:
        """Address of a page of the book, given as this page names it."""
        page = posixpath.normpath(posixpath.join(posixpath.dirname(self.page), file))
        if self.base:
            return f"{self.base}/{page}#{anchor}".removesuffix("#")
        chapter = page.removeprefix(CHAPTERS).removesuffix(".html")
        return f"{chapter}.ipynb" if file and page == f"{CHAPTERS}{chapter}.html" else ""

    def in_output(self, match: re.Match[str]) -> str:
        """The address of a link in the HTML that a cell shows."""
        return self.of_page(match[1], (match[2] or "")[1:]) + ("" if self.base else match[2] or "")


def keep_copy(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Write the copy of a page that is a notebook."""
    if is_chapter(app, page):
        notebook = nbformat.read(app.env.doc2path(page), as_version=4)
        target = copy_of(app, page)
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(standing_alone(app, notebook, doctree, page), target)


def standing_alone(app: Sphinx, notebook: Any, doctree: nodes.document, page: str) -> Any:
    """A notebook with the text of its resolved page, and a first cell that finds the book."""
    links = Links(app, page)
    texts: dict[int, list[str]] = defaultdict(list)
    for number, markdown in written(app, doctree, page, links):
        texts[number].append(markdown)
    cells = [first(app)]
    for number, cell in enumerate(notebook.cells):
        text = "\n\n".join(filter(None, texts[number]))
        if cell.cell_type == "code":
            for output in cell.outputs:
                if html := output.get("data", {}).get("text/html"):
                    output.data["text/html"] = LINK.sub(links.in_output, html)
            cells.append(cell)
            if text:
                cells.append(nbformat.v4.new_markdown_cell(text, id=f"{cell.id}-caption"))
        elif text:
            cell.source = text
            cells.append(cell)
    notebook.cells = cells
    for name in NOT_FOR_READERS:
        notebook.metadata.pop(name, None)
    return notebook


def written(app: Sphinx, parent: nodes.Element, page: str, links: Links,
            level: int = 0) -> Iterator[tuple[int, str]]:
    """Number of a cell and markdown, for each block of text and each caption of a figure."""
    for node in parent.children:
        if isinstance(node, nodes.section):
            yield from written(app, node, page, links, level + 1)
        elif isinstance(node, nodes.title):
            yield cell_of(node), f"{'#' * level} {inline(node, links.address)}"
        elif "cell_index" in node:
            for figure in node.findall(nodes.figure):
                for caption in figure.findall(nodes.caption):
                    yield (node["cell_index"], f"*{figure_number(app, page, figure)}* "
                           + block(caption, links.address))
        else:
            yield cell_of(node), block(node, links.address)


def cell_of(node: nodes.Element) -> int:
    """Number of the cell that a node comes from."""
    line = next(part.line for part in node.findall() if getattr(part, "line", None))
    return line // LINES_OF_A_CELL - 1


def figure_number(app: Sphinx, page: str, figure: nodes.figure) -> str:
    """What the text calls a figure, with a full stop."""
    number = app.env.toc_fignumbers[page]["figure"][figure["ids"][0]]
    return app.config.numfig_format["figure"] % ".".join(map(str, number)) + "."


def first(app: Sphinx) -> Any:
    """The cell that says what is missing."""
    repository = app.config.html_theme_options.get("repository_url") or ""
    source = Path(first_cell.__file__).read_text(encoding="utf-8")
    cell = nbformat.v4.new_code_cell(f"{source}\n\nprepare({repository!r}, {version('funasr')!r})",
                                     id="first")
    cell.metadata = {"jupyter": {"source_hidden": True}}
    return cell


def is_chapter(app: Sphinx, page: str) -> bool:
    """Whether a page is a notebook."""
    return page.startswith(CHAPTERS) and app.env.doc2path(page).endswith(".ipynb")


def copy_of(app: Sphinx, page: str) -> Path:
    """The file of a page's copy."""
    name = posixpath.basename(page)
    return Path(app.outdir).parent / FOLDER / name / f"{name}.ipynb"


def lacking(app: Sphinx, *_: object) -> list[str]:
    """Pages to read again because their copy is not there."""
    return [page for page in app.env.found_docs
            if is_chapter(app, page) and not copy_of(app, page).is_file()]


def offer(app: Sphinx) -> None:
    """Put the copies where the button takes them from; drop those of old pages."""
    copies = {page: copy_of(app, page) for page in app.env.found_docs if is_chapter(app, page)}
    for page, copy in copies.items():
        shutil.copyfile(copy, Path(app.outdir) / "_sources" / f"{page}.ipynb")
    for folder in (Path(app.outdir).parent / FOLDER).glob("*"):
        if folder not in {copy.parent for copy in copies.values()}:
            shutil.rmtree(folder)
