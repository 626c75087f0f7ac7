"""Would a reader be shown a mask that FunASR does not draw, or a run that masks nothing?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from funasr.models.fun_asr_nano.model import FunASRNano
from funasr.register import tables

from helpers.config import configs
from helpers.errors import BookError
from helpers.model import mini, spec_augment
from helpers.telephone.channel import telephone_set
from helpers.training import checklist
from helpers.training.finetune import SHORT_RUN, with_overrides

MAIN, STAGE1 = configs.FINE_TUNING


def conf(name: str) -> dict:
    return dict(configs.load(name).specaug_conf)


def time_mask(width: int, number: int = 1):
    return spec_augment.augmenter(conf(MAIN), apply_freq_mask=False, num_time_mask=number,
                                  time_mask_width_range=[width, width + 1])


def test_a_time_mask_hides_whole_frames_and_all_their_values() -> None:
    masked = spec_augment.draw(time_mask(4), 50, seed=1)[0]
    assert masked.any(axis=1).sum() == masked.all(axis=1).sum() == 4


def test_the_shared_frame_between_neighbours_stays_audible() -> None:
    masked = spec_augment.draw(time_mask(1), 50, seed=1)[0]
    assert spec_augment.hidden(masked)[:, 0].sum() == 5


def test_unstacked_frames_are_those_that_were_stacked() -> None:
    tens = np.arange(8 * 6 * 80, dtype=float).reshape(48, 80)
    first = np.concatenate([tens[:1], tens])  # copy 0 of a frame repeats the one before
    stacked = np.stack([first[6 * k:6 * k + 7].reshape(-1) for k in range(8)])
    assert np.array_equal(spec_augment.unstack(stacked), tens)


def test_drawing_leaves_the_callers_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    spec_augment.time_shares(spec_augment.augmenter(conf(MAIN)), 1, count=5)
    spec_augment.draw(time_mask(2), 20, seed=9)
    assert torch.equal(torch.rand(2), expected)


def test_gaps_of_lost_packets_add_up_to_the_loss() -> None:
    gaps = spec_augment.gap_seconds(loss=0.1, burst=3)
    assert gaps.sum() == pytest.approx(360, rel=0.1)
    assert gaps.mean() == pytest.approx(0.06, rel=0.1)


def test_masks_reach_the_encoder_in_training_only_where_switched_on() -> None:
    items = telephone_set("adapt", 4)
    config = with_overrides(STAGE1, SHORT_RUN)
    assert not checklist.specaug(mini.build(config), items).passed
    with spec_augment.switched_on():
        built = mini.build(config)
    assert tables.model_classes["FunASRNano"] is FunASRNano
    assert checklist.specaug(built, items).passed
    speech = torch.ones(1, 20, 560)
    heard = []  # the encoder scales what it gets in place, so a copy
    built.model.audio_encoder.register_forward_pre_hook(
        lambda _module, given: heard.append(given[0].clone()))
    with torch.no_grad():
        built.model.eval().encode(speech.clone(), torch.tensor([20]))
    assert torch.equal(heard[0], speech)


def test_the_fill_is_what_was_asked_for_and_the_batch_is_left_alone() -> None:
    config = with_overrides(STAGE1, SHORT_RUN, {"specaug_fill": 10.0})
    with spec_augment.switched_on():
        built = mini.build(config)
    heard, speech = [], torch.ones(1, 300, 560)  # longer than two masks
    built.model.audio_encoder.register_forward_pre_hook(
        lambda _module, given: heard.append(given[0].clone()))
    with torch.no_grad():
        built.model.train().encode(speech, torch.tensor([300]))
    assert set(heard[0].round(decimals=3).unique().tolist()) == {1.0, 10.0}
    assert speech.eq(1).all()
    assert spec_augment.share_covered(built, [{"speech_length": 100}]) > 0


def test_a_key_the_class_does_not_know_is_named() -> None:
    with pytest.raises(BookError, match="widths"):
        spec_augment.augmenter(conf(MAIN), widths=3)
