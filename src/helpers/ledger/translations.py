"""The claim ledger in another language than English.

A translation is an entry of `book/claims/LANGUAGE/CHAPTER.yml` with the claim's id, the two
translated sentences, and a fingerprint of the English ones that it translates. When the English
changes, the fingerprint does not fit any more and the entry is stale. The findings
are translated in `findings.yml` in the same way, quotes of the document not at all. The few words
around the claims are in `book/LANGUAGE/words.yml`.
"""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, replace
from functools import cache

from helpers.errors import BookError
from helpers.ledger import claims
from helpers.ledger.claims import FINDINGS, Claim, KeyFact
from helpers.paths import ROOT

FIELDS = {"id", "claim", "why", "english"}


@dataclass(frozen=True)
class Translation:
    """One claim in another language.

    Attributes:
        english: the fingerprint of the sentences that were translated.
        chapter: the file it stands in.
    """

    text: str
    why: str
    english: str
    chapter: str


def fingerprint(text: str) -> str:
    """Twelve hexadecimal digits that change with the text, but not with its line breaks."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:12]


def of_claim(claim: Claim) -> str:
    """The fingerprint of a claim's two sentences."""
    return fingerprint(f"{claim.text}\n{claim.why}")


def load(language: str) -> dict[str, Translation]:
    """Every translated claim by its id.

    Raises:
        BookError: an entry has other fields than it should, or repeats an id.
    """
    entries: dict[str, Translation] = {}
    for path in sorted((claims.FOLDER / language).glob("*.yml")):
        if path.stem == FINDINGS:
            continue
        for entry in claims.content_of(path):
            if not isinstance(entry, dict) or set(entry) != FIELDS:
                raise BookError(f"{language}/{path.name}: the entry {entry} needs the fields "
                                f"{', '.join(sorted(FIELDS))} and no others.")
            if entry["id"] in entries:
                raise BookError(f"{language}/{path.name}: the id {entry['id']} is used twice.")
            entries[entry["id"]] = Translation(entry["claim"].strip(), entry["why"].strip(),
                                               str(entry["english"]), path.stem)
    return entries


def faults(language: str) -> list[str]:
    """What is wrong with a language's claims, one sentence each; none where all is well."""
    english, translated = claims.load(), load(language)
    complaints = [f"{name} is not translated" for name in english if name not in translated]
    for name, entry in translated.items():
        if name not in english:
            complaints.append(f"{name} translates a claim that the ledger does not have")
            continue
        original = english[name]
        if entry.chapter != original.chapter:
            complaints.append(f"{name} stands in {entry.chapter}.yml, the claim in "
                              f"{original.chapter}.yml")
        if entry.english != of_claim(original):
            complaints.append(f"{name} is stale: its English has changed since it was translated")
        if fields(entry.why) != fields(original.why):
            complaints.append(f"{name} shows the values {fields(entry.why)}, the English "
                              f"{fields(original.why)}")
    done = {entry["id"]: entry["english"] for entry in _findings(language)}
    return complaints + [
        f"the finding {name} is {'stale' if name in done else 'not translated'}"
        for name, fact in claims.findings().items() if done.get(name) != fingerprint(fact.text)]


def findings(language: str) -> dict[str, KeyFact]:
    """Every finding by its name, in a language."""
    known = claims.findings()
    return {entry["id"]: replace(known[entry["id"]], text=entry["text"])
            for entry in _findings(language) if entry["id"] in known}


def _findings(language: str) -> list[dict[str, str]]:
    path = claims.FOLDER / language / f"{FINDINGS}.yml"
    return claims.content_of(path)


def fields(template: str) -> list[tuple[str, str]]:
    """Name and format of each `{name:format}`, sorted."""
    return sorted((name, form or "") for _, name, form, _ in string.Formatter().parse(template)
                  if name is not None)


def translated(language: str) -> list[Claim]:
    """The ledger with its sentences in a language, in the order of the files.

    Raises:
        BookError: a claim has no translation.
    """
    entries = load(language)
    if missing := [name for name in claims.load() if name not in entries]:
        raise BookError(f"book/claims/{language} does not translate {', '.join(missing)}.")
    return [replace(claim, text=entries[name].text, why=entries[name].why)
            for name, claim in claims.load().items()]


@cache
def words(language: str) -> dict[str, dict[str, str]]:
    """Group to English to translation: what stands around the claims."""
    path = ROOT / "book" / language / "words.yml"
    return claims.content_of(path)


def chapter_title(chapter: str, language: str = "en") -> str:
    """What a chapter's notebook is called in a line of text."""
    return word("chapters", chapter.replace("_", " "), language)


def word(group: str, english: str, language: str) -> str:
    """A heading, verdict or title in a language; English comes back as it is.

    Raises:
        BookError: the language has no such word.
    """
    if language == "en":
        return english
    try:
        return words(language)[group][english]
    except KeyError:
        raise BookError(f"book/{language}/words.yml has no {english!r} under {group}: "
                        "translate it there.") from None
