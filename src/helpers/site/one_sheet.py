"""One style sheet for all pages, with the rules that a page or a script of the site can use.

The theme and its extensions bring ten sheets, one of which imports an eleventh, and a page is not
painted before it has them all; most of their rules name classes that the book does not have. A rule
stays if each class, id and element that one of its selectors names stands in some page or in a
script. Attributes, and what a selector says in a function such as `:not(...)`, do not count.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import tinycss2
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from tinycss2.ast import Node

IMPORTS = "styles/theme.css"
SHEETS = ("basic.css", "styles/pydata-sphinx-theme.css", "pygments.css",
          "styles/sphinx-book-theme.css", "togglebutton.css", "copybutton.css", "mystnb.*.css",
          "sphinx-design.min.css", "languages.css", "book.css", "access.css")
"""In the order of the pages; `basic.css` is what the theme's first sheet imports."""

WHOLE = "styles/whole.css"
SCRIPTS = ("*.js", "states/*.js", "scripts/*theme.js", "scripts/bootstrap.js")
NESTING = ("media", "supports")
_BARE = {"skip_comments": True, "skip_whitespace": True}
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


def write(app: Sphinx) -> None:
    """Write the sheet, and its digest into the pages, so that none keeps an old one."""
    static = Path(app.outdir) / "_static"
    words = app.env.book_words - {None}
    for pattern in SCRIPTS:
        for script in static.glob(pattern):
            words.update(_WORD.findall(script.read_text(encoding="utf-8")))
    names = Names(words, tuple(word for word in words if re.search("...-$", word)))
    rules = "".join(kept(of_folder(path.read_text(encoding="utf-8"), "styles/" in sheet), names)
                    for sheet in SHEETS for path in static.glob(sheet))
    text = f'@charset "utf-8";\n{rules}'
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
    return _written(tinycss2.parse_stylesheet(css, **_BARE), names)


def _written(rules: list[Node], names: Names) -> str:
    text = ""
    for rule in rules:
        prelude, body = rule.prelude, rule.content
        if body is None:  # `@import` and the like
            continue
        if rule.type == "qualified-rule":
            head = ",".join(_text(nodes) for nodes in selectors(prelude) if usable(nodes, names))
        else:
            head = f"@{rule.at_keyword}{_text(prelude, strip=False)}".strip()
        inside = (_written(tinycss2.parse_rule_list(body, **_BARE), names)
                  if getattr(rule, "lower_at_keyword", "") in NESTING else _text(body))
        if head and inside:
            text += f"{head}{{{inside}}}\n"
    return text


def _text(tokens: Iterable[Node], strip: bool = True) -> str:
    text = tinycss2.serialize([token for token in tokens if token.type != "comment"])
    return text.strip() if strip else text


def selectors(prelude: Sequence[Node]) -> list[list[Node]]:
    """The parts of a list of selectors."""
    return [list(part) for comma, part in groupby(prelude, lambda token: token == ",") if not comma]


def usable(selector: Sequence[Node], names: Names) -> bool:
    """Whether all that a selector names outside brackets is there."""
    return all(token.value in names for before, token in pairwise([None, *selector])
               if token.type in ("ident", "hash") and before != ":")
