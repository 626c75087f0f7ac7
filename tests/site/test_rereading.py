"""What Sphinx reads again: the pages that a change reaches, or a reader sees an old result."""

import os
from pathlib import Path

import pytest
from sphinx.application import Sphinx

from helpers.site import rereading

pytestmark = pytest.mark.slow


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of two notebooks' pages and a style sheet."""
    for name in ("notebooks/source.md", "notebooks/reader.md", "book/_assets/book.css"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"A page called {name}\n")
    (tmp_path / "conf.py").write_text(
        "extensions, root_doc = ['helpers.site.rereading'], 'notebooks/source'\n"
        "source_suffix = {'.md': 'restructuredtext'}\n")
    return tmp_path


def pages_read(book: Path) -> set[str]:
    app = Sphinx(book, book, book / "site", book / "readings", "dummy", status=None, warning=None)
    read = []
    app.connect("source-read", lambda _, page, source: read.append(Path(page).name))
    app.build()
    return set(read)


def touch(path: Path) -> None:
    later = path.stat().st_mtime + 10
    os.utime(path, (later, later))


@pytest.mark.parametrize("quote", ["{glue:text}`source.md::wer:.1f`",
                                   "::\n\n  ```{glue} wer\n  :doc: source.md\n  ```\n"])
def test_a_page_that_shows_another_pages_new_result_is_read_again(book: Path, quote: str) -> None:
    (book / "notebooks" / "reader.md").write_text(quote)
    assert pages_read(book) == {"source", "reader"}
    assert pages_read(book) == set()
    touch(book / "notebooks" / "source.md")
    assert pages_read(book) == {"source", "reader"}


def test_a_page_that_quotes_nothing_is_left_alone(book: Path) -> None:
    pages_read(book)
    touch(book / "notebooks" / "source.md")
    assert pages_read(book) == {"source"}


def test_a_changed_style_sheet_reaches_every_page(book: Path) -> None:
    sheet = book / "book" / "_assets" / "book.css"
    pages_read(book)
    touch(sheet)
    assert pages_read(book) == set()  # the same style as before
    sheet.write_text("p { color: red }")
    assert pages_read(book) == {"source", "reader"}


def test_a_changed_extension_reaches_every_page(book: Path, monkeypatch) -> None:
    before = rereading.dress(book)
    monkeypatch.setattr(rereading, "__file__", str(book / "notebooks" / "rereading.py"))
    assert rereading.dress(book) != before
