"""The one style sheet lacks nothing that a page can show, and little else."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import PAGES, Visitor, each_page, report

from helpers.site.one_sheet import SHEETS, WHOLE, Names, kept

NAMES = Names({"p", "used", "a/b", "tip-"}, ("tip-",))


@pytest.mark.parametrize("rule", [
    "p{color:red}", ".used:not(.unused)::before{content:\"};{\"}", "*,::after{margin:0}",
    "[data-unused=yes] p{color:red}", r".a\/b{color:red}", ".tip-top{color:red}",
    ":root{--x:url(data:image/png;base64,AA==)}", "@font-face{src:url(x.woff2)}",
    "@keyframes unused{from{left:0}to{left:1px}}", "p{color:red;&:hover{color:blue}}",
    "@media print{p{color:red}\n}"])
def test_a_rule_stays_that_can_apply(rule: str) -> None:
    assert kept(f"@charset 'utf-8';/* p{{ */{rule}", NAMES) == f"{rule}\n"


@pytest.mark.parametrize("rule", [
    ".unused{color:red}", ".used>#unused{color:red}", "video{width:1px}", ".use{color:red}",
    "@media print{.unused{color:red}}", "@import 'other.css';"])
def test_a_rule_goes_that_cannot(rule: str) -> None:
    assert kept(rule, NAMES) == ""


def test_of_a_list_those_stay_that_can_apply() -> None:
    assert kept(".unused,p:is(.a,.b),.used .unused{left:0}", NAMES) == "p:is(.a,.b){left:0}\n"


@each_page
def test_a_page_waits_for_one_sheet(name: str, visitor: Visitor) -> None:
    page = visitor.open(name, "http").page
    assert page.locator("link[rel=stylesheet]").count() == 1


# The browser's own parser says what applies: every selector of the full sheets that finds an
# element of the page must be in the one sheet.
MISSING = """async ([static, sheets, whole]) => {
    const selectors = (rules) => [...rules].flatMap((rule) => rule.selectorText
        ? (rule.style.length ? rule.selectorText.split(/,(?![^(]*\\))/) : [])
            .map((one) => one.trim())
        : selectors(rule.cssRules ?? []));
    const parse = (text) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(text);
        return sheet.cssRules;
    };
    const of = async (name) => selectors(parse(await (await fetch(static + name)).text()));
    const all = (await Promise.all(sheets.map(of))).flat();
    const there = new Set(await of(whole));
    const applies = (one) => {
        try { return document.querySelector(one.replace(/::?[\\w-]+(?![\\w(-])/g, "") || "*"); }
        catch { return false; }
    };
    return [all.length, there.size, all.filter((one) => !there.has(one) && applies(one))];
}"""


@pytest.mark.parametrize("name", [PAGES[0], "notebooks/preflight", "notebooks/telephone_channel",
                                  "book/zh/introduction", "search", "genindex"])
def test_the_one_sheet_has_every_rule_that_finds_something(name: str, site: Path,
                                                           visitor: Visitor) -> None:
    page = visitor.open(name, "http").page
    static = f"{visitor.addresses['http']}/_static/"
    hashed, = (path.name for path in (site / "_static").glob("mystnb.*.css"))
    sheets = [hashed if sheet.startswith("mystnb.") else sheet for sheet in SHEETS]
    full, there, missing = page.evaluate(MISSING, [static, sheets, WHOLE])
    report(missing, f"{name} lacks rules")
    assert there < full / 2
