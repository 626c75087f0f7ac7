"""`--explain`: may a user trust the example, and does the line of FunASR say what is claimed?"""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from funasr_preflight import audit, explain
from funasr_preflight.checking import all_rules
from funasr_preflight.command import main
from funasr_preflight.explanations import EXPLANATIONS

RULES = all_rules()
FUNASR = Path(find_spec("funasr").origin).parents[1]


def test_every_rule_is_explained():
    assert RULES.keys() - EXPLANATIONS.keys() == set()


@pytest.mark.parametrize("name", RULES)
def test_the_example_breaks_its_rule(name):
    assert explain.broken(RULES[name], EXPLANATIONS[name]) is not None


@pytest.mark.parametrize("name", EXPLANATIONS)
def test_the_lines_of_funasr_say_it(name):
    assert version("funasr") == audit.load().version
    for place in EXPLANATIONS[name].places:
        line = (FUNASR / place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]
        assert place.word in line, f"{place.file}:{place.line}: {line.strip()}"
        assert explain.address(place, version("funasr")).endswith(f"{place.file}#L{place.line}")


def test_it_tells_place_link_example_and_fix(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["--explain", "data-lost"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^    funasr/datasets/\S+:\d+  https://github\.com/\S+/v[\d.]+/\S+#L\d+$",
                     told, re.MULTILINE)
    assert "$ preflight example.yaml --train train.jsonl" in told
    assert "1 of 3 utterances" in told and "Cut long recordings up" in told
    assert "notebooks/dataset.html" in told


def test_all_lists_every_rule_and_a_slip_gets_the_nearest(capsys):
    assert main(["--explain", "all"]) == 0
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines()] == list(RULES)
    assert main(["--explain", "data-lots"]) == 2
    said = capsys.readouterr().err
    assert "`data-lost`" in said and len(said.strip().splitlines()) == 1


def test_every_rule_is_named_in_a_test():
    """A rule that no test names can stop to speak unnoticed."""
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    assert [name for name in RULES if f'"{name}"' not in tests] == []
