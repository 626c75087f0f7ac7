"""The cheat sheet as HTML: two sheets of paper, and a page that reads well on a screen.

Its style (`assets/cheat_sheet.css`) prints the two sheets and nothing else of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from helpers.config import configs
from helpers.config.recommended import SHORT
from helpers.config.values import SHORT_NAMES
from helpers.knobs import record
from helpers.ledger.claims import Claim, quoted
from helpers.pages import cheat_sheet
from helpers.pages.cheat_sheet import FILLED, MAIN, LaunchStep, Setting
from helpers.pages.claim_table import section_title
from helpers.pages.filter_table import ASSETS
from helpers.pages.key_index import COMPARISON, KNOBS
from helpers.pages.tables import breakable

INDEXED, COMPARED, TURNED = "key_index.html#index", f"{COMPARISON}.html#key", f"{KNOBS}.html#knob"
"""Page and beginning of the anchor of a key: all about it, its values, what turning it did."""

IDLE_TITLES = {record.NEVER_READ: "Keys that nothing reads",
               record.NO_EFFECT: "Keys that are read without effect"}
LONG, BELOW = 11, "below"
"""A value of more characters stands below its row."""

_SCRIPT = """<script>(() => {
  const button = document.querySelector(".cheat-print");
  button.hidden = false;
  button.addEventListener("click", () => window.print());
})();</script>"""


def sheet() -> str:
    """HTML of both sheets, with the style and the button that prints them."""
    style = (ASSETS / "cheat_sheet.css").read_text(encoding="utf-8")
    return (f"<style>{style}</style>\n"
            '<div class="cheat-sheet tex2jax_ignore">\n'
            '<button type="button" class="cheat-print" hidden>Print or save as PDF</button>\n'
            f"{_settings_sheet()}\n{_surprises_sheet()}\n</div>\n{_SCRIPT}")


def _settings_sheet() -> str:
    settings, rest = cheat_sheet.settings(), cheat_sheet.as_pretrained()
    sections = {number: [setting for setting in settings if setting.section == number]
                for number in dict.fromkeys(setting.section for setting in settings)}
    tables = "".join(_section(number, within, rest.get(number, []))
                     for number, within in sections.items())
    return _sheet("What to set", (
        "Values of <code>recommended_8k.yaml</code> beside those of the main config, "
        f"<code>{MAIN}.yaml</code>, both merged over the pretrained one. "
        f"<b>Bold</b>: the two differ. {FILLED}: the file leaves it out, the pretrained config "
        f"sets it. {'; '.join(f'[{mark}] {grade}' for grade, mark in SHORT.items())}."), tables)


def _surprises_sheet() -> str:
    steps = "".join(map(_step, cheat_sheet.steps()))
    parts = [_part("The order of a safe run", f"<ol>{steps}</ol>"),
             _part("What the document says, and does not hold", _claims(cheat_sheet.failing()))]
    parts += [_part(f"Half true, at the cost of {stake}", _claims(claims))
              for stake, claims in cheat_sheet.expensive().items()]
    notes = "".join(f"<li>{_key_link(knob.key, knob.key, TURNED)}: {escape(knob.note)}</li>"
                    for knob in cheat_sheet.otherwise())
    parts.append(_part("Keys that do something else", f"<ul role='list'>{notes}</ul>"))
    parts += [_part(IDLE_TITLES[verdict], f"<p>{_grouped(keys, TURNED)}.</p>")
              for verdict, keys in cheat_sheet.idle().items()]
    return _sheet("What does not work as it seems", "", "".join(parts))


def _sheet(title: str, lead: str, body: str) -> str:
    lead = f'<p class="cheat-lead">{lead}</p>' if lead else ""
    return (f'<section class="cheat-page"><h2>{escape(title)}</h2>{lead}'
            f'<div class="cheat-columns">{body}</div></section>')


def _part(title: str, body: str) -> str:
    return f'<div class="cheat-part"><h3>{escape(title)}</h3>{body}</div>\n'


def _section(number: int, settings: Sequence[Setting], rest: Sequence[str]) -> str:
    title = section_title(number) if number else "Not in the document"
    rows = "".join(map(_row, settings))
    left = (f'<p class="cheat-rest">As pretrained in both: {_grouped(rest, COMPARED)}.</p>'
            if rest else "")
    return (f'<div class="cheat-part"><table><thead><tr><th scope="col"><h3>{escape(title)}</h3>'
            f'</th><th scope="col">Set</th><th scope="col">{SHORT_NAMES[MAIN].capitalize()}</th>'
            f"</tr></thead>{rows}</table>{left}</div>\n")


def _row(setting: Setting) -> str:
    """A setting as two rows: key and values; the reason, and values too long for a column."""
    values = {"Set": setting.ours, SHORT_NAMES[MAIN].capitalize(): setting.main}
    cells = "".join(f"<td>{BELOW if len(value) > LONG else _code(value)}</td>"
                    for value in values.values())
    more = "".join(f" {name}: {_code(value)}." for name, value in values.items()
                   if len(value) > LONG)
    differs = " cheat-differs" if setting.differs else ""
    grade = f'<abbr title="{escape(setting.grade)}">{SHORT[setting.grade]}</abbr>'
    return (f'<tbody class="cheat-setting{differs}"><tr>'
            f'<th scope="row">{_names(setting.keys)}</th>{cells}</tr><tr>'
            f'<td colspan="{1 + len(values)}">[{grade}] '
            f'{_marked(setting.why.rstrip("."))}.{more} '
            f"{_link(setting.chapter, '', _title(setting.chapter), setting.keys[0])}"
            "</td></tr></tbody>\n")


def _names(keys: Sequence[str]) -> str:
    """The key with its link, or the part that several keys share."""
    known = {row.key for row in configs.compare()}
    first = keys[0]
    linked = (_key_link(first, first, INDEXED) if first in known
              else f"<code>{breakable(first)}</code>")
    parents = dict.fromkeys(key.rpartition(".")[0] for key in keys[1:])
    return ", ".join([linked, *(f"<code>{breakable(parent)}</code>" for parent in parents)])


def _claims(claims: Iterable[Claim]) -> str:
    items = "".join(
        f"<li><i>{quoted(claim)}</i> {_marked(claim.reason())} "
        f"{_link(claim.chapter, f'claim-{claim.id}', _title(claim.chapter), claim.id)}</li>"
        for claim in claims)
    return f'<ul role="list">{items}</ul>'


def _step(step: LaunchStep) -> str:
    words = re.split(r" (?=--)", step.command)
    command = " ".join(f'<code class="cheat-whole">{escape(word)}</code>' if word[:2] == "--" else
                       f"<code>{breakable(word)}</code>" for word in words if word)
    return (f"<li>{escape(step.title)} {command} "
            f"{_link(step.chapter, '', _title(step.chapter), step.title)}</li>")


def _grouped(keys: Iterable[str], target: str) -> str:
    """Keys in one line, those of a part of the config together, each with a link.

    Args:
        target: page and beginning of the anchor that a key leads to.
    """
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(key.rpartition(".")[0], []).append(key)
    return "; ".join((f"<b><code>{breakable(parent)}</code></b> " if parent else "") + ", ".join(
        _key_link(key, key.rpartition(".")[2], target) for key in own)
        for parent, own in sorted(groups.items()))


def _key_link(key: str, text: str, target: str) -> str:
    return f'<a href="{target}-{escape(key)}"><code>{breakable(text)}</code></a>'


def _link(page: str, anchor: str, text: str, about: str) -> str:
    fragment = f"#{escape(anchor)}" if anchor else ""
    return (f'<a class="cheat-more" href="{page}.html{fragment}">{escape(text)}'
            f'<span class="visually-hidden">, {escape(about)}</span></a>')


def _title(chapter: str) -> str:
    return chapter.replace("_", " ")


def _marked(text: str) -> str:
    """Escaped text in which `backticks` mean code."""
    parts = text.split("`")
    return "".join(f"<code>{breakable(part)}</code>" if number % 2 else escape(part)
                   for number, part in enumerate(parts))


def _code(value: str) -> str:
    if value == cheat_sheet.LEFT_OUT:
        return value
    own = value.removesuffix(FILLED)
    return f"<code>{breakable(own)}</code>{FILLED if own != value else ''}"
