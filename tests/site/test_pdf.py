"""Is the printed book whole: every chapter, every figure, nothing cut, small enough to send?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import PAGES, SITE, report
from playwright.sync_api import Browser

from helpers.site.commands import pdf

OUTSIDE = """(width) => [...document.querySelectorAll(
    "main article :is(img, table, pre, .admonition, figcaption, math)")].filter((one) => {
        const place = one.getBoundingClientRect();
        return place.width && (place.left < -1 || place.right > width + 1);
    }).map((one) =>
        `${one.closest("[id]")?.id}: ${(one.alt || one.textContent).trim().slice(0, 60)}`)"""
LOST = """() => [...document.querySelectorAll(
    "main article :is(img, table, pre, figcaption)")].filter((one) =>
    !one.getBoundingClientRect().height && !one.closest("[hidden]")).map((one) =>
        `${one.closest("[id]")?.id}: ${(one.alt || one.textContent).trim().slice(0, 60)}`)"""
BROKEN = """() => [...document.querySelectorAll("main img")].filter(
    (one) => !one.naturalWidth && !one.closest("[hidden]")).map((one) => one.src)"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    target = tmp_path_factory.mktemp("print") / "book.pdf"
    pdf.print_book(SITE, target)
    return target.read_bytes()


def test_the_pdf_has_all_chapters_and_can_be_sent(printed: bytes) -> None:
    assert printed.startswith(b"%PDF") and len(printed) < 20_000_000
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 6 * len(PAGES), "it breaks off"
    linked = {name.encode().replace(b"/", b"#2F") for name in PAGES[1:]}
    assert not [name for name in linked if b"/Dest /" + name not in printed]


def test_the_whole_book_is_printed_uncut(browser: Browser, tmp_path: Path) -> None:
    whole = SITE / "whole_book_test.html"
    whole.write_text(str(pdf.whole_book(SITE)), encoding="utf-8")
    page = browser.new_context(viewport=pdf.PAPER).new_page()
    try:
        page.emulate_media(media="print")
        page.goto(whole.as_uri(), wait_until="load")
        chapters = page.locator(".printed-chapter h1").all_inner_texts()
        assert len(chapters) == len(PAGES)
        report(page.evaluate(BROKEN), "pictures that are not there")
        report(page.evaluate(OUTSIDE, pdf.PAPER["width"]), "outside the paper")
        report(page.evaluate(LOST), "not printed")
        dead = page.evaluate("""() => [...document.querySelectorAll("a[href^='#']")].filter(
            (one) => !document.getElementById(decodeURIComponent(one.hash.slice(1))))
            .map((one) => one.hash)""")
        report(sorted(set(dead)), "links that lead nowhere")
    finally:
        whole.unlink()
        page.context.close()
