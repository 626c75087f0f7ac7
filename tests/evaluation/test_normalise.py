"""Is a right transcript in another style right, in each language, and a wrong one wrong?"""

from __future__ import annotations

import pytest

from helpers.errors import BookError
from helpers.evaluation.normalise import counts, error_rate, in_released_style, normalised


@pytest.mark.parametrize(("one", "other", "language"), [
    ("press one", "Press 1.", "en"), ("twenty five dollars", "$25", "en-US"),
    ("你好世界", "你好，世界。", "zh-CN"), ("こんにちは", "こんにちは。", "ja"),
    ("请拨打一三八零零", "请拨打13800。", "zh-CN"), ("三百二十一块", "321块", "zh"),
    ("百分之五", "5%", "zh"), ("下午三点一刻", "下午3点1刻。", "zh"), ("两点半", "2点半", "zh"),
    ("三点五", "3.5", "zh"), ("幺三八", "138", "zh"), ("guten tag", "Guten Tag!", "de-DE")])
def test_style_costs_nothing(one: str, other: str, language: str) -> None:
    assert normalised(one, language) == normalised(other, language)


@pytest.mark.parametrize(("reference", "heard", "errors", "units"), [
    ("今天天气好", "今天天汽好。", 1, 5), ("用 wifi 上网", "用 WiFi 上", 1, 4),
    ("尾号三二一", "尾号324。", 1, 5),
    ("pay the bill", "Pay a bill.", 1, 3)])
def test_chinese_is_counted_by_character_and_english_by_word(
        reference: str, heard: str, errors: int, units: int) -> None:
    found, of = counts([reference], [heard])
    assert (found[0], of[0]) == (errors, units)


def test_another_language_keeps_its_words() -> None:
    """English rules would turn a German's words into figures and drop what English drops."""
    assert normalised("Eins und mir", "de-DE") == "eins und mir"


@pytest.mark.parametrize("text", ["press one", "i owe twenty five dollars", "你好世界",
                                  "还有三百元"])
def test_the_released_style_scores_badly_as_written_and_not_once_normalised(text: str) -> None:
    styled = in_released_style(text)
    assert styled != text and styled[-1] in ".。"
    assert counts([text], [styled], normalise=False)[0][0] > 0
    assert counts([text], [styled])[0][0] == 0


def test_what_holds_no_word_is_not_counted() -> None:
    rate = error_rate(["pay", "..."], ["Pay.", "noise"], ["a", "b"])
    assert rate.value == 0
    with pytest.raises(BookError, match="No reference holds a word"):
        error_rate(["..."], ["x"], ["a"])
