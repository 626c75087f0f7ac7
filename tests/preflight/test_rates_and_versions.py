"""What depends on the rate that is asked for, and on the version of FunASR that will run."""

from __future__ import annotations

import json

import pytest

from funasr_preflight import check, checking, versions
from funasr_preflight.findings import Severity
from funasr_preflight.rules import rates
from helpers.errors import BookError
from helpers.paths import CONFIGS

OURS = CONFIGS / "recommended_8k.yaml"
FROZEN = ("++audio_encoder_conf.freeze=true", "++audio_adaptor_conf.freeze=true")
LORA = (*FROZEN, "++llm_conf.use_lora=true", "++llm_conf.freeze=true")
ADAPTOR = ("++audio_encoder_conf.freeze=true", "++audio_adaptor_conf.freeze=false")


def of(rule: str, *overrides: str, **settings):
    return check(OURS, overrides=overrides, **settings).of(rule)


# Rates


@pytest.mark.parametrize(("rate", "overrides", "warned"), [
    ("0.01", (), True), ("1e-9", (), True), ("5e-6", (), False), ("2e-4", (), False),
    ("7e-4", (), True), ("7e-4", ADAPTOR, False), ("3e-3", ADAPTOR, True),
    ("1e-3", LORA, False), ("2e-3", LORA, True), ("5e-6", LORA, True), ("5e-6", ADAPTOR, False),
    ("0.01", ("++optim=sgd",), False), ("0", (), False), ("2.0", (), False)])
def test_a_rate_is_judged_by_what_learns_and_by_what_the_makers_publish(rate, overrides, warned):
    found = of("rate-out-of-range", f"++optim_conf.lr={rate}", *overrides)
    assert bool(found) == warned
    if found:
        assert found[0].severity == Severity.WARNING and found[0].decision
        assert "https://github.com/modelscope/FunASR/blob/" in str(found[0].message)


def test_what_a_fix_sets_is_in_range():
    for rate in ("0.01", "1e-9"):
        (key, value), = of("rate-out-of-range", f"++optim_conf.lr={rate}")[0].edits
        assert not of("rate-out-of-range", f"++{key}={value}")


def test_every_rate_that_the_book_and_the_makers_use_is_in_range():
    for path in CONFIGS.rglob("*.yaml"):
        assert not check(path).of("rate-out-of-range"), path.name
    assert rates.WEIGHTS.low < rates.WEIGHTS.high


# Versions


@pytest.mark.parametrize(("version", "rules"), [
    ("1.2.9", {"version-cannot-train"}), ("1.3.1", {"version-cannot-train"}),
    ("1.3.0", set()), ("1.4.16", set())])
def test_versions_that_cannot_train_are_named(version, rules):
    found = check(OURS, funasr=version, overrides=["++audio_encoder_conf.feat_permute=false",
                                                   "~freeze_param"])
    assert {one.rule for one in found.findings if one.rule.startswith("version-")} == rules


@pytest.mark.parametrize(("rule", "overrides", "settings", "since"), [
    ("version-lora", ["++llm_conf.use_lora=true"], {}, "1.4.2"),
    ("version-feat-permute", ["++audio_encoder_conf.feat_permute=true"], {}, "1.3.2"),
    ("version-save", ["++train_conf.save_checkpoint_interval=500",
                      "++train_conf.validate_interval=1000"], {}, "1.4.2"),
    ("version-deepspeed", ["++train_conf.use_deepspeed=true"], {"gpus": 2}, "1.4.2"),
    ("version-ctc-stays", ["++hub=hf"], {}, "1.4.0"),
    ("version-freeze-param", ["++freeze_param='ctc,ctc_decoder'"], {}, "1.3.2")])
def test_a_finding_ends_with_the_version_that_mended_it(rule, overrides, settings, since):
    recorded = versions.load().versions
    older = [one for one in recorded if versions.parsed(one) < versions.parsed(since)
             and one not in ("1.3.1",)][-1]
    if rule == "version-freeze-param":
        older = "1.2.9"
    assert of(rule, *overrides, **settings, funasr=older)
    assert not of(rule, *overrides, **settings, funasr=since)
    assert not of(rule, *overrides, **settings)


def test_ddp_survives_where_no_ctc_branch_is_built():
    thawed = ["ctc_decoder_conf.freeze=false", "~freeze_param"]
    assert of("trains-without-gradient", *thawed, gpus=2)
    assert not of("trains-without-gradient", *thawed, gpus=2, funasr="1.3.0")


def test_a_version_that_is_not_recorded_gets_the_nearest_and_says_so():
    report = check(OURS, funasr="1.4.9")
    said = " ".join(map(str, report.assumed))
    assert "1.4.9 is not recorded" in said and "1.4.8" in said
    assert "not recorded" not in " ".join(map(str, check(OURS).assumed))


def test_the_installed_version_is_the_one_that_counts(monkeypatch):
    from funasr_preflight import audit

    monkeypatch.setattr(audit.Audit, "installed_version", lambda self: "1.4.0")
    assert checking.context_of(OURS).column.nearest.version == "1.4.0"
    assert of("version-lora", "++llm_conf.use_lora=true")


def test_what_is_no_version_ends_in_one_sentence():
    with pytest.raises(BookError, match="is no version of FunASR"):
        check(OURS, funasr="latest")


def test_a_broken_record_ends_in_one_sentence(tmp_path):
    path = tmp_path / "versions.json"
    path.write_text(json.dumps({"versions": {}}))
    with pytest.raises(BookError, match="python -m helpers.versions --record"):
        versions.load(path)
