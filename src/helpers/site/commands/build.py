"""Build the site from the stored outputs, warnings as errors.

`python -m helpers.site.commands.build`, or `make book`.

Sphinx reads only what changed (`helpers.site.rereading` says what a page depends on). A warning of
a page that was read in a failed build would not come again, so then everything is read anew.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from helpers.paths import ROOT

BUILD = ROOT / "_build"
SITE = BUILD / "html"
DOCTREES = BUILD / ".doctrees"
JUPYTER_BOOK = (sys.executable, "-c", "from jupyter_book.cli.main import main; main()")


def pages(root: Path = ROOT) -> list[Path]:
    """The sources of the pages: prose, and notebooks with their stored outputs."""
    return sorted([*(root / "book").glob("*.md"), *(root / "book").glob("*/*.md"),
                   *(root / "notebooks").glob("*.ipynb")])


def drop_removed_pages(root: Path = ROOT) -> None:
    """Delete built pages whose source is gone."""
    sources = {page.relative_to(root).with_suffix("") for page in pages(root)}
    site = root / "_build" / "html"
    for folder in ("book", "notebooks"):
        for page in (site / folder).rglob("*.html"):
            if page.relative_to(site).with_suffix("") not in sources:
                page.unlink()


def built() -> Path:
    """The folder of the built site.

    Raises:
        SystemExit: it is not built.
    """
    if not (SITE / "index.html").is_file():
        sys.exit("The book is not built yet: run `make book` first.")
    return SITE


def main() -> None:
    built = subprocess.run([*JUPYTER_BOOK, "build", ".", "-W", "--keep-going", "-n", "--quiet"],
                           cwd=ROOT, check=False, stdin=subprocess.DEVNULL)
    if built.returncode != 0:
        shutil.rmtree(DOCTREES, ignore_errors=True)
        sys.exit("The book has the faults named above; a page with a warning is not published.")
    drop_removed_pages()


if __name__ == "__main__":
    main()
