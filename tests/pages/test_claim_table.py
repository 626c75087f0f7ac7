"""Does the ledger's page hold every claim, scripts or no scripts, and count them right?"""

from __future__ import annotations

from bs4 import BeautifulSoup

from helpers.ledger import claims
from helpers.pages.claim_table import (
    READING_ORDER,
    claim_table,
    findings_table,
    section_order,
    summary,
    tally_table,
)

LEDGER = claims.load()
TABLE = BeautifulSoup(claim_table(LEDGER.values()), "html.parser")


def test_every_claim_is_in_the_html_with_a_link_to_its_evidence() -> None:
    rows = {row["id"].removeprefix("ledger-"): row for row in TABLE.select("tbody tr")}
    assert rows.keys() == LEDGER.keys()
    for name, claim in LEDGER.items():
        assert rows[name].a["href"] == claim.evidence
        assert rows[name].td.text == claims.verdict_words(claim)
        assert rows[name].q.text == claim.quote


def test_what_changes_a_decision_comes_first() -> None:
    verdicts = [row["data-verdict"] for row in TABLE.select("tbody tr")]
    assert verdicts == sorted(verdicts, key=READING_ORDER.index)


def test_the_numbers_of_the_text_add_up() -> None:
    numbers = summary(LEDGER.values())
    kinds = [numbers[f"{kind}_all"] for kind in claims.KINDS]
    assert sum(kinds) == numbers["claims_all"] == len(LEDGER) >= 80
    for kind in ("value", "mechanism", "effect"):
        assert numbers[f"{kind}_all"] == sum(
            numbers[f"{kind}_{verdict}"] for verdict in ("holds", "partly", "fails"))
    assert numbers["effect_untried"] <= numbers["effect_all"]


def test_effects_at_full_size_have_their_own_row() -> None:
    table = BeautifulSoup(tally_table(LEDGER.values(), "x"), "html.parser")
    rows = {cells[0].text: [int(cell.text.replace("–", "0")) for cell in cells[1:]]
            for cells in (row.find_all("td") for row in table.select("tbody tr"))}
    apart = rows.pop("The same effects, at full size")
    assert apart[:3] == [0, 0, 0] and apart[-1] == rows[claims.KINDS["effect"]][-1]
    assert sum(row[-1] for row in rows.values()) == len(LEDGER)
    assert all(sum(row[:-1]) == row[-1] for row in rows.values())


def test_each_finding_is_listed_once_with_its_number_of_claims() -> None:
    table = BeautifulSoup(findings_table(LEDGER.values(), "x"), "html.parser")
    listed = {cells[0].text: int(cells[1].text) for cells in (
        row.find_all("td") for row in table.select("tbody tr"))}
    assert listed == {claims.findings()[name].text.replace("`", ""): len(decided)
                      for name, decided in claims.decided_by(LEDGER.values()).items()}


def test_every_section_can_be_chosen() -> None:
    values = [option["value"] for option in TABLE.select("select[name=section] option")]
    assert values == ["", *map(str, section_order())]
