"""Would a reader who moves a slider see the panel of another setting?"""

from __future__ import annotations

from helpers.pages import menus


def test_each_combination_of_entries_has_its_own_panel() -> None:
    hours = menus.Control("Speech", {"1 h": 1, "10 h": 10}, chosen="10 h")
    passes = menus.Control("Passes", {"as written": None, "one": 1}, slider=False)
    box = menus.explorer([hours, passes], lambda hours, passes: f"{hours} h, {passes}")
    slider, listed, stack = box.children
    assert (slider.value, listed.value) == ("10 h", "as written")
    assert (stack.selected_index, stack.children[1].selected_index) == (1, 0)
    assert [[panel.value for panel in inner.children] for inner in stack.children] == [
        ["1 h, None", "1 h, 1"], ["10 h, None", "10 h, 1"]]


def test_a_menu_starts_with_the_entry_asked_for() -> None:
    listed, stack = menus.menu("Stage", {"a": "first", "b": "second"}, "b").children
    assert listed.value == "b" and stack.children[stack.selected_index].value == "second"
    assert menus.menu("Stage", {"a": "first"}).children[0].value == "a"
