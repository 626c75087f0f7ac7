"""The book's own search: sections, rows and terms with their places, in one file of the site.

Sphinx's index has no Chinese, no numbers and no sections, and quotes the code of hidden cells. Here
each section of a finished page is an entry, and so is each row and each term that has an anchor.
`book/_assets/search.js` ranks them. The index is a script, since a page that is read from disk may
load nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import copy
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

from helpers.pages.synonyms import SYNONYMS

INDEX = "search_index.js"
OMITTED = ("script, style, noscript, form, button, wbr, details.hide, .headerlink, .sd-badge, "
           ".cell_input, .section-number, .pst-js-only, .copybtn, .toctree-wrapper, "
           ".language-switch, [hidden], .visually-hidden")


def collect(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Note the entries of a finished page."""
    article = page.select_one("main article")
    name = path.relative_to(app.outdir).with_suffix("").as_posix()
    if name == "search":
        load(page)
    elif article is not None and name != "genindex":
        entries = getattr(app.env, "book_search", {})
        on_page = list(entries_of(article))
        title = on_page[-1][1] if on_page else page.title.text  # the outermost section comes last
        entries[name] = [title, on_page]
        app.env.book_search = entries


def entries_of(article: Tag) -> Iterator[tuple[str, str, str, int]]:
    """Anchor, heading, text and kind (0 section, 1 row or term) of each entry, in order."""
    article = copy(article)
    for omitted in article.select(OMITTED):
        omitted.decompose()
    article.smooth()  # what a <wbr> parted is one word
    for row in article.select("tr[id], dl.glossary dt[id]"):
        text = row.find_next_sibling("dd") if row.name == "dt" else row
        head = row.find("th") if row.name == "tr" else row
        yield row["id"], plain((head and head.find("code")) or head or row), plain(text), 1
        text.extract()
    for section in reversed(article.select("section[id]")):
        heading = section.find(re.compile("^h[1-6]$"))
        title = plain(heading.extract()) if heading else ""
        yield section["id"], title, plain(section.extract()), 0


def plain(tag: Tag) -> str:
    """The text of an element, in one line."""
    return " ".join(tag.get_text(" ").split())


def load(page: BeautifulSoup) -> None:
    """Have the search page load the book's search ."""
    if not page.select(f"script[src*='{INDEX}']"):
        for name in (INDEX, "search.js"):
            page.head.append(page.new_tag("script", src=f"_static/{name}", attrs={"defer": ""}))


def write(app: Sphinx) -> None:
    """Write the index."""
    pages = [[name, *entry] for name, entry in sorted(app.env.book_search.items())
             if name in app.env.found_docs]
    index = json.dumps({"pages": pages, "synonyms": SYNONYMS}, ensure_ascii=False,
                       separators=(",", ":"))
    (Path(app.outdir) / "_static" / INDEX).write_text(f"const SEARCH_INDEX = {index};\n",
                                                      encoding="utf-8")
