"""Would a reader be told of a CTC branch, or of two processes, other than they are?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from funasr.register import tables

from helpers.config import configs
from helpers.errors import BookError
from helpers.evaluation import decoding
from helpers.experiments import ctc_training, runs
from helpers.model import ctc, mini
from helpers.speech import corpus, manifests
from helpers.telephone.channel import telephone_set
from helpers.training import anatomy, data_parallel, finetune
from helpers.training.finetune import SHORT_RUN, with_overrides

pytestmark = pytest.mark.slow

MAIN, STAGE1 = configs.FINE_TUNING


@pytest.fixture(scope="module")
def pretrained() -> mini.Built:
    return mini.build("pretrained")


@pytest.fixture(scope="module")
def items() -> list[dict]:
    return telephone_set("adapt", 4)


def taught(**overrides) -> mini.Built:
    with ctc.instead_of_original():
        return mini.build(with_overrides(MAIN, SHORT_RUN, overrides))


def test_the_classes_loss_is_funasrs_plus_the_weighted_term(items) -> None:
    original = mini.build(with_overrides(MAIN, SHORT_RUN))
    plain = original.model(**finetune.batch(original, items))[0]
    losses = {}
    for weight in (0.0, 1.0, 2.0):
        built = taught(ctc_weight=weight)
        losses[weight], stats, _ = built.model(**finetune.batch(built, items))
    assert losses[0.0].item() == pytest.approx(plain.item(), rel=1e-5)
    assert (losses[2.0] - losses[0.0]).item() == pytest.approx(2 * stats["loss_ctc"].item(),
                                                               rel=1e-4)
    assert losses[1.0] > losses[0.0]


def test_the_targets_are_the_words_of_the_manifest(items) -> None:
    built = taught()
    batch = finetune.batch(built, items)
    texts = [built.model.ctc_tokenizer.decode(answer)
             for answer in built.model._answers(batch["labels_ids"])]
    assert sorted(texts) == sorted(manifests.transcript(item) for item in items)


@pytest.mark.parametrize("detach", [True, False])
def test_the_branch_gets_a_gradient_from_the_term(items, detach: bool) -> None:
    built = taught(detach_ctc_decoder=detach, **{"audio_encoder_conf.freeze": detach,
                                                 "audio_adaptor_conf.freeze": False})
    reached = {anatomy.component_of(name) for name in anatomy.reached(built, items).names}
    assert {"ctc", "ctc_decoder"} <= reached
    assert ("audio_encoder" in reached) != detach


def test_the_original_class_comes_back_even_after_an_error() -> None:
    original = tables.model_classes["FunASRNano"]
    with pytest.raises(ZeroDivisionError), ctc.instead_of_original():
        assert tables.model_classes["FunASRNano"] is ctc.FunASRNanoWithCTC
        1 / 0  # noqa: B018
    assert tables.model_classes["FunASRNano"] is original


def test_an_alignment_has_every_token_in_order_and_repeats(pretrained) -> None:
    item = corpus.load_set("test")[0]
    alignment, again = (ctc.align(pretrained, item) for _ in range(2))
    tokens = pretrained.model.ctc_tokenizer.encode(manifests.transcript(item))
    assert len(alignment.starts) == len(alignment.scores) == len(tokens)
    assert (np.diff(alignment.starts) > 0).all() and (alignment.starts == again.starts).all()
    assert alignment.starts[-1] < 0.01 * item["speech_length"]


def test_the_alignment_of_the_branchs_own_text_is_funasrs(pretrained) -> None:
    item = next(listed for listed, heard in zip(
        corpus.load_set("test"), decoding.decode(pretrained, corpus.load_set("test")[:6], "ctc"),
        strict=False) if manifests.transcript(listed) == heard.ctc)
    served = decoding.inference(pretrained, [item])[0]
    ours = ctc.align(pretrained, item)
    assert served["ctc_text"] == manifests.transcript(item)
    assert np.allclose(ours.starts, [token["start_time"] for token in served["ctc_timestamps"]])


def test_what_cannot_be_aligned_is_said(pretrained) -> None:
    item = corpus.load_set("test")[0]
    messages = [dict(message) for message in item["messages"]]
    messages[2]["content"] = " ".join(["operator"] * 200)
    with pytest.raises(BookError, match="more tokens than frames"):
        ctc.align(pretrained, item | {"messages": messages})
    without = mini.build(with_overrides("pretrained", SHORT_RUN, {"ctc_decoder": None}))
    with pytest.raises(BookError, match="no CTC branch"):
        ctc.align(without, item)


def test_drift_is_measured_in_frames() -> None:
    still = ctc.Alignment(np.array([0.0, 0.6]), np.array([1.0, 0.5]), 2.0)
    moved = ctc.Alignment(np.array([0.0, 0.72]), np.array([0.5, 0.5]), 3.0)
    assert ctc.drift([still], [still]) == ctc.Drift(0.0, 0.0, 0.75, 2.0)
    drift = ctc.drift([moved], [still])
    assert (drift.milliseconds, drift.moved) == (pytest.approx(60), 0.5)
    with pytest.raises(BookError, match="same order"):
        ctc.drift([still], [ctc.Alignment(np.zeros(3), np.zeros(3), 0.0)])


def test_two_processes_stop_where_a_permission_is_not_used(items) -> None:
    outcomes = data_parallel.run({"as it is": {}, "cured": {"freeze_param": "ctc"}}, STAGE1, items)
    assert [(outcome.rank, outcome.steps) for outcome in outcomes["as it is"]] == [(0, 1), (1, 1)]
    assert all(outcome.error for outcome in outcomes["as it is"])
    assert [(outcome.steps, outcome.error) for outcome in outcomes["cured"]] == [(3, ""), (3, "")]
    assert len({outcome.weights for outcome in outcomes["cured"]}) == 1


def test_a_process_that_fails_is_reported(items) -> None:
    with pytest.raises(BookError, match="no_such_config"):
        data_parallel.run({"case": {}}, "no_such_config", items)


def test_the_record_is_whole_and_its_commands_exist(tmp_path: Path) -> None:
    rows = ctc_training.RECORDS.read()
    assert ctc_training.RECORDS.keys() == set(ctc_training.RECORDING.runs)
    assert len({row["steps"] for row in rows}) == 1
    assert all(heard[branch]["words"] == runs.words(ctc_training.TEST_SENTENCES)
               for row in rows for heard in row["audio"].values() for branch in ("llm", "ctc"))
    with pytest.raises(BookError, match="helpers.experiments.ctc_training --record"):
        replace(ctc_training.RECORDS, path=tmp_path / "none.json").read()
    (tmp_path / "broken.json").write_text(json.dumps({"row": []}))
    with pytest.raises(BookError, match="not a record"):
        replace(ctc_training.RECORDS, path=tmp_path / "broken.json").read()
    with pytest.raises(BookError, match="no run more CTC"):
        ctc_training.RECORDING.chosen(["more CTC"])
