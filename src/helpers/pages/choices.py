"""A list of choices, each with a panel: HTML and CSS alone, on a page, in a notebook, on paper.

Every panel is in the page from the start. The chosen one is shown; on paper all are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

STYLE = """<style>
.choices { border: 1px solid var(--pst-color-border, #767676); border-radius: .3rem;
  margin: 1rem 0; padding: .4rem .8rem; position: relative; }
.choices legend { float: none; font-size: 1rem; font-weight: 600; padding: 0 .3rem; width: auto; }
.choices input { opacity: 0; position: absolute; }
.choices label { display: inline-block; margin: .2rem 1rem .2rem 0; min-height: 1.6rem; }
.choices label::before { background: radial-gradient(circle, currentColor 40%, transparent 45%)
  center / 0 no-repeat; border: .1rem solid; border-radius: 50%; content: ""; display: inline-block;
  height: .8rem; margin-right: .4rem; vertical-align: -.1rem; width: .8rem; }
.choices input:checked + label::before { background-size: 100%; }
.choices input:focus-visible + label { outline: .15rem solid; outline-offset: .15rem; }
.choices > div { border-top: 1px solid var(--pst-color-border, #767676); display: none;
  margin-top: .4rem; padding-top: .6rem; }
.choices pre { white-space: pre-wrap; }
@media print { .choices > div { display: block; } }
</style>"""


def choices(name: str, legend: str, panels: Mapping[str, str], chosen: str = "") -> str:
    """HTML of radio buttons that choose which panel is shown.

    Args:
        name: of this group, unlike that of any other on the page.
        legend: what is chosen.
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
    return (f'{STYLE}<style>{" ".join(rules)}</style><fieldset class="choices tex2jax_ignore">'
            f'<legend>{escape(legend)}</legend>{"".join(buttons)}{"".join(shown)}</fieldset>')


def code_panel(code: str, *says: str) -> str:
    """HTML of lines of code with sentences under them."""
    return (f"<pre><code>{escape(code)}</code></pre>"
            + "".join(f"<p>{escape(sentence)}</p>" for sentence in says))
