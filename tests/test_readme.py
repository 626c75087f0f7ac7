"""Is what README promises there, as it says? It is the first page that a maintainer reads."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest
import yaml
from test_layers import LAYERS

from funasr_preflight import command
from helpers.knobs import record
from helpers.ledger import claims
from helpers.pages.claim_table import summary
from helpers.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {name: (ROOT / name).read_text(encoding="utf-8")
             for name in ("README.md", "CONTRIBUTING.md")}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_it_counts_what_was_found_as_the_ledger_does() -> None:
    counted = summary(claims.load().values())
    kinds = [knob.verdict for knob in record.load()]
    dead = sum(kind in (record.NEVER_READ, record.NO_EFFECT) for kind in kinds)
    said = [int(number) for number in re.findall(r"\b\d+\b", README.split("\n1. The document")[1]
                                                  .split("2. FunASR")[0])]
    judged = [counted[f"{kind}_{verdict}"] for kind in ("value", "mechanism")
              for verdict in ("all", "holds", "partly", "fails")]
    assert said == [counted["claims_all"], *judged, counted["effect_all"],
                    counted["untestable_all"], len(kinds), dead]


def test_it_lists_every_chapter_in_the_order_of_the_book() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [entry["file"] for entry in contents["parts"][0]["chapters"]]
    assert re.findall(r"^\d+\. \[.*?\]\((.*?)\.md\)", README, flags=re.MULTILINE) == chapters


def test_its_map_names_every_package_from_the_ground_up() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", README.split("### The packages")[1],
                      flags=re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"\w+", row)] == list(LAYERS)


def test_the_sample_is_what_the_checker_says(capsys: pytest.CaptureFixture[str]) -> None:
    config, sample = re.search(r"<!-- sample: (.*?) -->\n```text\n(.*?)```", README,
                               flags=re.DOTALL).groups()
    command.main([str(ROOT / config)])
    said = " ".join(capsys.readouterr().out.split())
    for line in sample.splitlines():
        assert " ".join(line.split()) in said, line


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_that_is_named_exists(name: str) -> None:
    modules = set(re.findall(r"-m (helpers[\w.]*|funasr_preflight[\w.]*)", DOCUMENTS[name]))
    targets = set(re.findall(r"`make ([a-z-]+)", DOCUMENTS[name]))
    assert modules and targets
    assert [module for module in modules if find_spec(module) is None] == []
    assert [target for target in targets if f"\n{target}:" not in MAKEFILE] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_that_is_named_exists(name: str) -> None:
    named = re.findall(r"\]\(((?!http)[^)#]+)\)", DOCUMENTS[name])
    named += re.findall(r"`((?:src|tests|book|configs|notebooks|data|results|tools)/[\w./-]+)`",
                        DOCUMENTS[name])
    real = [path for path in named if not re.search(r"\b(NAME|CHAPTER)\b", path)]
    assert [path for path in real if not (ROOT / path).exists()
            and not (ROOT / f"{path}.md").exists()] == []
