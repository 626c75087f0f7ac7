"""Print the whole book as one PDF: `make pdf`, after `make book`.

The articles of all pages are put into one document, in the order of the contents, and the browser
of the tests prints it. Links between chapters lead inside the PDF. Sliders show the panel chosen
first, players their pictures; code that is hidden on a page stays out.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urldefrag

import yaml
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

from helpers.paths import ROOT
from helpers.site.commands import build, system
from helpers.site.edition import WORDS, edition

TARGET = ROOT / "_build" / "book.pdf"
WHOLE = "whole_book.html"
LEFT_OUT = ("script, noscript, audio, .pst-js-only, .headerlink, .only-dark, picture > source, "
            ".copybtn, .language-switch, form, details.hide")
ALONE = "body *:not("
DECODED = """() => document.fonts.ready.then(() => Promise.all(
    [...document.images].map((one) => one.decode().catch(() => one))))"""
PAPER = {"width": 703, "height": 1010}
"""A4 without the margins, in CSS pixels."""

FOOT = ('<div style="font-size:8px;text-align:center;width:100%">'
        '<span class="pageNumber"></span> / <span class="totalPages"></span></div>')


def contents(root: Path = ROOT) -> dict[str, list[str]]:
    """Title of each part to its pages, the front page first."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = {part["caption"]: [chapter["file"] for chapter in part["chapters"]]
             for part in toc["parts"]}
    return {"": [toc["root"]], **parts}


def whole_book(site: Path) -> BeautifulSoup:
    """All pages as one document for the site's folder."""
    parts = contents()
    names = [name for pages in parts.values() for name in pages]
    pages = {name: BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"),
                                 "html.parser") for name in names}
    book = BeautifulSoup(
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        '</head><body><main class="bd-main"><div class="bd-content">'
        '<article class="bd-article"></article></div></main></body></html>', "html.parser")
    for sheet in pages[names[0]].select("head link[rel~=stylesheet]"):
        sheet["href"] = re.sub(r"^(\.\./)+", "", sheet["href"])
        book.head.append(sheet)
    titles = {name: page.select_one("main article h1") for name, page in pages.items()}
    book.head.append(book.new_tag("title"))
    book.title.string = titles[names[0]].get_text().strip("# ")
    article = book.article
    article.append(title_page(book.title.string, parts, titles))
    for name, page in pages.items():
        article.append(chapter(name, page, set(names)))
    return book


def title_page(title: str, parts: dict[str, list[str]], titles: dict[str, Tag]) -> Tag:
    """The first page: title, edition and contents."""
    lists = "".join(
        f"<h2>{part}</h2><ul>" + "".join(
            f'<li><a href="#{anchor(name)}">{titles[name].get_text().rstrip("#").strip()}</a></li>'
            for name in pages) + "</ul>" for part, pages in parts.items() if part)
    imprint = WORDS["en"][0].format(**edition())
    return BeautifulSoup(f'<div class="title-page"><p class="title">{title}</p><p>{imprint}</p>'
                         f"{lists}</div>", "html.parser").div


def chapter(name: str, page: BeautifulSoup, known: set[str]) -> Tag:
    """One page's article, with names and addresses that are right in the whole book."""
    article = page.select_one("main article")
    article.name, article.attrs = "div", {"class": "printed-chapter", "id": anchor(name)}
    if lang := page.html.get("lang"):
        article["lang"] = lang
    for omitted in article.select(LEFT_OUT):
        omitted.decompose()
    for style in article.select("style"):
        if ALONE in style.text:  # the cheat sheet hides all else, to print on two pages of its own
            style.string = style.text.partition("@media print")[0]
    folder = Path(name).parent
    for part in article.select("[id]"):
        part["id"] = anchor(name, part["id"])
    for link in article.select("a[href]"):
        address, fragment = urldefrag(link["href"])
        if "://" in address or address.startswith("mailto:"):
            continue
        target = (Path("/") / folder / address).resolve().relative_to("/").with_suffix("")
        page_name = target.as_posix() if address else name
        if page_name in known:
            link["href"] = f"#{anchor(page_name, fragment)}"
        else:
            link.unwrap()
    for picture in article.select("img[src]"):
        if not picture["src"].startswith("data:"):
            file = (Path("/") / folder / picture["src"]).resolve()
            picture["src"] = file.relative_to("/").as_posix()
        picture.attrs.pop("loading", None)
    for fold in article.select("details"):
        fold["open"] = ""
    return article


def anchor(page: str, fragment: str = "") -> str:
    """A place's name in the whole book."""
    return f"{page}--{fragment}" if fragment else page


def print_book(site: Path, target: Path) -> None:
    """Write the PDF.

    Args:
        site: the built site; the whole book lies in it while it is printed.
    """
    whole = site / WHOLE
    whole.write_text(str(whole_book(site)), encoding="utf-8")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=system.browser(),
                                                 args=["--no-sandbox"])
            page = browser.new_page(viewport=PAPER)
            page.emulate_media(media="print")
            page.goto(whole.as_uri(), wait_until="load")
            page.evaluate(DECODED)
            # Tagged and in a window of another width, the print broke off after some twenty pages.
            page.pdf(path=target, format="A4", tagged=False, display_header_footer=True,
                     header_template="<span></span>",
                     footer_template=FOOT,
                     margin={"top": "14mm", "bottom": "16mm", "left": "12mm", "right": "12mm"})
            browser.close()
    finally:
        whole.unlink()


def main() -> None:
    print_book(build.built(), TARGET)
    print(f"The printed book is at {TARGET} ({TARGET.stat().st_size / 1e6:.1f} MB).")


if __name__ == "__main__":
    main()
