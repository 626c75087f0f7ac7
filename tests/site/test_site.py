"""The built site in a real browser, over HTTP and from disk, with the network cut."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from browsing import (
    EXPLORER,
    PAGES,
    PHONE,
    WIDE,
    Visitor,
    each_article,
    each_page,
    each_way,
    report,
)
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

FILTER = "[data-filter-table]"


# Loading

@each_way
@each_page
def test_page_loads_alone_and_without_errors(name: str, way: str, visitor: Visitor) -> None:
    visit = visitor.open(name, way)
    report(visit.outside, f"{name} asked other hosts for")
    report(visit.missing, f"{name} asked for files that the site does not have")
    report(visit.errors, f"{name} raised errors in the browser")


@each_way
def test_front_page_leads_into_the_book(way: str, visitor: Visitor) -> None:
    page = visitor.open("index", way, fresh=True).page
    page.wait_for_url(f"**/{PAGES[0]}.html")
    assert page.locator("main article h1").is_visible()


@each_way
@each_article
def test_pictures_and_sound_load(name: str, way: str, visitor: Visitor) -> None:
    page = visitor.open(name, way).page
    faults = page.evaluate("""async () => {
        const faults = [];
        for (const image of document.querySelectorAll("main img")) {
            image.loading = "eager";
            try { await image.decode(); } catch (error) { /* judged by its size below */ }
            const file = image.src.slice(0, 80);
            if (!image.naturalWidth) faults.push(`picture does not load: ${file}`);
            if (!image.alt.trim()) faults.push(`picture without alt text: ${file}`);
        }
        for (const sound of document.querySelectorAll("main audio")) {
            sound.load();
            await new Promise((done) => {
                sound.onloadedmetadata = sound.onerror = done; setTimeout(done, 3000);
            });
            if (!(sound.duration > 0)) faults.push("a sound does not load");
        }
        return faults;
    }""")
    report(faults, name)


DRAWN = """() => [...document.querySelectorAll("main math")].every(
    (formula) => formula.getBoundingClientRect().width > 4)
    && !/\\\\[(\\[]/.test(document.querySelector("main article").innerText)"""


@each_article
def test_formulas_are_drawn_and_stand_at_the_left(name: str, visitor: Visitor) -> None:
    page = visitor.open(name).page
    page.wait_for_function(DRAWN)
    report(page.evaluate("""() => [...document.querySelectorAll("main div.math")].filter((box) =>
        box.querySelector("math").getBoundingClientRect().left
            > box.closest("section").getBoundingClientRect().left + 40
        || (box.nextElementSibling && box.nextElementSibling.getBoundingClientRect().top
            < box.getBoundingClientRect().bottom + 4)).map((box) => box.textContent)"""),
           f"{name}: a displayed formula is out of place")


# Reading on a phone, in the dark, on paper

@each_page
def test_phone_needs_no_sideways_scrolling(name: str, visitor: Visitor) -> None:
    page = visitor.open(name, size=PHONE).page
    faults = page.evaluate("""(width) => {
        const scrolls = (node) => node && node !== document.body
            && (/(auto|scroll)/.test(getComputedStyle(node).overflowX)
                || scrolls(node.parentElement));
        const wide = [...document.querySelectorAll("main *")].filter((node) =>
            !node.ownerSVGElement && node.getBoundingClientRect().width > 1
            && node.getBoundingClientRect().right > width + 1 && !scrolls(node));
        const names = wide.map((node) => `<${node.tagName.toLowerCase()} class="`
            + `${node.getAttribute("class") || ""}"> ${node.textContent.trim().slice(0, 50)}`);
        const all = document.documentElement.scrollWidth;
        return all > width ? [`the page is ${all} px wide`, ...names.slice(0, 8)]
            : names.slice(0, 8);
    }""", PHONE["width"])
    report(faults, f"{name} is wider than a phone of {PHONE['width']} px")


@each_article
def test_the_contents_of_a_page_stay_in_their_column(name: str, visitor: Visitor) -> None:
    """A long key in a heading once pushed the column over the edge of a laptop's screen."""
    page = visitor.open(name).page
    outside = page.evaluate("""() => [...document.querySelectorAll(".bd-sidebar-secondary *")]
        .filter((node) => node.getBoundingClientRect().right > window.innerWidth)
        .map((node) => node.textContent.trim().slice(0, 50))""")
    report(outside, f"{name}: contents that reach over the edge")


def test_phone_menu_opens(visitor: Visitor) -> None:
    page = visitor.open(PAGES[0], size=PHONE, fresh=True).page
    page.locator("button.primary-toggle:visible").first.click()
    link = page.locator(f"a[href$='{PAGES[-1]}.html']:visible").first
    link.click()
    page.wait_for_url(f"**/{PAGES[-1]}.html")


@each_article
def test_paper_leaves_out_the_menus(name: str, visitor: Visitor) -> None:
    page = visitor.open(name).page
    page.emulate_media(media="print")
    try:
        assert page.locator("h1:visible").count() >= 1, "the title would not be printed"
        for menu in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".bd-header-article"):
            assert page.locator(f"{menu}:visible").count() == 0, f"{menu} would be printed"
    finally:
        page.emulate_media(media="screen")


# Controls without a kernel

SEEN = """(box) => [...box.querySelectorAll(".explorer-panel")].map(
    (panel) => panel.checkVisibility()).join()"""


@each_way
@each_article
def test_every_slider_and_choice_changes_the_page(name: str, way: str, visitor: Visitor) -> None:
    """By keyboard; a slider says its value in words; exactly one panel is there at a time."""
    page = visitor.open(name, way).page
    for box in page.locator(EXPLORER).all():
        for slider in box.locator("input[type=range]").all():
            before, said = box.evaluate(SEEN), slider.get_attribute("aria-valuetext")
            slider.focus()
            page.keyboard.press("ArrowLeft" if slider.input_value() == slider.get_attribute("max")
                                else "ArrowRight")
            assert box.evaluate(SEEN) != before, f"{name}: a slider changes nothing"
            assert slider.get_attribute("aria-valuetext") not in ("", said)
            assert box.evaluate(SEEN).count("true") == 1
        for choice in box.locator("select").all():
            before, options = box.evaluate(SEEN), choice.locator("option")
            current = choice.evaluate("(node) => node.selectedIndex")
            choice.select_option(index=(current + 1) % options.count())
            assert box.evaluate(SEEN) != before, f"{name}: a choice changes nothing"
            assert box.evaluate(SEEN).count("true") == 1


@pytest.mark.parametrize("touch", [False, True], ids=["mouse", "finger"])
def test_sliders_follow_mouse_and_finger(
    touch: bool, browser: Browser, addresses: dict[str, str]
) -> None:
    """A press on the far end of a slider's track moves it there, and the picture with it."""
    context = browser.new_context(viewport=PHONE if touch else WIDE, has_touch=touch)
    page = context.new_page()
    page.goto(f"{addresses['file']}/notebooks/spec_augment.html", wait_until="load")
    track = page.locator(f"{EXPLORER} input[type=range]").first
    track.scroll_into_view_if_needed()
    output = page.locator(EXPLORER).first
    before, place = output.evaluate(SEEN), track.bounding_box()
    assert place["width"] > 200, "a slider that a finger can hardly set"
    far = place["x"] + place["width"] - 2, place["y"] + place["height"] / 2
    if touch:
        page.touchscreen.tap(*far)
    else:
        page.mouse.click(*far)
    page.wait_for_timeout(300)
    assert output.evaluate(SEEN) != before
    context.close()


def visible_rows(page: Page) -> int:
    return page.evaluate("""(table) => [...document.querySelectorAll(table)].flatMap((box) =>
        [...box.querySelectorAll("tbody tr")]).filter((row) => row.offsetParent).length""", FILTER)


@each_way
@each_article
def test_filters_work_by_keyboard(name: str, way: str, visitor: Visitor) -> None:
    page = visitor.open(name, way).page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for table in page.locator(FILTER).all():
        everything = visible_rows(page)
        for entry in table.locator("input[type=search], input[type=text]").all():
            entry.focus()
            page.keyboard.type("no such key anywhere")
            assert visible_rows(page) == 0, f"{name}: typing into the filter hides no row"
            entry.fill("")
            assert visible_rows(page) == everything, f"{name}: an empty filter hides rows"
        changed = []
        for choice in table.locator("select").all():
            choice.focus()
            page.keyboard.press("ArrowDown")
            changed.append(visible_rows(page) != everything)
            choice.select_option(index=0)
        assert any(changed) or not changed, f"{name}: no choice of the filter hides a row"
        assert visible_rows(page) == everything, f"{name}: the filter does not go back"


def test_a_term_is_linked_where_a_page_first_uses_it(pages: dict[Path, BeautifulSoup]) -> None:
    """A reader who meets a word meets its definition; headings and code stay plain."""
    for path, page in pages.items():
        links = page.select("main article p a[href*='glossary.html#term-']")
        assert all(link.get("data-definition") for link in links), path
        assert not page.select("main article :is(h1, h2, h3, code, .sd-badge, a) "
                               "a[href*='glossary.html#term-']"), path
    linked = {link["href"].partition("#")[2] for page in pages.values()
              for link in page.select("a[data-definition]")}
    assert {"term-DDP", "term-CTC", "term-LoRA"} <= linked


@each_way
def test_a_definition_shows_beside_its_term(way: str, visitor: Visitor) -> None:
    """Under the pointer and with the keyboard; Escape closes it; it stays within the window."""
    page = visitor.open("notebooks/sample_rate", way, size=PHONE, fresh=True).page
    link = page.locator("a[data-definition]").first
    box = page.locator("[role=tooltip]")
    link.hover()
    box.wait_for()
    assert box.inner_text() == link.get_attribute("data-definition")
    place = box.bounding_box()
    assert place["x"] >= 0 and place["x"] + place["width"] <= PHONE["width"]
    page.mouse.move(5, 5)
    box.wait_for(state="hidden")
    link.focus()
    box.wait_for()
    assert link.get_attribute("aria-describedby") == box.get_attribute("id")
    page.keyboard.press("Escape")
    box.wait_for(state="hidden")


def test_the_key_table_has_a_filter(visitor: Visitor) -> None:
    page = visitor.open("notebooks/configs_side_by_side").page
    assert page.locator(FILTER).first.locator("input:visible, select:visible").count() >= 2


# Links

def parsed(site: Path) -> dict[Path, BeautifulSoup]:
    """Every page of the site, parsed."""
    return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            for path in site.rglob("*.html") if "_static" not in path.parts}


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, BeautifulSoup]:
    """Parsed pages by path."""
    return parsed(site)


