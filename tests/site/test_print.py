"""What a reader would lose on paper: figures, verdicts, tables, the pictures of widgets."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browsing import ROOT, Visitor, report
from playwright.sync_api import Page

each_theme = pytest.mark.parametrize("theme", ["light", "dark"])
PAPER = {"width": 703, "height": 1018}
"""A4 without the margins of the book's style, in CSS pixels."""
CHAPTERS = ("notebooks/learning_rate", "notebooks/spec_augment", "notebooks/telephone_channel",
            "notebooks/configs_side_by_side", "notebooks/which_knobs", "notebooks/claim_ledger")
WITH_WIDGET = "notebooks/spec_augment"
KEPT = ("figure img:not(.only-dark)", "figcaption", ".admonition", ".claim-check", "table", "pre")
OUTSIDE = """([kinds, width]) => kinds.flatMap((kind) =>
    [...document.querySelectorAll(`main article ${kind}`)].filter((one) => {
        const box = one.getBoundingClientRect();
        return box.width && (box.left < -1 || box.right > width + 1);
    }).map((one) => `${kind}: ${one.textContent.trim().slice(0, 60)}`))"""
HIDDEN = """(kinds) => kinds.flatMap((kind) =>
    [...document.querySelectorAll(`main article ${kind}`)].filter((one) =>
        !one.closest("details, [hidden]") && !one.getBoundingClientRect().height).map((one) =>
            `${kind}: ${(one.alt || one.textContent).trim().slice(0, 60)}`))"""
CUT = """() => [...document.querySelectorAll("main article *")].filter((one) => {
    const style = getComputedStyle(one);
    return /(auto|scroll|hidden|clip)/.test(style.overflowX) && one.clientWidth > 1
        && one.scrollWidth > one.clientWidth + 1
        && !one.closest(".visually-hidden, math");
}).map((one) => `<${one.tagName.toLowerCase()} class="${one.className}"> shows `
    + `${one.clientWidth} of ${one.scrollWidth} px`)"""
LIGHTNESS = """(text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""


@pytest.fixture
def printed(visitor: Visitor) -> Iterator[object]:
    """Opens a page as paper sees it."""
    opened: list[Page] = []

    def look(name: str, theme: str = "light") -> Page:
        page = visitor.open(name, size=PAPER, theme=theme, fresh=True).page
        page.emulate_media(media="print", color_scheme=theme)
        opened.append(page)
        return page

    yield look
    for page in opened:
        page.emulate_media(media="screen")


@pytest.mark.parametrize("name", CHAPTERS)
def test_nothing_is_lost_or_cut_at_the_edge_of_the_paper(name: str, printed) -> None:
    page = printed(name)
    report([f"outside the paper: {one}" for one in page.evaluate(
        OUTSIDE, [KEPT, PAPER["width"]])]
        + [f"not printed: {one}" for one in page.evaluate(HIDDEN, KEPT)]
        + [f"cut: {one}" for one in page.evaluate(CUT)], name)


@each_theme
def test_captions_are_read_on_screens_as_well(theme: str, visitor: Visitor) -> None:
    captions = visitor.open(WITH_WIDGET, theme=theme).page.locator("main article figcaption")
    assert captions.count() and all(one.is_visible() for one in captions.all())


def test_the_check_would_find_a_table_that_is_too_wide(printed) -> None:
    page = printed(CHAPTERS[0])
    page.evaluate("""document.querySelector("main article table").insertAdjacentHTML("afterend",
        "<table style='min-width:60rem'><tr><td>wide</td></tr></table>")""")
    assert page.evaluate(OUTSIDE, [KEPT, PAPER["width"]])


def test_a_widget_prints_its_picture(printed) -> None:
    page = printed(WITH_WIDGET)
    pictures = page.locator(".explorer img:not(.only-dark):visible")
    boxes = [one.bounding_box() for one in pictures.all()]
    assert boxes and all(box and box["width"] > 300 and box["x"] + box["width"]
                         <= PAPER["width"] + 1 for box in boxes)


@pytest.mark.parametrize("name", ["notebooks/telephone_channel"])
def test_controls_that_paper_does_not_have_are_left_out(name: str, printed) -> None:
    page = printed(name)
    for dead in ("audio", "details.hide:not([open]) > summary", ".copybtn", ".toggle-button"):
        assert page.locator(f"main article {dead}:visible").count() == 0, dead


@each_theme
def test_ink_is_dark_and_paper_white_in_both_themes(theme: str, printed) -> None:
    page = printed(WITH_WIDGET, theme)
    for part in ("p", "td", "th", ".admonition p", ".claim-check p", "figcaption p", "code"):
        colour = page.locator(f"main article section {part}").first.evaluate(
            "(one) => getComputedStyle(one).color")
        assert page.evaluate(LIGHTNESS, colour) < 110, f"{part} is printed in {colour}"
    pale = page.locator("main article .highlight span").evaluate_all("""(all) => all.filter(
        (one) => getComputedStyle(one).color.match(/\\d+/g).slice(0, 3).every(
            (part) => Number(part) > 150)).map((one) => one.textContent)""")
    report(pale[:8], "code is printed in pale ink")
    for part in ("body", "main article .admonition"):
        ground = page.locator(part).first.evaluate(
            "(one) => getComputedStyle(one).backgroundColor")
        assert "0, 0, 0, 0" in ground or page.evaluate(LIGHTNESS, ground) > 200, (part, ground)


def test_paper_has_the_light_palette_whole() -> None:
    """The palette of every theme is the light one; the dark one is for screens alone."""
    css = (ROOT / "book/_assets/book.css").read_text(encoding="utf-8")
    every, dark, paper = (set(re.findall(r"(--[\w-]+):", re.search(head + r"(.*?)\n *\}", css,
                                                                   re.DOTALL)[1])) for head in (
        r"\nhtml\[data-theme\] \{", r'@media screen \{\n  html\[data-theme="dark"\] \{',
        r'\n  html\[data-theme="dark"\] \{\n    color-scheme: light;'))
    assert len(dark) > 20 and dark <= every | paper
