"""Would a reader be told a wrong winner, or one that no run showed?"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers.errors import BookError
from helpers.evaluation.decoding import BRANCHES
from helpers.experiments import arms, runs
from helpers.experiments.__main__ import RECORDING
from helpers.experiments.arms import ARMS, BANDS, EXPERIMENTS, RECORDS, Recorded
from helpers.experiments.results import contradictions
from helpers.training import anatomy, finetune

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return Recorded.read()


# The file of recorded runs


def test_every_run_is_recorded_with_where_it_comes_from():
    rows = RECORDS.read()
    assert {(row["arm"], row["seed"]) for row in rows} == set(RECORDING.runs)
    for row in rows:
        made = row["provenance"]
        assert made["seed"] == row["seed"] and made["commit"] and made["versions"]["funasr"]
        assert f"--only {row['arm']} --seed {row['seed']}" in made["command"]


def test_rows_were_made_with_the_arms_of_today():
    for row in RECORDS.read():
        arm = ARMS[row["arm"]]
        assert (row["steps"], row["keys"]) == (arm.steps, json.loads(json.dumps(dict(arm.keys))))
        assert {(band, branch) for band, branches in row["errors"].items()
                for branch in branches} == {(band, branch) for band in BANDS
                                            for branch in BRANCHES}


def test_an_experiment_compares_equal_budgets_over_three_seeds():
    for experiment in EXPERIMENTS.values():
        trained = [ARMS[arm] for arm in experiment.arms if ARMS[arm].steps]
        assert len({arm.steps for arm in trained}) == 1, experiment.name
        assert experiment.against in experiment.arms
    assert len(arms.SEEDS) >= 3


# What an arm trains on, and what it trains


@pytest.mark.parametrize("name", ["encoder", "up_to_2s", "all_lengths_small", "amount_524"])
def test_an_arm_makes_the_batches_that_it_asks_for(name):
    arm = ARMS[name]
    items = runs.training_list(arm, 0)
    size = arm.keys.get("dataset_conf.batch_size_sample_max", arms.BATCH)
    assert len(items) == arm.steps // arm.epochs * size - 1
    assert max(item["speech_length"] for item in items) <= arm.longest


def test_a_smaller_amount_is_part_of_a_larger_one():
    names = [name for name in ARMS if name.startswith("amount_")]
    keys = [{item["key"] for item in runs.training_list(ARMS[name], 1)} for name in names]
    assert all(small < large for small, large in zip(keys, keys[1:], strict=False))


def test_arms_train_the_part_that_they_name():
    def parts(name):
        built = runs.build(ARMS[name])
        finetune.freeze_listed(built.model, built.kwargs.get("freeze_param"))
        flagged = anatomy.flagged(built.model)
        return {anatomy.component_of(one) for one in flagged} - {"ctc", "ctc_decoder"}, flagged

    assert parts("adaptor")[0] == {"audio_adaptor"}
    assert parts("all")[0] == {"audio_encoder", "audio_adaptor", "llm"}
    found, names = parts("lora")
    assert found == {"llm"} and all(".lora_" in one for one in names if one.startswith("llm."))
    left = {one.split(".")[1] + "." + one.split(".")[2] for one in parts("frozen_7")[1]
            if one.startswith("audio_encoder.") and one.count(".") > 3}
    assert left == {"tp_encoders.1"}


def test_a_short_run_takes_the_steps_asked_for_and_hears_every_band(monkeypatch):
    arm = arms.shortened(ARMS["encoder"], 2)
    row = arms.run(arm, 0, limit=3, branches=("ctc",), bands=BANDS)
    assert row["steps"] == 2 and row["training_loss"] > 0
    assert set(row["errors"]) == set(BANDS)
    assert len(Recorded([row]).words) == 3


def test_wrong_requests_get_one_sentence(capsys):
    assert RECORDING.main(["--only", "encodr"]) == 2
    assert "There is no run encodr" in capsys.readouterr().err
    with pytest.raises(BookError, match="not 7 equal epochs"):
        runs.training_list(replace(ARMS["encoder"], epochs=7), 0)
    with pytest.raises(BookError, match="ask for fewer"):
        runs.training_list(replace(ARMS["encoder"], longest=100), 0)
    with pytest.raises(BookError, match="No run of nobody .* --record"):
        Recorded.read().seeds("nobody")


# What is concluded


def _row(arm: str, seed: int, errors: list[int]) -> dict:
    text = " ".join(map(str, errors))
    return {"arm": arm, "seed": seed, "training_minutes": 1.0,
            "errors": {"telephone": {"ctc": text}}}


def test_a_difference_has_the_sign_and_size_of_the_errors():
    results = Recorded([_row("a", 0, [2] * 40), _row("b", 0, [1] * 40)])
    gap = results.difference("a", "b", "telephone", "ctc")
    assert gap.value == pytest.approx(40 / results.words.sum()) and gap.direction == 1
    assert results.difference("b", "a", "telephone", "ctc").direction == -1
    assert results.difference("a", "a", "telephone", "ctc").direction == 0


def test_a_live_run_on_the_other_side_is_reported():
    name, other = "encoder", "none"
    then = Recorded([_row(name, 0, [0] * 40), _row(other, 0, [3] * 40)])
    same = Recorded([_row(name, 0, [1] * 20), _row(other, 0, [2] * 20)])
    against = Recorded([_row(name, 0, [3] * 20), _row(other, 0, [0] * 20)])
    assert contradictions(then, same, [(name, other)]) == []
    said = contradictions(then, against, [(name, other)])
    assert len(said) == 1 and "recorded" in said[0]


def test_runs_heard_on_different_sentences_are_not_compared():
    with pytest.raises(BookError, match="sentences"):
        Recorded([_row("a", 0, [1] * 10), _row("b", 0, [1] * 12)])


def test_sentences_can_be_chosen(recorded):
    some = np.arange(len(recorded.words)) < 10
    part = recorded.rate("encoder", "telephone", "ctc", some)
    errors = recorded.errors("encoder", "telephone", "ctc")[:, :10].mean(0).sum()
    assert part.value == pytest.approx(errors / recorded.words[:10].sum())
