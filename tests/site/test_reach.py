"""Can a reader get at everything? At any width no part of a figure, table, output or code is cut
for good, and no column is too narrow to read; all of it is there without scripts as well.
"""

from __future__ import annotations

import re

import pytest
from browsing import EXPLORER, OPEN_FOLDS, PAGES, SITE, WIDE, Visitor, report
from bs4 import BeautifulSoup
from playwright.sync_api import Browser

from helpers.site import figures

WIDTHS = (360, 768, 1024, 1440)
PARTS = "figure img, table, pre, .cell_output, div.math, .explorer, .players, audio"

# What reaches over an edge that hides it, or over the page's own edge, and cannot be scrolled to.
CUT = """(parts) => {
    const said = (one) => `<${one.tagName.toLowerCase()} class="${one.className}"> `
        + (one.alt || one.textContent).trim().replace(/\\s+/g, " ").slice(0, 60);
    return [...document.querySelectorAll(`main article :is(${parts})`)].filter((one) => {
        const place = one.getBoundingClientRect();
        if (!place.width || one.closest(".visually-hidden")) return false;
        let left = place.left, right = place.right;
        for (let box = one.parentElement; box && box !== document.body; box = box.parentElement) {
            const edge = box.getBoundingClientRect(), how = getComputedStyle(box).overflowX;
            if (/auto|scroll/.test(how)) {
                if (right > edge.right + 1 && box.scrollWidth <= box.clientWidth + 1) {
                    return true;
                }
                left = Math.max(left, edge.left); right = Math.min(right, edge.right);
            } else if (/hidden|clip/.test(how)
                       && (left < edge.left - 1 || right > edge.right + 1)) {
                return true;
            }
        }
        return left < -1 || right > innerWidth + 1;
    }).map(said);
}"""

# A cell that is narrower than 6em though its text takes many lines; a row taller than the box that
# it scrolls in.
NARROW = """() => [...document.querySelectorAll("main article :is(th, td)")].flatMap((cell) => {
    const place = cell.getBoundingClientRect(), style = getComputedStyle(cell);
    const text = cell.textContent.trim().replace(/\\s+/g, " ");
    if (!place.width || !text || cell.closest(".visually-hidden")) return [];
    const em = parseFloat(style.fontSize);
    const said = `${Math.round(place.width)} px: ${text.slice(0, 50)}`;
    const range = document.createRange();
    range.selectNodeContents(cell);
    const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.bottom / 6)));
    const faults = place.width < 6 * em && lines.size > 3 && text.length > 10
        ? [`narrow cell, ${said}`] : [];
    const box = cell.closest(".ft-scroll");
    const row = cell.parentElement.getBoundingClientRect();
    if (box && row.height > box.clientHeight) faults.push(`row taller than its box, ${said}`);
    return faults;
})"""

