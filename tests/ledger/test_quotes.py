"""Does what stands in quotation marks stand in the document?"""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.errors import BookError
from helpers.ledger import claims, quotes

LEDGER = claims.load()


@pytest.mark.parametrize("claim", LEDGER.values(), ids=LEDGER)
def test_each_claim_quotes_the_document(claim: claims.Claim) -> None:
    assert quotes.fault(claim.quote) == ""


@pytest.mark.parametrize(("quote", "why"), [
    ("The learning rate is critical for convergence", "does not stand"),
    ("DeepSpeed is what makes distributed training possible", "does not stand"),
    ("true (Enabled for all training)", "does not stand"),
    ("5e-6", "has 1 words"),
    ("very tiny " * 20, "has 40 words"),
])
def test_our_words_are_no_quote(quote: str, why: str) -> None:
    assert why in quotes.fault(quote)


def test_signs_line_breaks_and_marks_of_code_do_not_count() -> None:
    assert quotes.words("`lr`:\n 5e-6  (\U0001f7e1 ~10x higher) ~~CTC~~.") == [
        "lr", "5e-6", "10x", "higher", "ctc"]


def test_the_committed_list_is_no_copy() -> None:
    lines = quotes.FILE.read_text(encoding="utf-8").splitlines()[2:]
    assert lines == sorted(lines) and {len(line) for line in lines} == {8}


def test_a_document_without_the_quotes_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "document.md"
    copy.write_text("Something else altogether.", encoding="utf-8")
    with pytest.raises(BookError, match="does not have the quotes of"):
        quotes.write(copy)
