"""Every chapter says how long it runs, as recorded, and no page types a time of its own."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from browsing import PAGES, ROOT, SITE
from bs4 import BeautifulSoup

from helpers.experiments.records import RunRecords
from helpers.site import run_times

BOX = re.compile(r"```\{admonition\} (?:Run this chapter|运行本章)\n(.*?)```", re.DOTALL)
TYPED = re.compile(r"\b(minutes?|hours?|seconds)\b|\b\d+ s\b|分钟|小时|秒")
RECORDED = {row["chapter"]: row for row in run_times.RECORDS.read()}
BOXES = {path: BOX.findall(path.read_text(encoding="utf-8"))
         for folder in ("notebooks", "book/zh") for path in sorted((ROOT / folder).glob("*.md"))}
WITH_BOX = [path for path in BOXES if BOXES[path]]


@pytest.mark.parametrize("name", [page for page in PAGES if page.startswith("notebooks/")])
def test_every_chapter_has_a_record(name: str) -> None:
    row = RECORDED[name.removeprefix("notebooks/")]
    assert row["seconds"] > 0 and row["cores"] > 0 and row["processor"]


@pytest.mark.parametrize("path", WITH_BOX, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_box_names_the_recorded_time_and_types_none(path: Path) -> None:
    box, = BOXES[path]
    assert re.findall(r"\{run-time\}`(\w+)`", box) == [path.stem]
    assert not TYPED.search(box)


@pytest.mark.parametrize("path", WITH_BOX, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_pages_and_downloads_show_it(path: Path) -> None:
    said = run_times.spoken(RECORDED[path.stem], "zh" if path.parent.name == "zh" else "en")
    page = SITE / path.relative_to(ROOT).with_suffix(".html")
    assert said in " ".join(BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
                            .select_one("article").text.split())
    if path.parent.name == "notebooks":
        copy = SITE.parent / "travelling" / path.stem / f"{path.stem}.ipynb"
        assert any(said in cell.source for cell in nbformat.read(copy, as_version=4).cells)


@pytest.mark.parametrize(("seconds", "cores", "english", "chinese"), [
    (30, 2, "about half a minute on 2 CPU cores", "在 2 个 CPU 核上约半分钟"),
    (60, 1, "about a minute on 1 CPU core", "在 1 个 CPU 核上约 1 分钟"),
    (150, 2, "about 2.5 minutes on 2 CPU cores", "在 2 个 CPU 核上约 2.5 分钟")])
def test_times_are_spoken(seconds: int, cores: int, english: str, chinese: str) -> None:
    row = {"seconds": seconds, "cores": cores}
    assert (run_times.spoken(row, "en"), run_times.spoken(row, "zh")) == (english, chinese)


def test_a_run_that_is_nearly_as_long_leaves_the_record(tmp_path: Path) -> None:
    records = RunRecords(tmp_path / "times.json", "command", ("chapter",))

    def recorded(seconds: float) -> int:
        run_times.record("dataset", seconds, records)
        row, = records.read()
        return row["seconds"]

    assert [recorded(seconds) for seconds in (4, 47, 52, 74, 80, 44, 36)] == [
        30, 30, 60, 60, 90, 30, 30]
