"""Could each part of a verdict about values come out otherwise, if the published files did?"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from helpers.config import configs, document
from helpers.config.document import NOT_SET
from helpers.errors import BookError
from helpers.ledger import claims, published

LEDGER = claims.load()
VALUES = [claim for claim in LEDGER.values() if claim.kind == "value"]
REAL = published.published()
OWN = configs.values_set()


def other(value: Any) -> list[Any]:
    """Values that a file could have instead."""
    if isinstance(value, bool):
        return [not value, NOT_SET]
    if isinstance(value, (int, float)):
        return [value * 1000 + 7, value / 1000, NOT_SET]
    if isinstance(value, list):
        return [[*value, *value], [*value[:-1], "more"], [0, 50], NOT_SET]
    return ["something else", 12345, NOT_SET]


def outcomes(claim: claims.Claim) -> dict[str, set[bool]]:
    """Each part with what it comes out as when one value of one file is another."""
    found = {part: {true} for part, true in claims.value_parts(claim, REAL).items()}
    keys = claim.keys or [key for key, _, _ in document.marked("new")]
    for key in keys:
        for name in published.TITLES:
            stated = [one.values.get(name) for one in document.statements() if one.key == key]
            for value in [*other(REAL[key][name]), *stated, OWN.get(key, {}).get(name, NOT_SET),
                          *REAL[key].values()]:
                changed = {**REAL, key: {**REAL[key], name: value}}
                for part, true in claims.value_parts(claim, changed).items():
                    found[part].add(true)
    return found


@pytest.mark.parametrize("claim", VALUES, ids=lambda claim: claim.id)
def test_each_part_follows_the_published_files(claim: claims.Claim) -> None:
    """A part that holds stops holding when a file changes; one that does not, could."""
    stuck = {part: found for part, found in outcomes(claim).items() if False not in found}
    assert not stuck, "could not come out no"
    if claim.id != "lr-impact-50-to-200" and not claim.id.startswith("omitted-"):
        assert all(len(found) == 2 for found in outcomes(claim).values())


@pytest.mark.parametrize("claim", VALUES, ids=lambda claim: claim.id)
def test_the_ledger_says_what_the_files_say(claim: claims.Claim) -> None:
    assert claims.verdict_of(claims.value_parts(claim)) == claim.verdict


def test_a_change_of_a_published_file_turns_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = copy.deepcopy(document.public_values())
    changed["optim_conf.lr"]["config_8k_telephone"] = 1.0
    monkeypatch.setattr(document, "public_values", lambda: changed)
    with pytest.raises(AssertionError, match="lr-values.*'holds in part'"):
        claims.settle_values("lr-values")
    with pytest.raises(AssertionError, match="lr-main-ten-times.*'does not hold'"):
        claims.settle_values("lr-main-ten-times")


def test_the_configs_of_this_book_are_no_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {claim.id: claims.value_parts(claim) for claim in VALUES}
    flat = configs.flatten

    def other_files(config: configs.ConfigLike) -> dict[str, Any]:
        return flat(config) if config == "pretrained" else {}

    monkeypatch.setattr(configs, "flatten", other_files)
    monkeypatch.setattr(configs, "values_set", dict)
    assert {claim.id: claims.value_parts(claim) for claim in VALUES} == before


def test_omitted_means_omitted_by_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = LEDGER["omitted-cmvn"]
    without = {**REAL, "frontend_conf.cmvn_file": dict.fromkeys(published.TITLES, NOT_SET)}
    assert claims.verdict_of(claims.value_parts(claim, without)) == "holds"


def test_a_value_that_several_sections_state_is_judged_where_all_three_are_named() -> None:
    """The sections about a stage name its two configs alone, and would pass a wrong pretrained."""
    assert len(claims.value_parts(LEDGER["lr-values"])) == 3


def test_each_file_has_its_own_part() -> None:
    found = claims.value_parts(LEDGER["fs-values"])
    assert list(found.values()) == [True, True, False]


def test_true_is_not_one() -> None:
    one = {**REAL, "audio_encoder_conf.freeze": dict.fromkeys(published.TITLES, 1)}
    assert not any(claims.value_parts(LEDGER["encoder-freeze-values"], one).values())


def test_values_are_settled_by_the_files_alone() -> None:
    with pytest.raises(BookError, match="published files decide"):
        claims.settle("lr-values", {"we think so": True})
    with pytest.raises(BookError, match="no claim about values"):
        claims.settle_values("ctc-main-is-trained")


@pytest.mark.parametrize("name", [name for name in claims.findings()
                                  if name.startswith(("stage1-", "main-", "published-"))])
def test_a_finding_about_the_files_decides_the_claims_that_name_it(name: str) -> None:
    """Were the published files those of the document, these claims would hold in more parts."""
    stated = copy.deepcopy(REAL)
    for statement in document.statements():
        for config, value in statement.values.items():
            if value != document.NOT_SAID:
                stated[statement.key][config] = value
    for key in LEDGER["omitted-encoder"].keys:  # the document's "etc."
        stated[key] |= dict.fromkeys(document.FINE_TUNING, NOT_SET)
    named = [claim for claim in VALUES if name in claim.findings]
    assert named
    for claim in named:
        now, then = (sum(claims.value_parts(claim, values).values()) for values in (REAL, stated))
        assert then > now, claim.id
