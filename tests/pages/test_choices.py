"""Does a reader who chooses an answer see its panel alone, by mouse and keyboard, without a script?"""

from __future__ import annotations

import pytest
from browsing import PHONE
from bs4 import BeautifulSoup

from helpers.pages.choices import choices

PANELS = {"Whisper & co": "<p>first</p>", "the mini": "<p>second</p>", "Sphinx": "<p>third</p>"}


def test_every_answer_has_a_label_and_a_panel() -> None:
    page = BeautifulSoup(choices("who", "Who?", PANELS, "the mini"), "html.parser")
    buttons = page.find_all("input")
    assert [page.find("label", {"for": one["id"]}).text for one in buttons] == list(PANELS)
    assert [one.has_attr("checked") for one in buttons] == [False, True, False]
    assert page.legend.text == "Who?" and not page.find("script")


def test_a_name_that_is_no_selector_is_refused() -> None:
    with pytest.raises(ValueError, match="small letters"):
        choices("Who?", "Who?", PANELS)


@pytest.mark.slow
def test_one_panel_shows_and_the_keyboard_changes_it(browser) -> None:
    page = browser.new_page(viewport=PHONE, java_script_enabled=False)
    page.set_content(choices("who", "Who?", PANELS) + choices("two", "Other?", PANELS, "Sphinx"))
    shown = page.locator(".choice p:visible")
    assert shown.all_inner_texts() == ["first", "third"]
    page.get_by_label("the mini").first.check()
    assert shown.all_inner_texts() == ["second", "third"]
    page.keyboard.press("ArrowRight")
    assert shown.all_inner_texts() == ["third", "third"]
    page.close()
