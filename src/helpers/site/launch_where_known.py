"""Offer "open on Colab" only in an edition that names its repository; the theme stops otherwise.

What is opened is the notebook that a reader would download, whose text is resolved: publishing puts
those on a branch of their own, as the sources have roles that Colab shows raw.
"""

from __future__ import annotations

from pathlib import Path

from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.config import Config

BRANCH = "downloads"
"""Where `.github/workflows/book.yml` puts `_build/travelling`."""
COLAB = "https://colab.research.google.com/github/"


def drop_launch(app: Sphinx, config: Config) -> None:
    """Take the launch buttons out of the theme's options where there is nothing to launch."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        options.pop("launch_buttons", None)


def open_the_download(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Lead the button of a finished page to the notebook on the branch of downloads."""
    for link in page.select(f"a[href^='{COLAB}']"):
        repository, blob, _ = link["href"].partition("/blob/")
        if blob:
            link["href"] = f"{repository}/blob/{BRANCH}/{path.stem}/{path.stem}.ipynb"
