"""The claim ledger as one table that filters itself, and as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from matplotlib.figure import Figure

from helpers import document
from helpers.claims import VERDICTS, Claim, counts
from helpers.filter_table import Choice, Column, Row, filter_table

READING_ORDER = ("fails", "partly", "holds", "untestable")
"""The verdicts as the table lists them: what changes a decision comes first."""

_OTHER_SECTIONS = {"impact": "Training impact summary", "checklist": "Pre-training checklist",
                   "format": "The document's signs"}
_COLOURS = {"holds": "#009e73", "partly": "#e69f00", "fails": "#d55e00", "untestable": "#8c8c8c"}


def section_title(section: int | str) -> str:
    """A section of the document as a reader knows it."""
    if section in _OTHER_SECTIONS:
        return _OTHER_SECTIONS[section]
    return f"{section}. {document.section_titles()[section]}"


def section_order() -> list[int | str]:
    """The document's sections, in its own order."""
    return [number for number in sorted(document.section_titles()) if number] + [*_OTHER_SECTIONS]


def claim_table(claims: Iterable[Claim], table_id: str = "claim-table") -> str:
    """HTML of the ledger, sorted by verdict and then by section."""
    order = section_order()
    rows = sorted(claims, key=lambda claim: (READING_ORDER.index(claim.verdict),
                                             order.index(claim.section)))
    columns = (Column("Verdict", "14%"), Column("What the document states", "38%"),
               Column("What the cells found", label="Found"), Column("Evidence", "14%", "Evidence"))
    choices = (
        Choice("verdict", "Verdict", "any", {one: VERDICTS[one] for one in READING_ORDER}),
        Choice("section", "Section", "all", {str(one): section_title(one) for one in order}))
    return filter_table(table_id, "Every statement of the source document, in our words.", columns,
                        [_row(claim) for claim in rows], choices, "claims")


def verdict_bars(claims: Iterable[Claim]) -> Figure:
    """Claims of each section of the document by verdict, as stacked bars."""
    from matplotlib import pyplot as plt

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


def _row(claim: Claim) -> Row:
    keys = " ".join(f"<code>{escape(key)}</code>" for key in claim.keys[:3])
    more = f" and {len(claim.keys) - 3} more" if len(claim.keys) > 3 else ""
    cells = (
        VERDICTS[claim.verdict],
        f"{escape(claim.text)}<small>{escape(section_title(claim.section))} {keys}{more}</small>",
        escape(claim.reason()),
        f'<a href="{claim.evidence}">{escape(claim.chapter.replace("_", " "))}'
        f'<span class="visually-hidden">, {escape(claim.id)}</span></a>')
    return Row(f"ledger-{claim.id}", cells, " ".join([claim.text, claim.reason(), *claim.keys]),
               {"verdict": [claim.verdict], "section": [str(claim.section)]}, heading=1,
               marked=f"claim-{claim.verdict}")