# A word of code that goes on in the next line of its cell: BOOK_MODE, and below it an L.
BROKEN = """() => [...document.querySelectorAll("article :is(td, th) code")].flatMap((code) => {
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT), faults = [];
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        for (const word of text.data.matchAll(/[A-Za-z0-9]{2,}/g)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].filter((one) => one.width)
                .map((one) => Math.round(one.top)));
            if (lines.size > 1) faults.push(`broken: ${word[0]} in ${code.textContent}`);
        }
    }
    return faults;
})"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_every_part_can_be_reached(name: str, width: int, visitor: Visitor) -> None:
    page = visitor.open(name, size={"width": width, "height": 900}, fresh=True).page
    page.evaluate(OPEN_FOLDS)
    report([*(f"cut: {one}" for one in page.evaluate(CUT, PARTS)), *page.evaluate(NARROW),
            *page.evaluate(BROKEN)][:20],
           f"{name} at {width} px")
    visitor.close((name, "http", str({"width": width, "height": 900}), "light"))


@pytest.mark.parametrize(("style", "found"), [
    ("overflow: hidden; width: 300px", True), ("overflow: clip; width: 300px", True),
    ("overflow: auto; width: 300px", False), ("", False)])
def test_the_check_finds_what_is_cut(style: str, found: bool, visitor: Visitor) -> None:
    page = visitor.open(PAGES[1], fresh=True).page
    page.evaluate("""(style) => document.querySelector("main article").insertAdjacentHTML(
        "afterbegin", `<div style="${style}"><table><tr><td style="min-width:400px">x</td></tr>
        </table></div>`)""", style)
    assert bool(page.evaluate(CUT, PARTS)) is found


def test_the_check_finds_a_column_of_single_letters(visitor: Visitor) -> None:
    page = visitor.open(PAGES[1], fresh=True).page
    page.evaluate("""document.querySelector("main article").insertAdjacentHTML("afterbegin",
        `<table style="table-layout:fixed;width:200px"><tr><td style="width:20px;padding:0;
        overflow-wrap:anywhere">nothing moved at all</td><td>x</td></tr></table>`)""")
    assert page.evaluate(NARROW)


def test_the_check_finds_a_broken_word(visitor: Visitor) -> None:
    page = visitor.open(PAGES[1], fresh=True).page
    page.evaluate("""document.querySelector("main article").insertAdjacentHTML("afterbegin",
        `<table style="table-layout:fixed;width:80px"><tr><td>
        <code style="overflow-wrap:anywhere">BOOK_MODEL</code></td></tr></table>`)""")
    assert page.evaluate(BROKEN)


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_gets_its_own_drawing_of_every_figure(name: str, visitor: Visitor) -> None:
    """In the page's width, at its own size: text of a figure that is shrunk cannot be read."""
    page = visitor.open(name, size={"width": 390, "height": 844}, fresh=True).page
    faults = page.evaluate("""async () => {
        const faults = [];
        for (const image of document.querySelectorAll("main article figure img")) {
            if (!image.checkVisibility()) continue;
            image.loading = "eager";
            await image.decode();
            const place = image.getBoundingClientRect(), box = image.closest("figure");
            if (!image.currentSrc.includes("-phone")) {
                faults.push(`no drawing for phones (make execute): ${image.alt.slice(0, 60)}`);
            } else if (box.scrollWidth > box.clientWidth + 1 || place.width < 0.9 * 358) {
                faults.push(`${place.width} px wide: ${image.alt.slice(0, 60)}`);
            }
        }
        return faults;
    }""")
    report(faults, name)


def test_no_phone_drawing_is_left_over() -> None:
    """Each belongs to a figure that a page shows."""
    shown = {path.name.removesuffix("-phone.svg")
             for path in (SITE / "_images").glob("*-phone.svg")}
    report([path.name for path in figures.PHONE_DRAWINGS.glob("*.svg") if path.stem not in shown],
           "no page shows the figure of")


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_everything_is_there_once_and_in_colour(
    name: str, browser: Browser, addresses: dict[str, str]
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=WIDE)
    page = context.new_page()
    page.goto(f"{addresses['file']}/{name}.html")
    for number, figure in enumerate(page.locator("main article figure:has(img)").all()):
        shown = [image for image in figure.locator("img").all() if image.is_visible()]
        assert len(shown) == len(figure.locator("img:not(.only-dark)").all()), f"figure {number}"
    for explorer in page.locator(EXPLORER).all():
        assert explorer.locator("img:visible, table:visible, p:visible").count(), "an empty widget"
        assert not explorer.locator("input:visible, select:visible").count(), "a dead control"
    link = page.evaluate("""() => getComputedStyle(
        document.querySelector("main article a.reference, main article a")).color""")
    assert link != "rgb(0, 0, 0)", "the page has no colours"
    context.close()


RAW = re.compile(r"`|\{(?:glue|doc|term|ref|cite|numref)[:}]|ADDRESS_OF|\bYOUR[/_-][A-Z]|:::")


@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_no_mark_of_the_source_is_left(name: str) -> None:
    """No backtick, role or placeholder in what a page says, names or describes."""
    page = BeautifulSoup((SITE / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    described = [tag[attribute] for attribute in ("alt", "content", "title", "aria-label",
                                                  "data-definition", "data-label")
                 for tag in page.select(f"[{attribute}]")]
    placeholders = [text for text in page.select_one("main").stripped_strings
                    if "ADDRESS_OF" in text]
    for code in page.select("script, style, code, pre, kbd, math"):
        code.decompose()
    parted = [text for text in described if re.search(r"\w_ \w", text)]  # a name of two words
    report([text[:100] for text in (*page.stripped_strings, *described) if RAW.search(text)]
           + placeholders + parted, name)
