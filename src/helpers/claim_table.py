"""The claim ledger as one HTML table that filters itself, without a kernel.

The table is complete in the HTML; a short script (`assets/claim_table.js`) shows the filter
controls and hides rows, so with scripts off every claim is still there.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from helpers import document
from helpers.claims import VERDICTS, Claim, counts

ASSETS = Path(__file__).parent / "assets"
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
    head = "".join(f'<th scope="col">{title}</th>' for title in
                   ("Verdict", "What the document states", "What the cells found", "Evidence"))
    style = (ASSETS / "claim_table.css").read_text(encoding="utf-8")
    script = (ASSETS / "claim_table.js").read_text(encoding="utf-8")
    return f"""<style>{style}</style>
<div class="claim-table tex2jax_ignore" data-filter-table id="{escape(table_id)}">
{_controls()}
<p class="cl-count" role="status" aria-live="polite">{len(rows)} claims</p>
<table><caption>Every statement of the source document, in our words.</caption>
<thead><tr>{head}</tr></thead><tbody>
{"".join(map(_row, rows))}</tbody></table></div>
<script>{script.replace("TABLE_ID", escape(table_id))}</script>"""


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


def _controls() -> str:
    verdicts = "".join(f'<option value="{verdict}">{VERDICTS[verdict]}</option>'
                       for verdict in READING_ORDER)
    sections = "".join(f'<option value="{section}">{escape(section_title(section))}</option>'
                       for section in section_order())
    return f"""<form class="cl-controls" hidden aria-label="Filter the claims">
<label>Words or a key<input type="search" name="text" autocomplete="off" spellcheck="false"></label>
<label>Verdict<select name="verdict"><option value="">any</option>{verdicts}</select></label>
<label>Section<select name="section"><option value="">all</option>{sections}</select></label>
<button type="reset">Show all</button>
</form>"""


def _row(claim: Claim) -> str:
    keys = " ".join(f"<code>{escape(key)}</code>" for key in claim.keys[:3])
    more = f" and {len(claim.keys) - 3} more" if len(claim.keys) > 3 else ""
    text = " ".join([claim.text, claim.reason(), *claim.keys]).lower()
    return (f'<tr id="ledger-{claim.id}" data-verdict="{claim.verdict}" '
            f'data-section="{claim.section}" data-text="{escape(text)}">'
            f'<td class="cl-verdict claim-{claim.verdict}">{VERDICTS[claim.verdict]}</td>'
            f'<th scope="row">{escape(claim.text)}'
            f'<small>{escape(section_title(claim.section))} {keys}{more}</small></th>'
            f'<td data-label="Found">{escape(claim.reason())}</td>'
            f'<td data-label="Evidence"><a href="{claim.evidence}">'
            f'{escape(claim.chapter.replace("_", " "))}'
            f'<span class="visually-hidden">, {escape(claim.id)}</span></a></td></tr>\n')
