"""The claim ledger as one table that filters itself, and as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.config import document
from helpers.knobs.record import LIVE, NEVER_READ, NO_EFFECT, OTHERWISE, RAISES
from helpers.ledger import translations
from helpers.ledger.claims import (
    KINDS,
    UNTRIED,
    VERDICTS,
    Claim,
    counts,
    decided_by,
    findings,
    quoted,
    tally,
    tally_full_size,
)
from helpers.ledger.translations import chapter_title, word
from helpers.pages.filter_table import Choice, Column, Labels, Row, filter_table
from helpers.pages.tables import breakable, plain_table, with_code

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
    return [*filter(None, document.section_titles()), *_OTHER_SECTIONS]


def claim_table(claims: Iterable[Claim], language: str = "en", chapters: str = "") -> str:
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
    columns = (Column(say("Verdict"), "14%"), Column(say("What the document states"), "40%"),
               Column(say("What the cells found"), label=say("Found")),
               Column(say("Evidence"), "14%", say("Evidence")))
    choices = (
        Choice("verdict", say("Verdict"), say("any"),
               {verdict: word("verdicts", VERDICTS[verdict], language)
                for verdict in READING_ORDER}),
        Choice("kind", say("Kind"), say("any"),
               {kind: word("kinds", title, language) for kind, title in KINDS.items()}),
        Choice("section", say("Section"), say("all"),
               {str(section): section_title(section, language) for section in order}))
    labels = Labels(say("Filter the claims"), say("Words or a key"), say("Show all"),
                    say("{shown} of {all} claims shown"), say("{all} claims"),
                    say("Nothing matches: no claims are shown."))
    caption = say("Every statement of the source document, in our words and its own.")
    return filter_table("claim-table", caption, columns,
                        [_row(claim, language, chapters) for claim in rows], choices, labels)


def tally_table(claims: Iterable[Claim], caption: str, language: str = "en") -> str:
    """HTML of the number of claims by kind and verdict; effects at full size are a row apart."""
    claims = list(claims)
    shown = [verdict for verdict in VERDICTS if verdict != "untestable"]
    by_kind = tally(claims)
    lines = {KINDS[kind]: by_kind.pop(kind) for kind in ("value", "mechanism", "effect")}
    lines |= {"The same effects, at full size": tally_full_size(claims),
              **{KINDS[kind]: numbers for kind, numbers in by_kind.items()}}
    rows = [[word("kinds", title, language), *(numbers[verdict] or "–" for verdict in shown),
             numbers["untestable"] + numbers.get(UNTRIED, 0) or "–", sum(numbers.values())]
            for title, numbers in lines.items()]
    heads = [*(VERDICTS[verdict] for verdict in shown), "not testable or not tested"]
    return plain_table(
        [word("table", "Kind of statement", language),
         *(word("verdicts", head, language) for head in heads), word("table", "All", language)],
        rows, caption)


def findings_table(claims: Iterable[Claim], caption: str, language: str = "en") -> str:
    """HTML of the facts behind many verdicts, with the number of claims that each decides."""
    known = findings() if language == "en" else translations.findings(language)
    return plain_table(
        [word("table", "Finding", language), word("table", "Claims", language),
         word("table", "Evidence", language)],
        [[known[name].text, len(decided), chapter_title(known[name].chapter, language)]
         for name, decided in decided_by(claims).items()], caption)


def found_bars(claims: Iterable[Claim], knob_verdicts: Sequence[str]) -> Figure:
    """What became of the claims of each kind and of all keys: bars with one meaning to a colour.

    Claims that are not testable are in no bar.

    Args:
        knob_verdicts: the knob test's verdict on each key.
    """
    turned = Counter(knob_verdicts)
    meaning = {"holds": "does what it says", "partly": "does something else",
               "fails": "changes nothing", "untestable": "raises on the values tried"}
    by_kind = tally(claims)
    rows = {f"{sum(by_kind[kind].values())} {title}": by_kind[kind] for kind, title in (
        ("value", "values"), ("mechanism", "mechanisms"), ("effect", "effects, on the mini"))}
    rows[f"{len(knob_verdicts)} keys"] = {
        "holds": turned[LIVE], "partly": turned[OTHERWISE],
        "fails": turned[NEVER_READ] + turned[NO_EFFECT], "untestable": turned[RAISES]}
    figure, axes = plt.subplots(figsize=(7.2, 2.9), layout="constrained")
    _stack(axes, rows, {verdict: of_key if verdict == "untestable" else
                        f"{VERDICTS[verdict]} / {of_key}" for verdict, of_key in meaning.items()},
           shares=True)
    axes.set(xlim=(0, 1), xticks=())
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def verdict_bars(claims: Iterable[Claim]) -> Figure:
    """Claims of each section of the document by verdict, as stacked bars."""
    claims = list(claims)
    rows = {section_title(section): counts(claim for claim in claims if claim.section == section)
            for section in section_order()}
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    _stack(axes, rows, VERDICTS, linewidth=0.5)
    axes.set_xlabel("claims")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def _stack(axes: Axes, rows: Mapping[str, Mapping[str, int]], labels: Mapping[str, str],
           shares: bool = False, **style: float) -> None:
    """Draw the numbers of each row beside one another, by verdict, or their shares of the row."""
    left = [0] * len(rows)
    for verdict, label in labels.items():
        numbers = [row[verdict] for row in rows.values()]
        widths = [number / sum(row.values()) if shares else number
                  for number, row in zip(numbers, rows.values(), strict=True)]
        axes.barh([*rows], widths, left=left, color=_COLOURS[verdict], edgecolor="white",
                  label=label, **style)
        for y, (start, width, number) in enumerate(zip(left, widths, numbers, strict=True)):
            if number:
                axes.text(start + width / 2, y, str(number), ha="center", va="center",
                          color="black")
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()


def summary(claims: Iterable[Claim]) -> dict[str, int]:
    """Numbers for the text: all claims, those of each kind, those of each kind and verdict, and the
    effects that nobody has tried at full size."""
    claims = list(claims)
    numbers = {"claims_all": len(claims), "claims_findings": len(findings()),
               "effect_untried": tally_full_size(claims)[UNTRIED]}
    for kind, by_verdict in tally(claims).items():
        numbers[f"{kind}_all"] = sum(by_verdict.values())
        if kind != "untestable":
            numbers |= {f"{kind}_{verdict}": by_verdict[verdict]
                        for verdict in ("holds", "partly", "fails")}
    return numbers


def _row(claim: Claim, language: str, chapters: str) -> Row:
    keys = " ".join(f"<code>{breakable(key)}</code>" for key in claim.keys[:3])
    more = ""
    if (rest := len(claim.keys) - 3) > 0:
        more = " " + word("table", "and {number} more", language).format(number=rest)
    section = section_title(claim.section, language)
    verdict = word("verdicts", VERDICTS[claim.verdict], language)
    if claim.full_size:
        large = word("verdicts", VERDICTS.get(claim.full_size, claim.full_size), language)
        verdict = word("table", "{verdict} on the mini; at full size: {large}", language).format(
            verdict=verdict, large=large)
    cells = (
        verdict,
        f"{with_code(claim.text)}<small>{quoted(claim)}</small>"
        f"<small>{escape(section)} {keys}{more}</small>",
        with_code(claim.reason()),
        f'<a href="{chapters}{claim.evidence}">{escape(chapter_title(claim.chapter, language))}'
        f'<span class="visually-hidden">, {escape(claim.id)}</span></a>')
    return Row(f"ledger-{claim.id}", cells,
               " ".join([claim.text, claim.quote, claim.reason(), *claim.keys]),
               {"verdict": [claim.verdict], "kind": [claim.kind], "section": [str(claim.section)]},
               heading=1, marked=f"claim-{claim.verdict}")

