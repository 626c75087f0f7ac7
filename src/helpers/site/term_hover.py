"""Link each glossary term where a page first uses it, with its definition for `glossary.js`.

A page that links a term itself keeps its own link. Headings, titles, captions, code and labels stay
as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

GLOSSARY = "book/glossary"
ELSEWHERE = (GLOSSARY, "book/bibliography", "book/zh/")
_SKIPPED = (nodes.reference, nodes.literal, nodes.math, nodes.raw)


class LinkFirstUse(SphinxPostTransform):
    """Links the first use of each term on a page."""

    default_priority = 200
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Look through the page's text once, with one pattern for all terms not yet linked."""
        page = self.env.docname
        if page.startswith(ELSEWHERE):
            return
        every = self.env.get_domain("std").objects.items()
        terms = {name.lower(): anchor for (role, name), (docname, anchor) in every
                 if role == "term" and docname == GLOSSARY}
        for link in self.document.findall(nodes.reference):
            anchor = (link.get("refid") or link.get("refuri", "")).rpartition("#")[2]
            terms = {name: target for name, target in terms.items() if target != anchor}
        for paragraph in list(self.document.findall(nodes.paragraph)):
            for text in list(paragraph.findall(nodes.Text)):
                if terms and not _within(text, paragraph):
                    text.parent.replace(text, list(self._linked(text.astext(), terms, page)))

    def _linked(self, text: str, terms: dict[str, str], page: str) -> Iterator[nodes.Node]:
        """The text with links; what is linked is taken out of `terms`."""
        end = 0
        any_term = "|".join(map(re.escape, terms))
        for use in re.finditer(rf"(?<![\w-])(?:{any_term})(?![\w-])", text, re.IGNORECASE):
            anchor = terms.pop(use[0].lower(), None)
            if anchor is not None:
                yield nodes.Text(text[end:use.start()])
                target = self.app.builder.get_relative_uri(page, GLOSSARY)
                yield nodes.reference("", use[0], internal=True, refuri=f"{target}#{anchor}")
                end = use.end()
        yield nodes.Text(text[end:])


def _within(text: nodes.Text, paragraph: nodes.paragraph) -> bool:
    """Whether the text keeps its words: code, a link, a label of evidence, a caption."""
    node = text.parent
    while node is not paragraph:
        if isinstance(node, _SKIPPED) or (isinstance(node, nodes.inline) and node["classes"]):
            return True
        node = node.parent
    return isinstance(paragraph.parent, (nodes.caption, nodes.legend))


@cache
def definitions(glossary: Path) -> dict[str, str]:
    """Anchor of a term to the first paragraph of its definition, from the glossary's page."""
    page = BeautifulSoup(glossary.read_text(encoding="utf-8"), "html.parser")
    return {term["id"]: " ".join(term.find_next_sibling("dd").find("p").get_text().split())
            for term in page.select("dl.glossary dt[id]")}


def define(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Give the links to terms of a finished page their definitions."""
    glossary = Path(app.outdir) / f"{GLOSSARY}.html"
    if path != glossary and glossary.is_file():
        for link in page.select("a.reference.internal[href*='glossary.html#term-']"):
            if meaning := definitions(glossary).get(link["href"].partition("#")[2]):
                link["data-definition"] = meaning
