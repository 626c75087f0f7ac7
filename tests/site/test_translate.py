"""Would a reader of Chinese be told less than one of English, or something older?"""

from __future__ import annotations

import re

import pytest
from babel.messages.catalog import Message

from funasr_preflight import check, report
from funasr_preflight.texts import say, speak
from helpers.ledger import claims, translations
from helpers.paths import CONFIGS
from helpers.site.commands import translate

CHINESE = re.compile("[\u4e00-\u9fff]")


def test_nothing_lacks_its_translation_and_none_is_stale():
    """Pre-flight, claims and pages; `helpers.site.commands.translate` says the same."""
    assert translate.faults() == []
    assert len(translate.messages()) > 200


def test_every_claim_is_there_in_chinese_with_the_same_measured_values():
    english, chinese = claims.load(), translations.load("zh")
    assert english.keys() == chinese.keys()
    for name, claim in english.items():
        assert CHINESE.search(chinese[name].text) and CHINESE.search(chinese[name].why)
        assert set(re.findall(r"\{\w+", chinese[name].why)) == set(re.findall(r"\{\w+", claim.why))


@pytest.mark.parametrize(("translation", "flags", "said"), [
    ("", [], "not translated"), ("{b} 行", [], "other fields"), ("{a} 行", ["fuzzy"], "fuzzy"),
    ("{a} 行", [], None)])
def test_what_is_wrong_with_a_translation_is_said(translation, flags, said):
    found = translate.faults_of(Message("{a} lines", translation, flags=flags), "zh_CN")
    assert found == [] if said is None else said in found[0]


def test_a_changed_claim_makes_its_translation_stale():
    claim = claims.load()["lr-critical"]
    entry = translations.load("zh")["lr-critical"]
    assert entry.english == translations.of_claim(claim)
    from dataclasses import replace

    assert entry.english != translations.of_claim(replace(claim, text=claim.text + " Not."))


def test_the_report_speaks_chinese_from_end_to_end():
    with speak("zh_CN"):
        text = report.as_text(check(CONFIGS / "config_8k_telephone.yaml", gpus=2), width=100)
        page = report.as_html(check(CONFIGS / "config_8k_telephone.yaml"))
    for line in text.splitlines():
        said = line.strip(" →│┃")
        plain = re.sub(r"`[^`]*`|[\w./:+~=-]*[._/:=][\w./:+~=-]*", "", said)
        assert len(re.findall(r"\b[A-Za-z]{3,}\b", plain)) < 12 or CHINESE.search(said), line
    assert '<html lang="zh-CN">' in page and "个错误" in page
    assert str(say("error")) == "error"


def test_a_language_without_a_catalogue_falls_back_to_english():
    with speak("fr"):
        assert str(say("error")) == "error"
