"""Can a reader without scripts, mouse or screen read every choice?"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from browsing import PHONE

from helpers.pages.choices import choices, code_panel


class _Names(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.ids, self.labels, self.checked, self.shown = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.labels += [given["for"]] if tag == "label" else []
        self.checked += [given["id"]] if "checked" in given else []
        self.shown += [tag]


def test_every_choice_has_a_label_a_panel_and_a_rule() -> None:
    page = choices("a b", "Which?", {"one": "<p>1</p>", "t<o": "<p>2</p>"}, chosen="t<o")
    found = _Names(page)
    assert len(found.ids) == len(set(found.ids)) == 4
    assert found.labels == [name for name in found.ids if name.endswith("-choice")]
    assert found.checked == ["a-b-1-choice"] and "t&lt;o" in page and "t<o" not in page
    for own, shown in re.findall(r"#([\w-]+):checked ~ #([\w-]+) \{ display: block", page):
        assert own == f"{shown}-choice" and {own, shown} <= set(found.ids)
    assert "@media print" in page and "script" not in found.shown
    assert {"fieldset", "legend"} <= set(found.shown)


def test_the_first_is_chosen_where_nothing_is() -> None:
    assert _Names(choices("x", "Which?", {"one": "", "two": ""})).checked == ["x-0-choice"]


def test_code_and_sentences_are_text() -> None:
    assert code_panel("a < b", "c & d") == "<pre><code>a &lt; b</code></pre><p>c &amp; d</p>"


@pytest.mark.slow
def test_one_panel_shows_and_the_keyboard_changes_it_without_scripts(browser) -> None:
    page = browser.new_page(viewport=PHONE, java_script_enabled=False)
    panels = {"one": "<i>1</i>", "two": "<i>2</i>", "three": "<i>3</i>"}
    page.set_content(choices("a", "Which?", panels) + choices("b", "Which?", panels, "three"))
    shown = page.locator("fieldset i:visible")
    assert shown.all_inner_texts() == ["1", "3"]
    page.get_by_label("two").first.check()
    assert shown.all_inner_texts() == ["2", "3"]
    page.keyboard.press("ArrowRight")
    assert shown.all_inner_texts() == ["3", "3"]
    page.close()
