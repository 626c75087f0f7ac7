"""Would a reader of the ledger be told a verdict that nothing shows, or miss a statement?"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from test_notebooks import typed_numbers

from helpers.config import configs, document
from helpers.config.values import shown
from helpers.errors import BookError
from helpers.ledger import claims, translations
from helpers.paths import ROOT

LEDGER = claims.load()
ENTRY = ("- {{id: a, section: 1, keys: [], quote: c, claim: b, kind: {}, verdict: {}, why: c}}\n")
ANCHOR = re.compile(r'id=\\?"claim-([\w-]+?)\\?"')


def test_every_claim_has_a_verdict_and_a_reason() -> None:
    open_ones = [claim.id for claim in LEDGER.values() if not claim.verdict or not claim.why]
    assert not open_ones, f"no verdict or no reason: {', '.join(open_ones)}"


@pytest.mark.parametrize("chapter", sorted({claim.chapter for claim in LEDGER.values()}))
def test_every_claim_is_settled_once_in_its_own_chapter(chapter: str) -> None:
    stored = (ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8")
    settled = Counter(ANCHOR.findall(stored))
    expected = Counter(claim.id for claim in LEDGER.values() if claim.chapter == chapter)
    assert settled == expected


@pytest.mark.parametrize("claim", LEDGER.values(), ids=LEDGER)
def test_reasons_quote_values_that_the_chapter_made(claim: claims.Claim) -> None:
    assert "{" not in claim.reason()
    plain = re.sub(r"\{[^}]*\}", "", claim.why)
    for key in claim.keys:  # a value of the configs is no measurement
        for value in configs.values_set().get(key, {}).values():
            plain = plain.replace(shown(value), "")
    assert not typed_numbers(plain), f"{claim.id}: a typed number in the reason"


def test_every_key_the_document_states_has_a_claim() -> None:
    covered = {key for claim in LEDGER.values() for key in claim.keys}
    assert {statement.key for statement in document.statements()} <= covered


def test_every_section_of_the_document_has_claims() -> None:
    assert {claim.section for claim in LEDGER.values()} == {*range(1, 11), "impact", "checklist",
                                                            "format"}


@pytest.mark.parametrize("claim", LEDGER.values(), ids=LEDGER)
def test_the_built_book_has_the_evidence(claim: claims.Claim) -> None:
    page, _, anchor = claim.evidence.partition("#")
    built = ROOT / "_build" / "html" / "notebooks" / page
    if not built.parent.exists():
        pytest.skip("the book is not built")
    assert f'id="{anchor}"' in built.read_text(encoding="utf-8")


def test_verdicts_follow_from_the_parts() -> None:
    assert claims.verdict_of({"one": True, "other": True}) == "holds"
    assert claims.verdict_of({"one": True, "other": False}) == "partly"
    assert claims.verdict_of({"one": False}) == "fails"
    with pytest.raises(BookError, match="at least one part"):
        claims.verdict_of({})


def test_a_cell_that_contradicts_the_ledger_fails() -> None:
    with pytest.raises(AssertionError, match="encoder-150-million.*'holds'"):
        claims.settle("encoder-150-million", {"it is about that": "encoder-150-million" in LEDGER})


def test_an_unknown_claim_is_named() -> None:
    with pytest.raises(BookError, match="no claim no-such"):
        claims.settle("no-such", {"part": True})


def test_an_effect_says_where_it_was_found() -> None:
    """A verdict that depends on the model's size is given twice."""
    effects = [claim for claim in LEDGER.values() if claim.kind == "effect"]
    assert effects
    for claim in effects:
        words = claims.verdict_words(claim)
        assert "on the mini; at full size: not tested" in words
        assert words in claims.box(claim, {"part": True})
    assert sum(claims.tally_full_size(LEDGER.values()).values()) == len(effects)


def test_the_tally_counts_every_claim_once() -> None:
    counted = claims.tally(LEDGER.values())
    assert sum(sum(row.values()) for row in counted.values()) == len(LEDGER)
    assert set(counted["untestable"]) == set(claims.VERDICTS)
    assert sum(counted["untestable"].values()) == counted["untestable"]["untestable"] > 0
    assert not any(row["untestable"] for kind, row in counted.items() if kind != "untestable")


@pytest.mark.parametrize("name", claims.findings())
def test_a_finding_stands_behind_more_than_one_verdict(name: str) -> None:
    decided = claims.decided_by(LEDGER.values())[name]
    assert len(decided) > 1
    assert {claim.verdict for claim in decided} <= {"partly", "fails"}
    assert (ROOT / "notebooks" / f"{claims.findings()[name].chapter}.md").exists()


def test_every_finding_that_is_named_is_there() -> None:
    named = {name for claim in LEDGER.values() for name in claim.findings}
    assert named == set(claims.findings())


def test_every_changed_verdict_is_in_the_changelog() -> None:
    """The table there ends with the verdict of today."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("### The tally")[1]
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \| ([^|]*) \|", changes, flags=re.MULTILINE)
    assert rows
    for names, before, now in rows:
        for name in re.findall(r"`([\w-]+)`", names):
            words = {"in part": "partly", "not testable": "untestable", "does not hold": "fails"}
            assert words.get(now, now) == LEDGER[name].verdict != words.get(before, before), name


@pytest.mark.parametrize(("entry", "sentence"), [
    ("- id: a\n  claim: b\n", "needs the fields"),
    (ENTRY.format("value", "maybe"), "'maybe'"),
    (ENTRY.format("fact", "holds"), "'fact'"),
    (ENTRY.format("value", "untestable"), "so in both"),
    (ENTRY.format("untestable", "holds"), "so in both"),
    (ENTRY.format("effect", "holds"), "full_size"),
    (ENTRY.format("value", "holds") * 2, "used twice"),
    ("- [", "not valid YAML"),
])
def test_a_broken_ledger_is_refused_in_one_sentence(tmp_path, entry: str, sentence: str) -> None:
    (tmp_path / "chapter.yml").write_text(entry)
    with pytest.raises(BookError, match=sentence):
        claims.load(tmp_path)


def test_a_broken_translation_is_refused_in_one_sentence(tmp_path, monkeypatch) -> None:
    for folder in ("zh", "book/zh"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "findings.yml").write_text("- [")
        (tmp_path / folder / "words.yml").write_text("- [")
    monkeypatch.setattr(claims, "FOLDER", tmp_path)
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    for read in (translations.load, translations.findings, translations.words.__wrapped__):
        with pytest.raises(BookError, match="not valid YAML"):
            read("zh")
