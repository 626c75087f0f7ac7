"""Does `make gpu` work before its first reader runs it: every step, every cell, and the book?

At the mini's size on a CPU, from a folder laid out like the released model.
"""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from helpers.config import configs
from helpers.errors import BookError
from helpers.gpu.workbench import Workbench
from helpers.model import mini
from helpers.paths import ROOT
from helpers.site import gpu_cells
from helpers.site.commands import gpu_cells as command
from helpers.site.commands import gpu_edition
from helpers.speech import manifests
from helpers.telephone.channel import telephone_set

pytestmark = pytest.mark.slow
CALLS = [call for call in telephone_set("adapt", 20) if call["speech_length"] <= 320]


def cells(*sources: str, marked: int = 0) -> list:
    made = [nbformat.v4.new_code_cell(source) for source in sources]
    made[marked].metadata["tags"] = [gpu_cells.TAG]
    return made


@pytest.mark.parametrize("sources, marked, run", [
    (("import a", "x = 1", "b = a.f()", "y = b", "print(x)"), 2, [0, 2, 3]),
    (("x = 1", "x = 2", "b = x", "x = 3", "print(x)"), 2, [1, 2]),
    (("x = []", "x.append(1)", "y = 0", "b = x"), 3, [0, 1, 3]),
    (("x = {}", "x['a'] = 1", "b = x", "b['c'] = 2", "z = b"), 2, [0, 1, 2, 3, 4]),
    (("def f():\n    return g", "g = 1", "b = f()"), 2, [0, 1, 2]),
    (("b = 1", "b = 2", "print(b)"), 0, [0]),
    (("b = 1", "for b in []:\n    pass", "print(b)"), 0, [0, 1, 2]),
    (("import m", "m.setup()", "b = m.f()", "m.note(1)"), 2, [0, 2]),
    (("b = 1", "b += 1", "print(b)"), 1, [0, 1, 2]),
    (("x = 1", "y = 1", "if y:\n    x = 2", "b = x"), 3, [0, 1, 2, 3]),
    (("x = 1", "try:\n    x = 2\nexcept OSError:\n    pass", "b = x"), 2, [0, 1, 2]),
    (("b = 1", "if 0:\n    b = 2", "print(b)"), 0, [0, 1, 2]),
    (("x = [1]", "b = [x for x in x]", "x = 2"), 1, [0, 1]),
    (("n = 1", "f = lambda: n", "n = 2", "b = f()"), 3, [0, 1, 2, 3]),
    (("class C:\n    y = k", "k = 1", "k = 2\nb = C"), 2, [0, 2]),
    (("a, (c, *d) = 1, (2, 3)", "with open(a) as b:\n    c = b", "c"), 1, [0, 1, 2]),
    (("%time", "b = [n for n in range(3)]", "n = 1\nprint(n)"), 1, [1]),
])
def test_what_a_marked_cell_stands_on_and_what_goes_on_with_it_runs(sources, marked, run) -> None:
    """Else a reader's cell ends in a NameError, or half the chapter runs on the GPU for nothing."""
    assert gpu_cells.to_run(cells(*sources, marked=marked)) == run


def test_every_chapter_with_a_gpu_badge_has_a_marked_cell() -> None:
    """A chapter that promises a result on the reader's GPU gives one."""
    badge = "{bdg-warning}`your GPU`"
    promised = {path.stem for path in (ROOT / "notebooks").glob("*.md")
                if badge in path.read_text(encoding="utf-8")}
    assert promised - {"introduction"} == set(command.chapters())  # the front page explains it


@pytest.mark.parametrize("bench, sentence", [
    (Workbench("mini"), "needs no GPU"), (Workbench("full"), "nvidia-smi|without CUDA"),
    (Workbench("full", "nowhere.jsonl", "cpu"), "nowhere.jsonl")])
def test_what_stands_in_the_way_is_said_before_anything_starts(bench, sentence, tmp_path) -> None:
    with pytest.raises(BookError, match=sentence):
        gpu_edition.stop_where_unfit(bench, tmp_path)


def test_a_model_folder_that_lacks_something_is_named_before_anything_starts(
        tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "config.yaml").touch()
    for name, value in {"BOOK_MODEL": str(tmp_path), "BOOK_DEVICE": "cpu"}.items():
        monkeypatch.setenv(name, value)
    assert gpu_edition.main(["--out", str(tmp_path / "out")]) == 2
    assert "lacks configuration.json, model.pt" in capsys.readouterr().err
    assert not (tmp_path / "out" / "book").exists()


