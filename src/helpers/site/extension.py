"""What the book adds to Sphinx, and what is done to a site that Sphinx has written, in order.

Neither docutils nor the theme's options can do the latter. Each page is read once and given to all
FINISHERS: the app, its tree and its file. It is written again if they changed it. A page that was
not built anew comes a second time, so what a finisher has mended it must leave as it is.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

from helpers.site import (
    accessible,
    cards,
    edition,
    figures,
    languages,
    launch_where_known,
    light_pages,
    one_sheet,
    plain_widgets,
    run_times,
    search,
    share_card,
    stored,
    term_hover,
    travelling,
)

DIRECTIVES = {
    "claim-counts": languages.Counts, "claim-findings": languages.Findings,
    "claim-ledger": languages.Ledger, "cheat-sheet": languages.CheatSheet,
    "stored": stored.Stored, "stored-figure": stored.StoredFigure, "checked": stored.Checked}
LISTENERS = {
    "config-inited": [launch_where_known.drop_launch],
    "env-get-outdated": [travelling.lacking],
    "doctree-read": [languages.join_lines],
    "doctree-resolved": [travelling.keep_copy],
    "html-page-context": [languages.add_switch, share_card.add_tags, light_pages.load_checker]}

FINISHERS = (
    plain_widgets.write_widgets, light_pages.lighten, stored.speak, languages.mark_english,
    accessible.mend, cards.label_cells, term_hover.define, launch_where_known.open_the_download,
    edition.add_line, figures.dress, search.collect, one_sheet.collect)
"""`dress` copies the sizes that `lighten` gives; what collects comes last."""


def copy_clips(app: Sphinx) -> None:
    """Copy the clips of `book/audio` to where pages and notebooks look, none that is gone."""
    target = Path(app.outdir) / "book" / "audio"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(Path(app.srcdir) / "book" / "audio", target)


def finish_pages(app: Sphinx) -> None:
    """Give every page that Sphinx wrote to the finishers."""
    for name in (*app.env.found_docs, "search", "genindex"):
        path = Path(app.outdir) / f"{name}.html"
        if path.is_file():
            page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            as_written = str(page)
            for finish in FINISHERS:
                finish(app, page, path)
            if str(page) != as_written:
                path.write_text(str(page), encoding="utf-8")


def finish_site(app: Sphinx, exception: Exception | None) -> None:
    """After a build: what is done to the whole site."""
    if exception is None and app.builder.format == "html":
        for act in (copy_clips, light_pages.leave_out_the_sweep, travelling.offer,
                    edition.write_lost, finish_pages, search.write, one_sheet.write):
            act(app)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.add_html_math_renderer("mathml", *[(light_pages.formula, None)] * 2)
    app.add_role("run-time", run_times.RunTime())
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    for transform in (stored.ValuesInWords, term_hover.LinkFirstUse):
        app.add_post_transform(transform)
    for event, listeners in LISTENERS.items():
        for listener in listeners:
            app.connect(event, listener)
    app.connect("build-finished", finish_site, priority=700)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
