"""Would a reader be told another learning rate, or another length of run, than FunASR makes?"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers.config import configs
from helpers.errors import BookError
from helpers.experiments import lr_sweep, runs
from helpers.model import mini
from helpers.training import finetune, schedules

MAIN = configs.FINE_TUNING[0]


def test_single_updates_are_those_of_a_scheduler_run_step_by_step() -> None:
    assert np.allclose(schedules.rates_at(MAIN, range(2, 1500)),
                       finetune.learning_rates(configs.load(MAIN), 1498))


def test_a_long_run_is_summed_as_if_every_update_were_asked() -> None:
    rates = schedules.rates_at(MAIN, range(1, 20_001))
    found = schedules.seen(MAIN, 20_000)
    assert found.total == pytest.approx(rates.sum(), rel=1e-4)
    assert (found.peak, found.last) == (pytest.approx(rates.max()), pytest.approx(rates[-1]))
    exact = 1 - np.prod(1 - 0.01 * rates)
    assert schedules.shrinkage(MAIN, 20_000) == pytest.approx(exact, rel=1e-3)


def test_a_run_inside_the_warm_up_is_all_warm_up() -> None:
    found = schedules.seen(MAIN, 100)
    assert found.warmup_share == 1 and found.peak == pytest.approx(5e-6)


def test_a_decay_too_small_for_float32_is_found() -> None:
    assert schedules.decay_is_rounded_away(MAIN, [1, 1000]).tolist() == [True, False]
    assert schedules.shrinkage(MAIN, 40, float32=True) == 0 < schedules.shrinkage(MAIN, 40)


def test_updates_grow_with_hours_passes_and_epochs() -> None:
    once = schedules.run_updates(MAIN, 1, 1)
    assert schedules.run_updates(MAIN, 1) == once * 512
    assert schedules.run_updates(MAIN, 2, 1) == pytest.approx(2 * once, rel=0.1)


def test_rising_rates_end_where_they_should() -> None:
    config = schedules.rising(configs.load(MAIN), 1e-6, 1e-2, 5)
    assert "warmup_steps" not in config.scheduler_conf  # the scheduler would refuse it
    assert config.optim_conf.lr * config.scheduler_conf.gamma ** 4 == pytest.approx(1e-2)


def test_the_optimizer_decays_in_the_way_of_its_name() -> None:
    built = mini.build(finetune.with_overrides(MAIN, finetune.SHORT_RUN))
    name = "audio_encoder.encoders0.0.norm1.weight"
    before = dict(built.model.named_parameters())[name].detach().clone()
    full = {"scheduler_conf": {"warmup_steps": 1}}
    small, large = (schedules.decay_alone(built, optim=optim, **full)[name].abs().max()
                    for optim in ("adamw", "adam"))
    assert 0 < 20 * small < large
    assert (dict(built.model.named_parameters())[name] == before).all()
    assert schedules.optimizers_that_build(built)["sgd"] != "builds"


def test_wrong_requests_are_answered_in_one_sentence(tmp_path) -> None:
    with pytest.raises(BookError, match="counted from 1"):
        schedules.rates_at(MAIN, [0])
    with pytest.raises(BookError, match="no model.pt"):
        schedules.settings_after_resume(None, tmp_path, {})
    with pytest.raises(BookError, match="lr_sweep --record"):
        replace(lr_sweep.RECORDS, path=tmp_path / "none.json").read()
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(BookError, match="restore it"):
        replace(lr_sweep.RECORDS, path=broken).read()
    with pytest.raises(BookError, match="No run of the group"):
        lr_sweep.group([], "rate")


def test_the_record_holds_every_trial_it_names() -> None:
    rows = lr_sweep.RECORDS.read()
    assert lr_sweep.RECORDS.keys() == {
        key for keys in lr_sweep.RECORDING.runs.values() for key in keys}
    assert all(row["words"] == runs.words(lr_sweep.TEST_SENTENCES) for row in rows)
    for row in rows:
        arm = lr_sweep.ARMS[row["group"], row["label"]]
        assert row["keys"] == json.loads(json.dumps(dict(arm.keys)))
