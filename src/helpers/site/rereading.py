"""Have Sphinx read a page again when a result that it quotes, or what dresses it, has changed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from sphinx.application import Sphinx

QUOTE = re.compile(r"\{glue:\w*\}`([\w./-]+\.(?:ipynb|md))::|:doc: ([\w./-]+\.(?:ipynb|md))")


def note_quotes(app: Sphinx, page: str, source: list[str]) -> None:
    """A page depends on every page whose results it shows."""
    folder = Path(app.env.doc2path(page)).parent
    for name in map("".join, QUOTE.findall(source[0])):
        app.env.note_dependency(str((folder / name).resolve()))


def dress(book: Path) -> str:
    """A digest of the style sheets, scripts and extensions that every page is made with."""
    files = [path for folder in (book / "book" / "_assets", Path(__file__).parent)
             for path in sorted(folder.glob("*.*"))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point: a new value of the setting `dress` makes it read all pages again."""
    app.add_config_value("dress", dress(Path(app.srcdir)), "env", [str])
    app.connect("source-read", note_quotes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
