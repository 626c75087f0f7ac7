"""Copy the clips of `book/audio` to the same place in the site, where pages and notebooks look."""

from __future__ import annotations

import shutil
from pathlib import Path


def copy_clips(app, exception) -> None:
    """After a build: the folder with its files, and none that is gone from the source."""
    if exception is None and app.builder.format == "html":
        target = Path(app.outdir) / "book" / "audio"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(app.srcdir) / "book" / "audio", target)


def setup(app) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("build-finished", copy_clips)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
