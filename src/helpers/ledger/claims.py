"""The claim ledger: what the source document states, and what the book's cells find.

Each statement is an entry of `book/claims/CHAPTER.yml` with the document's words, its verdict and
one sentence why. A cell of that chapter settles it: it gives the claim's parts as found by the
experiment, and the verdict follows from them. If the ledger says otherwise, the cell fails.

A claim is of one kind. A `value` is judged against the published files alone
(`helpers.ledger.published`), a `mechanism` by what the library does with a key, an `effect` by
training, here on the mini, and what would come out at full size is said beside it. A statement that
no experiment could contradict (an intention, a judgement of importance, an instruction, how the
released model was made) is `untestable` and counts in no other column.

Where one fact makes a part of many claims come out "no", it is a finding
(`book/claims/findings.yml`), which those claims name.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml

from helpers.errors import BookError
from helpers.ledger import chapters
from helpers.ledger.parts import faults_of_caller
from helpers.ledger.published import Values, judged, published
from helpers.paths import ROOT

__all__ = ["Claim", "KeyFact", "counts", "decided_by", "findings", "load", "published", "settle",
           "settle_values", "tally", "tally_full_size", "untestable", "value_parts", "verdict_of"]

FOLDER = ROOT / "book" / "claims"
FINDINGS = "findings"
"""Name of the file, beside the chapters', with the facts behind many verdicts."""
VERDICTS = {"holds": "holds", "partly": "holds in part", "fails": "does not hold",
            "untestable": "not testable"}
"""The ledger's words for a verdict, and the reader's."""
KINDS = {"value": "Values, against the published files",
         "mechanism": "Mechanisms: what the library does",
         "effect": "Effects, on the mini",
         "untestable": "Not testable"}
"""The ledger's words for a kind of claim, and the reader's."""
UNTRIED = "not tested"
"""What stands for the verdict at full size until there is one."""

FIELDS = ("id", "section", "keys", "quote", "claim", "kind", "verdict", "why")
OPTIONAL = ("full_size", "findings")


@dataclass(frozen=True)
class Claim:
    """One statement of the source document.

    Attributes:
        id: its name; the cell that settles it carries the anchor `claim-ID`.
        section: the document's section, 1 to 10, or `impact`, `checklist` or `format`.
        keys: the config keys that it is about.
        quote: the document's own words, a few of them.
        text: the statement, in our words.
        kind: one of KINDS.
        verdict: one of VERDICTS, or None where no cell has settled it yet.
        why: one sentence; `{name:.0f}` stands for a value that the chapter's cells made.
        chapter: the notebook that settles it.
        full_size: of an effect, the verdict at full size or UNTRIED; "" for other kinds.
        findings: names of the findings that make a part of it come out "no".
    """

    id: str
    section: int | str
    keys: tuple[str, ...]
    quote: str
    text: str
    kind: str
    verdict: str | None
    why: str
    chapter: str
    full_size: str = ""
    findings: tuple[str, ...] = ()

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


@dataclass(frozen=True)
class KeyFact:
    """One fact that makes a part of several claims come out "no", and the chapter that shows it."""

    id: str
    text: str
    chapter: str


def load(folder: Path = FOLDER) -> dict[str, Claim]:
    """Every claim by its id, in the order of the files.

    Raises:
        BookError: an entry lacks a field, has one too many, or repeats an id.
    """
    ledger: dict[str, Claim] = {}
    for path in sorted(folder.glob("*.yml")):
        if path.stem == FINDINGS:
            continue
        for entry in content_of(path):
            claim = _claim(entry, path)
            if claim.id in ledger:
                raise BookError(f"{path.name}: the id {claim.id} is used twice.")
            ledger[claim.id] = claim
    return ledger


def findings(folder: Path = FOLDER) -> dict[str, KeyFact]:
    """Every finding by its name, in the order of the file.

    Raises:
        BookError: an entry has other fields than id, text and chapter.
    """
    path = folder / f"{FINDINGS}.yml"
    try:
        return {entry["id"]: KeyFact(**entry) for entry in content_of(path)}
    except (KeyError, TypeError):
        raise BookError(f"{path.name}: each entry needs the fields id, text and chapter.") from None


