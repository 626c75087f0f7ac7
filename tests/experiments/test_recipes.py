"""Would a reader be told the wrong winner, or be handed a config that does not run?"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers.config import configs, departures, recommended
from helpers.config.departures import RECOMMENDED
from helpers.errors import BookError
from helpers.evaluation.decoding import BRANCHES
from helpers.experiments import recipes, runs
from helpers.experiments.recipes import RECIPES, Phase, Recipe
from helpers.experiments.results import contradictions
from helpers.experiments.runs import MAIN, STAGE1
from helpers.knobs import record
from helpers.model import launch, mini
from helpers.paths import ROOT
from helpers.speech import manifests
from helpers.telephone.channel import telephone_set
from helpers.training import anatomy, finetune

pytestmark = pytest.mark.slow

RECOMMENDED_TEXT = recommended.PATH.read_text(encoding="utf-8")
BEST = ("main_mixed", RECIPES["main_mixed"].phases[-1].label)
OTHERS = [(name, RECIPES[name].phases[-1].label) for name in ("stage1", "main", "stage1_then_main")]


@pytest.fixture(scope="module")
def recorded():
    return recipes.RecordedRecipes.read()


@pytest.fixture(scope="module")
def items():
    return [item for item in telephone_set("adapt", 30) if item["speech_length"] < 200][:6]


# The recommended config


def test_it_merges_with_one_override_and_fills_the_pretrained_model():
    attempt = launch.launch(RECOMMENDED, ("++model=MODEL_DIR",))
    assert attempt.built and attempt.merged and not attempt.ctc_switched_off
    assert attempt.tensors.loaded == set(attempt.tensors.shapes)
    assert attempt.low_frame_rate


def test_it_trains_on_the_mini_what_it_says(items):
    built = mini.build(recipes.settings(finetune.with_overrides(
        RECOMMENDED, {"dataset_conf.batch_size_sample_max": 3})))
    before = anatomy.fingerprints(built.model)
    done = finetune.run(built, items, items[:2], "test_recommended")
    moved = anatomy.changed(before, anatomy.fingerprints(built.model))
    assert len(done.steps) >= 2 and moved
    assert {anatomy.component_of(name) for name in moved} == {"audio_encoder"}
    for block in ("encoders.", "tp_encoders."):
        assert [name for name in moved if name.startswith(f"audio_encoder.{block}")]


def test_it_survives_ddp(items):
    built = mini.build(recipes.settings(finetune.with_overrides(
        RECOMMENDED, {"llm_conf.llm_dtype": "fp32"})))  # bfloat16 is slow on many CPUs
    finetune.freeze_listed(built.model, built.kwargs["freeze_param"])
    assert anatomy.flagged(built.model) == anatomy.reached(built, items).names
    assert anatomy.parallel_steps(built, items) == (3, "")


def test_every_departure_names_its_chapter():
    chapters = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert departures.unexplained() == []
    found = departures.departures()
    assert len(found) > 15
    for departure in found:
        assert f"notebooks/{departure.chapter}\n" in chapters, departure
        assert departure.why


def test_no_departure_is_claimed_that_is_none():
    """Listed is only what a source config, as a file or merged, has otherwise."""
    flat = {name: configs.flatten(name) for name in configs.FINE_TUNING}
    merged = {name: configs.flatten(configs.merge_over("pretrained", name)) for name in flat}
    for departure in departures.departures():
        for key in departure.key.split(", "):
            same = all(key in values and configs.same_value(values[key], departure.value)
                       for values in (*flat.values(), *merged.values()))
            assert not same, departure


def test_a_departure_without_a_reason_is_found():
    rows = [row for row in recommended.TABLE if row.key != "train_conf.max_epoch"]
    assert departures.unexplained(rows) == ["train_conf.max_epoch"]


def test_the_factor_between_the_rates_is_told_where_the_rate_stands():
    """The mini never saw the rate of the file."""
    row, text = recommended.advice("optim_conf.lr"), RECOMMENDED_TEXT.replace("#", " ")
    assert f"{recipes.RATE_FACTOR:.0f} times" in row.why and row.grade == recommended.MINI
    assert "at ten times the rate of the file" in " ".join(text.split())


def test_it_sets_no_key_that_changes_nothing():
    turned = {knob.key: knob.verdict for knob in record.load()}
    idle = {key for key in configs.flatten(RECOMMENDED)
            if turned.get(key) in (record.NO_EFFECT, record.NEVER_READ)}
    assert not idle


# The recorded runs


def test_every_row_says_where_it_comes_from(recorded):
    for row in recorded.rows:
        made = row["provenance"]
        assert made["seed"] == row["seed"] and made["versions"]["funasr"] and made["commit"]
        assert f"--only {row['recipe']} --seed {row['seed']}" in made["command"]


def test_every_wanted_run_is_recorded_once(recorded):
    assert [(row["recipe"], row["seed"]) for row in recorded.rows] == list(recipes.RECORDING.runs)


def test_rows_were_made_with_the_recipes_and_configs_of_today(recorded):
    for row in recorded.rows:
        recipe = RECIPES[row["recipe"]]
        assert [phase["label"] for phase in row["phases"]] == [one.label for one in recipe.phases]
        assert row["phases"][-1]["total_steps"] == recipe.steps
        for phase, found in zip(recipe.phases, row["phases"], strict=True):
            today = json.loads(json.dumps(recipes.paced_keys(phase)))
            assert found["settings"].items() <= today.items()


def test_all_recipes_have_the_same_number_of_steps():
    assert len({recipe.steps for recipe in RECIPES.values() if recipe.steps}) == 1


def test_a_change_of_keys_is_recommended_only_where_it_beats_main_with_the_same_list(recorded):
    tried = ("faster", "faster_frozen")
    better = [name for name in tried for band in recipes.BANDS for branch in BRANCHES
              if recorded.difference((name, RECIPES[name].phases[-1].label), BEST, band, branch,
                                     among=len(tried)).direction == -1]
    ours, main = (recipes.paced_keys(Phase("", config, 20)) for config in (RECOMMENDED, MAIN))
    decisive = ("optim_conf.lr", "audio_encoder_conf.freeze", "audio_adaptor_conf.freeze",
                "frontend_conf.fs")
    changed = [key for key in decisive if ours[key] != main[key]]
    assert bool(changed) == bool(better) and (better or ours["freeze_param"] == "ctc")


def test_the_list_is_no_worse_than_any_recipe_in_wideband(recorded):
    for other in OTHERS:
        for branch in BRANCHES:
            assert recorded.difference(BEST, other, "wideband", branch).direction <= 0


# The machinery


def test_training_lists_fill_the_steps_and_replay_takes_its_share():
    plain, mixed = (recipes.training_list(MAIN, 0, replay) for replay in (0, 0.25))
    telephone = {manifests.audio_path(item) for item in telephone_set("adapt")}
    assert len(plain) == 20 * 15 - 1 and len(recipes.training_list(STAGE1, 0)) == 20 * 10 - 1
    assert {manifests.audio_path(item) for item in plain} <= telephone
    wide = [item for item in mixed if manifests.audio_path(item) not in telephone]
    assert len(wide) == round(0.25 * len(mixed))
    assert {item["key"] for item in mixed} == {item["key"] for item in plain}


def test_pace_keeps_the_ratio_of_the_learning_rates():
    main, stage1 = (recipes.settings(name).optim_conf.lr for name in (MAIN, STAGE1))
    assert stage1 == pytest.approx(2 * main)


def test_differences_and_contradictions_have_a_sign():
    rng = np.random.default_rng(0)
    few, many = rng.integers(0, 3, (2, 40)), rng.integers(5, 8, (1, 40))

    def fake(bad, good):
        phases = [{"label": label, "total_steps": 0, "errors": {
            band: {branch: " ".join(map(str, errors)) for branch in BRANCHES}
            for band in recipes.BANDS}} for label, errors in (("bad", bad), ("good", good))]
        return recipes.RecordedRecipes([{"recipe": "one", "seed": 0, "phases": phases}])

    pair = [(("one", "bad"), ("one", "good"))]
    then, same, other = fake(many[0], few[0]), fake(many[0], few[0]), fake(few[0], many[0])
    assert then.difference(*pair[0], "telephone", "ctc").direction == 1
    assert contradictions(then, same, pair) == []
    assert len(contradictions(then, other, pair)) == 4


def test_what_cannot_be_run_is_said_in_one_sentence(tmp_path, capsys):
    with pytest.raises(BookError, match="whole epochs of 20"):
        recipes.run(Recipe("x", "x", (Phase("half", MAIN, 30),)), 0)
    with pytest.raises(BookError, match="ask for fewer"):
        runs.training_list(replace(recipes.arm(Phase("long", MAIN, 200)), epochs=1))
    with pytest.raises(BookError, match="There is no gone.json"):
        replace(recipes.RECORDS, path=tmp_path / "gone.json").read()
    assert recipes.RECORDING.main(["--record", "--only", "nope"]) == 2
    assert "choose from" in capsys.readouterr().err
