"""One style sheet for all pages, with the rules that a page or a script of the site can use.

The theme and its extensions bring ten sheets, one of which imports an eleventh, and a page is not
painted before it has them all; most of their rules name classes that the book does not have. A rule
stays if each class, id and element that one of its selectors names stands in some page or in a
script. Attributes, and what a selector says in a function such as `:not(...)`, do not count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

from helpers.site.finished_pages import PAGE_FINISHED

IMPORTS = "styles/theme.css"
SHEETS = ("basic.css", "styles/pydata-sphinx-theme.css", "pygments.css",
          "styles/sphinx-book-theme.css", "togglebutton.css", "copybutton.css", "mystnb.*.css",
          "sphinx-design.min.css", "languages.css", "book.css", "access.css")
"""In the order of the pages; `basic.css` is what the theme's first sheet imports."""

WHOLE = "styles/whole.css"
SCRIPTS = ("*.js", "states/*.js", "scripts/*theme.js", "scripts/bootstrap.js")
_TOKEN = re.compile(r"""/\*.*?\*/|(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^{};"'/\\])+|.""",
                    re.DOTALL)
_IN_BRACKETS = re.compile(r"\[[^\]]*\]|\([^()]*\)")
_PSEUDO = re.compile(r"(?<!\\)::?[\w-]+")
_NAME = re.compile(r"(?:[\w-]|\\.)+")
_WORD = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True)
class Names:
    """Words of pages and scripts; those with a hyphen at the end, as scripts put names together."""

    words: Set[str]
    beginnings: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.words or name.startswith(self.beginnings)


def collect(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Note what a page names, and have it load the one sheet."""
    app.env.book_words = words = getattr(app.env, "book_words", set())
    for tag in page.find_all():
        words |= {tag.name, tag.get("id"), *tag.get("class", [])}
        if tag.name == "script" and not tag.get("src"):
            words.update(_WORD.findall(tag.text))
    static = "../" * (len(path.relative_to(app.outdir).parts) - 1) + "_static/"
    old = [link for link in page.select("link[rel=stylesheet]")
           if re.sub(r"mystnb\.\w+", "mystnb.*", link["href"].partition("?")[0])
           in {static + sheet for sheet in (IMPORTS, *SHEETS)}]
    for link in old[1:]:
        link.decompose()
    for link in old[:1]:
        link.attrs = {"href": static + WHOLE, "rel": "stylesheet"}


def write(app: Sphinx, exception: Exception | None) -> None:
    """After a build: write the sheet, and its digest into the pages, so that none keeps an old one.
    """
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    words = app.env.book_words - {None}
    for pattern in SCRIPTS:
        for script in static.glob(pattern):
            words.update(_WORD.findall(script.read_text(encoding="utf-8")))
    names = Names(words, tuple(word for word in words if re.search("...-$", word)))
    text = "".join(kept(of_folder(path.read_text(encoding="utf-8"), "styles/" in sheet), names)
                   for sheet in SHEETS for path in static.glob(sheet))
    (static / WHOLE).write_text(text, encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        marked = re.sub(rf'(?<=/{WHOLE})(\?v=\w+)?(?=")', f"?v={digest}", page)
        if marked != page:
            path.write_text(marked, encoding="utf-8")


def of_folder(css: str, beside: bool) -> str:
    """A sheet whose files are found from the folder of the one sheet."""
    return css if beside else re.sub(r"url\(([\"']?)(?!data:|#)", r"url(\1../", css)


def kept(css: str, names: Names) -> str:
    """The rules of a sheet that can apply where only these names occur."""
    text = ""
    for prelude, body in rules(css):
        if prelude.startswith(("@media", "@supports")):
            body = kept(body, names)
        elif not prelude.startswith("@"):
            prelude = ",".join(one for one in selectors(prelude) if usable(one, names))
        if prelude and body:
            text += f"{prelude}{{{body}}}\n"
    return text


def rules(css: str) -> Iterator[tuple[str, str]]:
    """What stands before the braces of each rule, and in them; nothing for `@import` and the like.
    """
    depth, prelude, body = 0, "", ""
    for token in _TOKEN.findall(css):
        if token.startswith("/*"):
            continue
        depth -= token == "}"
        if depth:
            body += token
        elif token == "}":
            yield prelude.strip(), body.strip()
            prelude = body = ""
        elif token == ";":
            prelude = ""
        elif token != "{":
            prelude += token
        depth += token == "{"


def selectors(prelude: str) -> list[str]:
    """The parts of a list of selectors."""
    parts, depth = [""], 0
    for letter in prelude:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def usable(selector: str, names: Names) -> bool:
    """Whether all that a selector names outside brackets is there."""
    while (without := _IN_BRACKETS.sub("", selector)) != selector:
        selector = without
    return all(re.sub(r"\\(.)", r"\1", name) in names
               for name in _NAME.findall(_PSEUDO.sub("", selector)))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.setup_extension("helpers.site.finished_pages")
    app.connect(PAGE_FINISHED, collect, priority=990)
    app.connect("build-finished", write, priority=850)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
