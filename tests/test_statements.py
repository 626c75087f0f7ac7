"""Sentences that a reader acts on: do they say for what they hold, wherever they stand?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.config.recommended import GRADES
from helpers.paths import ROOT

PAGES = sorted([*(ROOT / "notebooks").glob("*.md"), *(ROOT / "book").glob("*.md"),
                ROOT / "README.md"])
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
FRONT = {name: (ROOT / name).read_text(encoding="utf-8")
         for name in ("notebooks/introduction.md", "book/zh/introduction.md", "README.md")}
COMMAND = re.compile(r"-m helpers\.gpu\.first_question[\s\\]+--model \S+ --data \S+")


def prose(path: Path) -> list[str]:
    """The paragraphs of a page, its code and options left out."""
    text = re.sub(r"^```\{code-cell\}.*?^```$|^```(python|bash|sh|yaml|text)\n.*?^```$", "",
                  path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [" ".join(part.split()) for part in text.split("\n\n")]


# Two copies of the weights

ABOUT_THE_BRANCH = re.compile(
    r"\btimestamps\b|\bDDP\b[^.]*(CTC|gradient)|(CTC|gradient)[^.]*\bDDP\b")


def lacks_the_copies(paragraphs: list[str]) -> bool:
    """Whether a page says what the CTC branch does to timestamps or DDP, and not in which copy."""
    whole = " ".join(paragraphs)
    return any(map(ABOUT_THE_BRANCH.search, paragraphs)) and not (
        "Hugging Face" in whole and "ModelScope" in whole)


@each_page
def test_what_is_said_of_the_ctc_branch_says_for_which_copy_of_the_weights(path: Path) -> None:
    assert not lacks_the_copies(prose(path))


def test_a_page_without_the_copies_is_found() -> None:
    assert lacks_the_copies(["Under DDP the CTC branch ends the run."])
    assert not lacks_the_copies(["No timestamps with the copy on Hugging Face.", "On ModelScope."])
    assert not lacks_the_copies(["DDP averages what the processes found."])


# Differences

PERCENT_OF_A_DIFFERENCE = re.compile(
    r"(error rate|words wrong|WER|branch)[^.|]*?(by|gains?|loses?|costs?|difference of) "
    r"(\{glue:text\}`[^`]+`|[\d.]+) ?(%|per cent)"
    r"|(\{glue:text\}`[^`]+`|[\d.]+) ?(%|per cent) (better|worse|lower|higher|fewer errors)")
MINUS = re.compile(r'table\(\s*\[[^\]]*"[^"]*(minus|[Aa]gainst|[Dd]ifference)[^"]*"[^\]]*\]')


@each_page
def test_a_difference_of_rates_is_in_points(path: Path) -> None:
    assert [found[0] for part in prose(path) for found in [PERCENT_OF_A_DIFFERENCE.search(part)]
            if found] == []


@each_page
def test_a_table_of_differences_of_rates_says_points(path: Path) -> None:
    heads = [found[0] for found in MINUS.finditer(path.read_text(encoding="utf-8"))]
    assert [head for head in heads if re.search("%|WER", head) and "points" not in head] == []


@pytest.mark.parametrize("text", [
    "The error rate falls by {glue:text}`gain:.1f` %.", "It is 3.4 % better.",
    "The CTC branch gains 2.1 per cent."])
def test_a_difference_in_percent_is_found(text: str) -> None:
    assert PERCENT_OF_A_DIFFERENCE.search(text)


# What the reader is told first

@pytest.mark.parametrize("name", FRONT)
def test_the_front_pages_name_version_grades_and_the_first_question(name: str) -> None:
    text = FRONT[name]
    assert COMMAND.search(text)
    assert "intro_funasr" in text and "intro_date" in text or re.search(
        r"FunASR 1\.\d+\.\d+, as it was in \w+ 20\d\d", text)
    assert re.search("[Ss]ixty of the test sentences|六十个测试句子", text)


def test_the_chapters_with_a_human_voice_are_the_ones_that_are_named() -> None:
    chapters = {path.stem for path in (ROOT / "notebooks").glob("*.md")
                if "helpers.real_voices" in path.read_text(encoding="utf-8")}
    second = next(part for part in FRONT["notebooks/introduction.md"].split("\n\n")
                  if part.startswith("**What stands behind the numbers.**"))
    assert set(re.findall(r"\{doc\}`(\w+)`", second)) == chapters


def test_the_page_on_the_makers_guide_grades_and_links() -> None:
    text = (ROOT / "book" / "makers_guide.md").read_text(encoding="utf-8")
    assert re.search(r"github\.com/FunAudioLLM/Fun-ASR/blob/[0-9a-f]{40}/docs/finetune\.md", text)
    rows = re.findall(r"^\| [A-Z].*\|$", text, flags=re.MULTILINE)[1:]
    assert len(rows) > 5
    for row in rows:
        *_, evidence, first, _ = row.split("|")
        assert evidence.strip().startswith(GRADES), row
        assert first.strip()
    assert "book/makers_guide" in (ROOT / "_toc.yml").read_text(encoding="utf-8")
