"""The comparison table: complete without scripts, and filtered by them in a real browser."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser

import pytest

from helpers.config import configs, values
from helpers.pages import config_table
from helpers.pages.tables import plain_table

ROWS = configs.compare()


class Rows(HTMLParser):
    def __init__(self):
        super().__init__()
        self.rows, self.text = {}, []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "data-text" in attributes:
            self.rows[attributes["id"].removeprefix("key-")] = attributes

    def handle_data(self, data):
        self.text.append(data)


def parsed(html: str) -> Rows:
    parser = Rows()
    parser.feed(html)
    return parser


def test_every_key_and_value_is_in_the_html_without_scripts():
    html = config_table.filterable_table(ROWS)
    found = parsed(html.partition("<script>")[0])
    assert list(found.rows) == [row.key for row in ROWS]
    text = "".join(found.text)
    for row in ROWS:
        assert row.key in text
        assert all(values.shown(value) in text for value in row.values.values())
    assert '<form class="ft-controls" hidden' in html


def test_table_asks_for_nothing_from_outside():
    html = config_table.filterable_table(ROWS)
    assert "http" not in html and "src=" not in html and "@import" not in html


def test_values_are_escaped():
    html = config_table.filterable_table(ROWS)
    assert "&lt;unk&gt;" in html and "<unk>" not in html
    assert "<td>&lt;b&gt;</td>" in plain_table(["<x>"], [["<b>"]])


def test_plain_table_shows_code_and_aligns_numbers():
    html = plain_table(["key", "n"], [["see `a.b`", 1234]], "Keys")
    assert ">see <code" in html and ">a.b</code>" in html
    assert ">1,234<" in html and "<caption>Keys</caption>" in html


def test_status_counts_add_up():
    counts = config_table.status_counts(ROWS)
    for name, counted in counts.items():
        base, own = configs.flatten("pretrained"), configs.flatten(name)
        assert counted["same"] + counted["modified"] + counted["new"] == len(own)
        assert counted["same"] + counted["modified"] + counted["omitted"] == len(base)
        by_section = [per[name] for _, per in config_table.section_counts(ROWS)]
        assert sum(by_section, start=type(counted)()) == counted


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import Error, sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            pytest.fail(f"no browser to test the table in: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def page_file(tmp_path):
    path = tmp_path / "table.html"
    path.write_text('<!doctype html><html lang="en"><head><meta charset="utf-8"></head><body>'
                    f"{config_table.filterable_table(ROWS)}</body></html>", encoding="utf-8")
    return path.as_uri()


def shown_keys(page) -> list[str]:
    return page.eval_on_selector_all("tr[data-text]", "all => all.filter(row => "
                                     "row.offsetParent !== null).map(row => row.id.slice(4))")


def test_filters_by_status_section_and_text(browser, page_file):
    page = browser.new_page()
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file)
    assert shown_keys(page) == [row.key for row in ROWS]

    page.select_option("[name=status]", "new")
    either = [row.key for row in ROWS if "new" in row.statuses.values()]
    assert shown_keys(page) == either
    page.select_option("[name=config]", "stage1_encoder_adapt")
    assert shown_keys(page) == [row.key for row in ROWS
                                if row.statuses["stage1_encoder_adapt"] == "new"] != either
    page.click("button[type=reset]")
    page.wait_for_function("count => document.querySelectorAll('tr[data-text]:not([hidden])')"
                           ".length === count", arg=len(ROWS))

    page.select_option("[name=status]", "critical")
    assert shown_keys(page) == [row.key for row in ROWS if row.critical]
    assert "1 of 9 keys" in page.inner_text("tbody[data-section='2'] .ft-group")
    page.select_option("[name=status]", "")
    page.select_option("[name=section]", "10")
    assert shown_keys(page) == [row.key for row in ROWS if 10 in row.stated_in]
    page.select_option("[name=section]", "")
    page.fill("[name=text]", "MASK  freq_mask_width")
    assert shown_keys(page) == ["specaug_conf.freq_mask_width_range"]
    assert "1 of" in page.inner_text(".ft-count")
    page.fill("[name=text]", "no such key anywhere")
    assert shown_keys(page) == []
    assert errors == [] and requests == [page_file]
    page.close()


def test_filters_from_the_keyboard_alone(browser, page_file):
    page = browser.new_page()
    page.goto(page_file)
    page.keyboard.press("Tab")
    page.keyboard.type("warmup_steps")
    assert shown_keys(page) == ["scheduler_conf.warmup_steps"]
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "reset"
    page.keyboard.press("Enter")
    page.wait_for_function("count => document.querySelectorAll('tr[data-text]:not([hidden])')"
                           ".length === count", arg=len(ROWS))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    page.close()


def test_is_a_readable_table_with_scripts_off(browser, page_file):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(page_file)
    assert page.locator("tr[data-text]:visible").count() == len(ROWS)
    assert not page.locator(".ft-controls").is_visible()
    page.context.close()


def test_fits_a_phone(browser, page_file):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(page_file)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.eval_on_selector(".ft-scroll", "box => box.scrollWidth <= box.clientWidth")
    page.close()
