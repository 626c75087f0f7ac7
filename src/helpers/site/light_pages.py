"""Make the theme's pages light: what a page does not use is not loaded.

Formulas become MathML while the book is built, so that no page loads a script for them. After the
build, each page loses the theme's icon script (its icons are drawn in place) and Sphinx's search
(the book has its own); its other scripts no longer hold up the first view; pictures say their
size and load when they come near; code of a folded cell is plain text until the cell is opened.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from docutils.utils.math import latex2mathml
from PIL import Image
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from helpers.site import icons

UNUSED = ("script[src*='scripts/fontawesome.js'], script[src*='mathjax/'], "
          "script[src*='searchtools.js'], script[src*='language_data.js'], "
          "script[src*='searchindex.js'], script[src*='doctools.js'], "
          "script[src*='sphinx_highlight.js']")
CHECKER = ("checker/js-yaml.min.js", "preflight_rules.js", "preflight_page.js")
FIELD = 'class="preflight preflight-page'
THEME_SCRIPT = "_static/scripts/pydata-sphinx-theme.js"
SWEEP = re.compile(r'document\.querySelectorAll\(\["pre".*?'
                   r"\.forEach\(e=>\{e\.tabIndex=.*?\}\)")
SWEPT = "/* book/_assets/access.js does it */"
THEME = "document.documentElement.dataset.theme = localStorage.getItem"
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


def load_checker(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any],
                 doctree: object) -> None:
    """Load the scripts of the checker on a page that has its field, and nowhere else."""
    if FIELD in str(context.get("body", "")):
        for name in CHECKER:
            app.add_js_file(name, loading_method="defer")


def lighten(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Take out of a finished page what it does not use, and have the rest wait."""
    for script in page.select(UNUSED):
        script.decompose()
    for script in page.select("script:not([src], [type])"):
        if script.text.startswith(("window.MathJax", "DOCUMENTATION_OPTIONS.")):
            script.decompose()
        elif THEME in script.text:
            # Nothing styles the theme "auto"; without scripts it would stay.
            # The mode stays "auto": the page goes on following the machine.
            script.string = re.sub(
                r'(dataset\.theme = .*?\|\| )"auto"',
                r'\1(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")',
                script.text)
    for root in page.select("html[data-theme=auto]"):
        root["data-theme"] = "light"
    for icon in page.select("i[class*='fa-'], span[class*='fa-']"):
        kept = f' data-mode="{icon["data-mode"]}"' if icon.has_attr("data-mode") else ""
        if drawn := icons.drawn(icon["class"], kept):
            icon.replace_with(BeautifulSoup(drawn, "html.parser"))
    for script in page.select("script[src*='_static/']:not([type], [async], [defer])"):
        script["defer"] = ""
    for picture in page.select("img[src*='_images/']:not([loading])"):
        picture.attrs |= {"loading": "lazy", "decoding": "async"}
        if not {"width", "height", "style"} & picture.attrs.keys():
            picture.attrs |= size_of(path.parent / picture["src"])
    for code in page.select("details:not([open]) .highlight > pre:has(span)"):
        put_colours_aside(page, code)


def put_colours_aside(page: BeautifulSoup, code: Tag) -> None:
    """Leave plain text of a piece of code, and beside it its coloured words, as text of a script.

    Most elements of a page are words of folded code, and all of them are made and laid out before
    a reader can do anything. `book/_assets/access.js` puts the colours back.
    """
    aside = page.new_tag("script", attrs={"class": "colours", "type": "text/html"})
    aside.string = code.decode_contents()
    code.string = code.get_text()
    code.insert_after(aside)


def size_of(file: Path) -> dict[str, str]:
    """Width and height of a picture file in CSS pixels, as attributes."""
    if file.suffix == ".svg":
        box = _SVG_SIZE.search(file.read_text(encoding="utf-8")[:4000])
        size = [float(length) * 4 / 3 for length in box.groups()] if box else []
    else:
        with Image.open(file) as picture:
            size = picture.size
    return {name: f"{length:.0f}" for name, length in zip(("width", "height"), size, strict=False)}


def leave_out_the_sweep(app: Sphinx) -> None:
    """Take out of the theme's script what asks every box for its size.

    It sets an attribute after each answer, so that the page is laid out once for each box, folded
    ones included; half of what a phone computes before a reader can do anything.

    Raises:
        ExtensionError: the script has changed.
    """
    script = Path(app.outdir) / THEME_SCRIPT
    text = script.read_text(encoding="utf-8")
    swept, count = SWEEP.subn(SWEPT, text)
    if count != 1 and SWEPT not in text:
        raise ExtensionError(f"{script.name} of the theme no longer asks boxes for their size as "
                             "it did: look whether SWEEP in helpers.site.light_pages is needed.")
    if count:
        script.write_text(swept, encoding="utf-8")
