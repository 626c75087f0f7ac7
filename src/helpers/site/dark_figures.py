"""Show every figure in the colours of the page's theme.

After the build: an SVG under `_images` gets a dark twin (`helpers.pages.palette`), and a page shows
the one that suits its theme. The other one is not loaded.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from helpers.pages.palette import darkened
from helpers.site.light_pages import built, rewrite_pages

_FIGURE = re.compile(r'<img\b[^>]*?\bsrc="([^"]*_images/[^"]+)\.svg"[^>]*>')
_CLASS = re.compile(r'(\bclass="[^"]*)"')
SHOWN = re.compile(r'\bclass="[^"]*\bonly-(?:light|dark)\b')


def both_variants(html: str) -> str:
    """A page whose figures come in two variants, of which the theme hides one."""
    def pair(found: re.Match[str]) -> str:
        tag, path = found[0], found[1]
        if SHOWN.search(tag):
            return tag
        twin = tag.replace(f"{path}.svg", f"{path}-dark.svg")
        return _marked(tag, "only-light") + _marked(twin, "only-dark")

    return _FIGURE.sub(pair, html)


def _marked(tag: str, name: str) -> str:
    if _CLASS.search(tag):
        return _CLASS.sub(rf'\1 {name}"', tag, count=1)
    return tag.replace("<img", f'<img class="{name}"', 1)


def write_all(app: Sphinx, exception: Exception | None) -> None:
    """After a build: a twin of every SVG figure, and both on every page."""
    if not built(app, exception):
        return
    for figure in (Path(app.outdir) / "_images").glob("*.svg"):
        if not figure.stem.endswith("-dark"):
            twin = figure.with_name(f"{figure.stem}-dark.svg")
            twin.write_text(darkened(figure.read_text(encoding="utf-8")), encoding="utf-8")
    rewrite_pages(app, lambda html, path: both_variants(html))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("build-finished", write_all, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
