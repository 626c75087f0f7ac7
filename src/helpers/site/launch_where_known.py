"""Offer "open on Colab" only in an edition that names its repository; the theme stops otherwise."""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.config import Config


def drop_launch(app: Sphinx, config: Config) -> None:
    """Take the launch buttons out of the theme's options where there is nothing to launch."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        options.pop("launch_buttons", None)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("config-inited", drop_launch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
