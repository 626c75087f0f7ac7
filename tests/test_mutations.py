"""The list of wrong lines is about the lines of today, or `tools/mutate.py` shows nothing."""

from __future__ import annotations

import pytest
import tomllib

from helpers.paths import ROOT

MUTATIONS = tomllib.loads((ROOT / "tests" / "mutations.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("mutation", MUTATIONS["mutation"], ids=lambda entry: entry["piece"])
def test_a_piece_stands_once_in_its_file_and_its_tests_exist(mutation: dict[str, str]) -> None:
    text = (ROOT / "src" / mutation["file"]).read_text(encoding="utf-8")
    assert text.count(mutation["piece"]) == 1 and mutation["wrong"] != mutation["piece"]
    assert (ROOT / mutation["tests"].split()[0]).is_file()
