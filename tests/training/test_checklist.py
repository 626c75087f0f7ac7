"""Would a reader start a run that the checklist should have stopped, or be stopped for nothing?

That each line can pass and fail is asserted in the chapter itself; here, the parts it stands on.
"""

from __future__ import annotations

import pytest

from helpers.config import configs
from helpers.model import launch, mini
from helpers.telephone.channel import telephone_set
from helpers.training import checklist, schedules
from helpers.training.finetune import with_overrides

pytestmark = pytest.mark.slow

MAIN, STAGE1 = configs.FINE_TUNING


@pytest.fixture(scope="module")
def items() -> list[dict]:
    return telephone_set("adapt", 8)


def test_a_missing_checkpoint_fails_the_line_as_written(tmp_path) -> None:
    config = configs.load(MAIN)
    assert checklist.as_written(config, MAIN, tmp_path)["weights"] is False
    (tmp_path / "model.pt").touch()
    assert checklist.as_written(config, MAIN, tmp_path)["weights"] is True


def test_the_stages_are_told_apart_as_written(tmp_path) -> None:
    swapped = checklist.as_written(configs.load(STAGE1), MAIN, tmp_path)
    assert swapped["ctc"] is False and swapped["lr"] is None


def test_the_encoder_is_counted_without_what_freeze_param_holds_back(items) -> None:
    """A reader of "108 of 108" would not know that the run trains fewer."""
    changes = {"freeze_param": "audio_encoder.tp_encoders"}
    built = mini.build(with_overrides(MAIN, changes))
    names = [name for name, _ in built.model.named_parameters()
             if name.startswith("audio_encoder.")]
    held = [name for name in names if name.startswith("audio_encoder.tp_encoders.")]
    check = checklist.encoder(built, items[:2])
    assert check.passed and held
    assert check.finding == (f"{len(names) - len(held)} of {len(names)} tensors get a gradient, "
                             f"freeze_param holds {len(held)} back")
    assert not checklist.encoder(mini.build(with_overrides(MAIN, {
        "freeze_param": "audio_encoder", "audio_adaptor_conf.freeze": False})), items[:2]).passed


def test_a_config_that_does_not_build_fails_with_the_reason() -> None:
    check = checklist.weights(launch.launch(MAIN))
    assert not check.passed and ":" in check.finding


def test_steps_follow_hours_splits_and_accumulation(items) -> None:
    def steps(hours, **changes):
        keys = {"dataset_conf.data_split_num": 1, "train_conf.max_epoch": 2} | changes
        return checklist.steps_of_a_run(mini.build(with_overrides(MAIN, keys)), items, hours)

    one = steps(0.1)
    assert one > 0
    assert steps(0.1, **{"dataset_conf.data_split_num": 4}) == 4 * one
    assert steps(0.1, **{"train_conf.accum_grad": 2}) == one // 2
    assert 1.5 * one < steps(0.2) < 2.5 * one


def test_the_mean_rate_agrees_with_stepping_through_the_schedule() -> None:
    from helpers.training.finetune import learning_rates

    config = configs.load(MAIN)
    rates = learning_rates(config, 3000)
    sampled = schedules.mean_rate(config, 3000)
    assert sampled == pytest.approx(sum(rates) / len(rates), rel=1e-3)


def test_without_specaug_nothing_is_promised_and_nothing_altered(items) -> None:
    plain = mini.build(with_overrides(MAIN, {"specaug": None}))
    assert checklist.specaug(plain, items).passed
    assert not checklist.specaug(mini.build(MAIN), items).passed
