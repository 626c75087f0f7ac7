"""The foot of every page: which edition it is, and where to report an error. And the page that a
wrong link shows.
"""

from __future__ import annotations

import subprocess
from functools import cache
from html import escape
from importlib.metadata import version
from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

from helpers.pages import repository
from helpers.paths import ROOT

WORDS = {
    "en": ("Edition {book} of {date}, about FunASR {funasr}.", "Report an error on this page",
           "Found an error? This copy of the book names no public repository: please tell the "
           "person from whom you have it."),
    "zh": ("版本 {book}，{date}，针对 FunASR {funasr}。", "报告本页的错误",
           "发现错误了吗？这份书没有注明公开的仓库，请告诉把它给你的人。"),
}

LOST = Path(__file__).with_name("lost.html")
LINKS = {"index.html": "The front page", "search.html": "Search the book",
         "notebooks/preflight.html": "Check your own config",
         "notebooks/cheat_sheet.html": "The cheat sheet", "book/glossary.html": "The glossary"}


@cache
def edition() -> dict[str, str]:
    """Version of the book, date of its last commit where git knows it, version of FunASR."""
    book = next(line.split()[1] for line in (ROOT / "CHANGELOG.md").read_text(
        encoding="utf-8").splitlines() if line.startswith("## "))
    log = subprocess.run(["git", "log", "-1", "--format=%cs"], cwd=ROOT, check=False,
                         capture_output=True, text=True)
    return {"book": book, "date": log.stdout.strip() or "an unknown day",
            "funasr": version("funasr")}


def add_line(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Put the edition and the way to report an error at the foot of a finished page."""
    foot = page.select_one("footer.bd-footer-content")
    if foot is None or foot.select(".edition"):
        return
    line, link, without = WORDS["zh" if "zh" in path.relative_to(app.outdir).parts else "en"]
    if address := repository.address():
        name = path.relative_to(app.outdir).with_suffix("").as_posix()
        report = f'<a href="{escape(address)}/issues/new?title={escape(name)}%3A%20">{link}</a>'
    else:
        report = without
    foot.append(BeautifulSoup(f'<p class="edition">{line.format(**edition())} {report}</p>',
                              "html.parser"))


def write_lost(app: Sphinx) -> None:
    """The page that a server shows in the place of one that is not there."""
    links = "\n".join(f'<li><a href="{address}">{text}</a></li>'
                      for address, text in LINKS.items())
    page = LOST.read_text(encoding="utf-8")
    (Path(app.outdir) / "404.html").write_text(
        page.replace("{title}", escape(app.config.html_title)).replace("{links}", links),
        encoding="utf-8")
