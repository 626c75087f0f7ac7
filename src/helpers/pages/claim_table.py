"""The claim ledger as one table that filters itself, and as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from helpers.config import document
from helpers.knobs.record import LIVE, NEVER_READ, NO_EFFECT, OTHERWISE, RAISES
from helpers.ledger.claims import VERDICTS, Claim, counts
from helpers.ledger.translations import word
from helpers.pages.filter_table import Choice, Column, Labels, Row, filter_table
from helpers.pages.tables import breakable

READING_ORDER = ("fails", "partly", "holds", "untestable")
"""The verdicts as the table lists them: what changes a decision comes first."""

_OTHER_SECTIONS = {"impact": "Training impact summary", "checklist": "Pre-training checklist",
                   "format": "The document's signs"}
_COLOURS = {"holds": "#009e73", "partly": "#e69f00", "fails": "#d55e00", "untestable": "#8c8c8c"}


def section_title(section: int | str, language: str = "en") -> str:
    """A section of the document as a reader knows it."""
    if section in _OTHER_SECTIONS:
        return word("sections", _OTHER_SECTIONS[section], language)
    return f"{section}. {word('sections', document.section_titles()[section], language)}"


def section_order() -> list[int | str]:
    """The document's sections, in its own order."""
    return [number for number in sorted(document.section_titles()) if number] + [*_OTHER_SECTIONS]


def claim_table(claims: Iterable[Claim], table_id: str = "claim-table", language: str = "en",
                chapters: str = "") -> str:
    """HTML of the ledger, sorted by verdict and then by section.

    Args:
        language: of the headings and titles; the claims come as they are to be shown.
        chapters: the folder of the chapters' pages, seen from the page of the table.
    """
    def say(text: str) -> str:
        return word("table", text, language)

    order = section_order()
    rows = sorted(claims, key=lambda claim: (READING_ORDER.index(claim.verdict),
                                             order.index(claim.section)))
    columns = (Column(say("Verdict"), "14%"), Column(say("What the document states"), "38%"),
               Column(say("What the cells found"), label=say("Found")),
               Column(say("Evidence"), "14%", say("Evidence")))
    choices = (
        Choice("verdict", say("Verdict"), say("any"),
               {verdict: word("verdicts", VERDICTS[verdict], language)
                for verdict in READING_ORDER}),
        Choice("section", say("Section"), say("all"),
               {str(section): section_title(section, language) for section in order}))
    labels = Labels(say("Filter the claims"), say("Words or a key"), say("Show all"),
                    say("{shown} of {all} claims shown"), say("{all} claims"))
    return filter_table(table_id, say("Every statement of the source document, in our words."),
                        columns, [_row(claim, language, chapters) for claim in rows], choices,
                        "claims", labels)


def count_table(claims: Iterable[Claim], caption: str, language: str = "en") -> str:
    """HTML of the number of claims by section and verdict: what `verdict_bars` draws."""
    claims, order = list(claims), section_order()
    heads = [word("table", "Section", language),
             *(word("verdicts", VERDICTS[verdict], language) for verdict in VERDICTS)]
    lines = [(section_title(section, language), counts(c for c in claims if c.section == section))
             for section in order]
    lines.append((word("table", "All", language), counts(claims)))
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(f'<tr><th scope="row">{escape(title)}</th>'
                   + "".join(f"<td>{number or '–'}</td>" for number in numbers.values()) + "</tr>"
                   for title, numbers in lines)
    return (f'<div class="table-wrap"><table class="table plain-table claim-counts '
            f'tex2jax_ignore"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def found_bars(claims: Iterable[Claim], knob_verdicts: Sequence[str]) -> Figure:
    """What became of all claims and of all keys, as two bars with one meaning to a colour.

    Args:
        knob_verdicts: the knob test's verdict on each key.
    """
    claimed = counts(claims)
    turned = Counter(knob_verdicts)
    parts = (("holds", "does what it says", turned[LIVE]),
             ("partly", "does something else", turned[OTHERWISE]),
             ("fails", "changes nothing", turned[NEVER_READ] + turned[NO_EFFECT]),
             ("untestable", "raises on the values tried", turned[RAISES]))
    rows = (f"{sum(claimed.values())} statements", f"{len(knob_verdicts)} keys")
    figure, axes = plt.subplots(figsize=(7.2, 2.1), layout="constrained")
    left = [0.0, 0.0]
    for verdict, of_key, keys in parts:
        numbers = (claimed[verdict], keys)
        shares = [number / total for number, total in
                  zip(numbers, (sum(claimed.values()), len(knob_verdicts)), strict=True)]
        axes.barh(rows, shares, left=left, color=_COLOURS[verdict], edgecolor="white",
                  label=f"{VERDICTS[verdict]} / {of_key}")
        for row, (start, share, number) in enumerate(zip(left, shares, numbers, strict=True)):
            axes.text(start + share / 2, row, str(number), ha="center", va="center", color="black")
        left = [start + share for start, share in zip(left, shares, strict=True)]
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xticks=())
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def verdict_bars(claims: Iterable[Claim]) -> Figure:
    """Claims of each section of the document by verdict, as stacked bars."""
    claims = list(claims)
    order = section_order()
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    left = [0] * len(order)
    for verdict in ("holds", "partly", "fails", "untestable"):
        number = [sum(c.section == section and c.verdict == verdict for c in claims)
                  for section in order]
        axes.barh([section_title(section) for section in order], number, left=left,
                  color=_COLOURS[verdict], label=VERDICTS[verdict], edgecolor="white",
                  linewidth=0.5)
        for row, (start, count) in enumerate(zip(left, number, strict=True)):
            if count:
                axes.text(start + count / 2, row, str(count), ha="center", va="center",
                          color="black")
        left = [start + count for start, count in zip(left, number, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("claims")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def summary(claims: Iterable[Claim]) -> dict[str, int]:
    """Numbers for the text: all claims, and those of each verdict."""
    claims = list(claims)
    return {"claims_all": len(claims),
            **{f"claims_{verdict}": number for verdict, number in counts(claims).items()}}


def _row(claim: Claim, language: str, chapters: str) -> Row:
    keys = " ".join(f"<code>{breakable(key)}</code>" for key in claim.keys[:3])
    more = ""
    if (left := len(claim.keys) - 3) > 0:
        more = " " + word("table", "and {number} more", language).format(number=left)
    title = word("chapters", claim.chapter.replace("_", " "), language)
    section = section_title(claim.section, language)
    cells = (
        word("verdicts", VERDICTS[claim.verdict], language),
        f"{escape(claim.text)}<small>{escape(section)} {keys}{more}</small>",
        escape(claim.reason()),
        f'<a href="{chapters}{claim.evidence}">{escape(title)}'
        f'<span class="visually-hidden">, {escape(claim.id)}</span></a>')
    return Row(f"ledger-{claim.id}", cells, " ".join([claim.text, claim.reason(), *claim.keys]),
               {"verdict": [claim.verdict], "section": [str(claim.section)]}, heading=1,
               marked=f"claim-{claim.verdict}")
