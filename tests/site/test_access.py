"""What a reader would lose who does not see the page, uses no mouse, or wants nothing to move."""

from __future__ import annotations

import os

import pytest
from browsing import OPEN_FOLDS, PAGES, PHONE, ROOT, WIDE, Visitor, each_page, report
from playwright.sync_api import Page

AXE = ROOT / ".cache" / "browser_tools" / "axe.min.js"
DEPEND_ON_VIEW = ["color-contrast", "link-in-text-block", "scrollable-region-focusable",
                  "target-size"]
VIEWS = [(WIDE, "light", None), (PHONE, "dark", DEPEND_ON_VIEW)]
if os.environ.get("BOOK_AXE_ALL"):
    VIEWS = [(size, theme, None) for size in (WIDE, PHONE) for theme in ("light", "dark")]
SETTLED = 800  # ms after a change of size or theme: colours fade, and access.js waits to look again

CHECK = """async ([part, rules]) => (await axe.run(part, {
    resultTypes: ["violations"], preload: false, iframes: false,
    ...(rules && {runOnly: rules})})).violations
    .flatMap((rule) => rule.nodes.map((node) =>
        `${rule.id} (${rule.impact}): ${node.target.join(" ")}: ${node.html.slice(0, 120)}`))"""
FOCUS = """() => {
    const node = document.activeElement, style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    return {tag: node.tagName, text: (node.getAttribute("aria-label") || node.textContent).trim(),
        shown: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
        marked: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1)
            || style.boxShadow !== "none",
        html: node.outerHTML.slice(0, 100)};
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility checker, as text."""
    if not AXE.is_file():
        pytest.fail("the accessibility checker is not there: run "
                    "python -m helpers.site.commands.assets first")
    return AXE.read_text(encoding="utf-8")


def check(page: Page, size: dict[str, int], theme: str,
          rules: list[str] | None = None, part: str = "html") -> list[str]:
    """Violations of one view of a page or a part of it, of all rules or of some."""
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size(size)
    page.wait_for_function("(theme) => document.documentElement.dataset.theme === theme", arg=theme)
    page.wait_for_timeout(SETTLED)
    return [f"{theme}, {size['width']} px: {fault}"
            for fault in page.evaluate(CHECK, [part, rules])]


@each_page
def test_axe_finds_nothing(name: str, visitor: Visitor, axe: str) -> None:
    """Wide and light, with every cell of code shown; then on a dark phone
    the rules that depend on colours and sizes. BOOK_AXE_ALL=1 runs every rule in all four views.
    """
    page = visitor.open(name, fresh=True).page
    page.evaluate(OPEN_FOLDS)
    page.evaluate(axe)
    report([fault for view in VIEWS for fault in check(page, *view)],
           f"{name} violates rules of axe-core")


KINDS_OF_WORDS = """() => {
    const kinds = new Set([...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
        .flatMap((rule) => [...(rule.selectorText || "").matchAll(/\\.highlight \\.(\\w+)/g)])
        .map((match) => match[1]));
    document.querySelector("main article").insertAdjacentHTML("afterbegin",
        `<div id="words" class="highlight-python"><div class="highlight"><pre>${[...kinds].map(
            (kind) => `<span class="${kind}">${kind} word</span>`).join("\\n")}</pre></div></div>`);
    return [...kinds];
}"""


def test_every_colour_of_code_can_be_read(visitor: Visitor, axe: str) -> None:
    """Of every kind of word that a style sheet colours, in the light and in the dark."""
    page = visitor.open(PAGES[1], fresh=True).page
    page.evaluate(axe)
    assert {"k", "s1", "c1", "mi"} <= set(page.evaluate(KINDS_OF_WORDS))
    assert len(page.evaluate("""() => [...new Set([...document.querySelectorAll("#words span")]
        .map((word) => getComputedStyle(word).color))]""")) > 3
    report([fault for theme in ("light", "dark")
            for fault in check(page, WIDE, theme, ["color-contrast"], "#words")],
           "words of code are too pale")


def test_axe_would_find_a_fault(visitor: Visitor, axe: str) -> None:
    page = visitor.open(PAGES[0], fresh=True).page
    page.evaluate(axe)
    page.evaluate("""document.querySelector("main article").insertAdjacentHTML("beforeend",
        "<button></button><img src='data:,'>")""")
    found = " ".join(check(page, WIDE, "light"))
    assert "button-name" in found and "image-alt" in found


def test_the_first_tab_skips_the_menus(visitor: Visitor) -> None:
    page = visitor.open(PAGES[1], fresh=True).page
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)["text"] == "Skip to main content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("""document.querySelector("#main-content").contains(
        document.activeElement)"""), "after the skip link, the keyboard is not in the text"


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_keyboard_focus_is_always_seen(size: dict[str, int], visitor: Visitor) -> None:
    """From the page's first link through its menus into the text."""
    page = visitor.open(PAGES[1], size=size, fresh=True).page
    faults = []
    for _ in range(60):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus["tag"] != "BODY" and not (focus["shown"] and focus["marked"]):
            faults.append(focus["html"])
    report(faults, "the keyboard's place is not seen at")


def test_the_phone_menu_works_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open(PAGES[1], size=PHONE, fresh=True).page
    page.locator("button.primary-toggle:visible").first.focus()
    page.keyboard.press("Enter")
    menu = page.locator("#pst-primary-sidebar-modal")
    menu.locator("a:visible").first.wait_for()
    page.keyboard.press("Tab")
    assert menu.evaluate("(box) => box.contains(document.activeElement)")
    page.keyboard.press("Escape")
    menu.locator("a").first.wait_for(state="hidden")


def test_nothing_moves_for_a_reader_who_asked_for_that(visitor: Visitor) -> None:
    page = visitor.open(PAGES[1], fresh=True).page
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate("""() => [...document.querySelectorAll("*")].filter((node) => {
        const style = getComputedStyle(node);
        return style.scrollBehavior === "smooth" || [style.transitionDuration,
            style.animationDuration].some((all) => all.split(",").some(
                (time) => parseFloat(time) > 0.001));
    }).map((node) => node.outerHTML.slice(0, 80)).slice(0, 8)""")
    report(moving, "these still move")


@pytest.mark.parametrize("name", PAGES)
def test_tables_have_heads_and_figures_captions(name: str, visitor: Visitor) -> None:
    faults = visitor.open(name).page.evaluate("""() => [
        ...[...document.querySelectorAll("main article table")].filter((table) =>
            !table.querySelector("th")).map((table) => "table without heads: "
                + table.textContent.trim().slice(0, 60)),
        ...[...document.querySelectorAll("main article figure:not(figure figure)")].filter(
            (figure) => !figure.querySelector("figcaption")?.textContent.trim()).map((figure) =>
                "figure without caption: " + figure.id)]""")
    report(faults, name)
