"""Is a model told better or worse than another only where the same calls show it?"""

from __future__ import annotations

import shutil

import pytest
import torch

from helpers.errors import BookError
from helpers.evaluation.decoding import Hypothesis
from helpers.gpu import compare
from helpers.model import mini
from helpers.speech import corpus, manifests


def heard(*texts: str) -> list[Hypothesis]:
    return [Hypothesis(str(n), "pay the bill", f"voice {n}", llm=text)
            for n, text in enumerate(texts)]


def test_style_is_no_difference_and_a_word_is_one() -> None:
    plain, styled = heard(*["pay the bill"] * 6), heard(*["Pay the bill."] * 6)
    assert str(compare.difference(plain, styled, "llm")) == "+0.0 [+0.0, +0.0]"
    worse = compare.difference(plain, heard(*["pay a bill"] * 6), "llm")
    assert worse.direction == 1 and worse.value == pytest.approx(1 / 3)
    assert compare.difference(heard(*["pay a bill"] * 6), plain, "llm").direction == -1


def test_one_call_of_six_settles_nothing() -> None:
    before = heard(*["pay the bill"] * 6)
    assert compare.difference(before, heard("no", *["pay the bill"] * 5), "llm").direction == 0


def test_other_utterances_are_refused() -> None:
    with pytest.raises(BookError, match="same list"):
        compare.difference(heard("pay the bill"), heard("pay the bill", "no"), "llm")


@pytest.mark.slow
def test_the_command_compares_two_folders(tmp_path, capsys) -> None:
    base, without = mini.model_directory("mini"), tmp_path / "without CTC"
    shutil.copytree(base, without)
    state = torch.load(base / "model.pt", weights_only=True)
    torch.save({name: tensor for name, tensor in state.items() if not name.startswith("ctc")},
               without / "model.pt")
    data = manifests.write_manifest(corpus.load_set("test")[:3], tmp_path / "calls.jsonl")
    assert compare.main(["--model", str(base), "--against", str(without), "--data", str(data),
                         "--device", "cpu", "--sentences", "2"]) == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line]
    assert tuple(lines[0]) == compare.HEAD and len(lines) == 2, "only one has CTC"
    assert lines[1][:2] == ["LLM", "2"] and lines[1][2] == lines[1][3]
    assert lines[1][4] == "+0.0 [+0.0, +0.0]"


@pytest.mark.parametrize(("more", "sentence"), [
    (["--sentences", "0"], "at least 1"), (["--data", "missing.jsonl"], "missing.jsonl")])
def test_it_refuses_in_one_sentence(more, sentence, tmp_path, capsys) -> None:
    assert compare.main(["--model", "mini", "--against", "mini", "--data", "corpus", "--device",
                         "cpu", *more]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
