"""Change pages once Sphinx has written them, where neither docutils nor the theme's options can.

Each page is read once and given to all who listen to the event `page-finished`: with the app, its
tree and its file. It is written again if they changed it. A page that was not built anew comes a
second time, so what a listener has mended it must leave as it is.
"""

from __future__ import annotations

from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

PAGE_FINISHED = "page-finished"


def finish(app: Sphinx, exception: Exception | None) -> None:
    """After a build: every page that Sphinx wrote."""
    if exception is not None or app.builder.format != "html":
        return
    for name in (*app.env.found_docs, "search", "genindex"):
        path = Path(app.outdir) / f"{name}.html"
        if path.is_file():
            page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            as_written = str(page)
            app.emit(PAGE_FINISHED, page, path)
            if str(page) != as_written:
                path.write_text(str(page), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.add_event(PAGE_FINISHED)
    app.connect("build-finished", finish, priority=700)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
