"""Names that FunASR keeps for itself: what the book gets through them, and when one is gone."""

from __future__ import annotations

import pytest
from funasr.bin import train_ds

from helpers.errors import BookError
from helpers.model import funasr_private

RESOLVER = "_resolve_distributed_config"


def test_the_top_level_decides_before_train_conf() -> None:
    config = {"use_deepspeed": False, "train_conf": {"use_deepspeed": True, "max_epoch": 3}}
    way = funasr_private.distributed(config, processes=2)
    assert way.ddp and not way.deepspeed and way.trainer_conf == {"max_epoch": 3}


def test_versions_without_the_function_hand_all_of_train_conf_to_the_trainer(monkeypatch) -> None:
    """FunASR before 1.4.2: two processes use DDP, and DeepSpeed may be asked for in two places."""
    monkeypatch.delattr(train_ds, RESOLVER)
    train_conf = {"use_deepspeed": True, "max_epoch": 3}
    way = funasr_private.distributed({"train_conf": train_conf}, processes=2)
    assert way.ddp and way.deepspeed and way.trainer_conf == train_conf
    assert funasr_private.distributed({"use_deepspeed": True, "train_conf": {}}, 1).deepspeed
    assert not funasr_private.distributed({"train_conf": {"max_epoch": 3}}, 1).deepspeed


def test_a_name_that_is_gone_is_said_in_one_sentence() -> None:
    with pytest.raises(BookError, match="funasr .* has no `_inference_llm_batch`: install"):
        funasr_private.decode_batch(train_ds)
