"""The knob test as a table that filters itself, and as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.errors import BookError
from helpers.knobs.record import (
    LIVE,
    NEVER_READ,
    NO_EFFECT,
    OTHERWISE,
    RAISES,
    VERDICTS,
    Knob,
    result_text,
    rows,
)
from helpers.pages.filter_table import Choice, Column, Row, english, filter_table, same
from helpers.pages.tables import breakable, plain_table, with_code

PLACES_SHOWN = 2


def section_table(*prefixes: str, caption: str = "") -> str:
    """HTML table of `rows(*prefixes)`: key, what was tried, result, what moved, where read."""
    lines = [[f"`{knob.key}`", "; ".join(knob.tried), result_text(knob),
              ", ".join(knob.moved) or "nothing",
              "; ".join(knob.read_at[:PLACES_SHOWN]) or "nowhere on this path"]
             for knob in rows(*prefixes)]
    return plain_table(["Key", "Tried", "Result", "What moved", "Where read"], lines, caption)


GROUPS = ("model", "audio_encoder", "llm", "audio_adaptor", "ctc", "frontend", "specaug",
          "train_conf", "optim and scheduler", "dataset", "tokenizer", "other")
"""Parts of a config, in the order of its file."""
_OF = {"ctc_decoder": "ctc", "detach_ctc_decoder": "ctc", "ctc_weight": "ctc",
       "optim": GROUPS[8], "scheduler": GROUPS[8], "train": "train_conf"}
_MARKS = {LIVE: ("s", "\u25a0"), OTHERWISE: ("^", "\u25b2"), RAISES: ("D", "\u25c6"),
          NO_EFFECT: ("o", "\u25cf"), NEVER_READ: ("X", "\u2716")}
"""Verdict to its marker in the picture, and the same as a letter."""


def group_of(key: str) -> str:
    """The part of a config that a key belongs to, one of GROUPS."""
    first = key.partition(".")[0].removesuffix("_conf")
    name = _OF.get(first, first)
    return name if name in GROUPS else GROUPS[-1]


def tiles(knobs: Iterable[Knob]) -> Figure:
    """One mark for each key, in a row for each part of the config, by result."""
    knobs = list(knobs)
    figure, axes = plt.subplots(figsize=(7.2, 4.8), layout="constrained")
    for number, (verdict, (marker, _)) in enumerate(_MARKS.items()):
        places = [(column, row) for row, group in enumerate(GROUPS)
                  for column, knob in enumerate(_in_order(knobs, group))
                  if knob.verdict == verdict]
        if places:
            axes.scatter(*zip(*places, strict=True), marker=marker, color=f"C{number}", s=90,
                         label=f"{verdict} ({len(places)})")
    axes.set(yticks=range(len(GROUPS)), yticklabels=GROUPS, xticks=[])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def counts_table(knobs: Iterable[Knob]) -> str:
    """HTML: the number of keys of each result, for each part of the config and in all."""
    knobs = list(knobs)
    rows = [[group, *_counted([knob for knob in knobs if group_of(knob.key) == group])]
            for group in GROUPS]
    return plain_table(["Part", *VERDICTS, "keys"], [*rows, ["All", *_counted(knobs)]])


def filterable_table(knobs: Sequence[Knob]) -> str:
    """HTML of every key: what was tried, the result, what moved, where it is read."""
    columns = (Column("Key and what was tried", "27%"), Column("Result", "28%", "Result"),
               Column("What moved", label="Moved"), Column("Where read", "22%", "Read"))
    parts = sorted({part for knob in knobs for part in knob.moved})
    choices = (Choice("verdict", "Result", "any", same(VERDICTS)),
               Choice("group", "Part", "all", same(GROUPS)),
               Choice("moved", "What moved", "anything", same(parts)))
    return filter_table("knob-table", "Every key of the three configs, and what turning it did.",
                        columns, list(map(_row, knobs)), choices, english("keys"))


def _in_order(knobs: Sequence[Knob], group: str) -> list[Knob]:
    order = list(_MARKS)
    return sorted((knob for knob in knobs if group_of(knob.key) == group),
                  key=lambda knob: order.index(knob.verdict))


def _counted(knobs: Sequence[Knob]) -> list:
    counts = Counter(knob.verdict for knob in knobs)
    return [*(counts[verdict] or "" for verdict in VERDICTS), len(knobs)]


def _row(knob: Knob) -> Row:
    tried = "".join(f"<small><code>{breakable(change)}</code></small>" for change in knob.tried)
    note = f"<small>{with_code(knob.note)}</small>" if knob.note else ""
    cells = (
        f"<code>{breakable(knob.key)}</code>{tried}",
        f'<b class="ft-{VERDICTS.index(knob.verdict)}"><span aria-hidden="true">'
        f"{_MARKS[knob.verdict][1]}</span> {escape(knob.verdict)}</b>{note}",
        f'{escape(", ".join(knob.moved) or "nothing")}'
        f"<small>baseline: {escape(knob.baseline)}</small>",
        _places(knob))
    text = " ".join([knob.key, *knob.tried, knob.verdict, knob.note, *knob.read_at])
    return Row(f"knob-{knob.key}", cells, text, {
        "verdict": [knob.verdict], "group": [group_of(knob.key)], "moved": knob.moved})


def _places(knob: Knob) -> str:
    if knob.read_at:
        more = len(knob.read_at) - PLACES_SHOWN
        lines = [*map(breakable, knob.read_at[:PLACES_SHOWN]), *([f"and {more} more"] * (more > 0))]
        return "".join(f"<small>{line}</small>" for line in lines)
    if knob.elsewhere:
        return ("nowhere on this path<small>elsewhere: "
                f"{breakable(knob.elsewhere[0])}</small>")
    return "nowhere in the library"


CAUSES = ("no module is built that would read it", "a function takes it and drops it",
          "it vanishes among other keywords", "it is stored and not used",
          "it is overwritten before it is used")
"""Why a key changes nothing, in the order of what a reader can see in the code."""


def cause_of(knob: Knob) -> str:
    """Why turning this key changed nothing, one of CAUSES.

    Raises:
        BookError: the key did change something.
    """
    if knob.verdict not in (NEVER_READ, NO_EFFECT):
        raise BookError(f"`{knob.key}` is {knob.verdict}: only a key that changes nothing has a "
                        "cause for that.")
    if group_of(knob.key) == "specaug":
        return CAUSES[0]
    if knob.verdict == NO_EFFECT:
        return CAUSES[4] if "Overwritten" in knob.note else CAUSES[3]
    return CAUSES[1] if "never" in knob.note and "parameter" in knob.note else CAUSES[2]
