"""Would a reader of the ledger be told a verdict that nothing shows, or miss a statement?"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from test_notebooks import typed_numbers

from helpers.config import configs, document
from helpers.config.values import shown
from helpers.errors import BookError
from helpers.ledger import claims
from helpers.paths import ROOT

LEDGER = claims.load()
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
        claims.settle("encoder-150-million", {"it is about that": True})


def test_an_unknown_claim_is_named() -> None:
    with pytest.raises(BookError, match="no claim no-such"):
        claims.settle("no-such", {"part": True})


def test_stated_values_notice_a_wrong_file(monkeypatch) -> None:
    right = claims.stated_values("optim_conf.lr")
    assert list(right.values()) == [True, True]
    monkeypatch.setattr(claims.configs, "values_set",
                        lambda: {"optim_conf.lr": {"pretrained": 1.0}})
    assert list(claims.stated_values("optim_conf.lr").values()) == [False, True]


def test_a_value_that_several_sections_state_is_judged_where_all_three_are_named() -> None:
    """The sections about a stage name its two configs alone, and would pass a wrong pretrained."""
    assert next(iter(claims.stated_values("optim_conf.lr"))).endswith(": 5e-6, 5e-5, 1e-4")


def test_stated_values_notice_that_the_repository_drifted() -> None:
    assert list(claims.stated_values("frontend_conf.fs").values()) == [True, False]


@pytest.mark.parametrize(("entry", "sentence"), [
    ("- id: a\n  claim: b\n", "needs the fields"),
    ("- {id: a, section: 1, keys: [], claim: b, verdict: maybe, why: c}\n", "'maybe'"),
    ("- {id: a, section: 1, keys: [], claim: b, verdict: holds, why: c}\n" * 2, "used twice"),
    ("- [", "not valid YAML"),
])
def test_a_broken_ledger_is_refused_in_one_sentence(tmp_path, entry: str, sentence: str) -> None:
    (tmp_path / "chapter.yml").write_text(entry)
    with pytest.raises(BookError, match=sentence):
        claims.load(tmp_path)