def decided_by(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    """Finding to the claims of which it makes a part come out "no", most claims first."""
    claims = list(claims)
    named = {name: [claim for claim in claims if name in claim.findings] for name in findings()}
    return dict(sorted(named.items(), key=lambda pair: -len(pair[1])))


def counts(claims: Iterable[Claim]) -> dict[str, int]:
    """Verdict to number of claims, in the order of VERDICTS."""
    counted = Counter(claim.verdict for claim in claims)
    return {verdict: counted[verdict] for verdict in VERDICTS}


def tally(claims: Iterable[Claim]) -> dict[str, dict[str, int]]:
    """Kind of claim to verdict to number of claims, in the order of KINDS."""
    claims = list(claims)
    return {kind: counts(claim for claim in claims if claim.kind == kind) for kind in KINDS}


def tally_full_size(claims: Iterable[Claim]) -> dict[str, int]:
    """The effects by their verdict at full size; UNTRIED comes last."""
    counted = Counter(claim.full_size for claim in claims if claim.full_size)
    return {verdict: counted[verdict] for verdict in (*VERDICTS, UNTRIED)}


def verdict_of(parts: Mapping[str, bool]) -> str:
    """`holds` if every part is true, `fails` if none is, `partly` otherwise."""
    if not parts:
        raise BookError("A claim needs at least one part that an experiment decides.")
    true = sum(map(bool, parts.values()))
    return "holds" if true == len(parts) else "partly" if true else "fails"


def value_parts(claim: Claim, values: Values | None = None) -> dict[str, bool]:
    """The parts of a claim about values, as the published files (or other values) decide them."""
    return judged(claim.id, claim.keys, claim.section, values)


def settle_values(*claim_ids: str) -> None:
    """Show what the published files hold of claims about values, and hold the ledger to it.

    Raises:
        AssertionError: the ledger's verdict is not the one that follows from the files.
        BookError: no such claim, or one of another kind.
    """
    for claim_id in claim_ids:
        claim = _named(claim_id)
        if claim.kind != "value":
            raise BookError(f"{claim_id} is no claim about values: give `settle` its parts.")
        _settle(claim, value_parts(claim))


def settle(claim_id: str, parts: Mapping[str, bool]) -> None:
    """Show what an experiment found about a claim, and hold the ledger to it.

    Args:
        parts: what the claim says, piece by piece, and whether the experiment found it so.

    Raises:
        AssertionError: the ledger's verdict is not the one that follows from the parts.
        BookError: no such claim, one about values, or a part that could not come out "no".
    """
    claim = _named(claim_id)
    if claim.kind == "value":
        raise BookError(f"{claim_id} is about values, which the published files decide: use "
                        "`settle_values`.")
    frame = inspect.currentframe()
    if faults := faults_of_caller(frame.f_back if frame else None):
        raise BookError(f"{claim_id}: {faults[0]}.")
    _settle(claim, parts)


def _settle(claim: Claim, parts: Mapping[str, bool]) -> None:
    verdict = verdict_of(parts)
    if claim.verdict != verdict:
        raise AssertionError(f"{claim.id}: the experiment says {VERDICTS[verdict]!r}, "
                             f"book/claims/{claim.chapter}.yml says {claim.verdict!r}.")
    _show(claim, parts)


def untestable(*claim_ids: str) -> None:
    """Show claims that cannot be tested, with the ledger's reason."""
    for claim_id in claim_ids:
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
            f"<p>{escape(claim.text)} {quoted(claim)} "
            f'<span class="claim-verdict">{verdict_words(claim)}</span></p>{body}</div>')


def quoted(claim: Claim) -> str:
    """HTML of the document's own words, in quotation marks."""
    return f'<q lang="en">{escape(claim.quote)}</q>'


def verdict_words(claim: Claim) -> str:
    """The verdict as a reader sees it; that on an effect says where it was found."""
    words = VERDICTS[claim.verdict]
    if not claim.full_size:
        return words
    return f"{words} on the mini; at full size: {VERDICTS.get(claim.full_size, claim.full_size)}"


def content_of(path: Path) -> Any:
    """What a YAML file of the ledger or of a translation holds, by YAML's fast reader.

    Raises:
        BookError: it is not valid YAML.
    """
    try:
        return yaml.load(path.read_bytes(), yaml.CSafeLoader) or []
    except yaml.YAMLError as error:
        raise BookError(f"{path.name} is not valid YAML: {error}.") from None


def _claim(entry: Any, path: Path) -> Claim:
    if not isinstance(entry, dict) or not set(FIELDS) <= set(entry) <= {*FIELDS, *OPTIONAL}:
        name = entry.get("id", entry) if isinstance(entry, dict) else entry
        raise BookError(f"{path.name}: the entry {name} needs the fields {', '.join(FIELDS)} and "
                        f"may have {', '.join(OPTIONAL)}, no others.")
    name, verdict, kind = entry["id"], entry["verdict"], entry["kind"]
    full_size = entry.get("full_size", "")
    if verdict is not None and verdict not in VERDICTS:
        raise BookError(f"{path.name}: the verdict {verdict!r} of {name} is none of "
                        f"{', '.join(VERDICTS)}.")
    if kind not in KINDS:
        raise BookError(f"{path.name}: the kind {kind!r} of {name} is none of {', '.join(KINDS)}.")
    if (kind == "untestable") != (verdict == "untestable"):
        raise BookError(f"{path.name}: {name} is of the kind {kind!r} and has the verdict "
                        f"{verdict!r}: a claim that is not testable is so in both.")
    if (kind == "effect") != (full_size in (*VERDICTS, UNTRIED)):
        raise BookError(f"{path.name}: {name} has the full_size {full_size!r}: an effect, and "
                        f"nothing else, has a verdict there, or {UNTRIED!r}.")
    return Claim(name, entry["section"], tuple(entry["keys"]), " ".join(entry["quote"].split()),
                 entry["claim"].strip(), kind, verdict, (entry["why"] or "").strip(), path.stem,
                 full_size, tuple(entry.get("findings", ())))


def _named(claim_id: str) -> Claim:
    claims = load()
    if claim_id not in claims:
        raise BookError(f"The ledger has no claim {claim_id}: see book/claims.")
    return claims[claim_id]
