"""Pages in another language: what they quote from the notebooks, the switch, and their `lang`.

A page `book/zh/NAME` is the Chinese of `notebooks/NAME`. Both get a switch at their top and
`<link rel="alternate">`. A translated page shows results through the directives of
`helpers.site.stored`; `{claim-counts}`, `{claim-findings}`, `{claim-ledger}` and `{cheat-sheet}`
show the ledger and the cheat sheet in the page's language.
"""

from __future__ import annotations

import posixpath
import re
from html import escape
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from helpers.ledger import claims, translations
from helpers.pages.cheat_sheet_page import sheet
from helpers.pages.claim_table import claim_table, findings_table, tally_table

ENGLISH_FOLDER = "notebooks"
LANGUAGES = {"zh": ("zh-CN", "简体中文")}
"""Folder under book/ to the language's tag and its own name."""

SWITCH = "Language / 语言"
IN_ENGLISH = (".bd-skip-link, .bd-header, .bd-sidebar-primary, .bd-header-article, "
              ".prev-next-footer, .bd-footer-content, .bd-footer")
"""Parts of the theme that stay English on a translated page."""

_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef“”]")


class FromTheLedger(SphinxDirective):
    """HTML in the page's language; the page is read again when one of the sources changes."""

    sources = ("book/claims/**/*.yml", "book/zh/*.yml", "book/chapters.json")

    def run(self) -> list[nodes.Node]:
        root, page = Path(self.env.srcdir), self.env.docname
        for pattern in self.sources:
            for path in root.glob(pattern):
                self.env.note_dependency(path.relative_to(root).as_posix())
        return [nodes.raw("", self.html(language_of(page), chapters_from(page)), format="html")]


class Counts(FromTheLedger):
    """Number of claims by kind and verdict."""

    option_spec = {"caption": directives.unchanged_required}

    def html(self, language: str, _: str) -> str:
        return tally_table(claims.load().values(), self.options["caption"], language)


class Findings(FromTheLedger):
    """The facts behind many verdicts."""

    option_spec = {"caption": directives.unchanged_required}

    def html(self, language: str, _: str) -> str:
        return findings_table(claims.load().values(), self.options["caption"], language)


class Ledger(FromTheLedger):
    """The claim ledger."""

    def html(self, language: str, chapters: str) -> str:
        return claim_table(translations.translated(language), language, chapters)


class CheatSheet(FromTheLedger):
    """The cheat sheet."""

    sources = (*FromTheLedger.sources, "configs/*.yaml", "results/knobs.json")

    def html(self, language: str, chapters: str) -> str:
        return sheet(language, chapters)


def chapters_from(page: str) -> str:
    """The folder of the English chapters, seen from a page."""
    return posixpath.relpath(ENGLISH_FOLDER, posixpath.dirname(page)) + "/"


def language_of(page: str) -> str:
    """The language's folder of a translated page, "en" of any other."""
    folders = page.split("/")
    translated = len(folders) == 3 and folders[0] == "book" and folders[1] in LANGUAGES
    return folders[1] if translated else "en"


def versions(page: str, pages: set[str]) -> dict[str, str]:
    """Language's folder, or "en", to the page in that language; empty where there is only one."""
    name = posixpath.basename(page)
    if language_of(page) == "en" and posixpath.dirname(page) != ENGLISH_FOLDER:
        return {}
    every = {"en": f"{ENGLISH_FOLDER}/{name}",
             **{language: f"book/{language}/{name}" for language in LANGUAGES}}
    existing = {language: other for language, other in every.items() if other in pages}
    return existing if len(existing) > 1 else {}


def join_lines(app: Sphinx, doctree: nodes.document) -> None:
    """Drop the line breaks of the source between two Chinese characters: they would be spaces."""
    if language_of(app.env.docname) == "en":
        return
    for text in list(doctree.findall(nodes.Text)):
        if text.astext() != "\n":
            continue
        around = text.parent.children
        position = next(number for number, node in enumerate(around) if node is text)
        before = around[position - 1].astext()[-1:] if position else ""
        after = around[position + 1].astext()[:1] if position + 1 < len(around) else ""
        if _CHINESE.match(before) and _CHINESE.match(after):
            del text.parent[position]  # remove() would take the first break that is equal


def add_switch(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Put the switch at a page's top, the alternates into its head, and set its language."""
    language = language_of(page)
    if language != "en":
        context["language"] = LANGUAGES[language][0]
    existing = versions(page, app.env.found_docs)
    if not existing or "body" not in context:
        return
    names = {"en": ("en", "English"), **LANGUAGES}
    links, alternates = [], []
    for version, other in existing.items():
        tag, name = names[version]
        address = escape(app.builder.get_relative_uri(page, other) or posixpath.basename(other)
                         + ".html")
        alternates.append(f'<link rel="alternate" hreflang="{tag}" href="{address}">')
        links.append(f'<li><span lang="{tag}" aria-current="page">{name}</span></li>'
                     if other == page else
                     f'<li><a href="{address}" lang="{tag}" hreflang="{tag}" rel="alternate">'
                     f"{name}</a></li>")
    context["body"] = (f'<nav class="language-switch" aria-label="{SWITCH}"><ul>{"".join(links)}'
                       f'</ul></nav>\n{context["body"]}')
    context["metatags"] = context.get("metatags", "") + "\n".join(alternates)
    app.add_css_file("languages.css")


def mark_english(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Say that the theme's own parts of a finished page in another language are English."""
    if language_of(path.relative_to(app.outdir).with_suffix("").as_posix()) != "en":
        for part in page.select(IN_ENGLISH):
            part["lang"] = "en"
