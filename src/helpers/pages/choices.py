"""A list of choices, each with a panel: HTML and CSS alone, on a page, in a notebook, on paper.

Every panel is in the page from the start. The chosen one is shown; on paper all are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from helpers.pages.palette import ASSETS

STYLE = (ASSETS / "choices.css").read_text(encoding="utf-8")


def choices(name: str, legend: str, panels: Mapping[str, str], chosen: str = "") -> str:
    """HTML of radio buttons that choose which panel is shown.

    Args:
        name: of this group, unlike that of any other on the page.
        panels: label to the HTML that it shows.
        chosen: the label chosen first; the first one if not given.
    """
    first = chosen or next(iter(panels))
    rules, buttons, shown = [], [], []
    for number, (label, panel) in enumerate(panels.items()):
        own = f"{re.sub('[^a-z0-9]+', '-', name.lower())}-{number}"
        rules.append(f"#{own}-choice:checked ~ #{own} {{ display: block; }}")
        buttons.append(f'<input type="radio" name="{escape(name)}" id="{own}-choice"'
                       f'{" checked" if label == first else ""}>'
                       f'<label for="{own}-choice">{escape(label)}</label>')
        shown.append(f'<div id="{own}"><p><strong>{escape(label)}</strong></p>{panel}</div>')
    return (f'<style>\n{STYLE}</style><style>{" ".join(rules)}</style>'
            f'<fieldset class="choices tex2jax_ignore"><legend>{escape(legend)}</legend>'
            f'{"".join(buttons)}{"".join(shown)}</fieldset>')


def code_panel(code: str, *says: str) -> str:
    """HTML of lines of code with sentences under them."""
    return (f"<pre><code>{escape(code)}</code></pre>"
            + "".join(f"<p>{escape(sentence)}</p>" for sentence in says))