def test_every_page_of_the_contents_is_built(site: Path) -> None:
    report([name for name in PAGES if not (site / f"{name}.html").is_file()], "pages not built")


def test_internal_links_lead_somewhere(site: Path, pages: dict[Path, BeautifulSoup]) -> None:
    anchors = {path: {tag.get("id") or tag.get("name") for tag in soup.find_all(
        lambda tag: tag.has_attr("id") or tag.has_attr("name"))} for path, soup in pages.items()}
    faults = []
    for path, soup in pages.items():
        for link in soup.find_all("a", href=True):
            address, anchor = urldefrag(link["href"])
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            target = (path.parent / unquote(address.split("?")[0])).resolve() if address else path
            where = f"{path.relative_to(site)}: {link['href']}"
            if not target.is_file():
                faults.append(f"{where} (no such file)")
            elif anchor and target in anchors and unquote(anchor) not in anchors[target]:
                faults.append(f"{where} (no such place on that page)")
    report(faults, "links that lead nowhere")


def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[Path, BeautifulSoup]) -> None:
    faults = []
    for path, soup in pages.items():
        for tag in soup.find_all(["script", "link", "img", "iframe", "audio", "source", "video"]):
            address = tag.get("src") or (tag.name == "link" and tag.get("href")) or ""
            where = f"{path.relative_to(site)}: <{tag.name}> {address[:100]}"
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                faults.append(f"{where} is on another host")
            elif address.strip("#") and not urlsplit(address).scheme:
                file = path.parent / unquote(address.split("?")[0].split("#")[0])
                if not file.is_file():
                    faults.append(f"{where} is missing")
    for sheet in (site / "_static").rglob("*.css"):
        faults += [f"{sheet.relative_to(site)}: {match}" for match in re.findall(
            r"url\([\"']?(?:https?:)?//[^)]*\)|@import[^;]*//[^;]*;",
            sheet.read_text(encoding="utf-8", errors="replace"))]
    report(faults, "the site must stand alone")


# One palette for pages and figures
