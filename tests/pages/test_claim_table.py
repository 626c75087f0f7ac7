"""Does the ledger's page hold every claim, scripts or no scripts, and count them right?"""

from __future__ import annotations

from bs4 import BeautifulSoup

from helpers.ledger import claims
from helpers.pages.claim_table import READING_ORDER, claim_table, section_order, summary

LEDGER = claims.load()
TABLE = BeautifulSoup(claim_table(LEDGER.values()), "html.parser")


def test_every_claim_is_in_the_html_with_a_link_to_its_evidence() -> None:
    rows = {row["id"].removeprefix("ledger-"): row for row in TABLE.select("tbody tr")}
    assert rows.keys() == LEDGER.keys()
    for name, claim in LEDGER.items():
        assert rows[name].a["href"] == claim.evidence
        assert rows[name].td.text == claims.VERDICTS[claim.verdict]


def test_what_changes_a_decision_comes_first() -> None:
    verdicts = [row["data-verdict"] for row in TABLE.select("tbody tr")]
    assert verdicts == sorted(verdicts, key=READING_ORDER.index)


def test_the_numbers_of_the_text_add_up() -> None:
    numbers = summary(LEDGER.values())
    assert numbers.pop("claims_all") == sum(numbers.values()) == len(LEDGER) >= 80


def test_every_section_can_be_chosen() -> None:
    values = [option["value"] for option in TABLE.select("select[name=section] option")]
    assert values == ["", *map(str, section_order())]
