"""The claim ledger: what the source document states, and what the book's cells find.

Each statement is an entry of `book/claims/CHAPTER.yml` with its verdict and one sentence why. A
cell of that chapter settles it: it gives the claim's parts as found by the experiment, and the
verdict follows from them. If the ledger says otherwise, the cell fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml

from helpers.config import configs, document
from helpers.errors import BookError
from helpers.ledger import chapters
from helpers.paths import ROOT

FOLDER = ROOT / "book" / "claims"
VERDICTS = {"holds": "holds", "partly": "holds in part", "fails": "does not hold",
            "untestable": "not testable here"}
"""The ledger's words for a verdict, and the reader's."""

FIELDS = ("id", "section", "keys", "claim", "verdict", "why")


@dataclass(frozen=True)
class Claim:
    """One statement of the source document.

    Attributes:
        id: its name; the cell that settles it carries the anchor `claim-ID`.
        section: the document's section, 1 to 10, or `impact`, `checklist` or `format`.
        keys: the config keys that it is about.
        text: the statement, in our words.
        verdict: one of VERDICTS, or None where no cell has settled it yet.
        why: one sentence; `{name:.0f}` stands for a value that the chapter's cells made.
        chapter: the notebook that settles it.
    """

    id: str
    section: int | str
    keys: tuple[str, ...]
    text: str
    verdict: str | None
    why: str
    chapter: str

    @property
    def evidence(self) -> str:
        """Where the cell is in the built book, relative to the pages of the notebooks."""
        return f"{self.chapter}.html#claim-{self.id}"

    def reason(self) -> str:
        """The sentence why, with the values that the chapter's cells made."""
        try:
            return self.why.format_map(chapters.load()[self.chapter].values)
        except KeyError as missing:
            raise BookError(f"book/claims/{self.chapter}.yml, {self.id}: no cell of "
                            f"notebooks/{self.chapter}.ipynb makes the value {missing}: name one "
                            "that is glued there.") from None


def load(folder: Path = FOLDER) -> dict[str, Claim]:
    """Every claim by its id, in the order of the files.

    Raises:
        BookError: an entry lacks a field, has one too many, or repeats an id.
    """
    ledger: dict[str, Claim] = {}
    for path in sorted(folder.glob("*.yml")):
        try:
            entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
        except yaml.YAMLError as error:
            raise BookError(f"{path.name} is not valid YAML: {error}.") from None
        for entry in entries:
            claim = _claim(entry, path)
            if claim.id in ledger:
                raise BookError(f"{path.name}: the id {claim.id} is used twice.")
            ledger[claim.id] = claim
    return ledger


def counts(claims: Iterable[Claim]) -> dict[str, int]:
    """Verdict to number of claims, in the order of VERDICTS."""
    counted = Counter(claim.verdict for claim in claims)
    return {verdict: counted[verdict] for verdict in VERDICTS}


def verdict_of(parts: Mapping[str, bool]) -> str:
    """`holds` if every part is true, `fails` if none is, `partly` otherwise."""
    if not parts:
        raise BookError("A claim needs at least one part that an experiment decides.")
    true = sum(map(bool, parts.values()))
    return "holds" if true == len(parts) else "partly" if true else "fails"


def stated_values(*keys: str) -> dict[str, bool]:
    """Whether the config files hold the values that the document states for these keys.

    Two sources are asked: the three configs of this book, which were written from the document, and
    the fine-tuning files that its own repository holds at the same commit.
    """
    sources = {"in this book's configs": (configs.values_set(), configs.CONFIG_NAMES),
               "in the document's own repository": (document.public_values(), configs.FINE_TUNING)}
    parts = {}
    for key in keys:
        stated = next((statement for statement in document.statements()
                       if statement.key == key), None)
        if stated is None:
            raise BookError(f"The document states no values for {key}.")
        for source, (values, among) in sources.items():
            wrong = document.disagreements({key: values.get(key, {})}, among)
            listed = ", ".join(_yaml(stated.values[name]) for name in among
                               if stated.values[name] != document.NOT_SAID)
            parts[f"{key} {source}: {listed}"] = key not in {statement.key for statement in wrong}
    return parts


def stated_omitted(*keys: str) -> dict[str, bool]:
    """Whether these keys are missing from the fine-tuning files, in both sources."""
    sources = {"this book's fine-tuning configs": configs.values_set(),
               "the files in the document's own repository": document.public_values()}
    return {f"{source} leave them out": all(
        values.get(key, {}).get(name, document.NOT_SET) in (document.NOT_SET, configs.NOT_SET)
        for key in keys for name in configs.FINE_TUNING) for source, values in sources.items()}


def settle(claim_id: str, parts: Mapping[str, bool]) -> None:
    """Show what an experiment found about a claim, and hold the ledger to it.

    Args:
        parts: what the claim says, piece by piece, and whether the experiment found it so.

    Raises:
        AssertionError: the ledger's verdict is not the one that follows from the parts.
        BookError: no such claim.
    """
    claim = _named(claim_id)
    verdict = verdict_of(parts)
    if claim.verdict != verdict:
        raise AssertionError(f"{claim_id}: the experiment says {VERDICTS[verdict]!r}, "
                             f"book/claims/{claim.chapter}.yml says {claim.verdict!r}.")
    _show(claim, parts)


def untestable(claim_id: str) -> None:
    """Show a claim that cannot be tested here, with the ledger's reason."""
    claim = _named(claim_id)
    if claim.verdict != "untestable" or not claim.why:
        raise AssertionError(f"{claim_id}: book/claims/{claim.chapter}.yml should say "
                             "'untestable', and why.")
    _show(claim, {})


def _show(claim: Claim, parts: Mapping[str, bool]) -> None:
    from IPython.display import HTML, display

    display(HTML(box(claim, parts)))


def box(claim: Claim, parts: Mapping[str, bool]) -> str:
    """HTML of a settled claim: its anchor, the statement, the verdict and the parts."""
    items = "".join(f'<li class="claim-{"yes" if true else "no"}">'
                    f'{escape(part)}: <b>{"yes" if true else "no"}</b></li>'
                    for part, true in parts.items())
    body = f"<ul>{items}</ul>" if parts else f"<p>{escape(claim.why)}</p>"
    return (f'<div class="claim-check claim-{claim.verdict}" id="claim-{claim.id}">'
            f"<p>{escape(claim.text)} "
            f'<span class="claim-verdict">{VERDICTS[claim.verdict]}</span></p>{body}</div>')


def _claim(entry: Any, path: Path) -> Claim:
    if not isinstance(entry, dict) or set(entry) != set(FIELDS):
        name = entry.get("id", entry) if isinstance(entry, dict) else entry
        raise BookError(f"{path.name}: the entry {name} needs the fields {', '.join(FIELDS)} and "
                        "no others.")
    verdict = entry["verdict"]
    if verdict is not None and verdict not in VERDICTS:
        raise BookError(f"{path.name}: the verdict {verdict!r} of {entry['id']} is none of "
                        f"{', '.join(VERDICTS)}.")
    return Claim(entry["id"], entry["section"], tuple(entry["keys"]), entry["claim"].strip(),
                 verdict, (entry["why"] or "").strip(), path.stem)


def _named(claim_id: str) -> Claim:
    claims = load()
    if claim_id not in claims:
        raise BookError(f"The ledger has no claim {claim_id}: see book/claims.")
    return claims[claim_id]


def _yaml(value: Any) -> str:
    from helpers.config.values import shown

    return shown(value)

