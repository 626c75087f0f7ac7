"""Would an engineer who pins the two sheets to the wall miss a value, a warning or half a line?"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import urldefrag

import matplotlib
import pytest
from browsing import PHONE, WIDE, Visitor, report
from bs4 import BeautifulSoup

from funasr_preflight import command as preflight
from helpers.config import configs, departures
from helpers.config.values import shown
from helpers.errors import BookError
from helpers.gpu import launch_scripts
from helpers.knobs import record
from helpers.ledger import claims, quotes
from helpers.pages import cheat_sheet
from helpers.pages.cheat_sheet_page import sheet
from helpers.paths import CONFIGS

PAGE = "notebooks/cheat_sheet"
SHEET = BeautifulSoup(sheet(), "html.parser")
FIRST, SECOND = SHEET.select(".cheat-page")
TEXT = " ".join(SECOND.get_text().split())
MERGED = {name: configs.flatten(configs.merge_over("pretrained", name))
          for name in (departures.RECOMMENDED, cheat_sheet.MAIN)}
each_theme = pytest.mark.parametrize("theme", ["light", "dark"])
PAPERS = {"A4": (794, 1123), "Letter": (816, 1056)}
LEAST_TYPE = 10  # CSS pixels: 7.5 points
WIDER = {"DejaVuSans": 1.3, "DejaVuSans-Bold": 1.21, "DejaVuSansMono": 1.18}
"""Fonts of matplotlib's, wider than a browser is likely to have for the sheet, in place of every
letter of it: with what height of a line, in the size of the type, two pages must hold them."""


def rows() -> dict[str, str]:
    """Key to all that the first sheet says of it."""
    found = {}
    for setting, body in zip(cheat_sheet.settings(), FIRST.select("tbody"), strict=True):
        found |= dict.fromkeys(setting.keys, " ".join(body.get_text().split()))
    return found


def differing() -> list[str]:
    """Keys that a merged run sets otherwise under the two configs."""
    ours, main = MERGED.values()
    return [key for key in {**ours, **main} if not (
        key in ours and key in main and configs.same_value(ours[key], main[key]))]


# What the sheets say

@pytest.mark.parametrize("key", differing())
def test_a_key_that_differs_is_there_with_both_values(key: str) -> None:
    text = rows()[key]
    assert key.rpartition(".")[2] in text
    for values in MERGED.values():
        expected = shown(values[key]) if key in values else cheat_sheet.LEFT_OUT
        assert expected in text, f"{key}: {expected} is not in {text!r}"


def test_every_key_that_either_config_sets_is_on_the_first_sheet() -> None:
    told = {*rows(), *(key for keys in cheat_sheet.as_pretrained().values() for key in keys)}
    assert told >= {*configs.flatten(departures.RECOMMENDED), *configs.flatten(cheat_sheet.MAIN)}


def test_what_is_called_as_pretrained_is_so() -> None:
    pretrained = configs.flatten("pretrained")
    for keys in cheat_sheet.as_pretrained().values():
        for key in keys:
            assert key not in configs.flatten(departures.RECOMMENDED)
            assert configs.same_value(MERGED[cheat_sheet.MAIN][key], pretrained[key]), key


def test_every_setting_has_a_reason_and_bold_means_different() -> None:
    bodies = FIRST.select("tbody")
    for setting, body in zip(cheat_sheet.settings(), bodies, strict=True):
        assert len(setting.why.split()) > 1, setting.keys
        assert ("cheat-differs" in body["class"]) == bool(set(setting.keys) & set(differing()))


@pytest.mark.parametrize("claim", [claim for claim in claims.load().values()
                                   if claim.verdict == "fails"], ids=lambda claim: claim.id)
def test_a_claim_that_does_not_hold_is_there_with_what_was_found(claim: claims.Claim) -> None:
    assert claim.quote in TEXT
    assert claim.reason().replace("`", "") in TEXT
    assert SECOND.select_one(f'a[href="{claim.evidence}"]')


def test_what_stands_in_quotation_marks_are_the_words_of_the_document() -> None:
    quoted = [quote.text for quote in SECOND.find_all("q")]
    assert quoted and [quote for quote in quoted if quotes.fault(quote)] == []
    assert "\u201c" not in TEXT and "\u201d" not in TEXT


def test_a_half_true_claim_that_changes_its_verdict_is_noticed(monkeypatch) -> None:
    holds = next(one.id for one in claims.load().values() if one.verdict == "holds")
    monkeypatch.setitem(cheat_sheet.EXPENSIVE, "the run", (holds,))
    with pytest.raises(BookError, match=holds):
        cheat_sheet.expensive()


def test_every_key_that_changes_nothing_is_listed() -> None:
    for knob in record.load():
        if knob.verdict in (record.NEVER_READ, record.NO_EFFECT, record.OTHERWISE):
            assert SECOND.select_one(f'a[href="which_knobs.html#knob-{knob.key}"]'), knob.key


def test_the_commands_are_ones_that_the_programs_take() -> None:
    commands = [step.command.split() for step in cheat_sheet.steps() if step.command]
    for name, *arguments in commands:
        if name == "preflight":
            preflight.parser().parse_args([one.replace("SECONDS", "1.5") for one in arguments])
    script = next(words for words in commands if "helpers.gpu.launch_scripts" in words)
    assert (CONFIGS.parent / script[3]) == Path(departures.RECOMMENDED)
    assert set(re.findall(r"--[\w-]+", " ".join(script))) <= set(
        re.findall(r"--[\w-]+", Path(launch_scripts.__file__).read_text(encoding="utf-8")))


def test_a_command_that_no_chapter_shows_is_one_clear_sentence() -> None:
    with pytest.raises(BookError, match="shows no command"):
        cheat_sheet.command("preflight", "preflight ", "--no-such-option")


# The page

def test_every_link_leads_to_an_existing_place(site: Path) -> None:
    folder, faults, known = site / "notebooks", [], {}
    for link in SHEET.find_all("a"):
        page, anchor = urldefrag(link["href"])
        if page not in known:
            soup = BeautifulSoup((folder / page).read_text(encoding="utf-8"), "html.parser")
            known[page] = {tag["id"] for tag in soup.find_all(id=True)}
        if anchor and anchor not in known[page]:
            faults.append(link["href"])
    report(faults, "places that are not there")


def test_the_built_page_is_the_sheet_of_today(site: Path) -> None:
    built = BeautifulSoup((site / f"{PAGE}.html").read_text(encoding="utf-8"), "html.parser")
    shown, made = (page.select_one(".cheat-sheet").get_text(" ").split()
                   for page in (built, SHEET))
    assert shown == made


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@each_theme
def test_it_reads_on_a_screen_without_sideways_scrolling(
    size: dict[str, int], theme: str, visitor: Visitor
) -> None:
    page = visitor.open(PAGE, size=size, theme=theme).page
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.evaluate("""(width) => [...document.querySelectorAll(
        ".cheat-sheet :is(td, th, li, p, h2, h3)")].filter((one) => {
            const box = one.getBoundingClientRect();
            return box.left < 0 || box.right > width || one.scrollWidth > one.clientWidth + 1;
        }).map((one) => one.textContent.slice(0, 50))""", size["width"]) == []


def test_the_button_prints(visitor: Visitor) -> None:
    page = visitor.open(PAGE, fresh=True).page
    page.evaluate("window.print = () => { document.title = 'printed'; }")
    page.get_by_role("button", name="Print or save as PDF").press("Enter")
    assert page.title() == "printed"


def test_without_scripts_there_is_no_button() -> None:
    assert SHEET.select_one("button").has_attr("hidden")


# The paper

@pytest.mark.parametrize("paper", PAPERS)
@each_theme
def test_it_prints_on_two_pages(paper: str, theme: str, visitor: Visitor) -> None:
    page = visitor.open(PAGE, theme=theme, fresh=True).page
    printed = page.pdf(format=paper)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 2


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("wide", WIDER)
def test_two_pages_leave_room_for_other_fonts(wide: str, paper: str, visitor: Visitor) -> None:
    """Which fonts a machine has, the page cannot know: there must be room for any."""
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{wide}.ttf"
    font = base64.b64encode(file.read_bytes()).decode()
    page = visitor.open(PAGE, fresh=True).page
    page.evaluate("""async ([font, height]) => {
        const wide = new FontFace("Wide", `url(data:font/ttf;base64,${font})`);
        document.fonts.add(await wide.load());
        const style = document.createElement("style");
        style.textContent = `@media print {
            .cheat-sheet, html .bd-article .cheat-sheet * { font-family: Wide !important }
            .cheat-sheet { line-height: ${height} !important } }`;
        document.body.append(style);
    }""", [font, WIDER[wide]])
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(format=paper))) == 2


@pytest.mark.parametrize("paper", PAPERS)
@each_theme
def test_on_paper_only_the_sheet_is_seen_whole_dark_on_white(
    paper: str, theme: str, visitor: Visitor
) -> None:
    width, height = PAPERS[paper]
    inside = {"width": width - 60, "height": height - 45}
    page = visitor.open(PAGE, size=inside, theme=theme, fresh=True).page
    page.emulate_media(media="print", color_scheme=theme)
    found = page.evaluate("""([width, least]) => {
        const texts = document.createTreeWalker(document.body, 4), faults = [];
        for (let text = texts.nextNode(); text; text = texts.nextNode()) {
            const one = text.parentElement, style = getComputedStyle(one);
            if (!text.data.trim() || !one.checkVisibility() || one.closest(".visually-hidden"))
                continue;
            const say = (why) => faults.push(`${why}: ${text.data.trim().slice(0, 50)}`);
            const range = document.createRange();
            range.selectNodeContents(text);
            const box = range.getBoundingClientRect();
            if (!one.closest(".cheat-sheet, h1")) say("not of the sheet");
            if (box.left < 0 || box.right > width + 1) say("outside the paper");
            if (parseFloat(style.fontSize) < least) say(`only ${style.fontSize}`);
            if (style.color !== "rgb(0, 0, 0)") say(`in ${style.color}`);
        }
        const ground = getComputedStyle(document.body).backgroundColor;
        return ground === "rgb(255, 255, 255)" ? faults : [...faults, `on ${ground}`];
    }""", [inside["width"], LEAST_TYPE])
    report(found, "on paper")
    assert page.locator("main h1:visible").count() == 1
    after = page.locator(".cheat-sheet a").first.evaluate(
        "(one) => getComputedStyle(one, '::after').content")
    assert "http" not in after and ".html" not in after


def test_the_chinese_sheet_says_as_much_and_nothing_in_english() -> None:
    chinese = BeautifulSoup(sheet("zh", "../../notebooks/"), "html.parser")
    links = [f"../../notebooks/{link['href']}" for link in SHEET.select("a[href]")]
    assert [link["href"] for link in chinese.select("a[href]")] == links
    for known in chinese.select("style, script, code, q"):
        known.decompose()
    assert re.findall(r"[a-z]+ [a-z]+ [a-z]+", chinese.get_text(" ")) == []
