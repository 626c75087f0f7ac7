"""The book's reason to exist: most of a config is unchecked. A release may change it."""

import pytest

from helpers.speech import corpus
from helpers.training import unknown_keys

pytestmark = pytest.mark.slow


def test_only_optimizer_and_scheduler_refuse_an_unknown_key():
    said = unknown_keys.refusals("stage1_encoder_adapt", corpus.load_set("valid")[:4])
    assert {section for section, refusal in said.items() if refusal} == {
        "optim_conf", "scheduler_conf"}
    assert len(said) > 10 and "no_such_key" in said["optim_conf"]
