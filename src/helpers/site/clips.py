"""Copy the clips of `book/audio` to the same place in the site, where pages and notebooks look."""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx


def copy_clips(app: Sphinx) -> None:
    """The folder with its files, and none that is gone from the source."""
    target = Path(app.outdir) / "book" / "audio"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(Path(app.srcdir) / "book" / "audio", target)
