"""Would a reader be told of other frames than those that the LLM really gets?"""

from __future__ import annotations

import pytest

from funasr_preflight.laws.geometry import ENCODER_FRAME_SECONDS
from helpers.errors import BookError
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import speech_tokens
from helpers.training.finetune import SHORT_RUN, with_overrides


@pytest.fixture(scope="module")
def built() -> mini.Built:
    return mini.build(with_overrides("config_8k_telephone", SHORT_RUN))


def test_only_the_first_adaptor_frames_reach_the_loss(built) -> None:
    item = telephone_set("adapt", 1)[0]
    flow = speech_tokens.flow(built, item)
    assert (flow.into_llm > 0).sum() == flow.tokens < flow.frames / 6
    assert (flow.into_llm[:flow.tokens] > 0).all() and (flow.into_adaptor > 0).all()
    assert speech_tokens.loss_with_noise(built, item, flow.tokens, flow.frames) == flow.loss
    assert speech_tokens.loss_with_noise(built, item, 0, 1) != flow.loss


def test_lengths_are_those_of_the_manifest(built) -> None:
    items = telephone_set("adapt", 2)
    for item, length in zip(items, speech_tokens.lengths(built, items), strict=True):
        assert length.seconds == item["speech_length"] / 100
        assert abs(length.frames * ENCODER_FRAME_SECONDS - length.seconds) < 0.1


def test_a_frozen_encoder_is_refused_in_one_sentence() -> None:
    frozen = mini.build(with_overrides("pretrained", SHORT_RUN))
    with pytest.raises(BookError, match="audio_encoder_conf.freeze"):
        speech_tokens.flow(frozen, telephone_set("adapt", 1)[0])