def test_a_missing_package_and_a_full_disk_are_named(tmp_path, monkeypatch) -> None:
    bench = Workbench("full", "corpus", "cpu")
    monkeypatch.setattr(gpu_edition.shutil, "disk_usage", lambda _: type("", (), {"free": 2**30}))
    with pytest.raises(BookError, match="Only 1.0 GiB are free"):
        gpu_edition.stop_where_unfit(bench, tmp_path)
    monkeypatch.setattr(gpu_edition, "requires", lambda _: ["numpy>=99", "no-such-package"])
    with pytest.raises(BookError, match="lacks numpy>=99, no-such-package: run"):
        gpu_edition.stop_where_unfit(bench, tmp_path)


def test_a_step_that_fails_is_told_and_tried_again(capsys) -> None:
    """One broken chapter does not cost the reader the others, and they are not run twice."""
    tries = []

    def ends() -> str:
        tries.append("bad")
        if len(tries) == 1:
            raise BookError("The card is full.")
        return "now"

    steps = [gpu_edition.EditionStep("bad", "breaks", ends),
             gpu_edition.EditionStep("good", "works", lambda: tries.append("good") or "fine")]
    done: dict = {}
    assert gpu_edition.do_steps(steps, done, lambda: None) == ["bad"]
    assert "failed: The card is full." in capsys.readouterr().out
    assert gpu_edition.do_steps(steps, done, lambda: None) == []
    assert tries == ["bad", "good", "bad"] and done["good"]["said"] == "fine"


@pytest.fixture(scope="module")
def edition(tmp_path_factory) -> Path:
    """`make gpu` from beginning to end: a folder of the released layout, a manifest, a CPU."""
    folder = tmp_path_factory.mktemp("edition")
    calls = manifests.write_manifest(CALLS, folder / "calls.jsonl")
    small = folder / "small_batches.yaml"
    small.write_text(configs.path_of("config_8k_telephone").read_text(encoding="utf-8").replace(
        "batch_size: 6000", "batch_size: 600"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"BOOK_MODEL": str(mini.model_directory("mini")),
                            "BOOK_DATA": str(calls), "BOOK_DEVICE": "cpu"}.items():
            patch.setenv(name, value)
        patch.setattr(gpu_edition, "QUICK_COSTS", (
            "--config", str(small), "--change", "fused AdamW", "--steps", "1", "--warm-up", "0"))
        assert gpu_edition.main(["--quick", "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_the_reader_gets_a_book_with_results_of_this_machine(edition) -> None:
    book = edition / "book"
    site = book / "_build" / "html"
    own = BeautifulSoup((site / "book" / "your_gpu.html").read_text(encoding="utf-8"),
                        "html.parser")
    said = own.select_one("article").get_text(" ")
    assert f"LLM | {len(CALLS)}" in said and "failed" not in said
    links = {link["href"] for link in own.select("article a")}
    for name in command.chapters():
        assert f"../notebooks/{name}.html" in links
        text = (site / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
        assert command.OWN_RESULT.strip("*") in text, name
    costs = json.loads((book / gpu_edition.COSTS).read_text(encoding="utf-8"))["rows"]
    assert [row["change"] for row in costs] == ["as it is", "fused AdamW", "best together"]
    record = json.loads((book / gpu_edition.RECORD).read_text(encoding="utf-8"))
    assert record["device"] == "cpu" and record["versions"]["funasr"]


def test_the_public_editions_files_stay_as_they_are(edition) -> None:
    """The reader's clone has no changes after it, and the values that prose quotes are kept."""
    assert not (ROOT / gpu_edition.RECORD).exists() and not (ROOT / gpu_edition.PAGE).exists()
    chapters = Path("book", "chapters.json")
    assert (edition / "book" / chapters).read_bytes() == (ROOT / chapters).read_bytes()
    assert command.OWN_RESULT not in (ROOT / "notebooks" / "learning_rate.ipynb").read_text(
        encoding="utf-8")


def test_a_second_run_repeats_nothing(edition, monkeypatch, capsys) -> None:
    progress = json.loads((edition / "progress.json").read_text(encoding="utf-8"))
    assert all("said" in one for one in progress["steps"].values())
    steps = [gpu_edition.EditionStep(name, "", lambda: pytest.fail("was done"))
             for name in progress["steps"]]
    again = gpu_edition.do_steps(steps, progress["steps"], lambda: None)
    assert again == [] and capsys.readouterr().out.count("done before") == len(progress["steps"])
