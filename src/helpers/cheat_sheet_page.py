"""The cheat sheet as HTML: two sheets of paper, and a page that reads well on a screen.

Its style (`assets/cheat_sheet.css`) prints the two sheets and nothing else of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from helpers import cheat_sheet, configs, knobs
from helpers.cheat_sheet import MAIN, Setting, Step
from helpers.claim_table import section_title
from helpers.claims import Claim
from helpers.config_table import SHORT_NAMES
from helpers.filter_table import ASSETS, breakable
from helpers.key_index import COMPARISON, KNOBS

INDEX = "key_index"
IDLE_TITLES = {knobs.NEVER_READ: "Keys that nothing reads",
               knobs.NO_EFFECT: "Keys that are read without effect"}
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
    sections = dict.fromkeys(one.section for one in settings)
    tables = "".join(_section(number, [one for one in settings if one.section == number],
                              rest.get(number, [])) for number in sections)
    return _sheet("What to set", (
        "Values of <code>recommended_8k.yaml</code> beside those of the main config, "
        f"<code>{MAIN}.yaml</code>, both merged over the pretrained one. "
        "<b>Bold</b>: the two differ."), tables)


def _surprises_sheet() -> str:
    parts = [_part("The order of a safe run", f"<ol>{''.join(map(_step, cheat_sheet.steps()))}</ol>"),
             _part("What the document says, and does not hold",
                   _claims(cheat_sheet.failing()))]
    parts += [_part(f"Half true, at the cost of {stake}", _claims(found))
              for stake, found in cheat_sheet.expensive().items()]
    notes = "".join(f"<li>{_knob_link(knob.key, knob.key)}: {escape(knob.note)}</li>"
                    for knob in cheat_sheet.otherwise())
    parts.append(_part("Keys that do something else", f"<ul>{notes}</ul>"))
    parts += [_part(IDLE_TITLES[verdict], _grouped(keys))
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
    left = (f'<p class="cheat-rest">As pretrained in both: {_grouped_names(rest)}.</p>'
            if rest else "")
    return _part(title, (
        f'<table><thead><tr><th scope="col">Key</th><th scope="col">Set</th>'
        f'<th scope="col">{SHORT_NAMES[MAIN].capitalize()}</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{left}"))


def _row(one: Setting) -> str:
    values = (f"<td>{_code(one.ours)}</td><td>{_code(one.main)}</td>" if len(one.keys) == 1 else
              f'<td colspan="2">{_code(one.ours)}; main: {_code(one.main)}</td>')
    page, _, anchor = one.chapter.partition("#")
    why = (f"{escape(one.why.rstrip('.'))} "
           f"{_link(page, anchor, _title(page), one.keys[0])}")
    kind = ' class="cheat-differs"' if one.differs else ""
    return (f'<tr{kind}><th scope="row">{_names(one.keys)}<small>{why}</small></th>'
            f"{values}</tr>\n")


def _names(keys: Sequence[str]) -> str:
    """The key with its link, or the part that several keys share."""
    known = {row.key for row in configs.compare()}
    first = keys[0]
    shown = f"<code>{breakable(first)}</code>"
    linked = (f'<a href="{INDEX}.html#index-{escape(first)}">{shown}</a>' if first in known
              else shown)
    parents = dict.fromkeys(key.rpartition(".")[0] for key in keys[1:])
    return ", ".join([linked, *(f"<code>{breakable(one)}</code>" for one in parents)])


def _claims(found: Iterable[Claim]) -> str:
    items = "".join(
        f"<li>{_quoted(claim.text)} <b>{_marked(claim.reason())}</b> "
        f"{_link(claim.chapter, f'claim-{claim.id}', _title(claim.chapter), claim.id)}</li>"
        for claim in found)
    return f"<ul>{items}</ul>"


def _step(step: Step) -> str:
    command = f"<code>{breakable(step.command)}</code> " if step.command else ""
    return (f"<li>{escape(step.title)} {command}"
            f"{_link(step.chapter, '', _title(step.chapter), step.title)}</li>")


def _grouped(keys: Iterable[str]) -> str:
    """Keys by their section, each leading to its row of the knob test."""
    groups = _by_parent(keys)
    return "<ul>" + "".join(
        f"<li>{f'<code>{escape(parent)}</code>: ' if parent else ''}"
        + ", ".join(_knob_link(f"{parent}.{name}" if parent else name, name) for name in names)
        + "</li>" for parent, names in groups.items()) + "</ul>"


def _grouped_names(keys: Iterable[str]) -> str:
    known = _by_parent(keys)
    return "; ".join((f"<code>{escape(parent)}</code> " if parent else "") + ", ".join(
        f'<a href="{COMPARISON}.html#key-{escape(f"{parent}.{name}" if parent else name)}">'
        f"<code>{breakable(name)}</code></a>" for name in names)
        for parent, names in known.items())


def _by_parent(keys: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key in keys:
        parent, _, name = key.rpartition(".")
        groups.setdefault(parent, []).append(name)
    return dict(sorted(groups.items()))


def _knob_link(key: str, text: str) -> str:
    return f'<a href="{KNOBS}.html#knob-{escape(key)}"><code>{breakable(text)}</code></a>'


def _link(page: str, anchor: str, text: str, about: str) -> str:
    place = f"#{escape(anchor)}" if anchor else ""
    return (f'<a class="cheat-more" href="{page}.html{place}">{escape(text)}'
            f'<span class="visually-hidden">, {escape(about)}</span></a>')


def _title(chapter: str) -> str:
    return chapter.replace("_", " ")


def _quoted(text: str) -> str:
    return f"\u201c{_marked(text.rstrip('.'))}.\u201d"


def _marked(text: str) -> str:
    """Escaped text in which `backticks` mean code."""
    parts = text.split("`")
    return "".join(f"<code>{breakable(part)}</code>" if number % 2 else escape(part)
                   for number, part in enumerate(parts))


def _code(value: str) -> str:
    if value == cheat_sheet.LEFT_OUT:
        return value
    own, _, rest = value.partition(" (pretrained)")
    return f"<code>{breakable(own)}</code>" + (" (pretrained)" if own != value else "") + rest
