"""One of several panels, chosen with radio buttons: plain HTML, no script, no kernel.

It works from disk, in a downloaded notebook, by keyboard and on a phone; on paper the chosen panel
stands. Where styles are taken away, all panels show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

_STYLE = """
.choices { border: 1px solid var(--pst-color-border, #767676); border-radius: .35rem;
  margin: 1rem 0; padding: .6rem .9rem .8rem; }
.choices legend { float: none; font-size: 1rem; font-weight: 600; padding: 0 .3rem; width: auto; }
.choices input { accent-color: var(--pst-color-primary, #00629b); height: 1.1rem; width: 1.1rem;
  vertical-align: -.15rem; }
.choices label { display: inline-block; line-height: 2rem; margin: 0 1rem 0 .3rem; }
.choices .choice { display: none; margin-top: .5rem; }
"""


def choices(name: str, question: str, panels: Mapping[str, str], chosen: str = "") -> str:
    """HTML of a question, a button for each answer, and the panel of the one that is chosen.

    Args:
        name: no other element of the page has it.
        question: above the buttons.
        panels: answer to the HTML that it shows.
        chosen: the answer shown first; the first one if not given.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"{name!r} is no name for an element: use small letters and hyphens.")
    first = chosen or next(iter(panels))
    buttons = "".join(
        f'<input type="radio" name="{name}" id="{name}-{number}"'
        f'{" checked" if answer == first else ""}><label for="{name}-{number}">'
        f"{escape(answer)}</label>" for number, answer in enumerate(panels))
    shown = "".join(f'<div class="choice" id="{name}-panel-{number}">{panel}</div>'
                    for number, panel in enumerate(panels.values()))
    rules = ", ".join(f"#{name}-{number}:checked ~ #{name}-panel-{number}"
                      for number in range(len(panels)))
    return (f"<style>{_STYLE}{rules} {{ display: block; }}</style>"
            f'<fieldset class="choices tex2jax_ignore"><legend>{escape(question)}</legend>'
            f"{buttons}{shown}</fieldset>")
