"""The cheat sheet as HTML: two sheets of paper, and a page that reads well on a screen.

Its style (`assets/cheat_sheet.css`) prints the two sheets and nothing else of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from helpers.config import configs
from helpers.config.recommended import SHORT
from helpers.config.values import SHORT_NAMES
from helpers.knobs import record
from helpers.ledger.claims import Claim, quoted
from helpers.ledger.translations import chapter_title, translated, word
from helpers.pages import cheat_sheet
from helpers.pages.cheat_sheet import FILLED, MAIN, LaunchStep, Setting
from helpers.pages.claim_table import section_title
from helpers.pages.key_index import COMPARISON, KNOBS
from helpers.pages.palette import ASSETS
from helpers.pages.tables import breakable

INDEXED, COMPARED, TURNED = "key_index.html#index", f"{COMPARISON}.html#key", f"{KNOBS}.html#knob"
"""Page and beginning of the anchor of a key: all about it, its values, what turning it did."""

IDLE_TITLES = {record.NEVER_READ: "Keys that nothing reads",
               record.NO_EFFECT: "Keys that are read without effect"}
LEAD = ("Values of <code>recommended_8k.yaml</code> beside those of the main config, "
        "<code>{main}.yaml</code>, both merged over the pretrained one. <b>Bold</b>: the two "
        "differ. {filled}: the file leaves it out, the pretrained config sets it. {grades}.")
LONG, BELOW = 11, "below"
"""A value of more characters stands below its row."""


def sheet(language: str = "en", chapters: str = "") -> str:
    """HTML of both sheets, with the style and the button that prints them.

    Args:
        language: of everything but the document's own words, keys and commands.
        chapters: the folder of the chapters' pages, seen from the page of the sheet.
    """
    style, script = ((ASSETS / f"cheat_sheet.{suffix}").read_text(encoding="utf-8")
                     for suffix in ("css", "js"))
    sheets = _SheetInWords(language, chapters)
    return (f"<style>{style}</style>\n"
            '<div class="cheat-sheet tex2jax_ignore">\n'
            '<button type="button" class="cheat-print" hidden>'
            f'{escape(sheets.say("Print or save as PDF"))}</button>\n'
            f"{sheets.settings()}\n{sheets.surprises()}\n</div>\n<script>{script.rstrip()}</script>")


@dataclass(frozen=True)
class _SheetInWords:
    """The two sheets in a language."""

    language: str
    chapters: str

    def say(self, text: str, group: str = "sheet") -> str:
        return word(group, text, self.language)

    def settings(self) -> str:
        settings, rest = cheat_sheet.settings(), cheat_sheet.as_pretrained()
        sections = {number: [setting for setting in settings if setting.section == number]
                    for number in dict.fromkeys(setting.section for setting in settings)}
        tables = "".join(self._section(number, within, rest.get(number, []))
                         for number, within in sections.items())
        grades = "; ".join(f"[{mark}] {self.say(grade)}" for grade, mark in SHORT.items())
        lead = self.say(LEAD).format(main=MAIN, filled=FILLED, grades=grades)
        return self._page("What to set", lead, tables)

    def surprises(self) -> str:
        steps = "".join(map(self._step, cheat_sheet.steps()))
        parts = [self._part("The order of a safe run", f"<ol>{steps}</ol>"),
                 self._part("What the document says, and does not hold",
                            self._claims(cheat_sheet.failing()))]
        parts += [self._part(f"Half true, at the cost of {stake}", self._claims(claims))
                  for stake, claims in cheat_sheet.expensive().items()]
        notes = "".join(f"<li>{self._key_link(knob.key, knob.key, TURNED)}: "
                        f"{escape(self.say(knob.note))}</li>" for knob in cheat_sheet.otherwise())
        parts.append(self._part("Keys that do something else", f"<ul role='list'>{notes}</ul>"))
        stop = self.say(".")
        parts += [self._part(IDLE_TITLES[verdict], f"<p>{self._grouped(keys, TURNED)}{stop}</p>")
                  for verdict, keys in cheat_sheet.idle().items()]
        return self._page("What does not work as it seems", "", "".join(parts))

    def _page(self, title: str, lead: str, body: str) -> str:
        lead = f'<p class="cheat-lead">{lead}</p>' if lead else ""
        return (f'<section class="cheat-page"><h2>{escape(self.say(title))}</h2>{lead}'
                f'<div class="cheat-columns">{body}</div></section>')

    def _part(self, title: str, body: str) -> str:
        return f'<div class="cheat-part"><h3>{escape(self.say(title))}</h3>{body}</div>\n'

    def _section(self, number: int, settings: Sequence[Setting], rest: Sequence[str]) -> str:
        title = (section_title(number, self.language) if number
                 else self.say("Not in the document"))
        rows = "".join(map(self._row, settings))
        left = (f'<p class="cheat-rest">{escape(self.say("As pretrained in both"))}: '
                f"{self._grouped(rest, COMPARED)}{self.say('.')}</p>" if rest else "")
        heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in self._heads())
        return (f'<div class="cheat-part"><table><thead><tr><th scope="col"><h3>{escape(title)}'
                f"</h3></th>{heads}</tr></thead>{rows}</table>{left}</div>\n")

    def _heads(self) -> tuple[str, str]:
        return self.say("Set"), self.say(SHORT_NAMES[MAIN].capitalize())

    def _row(self, setting: Setting) -> str:
        """A setting as two rows: key and values; the reason, and values too long for a column."""
        values = dict(zip(self._heads(), (setting.ours, setting.main), strict=True))
        cells = "".join(f"<td>{self.say(BELOW) if len(value) > LONG else self._code(value)}</td>"
                        for value in values.values())
        stop = self.say(".")
        more = "".join(f" {name}: {self._code(value)}{stop}" for name, value in values.items()
                       if len(value) > LONG)
        differs = " cheat-differs" if setting.differs else ""
        grade = f'<abbr title="{escape(self.say(setting.grade))}">{SHORT[setting.grade]}</abbr>'
        why = _marked(self.say(setting.why, "reasons").rstrip("."))
        return (f'<tbody class="cheat-setting{differs}"><tr>'
                f'<th scope="row">{self._names(setting.keys)}</th>{cells}</tr><tr>'
                f'<td colspan="{1 + len(values)}">[{grade}] {why}{stop}{more} '
                f"{self._link(setting.chapter, '', setting.keys[0])}"
                "</td></tr></tbody>\n")

    def _names(self, keys: Sequence[str]) -> str:
        """The key with its link, or the part that several keys share."""
        known = {row.key for row in configs.compare()}
        first = keys[0]
        linked = (self._key_link(first, first, INDEXED) if first in known
                  else f"<code>{breakable(first)}</code>")
        parents = dict.fromkeys(key.rpartition(".")[0] for key in keys[1:])
        return ", ".join([linked, *(f"<code>{breakable(parent)}</code>" for parent in parents)])

    def _claims(self, claims: Iterable[Claim]) -> str:
        chosen = list(claims)
        if self.language != "en":
            known = {claim.id: claim for claim in translated(self.language)}
            chosen = [known[claim.id] for claim in chosen]
        items = "".join(
            f"<li><i>{quoted(claim)}</i> {_marked(claim.reason())} "
            f"{self._link(claim.chapter, f'claim-{claim.id}', claim.id)}</li>"
            for claim in chosen)
        return f'<ul role="list">{items}</ul>'

    def _step(self, step: LaunchStep) -> str:
        words = re.split(r" (?=--)", step.command)
        command = " ".join(
            f'<code class="cheat-whole">{escape(word)}</code>' if word[:2] == "--" else
            f"<code>{breakable(word)}</code>" for word in words if word)
        title = self.say(step.title)
        return f"<li>{escape(title)} {command} {self._link(step.chapter, '', title)}</li>"

    def _grouped(self, keys: Iterable[str], target: str) -> str:
        """Keys in one line, those of a part of the config together, each linked to the target."""
        groups: dict[str, list[str]] = {}
        for key in keys:
            groups.setdefault(key.rpartition(".")[0], []).append(key)
        return "; ".join(
            (f"<b><code>{breakable(parent)}</code></b> " if parent else "") + ", ".join(
                self._key_link(key, key.rpartition(".")[2], target) for key in own)
            for parent, own in sorted(groups.items()))

    def _key_link(self, key: str, text: str, target: str) -> str:
        return (f'<a href="{self.chapters}{target}-{escape(key)}">'
                f"<code>{breakable(text)}</code></a>")

    def _link(self, chapter: str, anchor: str, about: str) -> str:
        fragment = f"#{escape(anchor)}" if anchor else ""
        title = chapter_title(chapter, self.language)
        return (f'<a class="cheat-more" href="{self.chapters}{chapter}.html{fragment}">'
                f'{escape(title)}<span class="visually-hidden">, {escape(about)}</span></a>')

    def _code(self, value: str) -> str:
        if value == cheat_sheet.LEFT_OUT:
            return self.say(value)
        own = value.removesuffix(FILLED)
        return f"<code>{breakable(own)}</code>{FILLED if own != value else ''}"


def _marked(text: str) -> str:
    """Escaped text in which `backticks` mean code."""
    parts = text.split("`")
    return "".join(f"<code>{breakable(part)}</code>" if number % 2 else escape(part)
                   for number, part in enumerate(parts))
