"""Build the site from the stored outputs, warnings as errors.

`python -m helpers.site.commands.build`, or `make book`.

Sphinx reads only what changed. Three things it would miss are seen to here: a warning of a page
that was read in a failed build would not come again, a page that quotes another's result would keep
the old one, and a changed style sheet, script or extension would not reach the pages.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.paths import ROOT

BUILD = ROOT / "_build"
SITE = BUILD / "html"
DOCTREES = BUILD / ".doctrees"
JUPYTER_BOOK = (sys.executable, "-c", "from jupyter_book.cli.main import main; main()")
QUOTE = re.compile(r"\{glue:\w*\}`([\w./-]+\.(?:ipynb|md))::|:doc: ([\w./-]+\.(?:ipynb|md))")


def pages(root: Path = ROOT) -> list[Path]:
    """The sources of the pages: prose, and notebooks with their stored outputs."""
    return sorted([*(root / "book").glob("*.md"), *(root / "book").glob("*/*.md"),
                   *(root / "notebooks").glob("*.ipynb")])


def quoted(page: Path) -> set[Path]:
    """The pages whose results this page shows."""
    text = page.read_text(encoding="utf-8")
    return {(page.parent / name).resolve() for name in map("".join, QUOTE.findall(text))}


def doctree(page: Path, root: Path = ROOT) -> Path:
    """Sphinx's stored reading of a page; without it, the page is read again."""
    relative = page.relative_to(root).with_suffix(".doctree")
    return root / "_build" / ".doctrees" / relative


def forget_outdated_quotes(root: Path = ROOT) -> list[Path]:
    """Have Sphinx read again every page that quotes one that changed; returns those pages."""
    forgotten = []
    for page in pages(root):
        reading = doctree(page, root)
        if reading.exists() and any(source.exists() and source.stat().st_mtime
                                    > reading.stat().st_mtime for source in quoted(page)):
            reading.unlink()
            forgotten.append(page)
    return forgotten


def forget_outdated_design(root: Path = ROOT) -> bool:
    """Have Sphinx read every page again if what dresses them changed; returns whether it did."""
    readings = [path.stat().st_mtime for path in (root / "_build" / ".doctrees").rglob("*.doctree")]
    dress = [path for folder in ("_assets", "_extensions")
             for path in (root / "book" / folder).glob("*.*")]
    changed = bool(readings) and any(path.stat().st_mtime > min(readings) for path in dress)
    if changed:
        shutil.rmtree(root / "_build" / ".doctrees")
    return changed


def drop_removed_pages(root: Path = ROOT) -> None:
    """Delete built pages whose source is gone."""
    sources = {page.relative_to(root).with_suffix("") for page in pages(root)}
    site = root / "_build" / "html"
    for folder in ("book", "notebooks"):
        for page in (site / folder).rglob("*.html"):
            if page.relative_to(site).with_suffix("") not in sources:
                page.unlink()


def main() -> None:
    forget_outdated_design()
    forget_outdated_quotes()
    built = subprocess.run([*JUPYTER_BOOK, "build", ".", "-W", "--keep-going", "-n", "--quiet"],
                           cwd=ROOT, check=False, stdin=subprocess.DEVNULL)
    if built.returncode != 0:
        shutil.rmtree(DOCTREES, ignore_errors=True)
        sys.exit("The book has the faults named above; a page with a warning is not published.")
    drop_removed_pages()


if __name__ == "__main__":
    main()
