"""Would a reader leave out a key whose default costs the model, or set one in vain?"""

from __future__ import annotations

import pytest

from helpers.training import omissions

pytestmark = pytest.mark.slow  # builds models


def test_missing_depth_is_said_in_tensors() -> None:
    found = omissions.omission("audio_encoder_conf.tp_blocks")
    assert found.differs and "tensors are not built" in found.effect


def test_a_key_that_nothing_reads_changes_nothing() -> None:
    found = omissions.omission("audio_encoder_conf.feat_permute")
    assert not found.differs and "no code reads" in found.effect


def test_an_equal_default_changes_nothing() -> None:
    assert omissions.omission("audio_encoder_conf.linear_units").effect.endswith("same value")


def test_a_missing_tokenizer_stops_the_run() -> None:
    assert omissions.omission("dataset_conf.ctc_tokenizer").effect.startswith("stops:")


def test_an_unlike_build_is_described_or_its_error_named() -> None:
    assert "dropout layers" in omissions.built_effect({"audio_encoder_conf.dropout_rate": 0.0})
    assert omissions.built_effect({"audio_encoder": "NoSuchEncoder"}).startswith("stops:")
    assert omissions.built_effect({}) == "nothing that the model shows"
