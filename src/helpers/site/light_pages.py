"""Make the theme's pages light: what a page does not use is not loaded.

Formulas become MathML while the book is built, so that no page loads a script for them. After the
build, each page loses the theme's icon script (its icons are drawn in place) and the search index
(the search page keeps it); its other scripts no longer hold up the first view; the widgets' script
is left to `late_widgets.js`; pictures say their size and load when they come near.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from docutils import nodes
from docutils.utils.math import latex2mathml
from PIL import Image
from sphinx.application import Sphinx

from helpers.site import icons

SEARCH = ("search.html",)
_ICON = re.compile(r'<(i|span) class="((?:[\w-]+\s+)*fa[\w-]*(?:\s+[\w-]+)*)"([^>]*)></\1>')
_KEPT = re.compile(r' data-mode="\w+"')
_UNUSED = re.compile(
    r'\s*<script[^>]*src="[^"]*(?:scripts/fontawesome\.js|mathjax/)[^"]*"[^>]*></script>'
    r'|\s*<script>window\.MathJax = [^<]*</script>'
    r'|\s*<link[^>]*sphinx-thebe\.css[^>]*>'
    r'|\s*<script type="text/x-thebe-config">.*?</script>'
    r"|\s*<script>kernelName = '[^']*'</script>", re.DOTALL)
_SEARCH_SCRIPTS = re.compile(
    r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
    r"|\s*<script>DOCUMENTATION_OPTIONS\.[^<]*</script>")
_BLOCKING = re.compile(r'<script((?: data-[\w-]+="[^"]*")*) src="(?=[^"]*_static/)')
_MANAGER = re.compile(r'<script(?: defer)? src="([^"]*_static/)(widgets/embed\.js[^"]*)"></script>')
_STATE = re.compile(
    r'\s*<script type="application/vnd\.jupyter\.widget-state\+json">(.*?)</script>', re.DOTALL)
_PICTURE = re.compile(r'<img\b[^>]*?\bsrc="([^"]*_images/[^"]+)"[^>]*>')
_ICON_RULES = re.compile(r"(?:\.fa-[\w-]+::?before,?)+\{content:[^{}]*\}")
_SVG_SIZE = re.compile(r'<svg\b[^>]*?\bviewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"')


def formula(translator: object, node: nodes.Element) -> None:
    """Write one formula as MathML.

    Raises:
        SyntaxError: the formula uses what docutils cannot translate.
    """
    block = isinstance(node, nodes.math_block)
    written = latex2mathml.tex2mathml(node.astext(), as_block=block)
    translator.body.append(f'<div class="math">{written}</div>' if block else written)
    raise nodes.SkipNode


def lighten(html: str, folder: Path, searches: bool = False) -> str:
    """A page without what it does not use; a page that was lightened comes back as it is.

    Args:
        html: the page.
        folder: where it lies, to find its pictures.
        searches: whether the page is the one that searches.
    """
    html = _UNUSED.sub("", html)
    html = _ICON.sub(_draw, html)
    if not searches:
        html = _SEARCH_SCRIPTS.sub("", html)
        html = _BLOCKING.sub(r'<script\1 defer src="', html)
    html = _MANAGER.sub(r'<script defer src="\1late_widgets.js" data-manager="\1\2"></script>',
                        html)
    return _PICTURE.sub(lambda found: _sized(found[0], folder / found[1]), html)


def take_state(html: str, relative: str, static: Path) -> str:
    """A page whose widgets' state lies in a file of its own, to be loaded with their script.

    A script, since a page that is read from disk may load nothing else.

    Args:
        html: the page, lightened.
        relative: its path below the site, without the suffix.
        static: the site's folder `_static`; the file goes to `states` in it.
    """
    found = _STATE.search(html)
    if found is None:
        return html
    state = json.dumps(found[1].replace("<\\/", "</"))
    code = f"""(() => {{
  const state = document.createElement("script");
  state.type = "application/vnd.jupyter.widget-state+json";
  state.textContent = {state};
  document.head.append(state);
}})();
"""
    target = static / "states" / f"{relative.replace('/', '-')}.js"
    target.parent.mkdir(exist_ok=True)
    target.write_text(code, encoding="utf-8")
    version = hashlib.sha256(code.encode()).hexdigest()[:8]
    up = "../" * relative.count("/")
    html = html[:found.start()] + html[found.end():]
    return html.replace(' data-manager="', f' data-state="{up}_static/states/{target.name}'
                        f'?v={version}" data-manager="', 1)


def _draw(found: re.Match[str]) -> str:
    kept = "".join(_KEPT.findall(found[3]))
    return icons.drawn(found[2].split(), kept) or found[0]


def _sized(tag: str, file: Path) -> str:
    """The tag of a picture, with its size and loaded when it comes near."""
    if "loading=" in tag:
        return tag
    known = "" if re.search(r"\b(width|height|style)=", tag) else _size(file)
    return tag.replace("<img", f'<img loading="lazy" decoding="async"{known}', 1)


def _size(file: Path) -> str:
    """Width and height of a picture file in CSS pixels, as attributes."""
    if file.suffix == ".svg":
        found = _SVG_SIZE.search(file.read_text(encoding="utf-8")[:4000])
        if found is None:
            return ""
        width, height = (float(length) * 4 / 3 for length in found.groups())
    else:
        with Image.open(file) as picture:
            width, height = picture.size
    return f' width="{width:.0f}" height="{height:.0f}"'


def built_pages(app: Sphinx) -> Iterator[Path]:
    """The HTML files that Sphinx wrote."""
    names = [*app.env.found_docs, *("search", "genindex")]
    yield from (path for name in names if (path := Path(app.outdir) / f"{name}.html").is_file())


def rewrite_pages(app: Sphinx, change: Callable[[str, Path], str]) -> None:
    """Write every built page again that a function of its HTML and its file changes."""
    for path in built_pages(app):
        html = path.read_text(encoding="utf-8")
        changed = change(html, path)
        if changed != html:
            path.write_text(changed, encoding="utf-8")


def built(app: Sphinx, exception: Exception | None) -> bool:
    """Whether a build has ended with pages."""
    return exception is None and app.builder.format == "html"


def lighten_all(app: Sphinx, exception: Exception | None) -> None:
    """After a build: every page, and the theme's style sheet."""
    if not built(app, exception):
        return

    def light(html: str, path: Path) -> str:
        lighter = lighten(html, path.parent, path.name in SEARCH)
        relative = path.relative_to(app.outdir).with_suffix("").as_posix()
        return take_state(lighter, relative, Path(app.outdir) / "_static")

    rewrite_pages(app, light)
    sheet = Path(app.outdir) / "_static" / "styles" / "pydata-sphinx-theme.css"
    sheet.write_text(_ICON_RULES.sub("", sheet.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))
    app.connect("build-finished", lighten_all, priority=700)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
