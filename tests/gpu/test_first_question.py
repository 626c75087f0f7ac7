"""Can a reader ask, before paying for a GPU, whether the model already hears the calls?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from helpers.config import recommended
from helpers.evaluation import decoding
from helpers.evaluation.decoding import Hypothesis
from helpers.gpu import first_question, workbench
from helpers.gpu.workbench import Workbench
from helpers.model import mini
from helpers.speech import corpus, manifests
from helpers.telephone.channel import telephone_set
from helpers.training import finetune

pytestmark = pytest.mark.slow
COPIES = {"ModelScope": True, "Hugging Face": False}


@pytest.fixture(scope="module", params=COPIES)
def copy(request, tmp_path_factory) -> tuple[Path, bool]:
    """A folder of the released layout as each hub has it, and whether it holds CTC tensors."""
    with_ctc = COPIES[request.param]
    folder = tmp_path_factory.mktemp("copy") / "Fun-ASR-Nano"
    shutil.copytree(mini.model_directory("mini"), folder)
    state = torch.load(folder / "model.pt", weights_only=True)
    torch.save({name: tensor for name, tensor in state.items()
                if with_ctc or not name.startswith("ctc")}, folder / "model.pt")
    return folder, with_ctc


def test_the_command_answers_with_either_copy(copy, tmp_path, capsys) -> None:
    folder, with_ctc = copy
    data = manifests.write_manifest(corpus.load_set("test")[:6], tmp_path / "calls.jsonl")
    assert first_question.main(["--model", str(folder), "--data", str(data), "--device", "cpu",
                                "--sentences", "3"]) == 0
    said = capsys.readouterr().out
    assert said.count(decoding.NO_CTC) == (not with_ctc)
    head, *rows = [line.split(" | ") for line in said.splitlines() if " | " in line]
    assert tuple(head) == first_question.HEAD
    assert [row[:2] for row in rows] == [["LLM", "3"], ["CTC", "3"]][:1 + with_ctc]
    assert all("[" in cell for row in rows for cell in row[2:])


def test_it_says_where_the_errors_are(copy, tmp_path, capsys) -> None:
    folder, _ = copy
    calls = [{**item, "topic": ("bills", "names")[n % 2]}
             for n, item in enumerate(corpus.load_set("test")[:10])]
    data = manifests.write_manifest(calls, tmp_path / "calls.jsonl")
    assert first_question.main(["--model", str(folder), "--data", str(data), "--device", "cpu",
                                "--by", "length,topic"]) == 0
    said = capsys.readouterr().out
    counted = [line.split(" | ")[:3] for line in said.splitlines() if line.startswith("topic | ")]
    assert sorted(counted) == [["topic", "bills", "5"], ["topic", "names", "5"]]
    assert "Clearly worse than the rest: " in said


def test_the_gpu_cells_run_with_either_copy(copy, capsys) -> None:
    """What they call, on a CPU: rows of CTC where there is a CTC, one sentence where not."""
    folder, with_ctc = copy
    recipe = finetune.with_overrides(recommended.PATH, finetune.SHORT_RUN,
                                     {"train_conf.max_epoch": 1})
    found = workbench.short_runs(Workbench(str(folder), device="cpu"), {"recommended": recipe},
                                 utterances=8, sentences=2)
    assert {row[1] for row in found} == ({"llm", "ctc"} if with_ctc else {"llm"})
    assert all(len(row) == len(workbench.RESULT_HEAD) for row in found)
    assert capsys.readouterr().out.count(decoding.NO_CTC) == (not with_ctc)


def test_the_worst_calls_come_first_and_right_ones_not_at_all() -> None:
    heard = [Hypothesis(str(n), "pay the bill", "v", llm=text) for n, text in enumerate(
        ("Pay the bill.", "pay a bill", "no", "pay the bills"))]
    assert [one.key for one in first_question.worst(heard, "llm", "en")] == ["2", "1", "3"]


def test_the_format_alone_is_what_a_right_transcript_would_lose() -> None:
    calls = telephone_set("test", 4)
    floor = workbench.format_alone(calls).value
    words = sum(len(manifests.transcript(one).split()) for one in calls)
    assert len(calls) / words < floor < 1


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--sentences", "0"], "at least 1"), (["--data", "calls.wav"], "names no data"),
    (["--data", "missing.jsonl"], "missing.jsonl"), (["--by", "weather"], "the key weather")])
def test_it_refuses_in_one_sentence(arguments, sentence, capsys) -> None:
    assert first_question.main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
