"""The book's colours, light and dark, and pictures that come in both variants.

A figure is drawn once, in the light colours of `book.mplstyle`; its dark variant is the same SVG
with each colour replaced by the one of that name in `book_dark.mplstyle`.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from html import escape
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
LIGHT_STYLE, DARK_STYLE = ASSETS / "book.mplstyle", ASSETS / "book_dark.mplstyle"

_ROLES = {"ink": "text.color", "axis": "axes.edgecolor", "grid": "grid.color",
          "ground": "figure.facecolor"}
_COLOUR = re.compile(r"#[0-9a-f]{6}\b", re.IGNORECASE)


@cache
def colours(style: Path = LIGHT_STYLE) -> dict[str, str]:
    """Name to colour: `1`, `2` and so on of the cycle, `ink`, `axis`, `grid` and `ground`."""
    text = style.read_text(encoding="utf-8")
    settings = dict(re.findall(r"^([\w.]+): ([0-9A-F]{6})$", text, re.MULTILINE))
    cycle = re.findall(r"'([0-9A-F]{6})'", text)
    named = dict(enumerate(cycle, 1)) | {role: settings[key] for role, key in _ROLES.items()}
    return {str(name): f"#{colour.lower()}" for name, colour in named.items()}


def darkened(svg: str) -> str:
    """A figure's SVG in the dark colours; a colour that has no name stays."""
    dark = colours(DARK_STYLE)
    exchange = {colour: dark[name] for name, colour in colours().items()}
    return _COLOUR.sub(lambda colour: exchange.get(colour[0].lower(), colour[0]), svg)


def svg_picture(svg: str, alt: str) -> str:
    """HTML of a figure inside a widget, in both variants."""
    return picture(svg.encode(), darkened(svg).encode(), "svg+xml", alt)


def picture(light: bytes, dark: bytes, subtype: str, alt: str) -> str:
    """HTML of a picture in two variants; the book's pages show the one of their theme.

    Args:
        dark: the file's dark variant, not shown where there is no style sheet of the book.
        subtype: of image, such as `svg+xml`.
    """
    shown = (("only-light", "", light), ("only-dark", "display:none;", dark))
    return "".join(
        f'<img class="{name}" alt="{escape(alt)}" style="{hidden}max-width:100%" '
        f'src="data:image/{subtype};base64,{base64.b64encode(file).decode()}">'
        for name, hidden, file in shown)
