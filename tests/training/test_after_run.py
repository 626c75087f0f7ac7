"""Is a finished run laid out so that the checker finds what it needs, and moves away whole?"""

from __future__ import annotations

import pytest
import torch

from helpers.errors import BookError
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import after_run, finetune

pytestmark = pytest.mark.slow
FAST = {**finetune.SHORT_RUN, "llm_conf.llm_dtype": "fp32", "train_conf.max_epoch": 1}


def test_a_run_is_told_and_exported_without_its_paths(tmp_path) -> None:
    built = mini.build(finetune.with_overrides("config_8k_telephone", FAST))
    done = finetune.run(built, telephone_set("adapt", 4), telephone_set("valid", 2), "after_run")
    after_run.lay_out(tmp_path, done)
    told = after_run.told(tmp_path, "OUT_DIR")
    assert told["lacking"] == ["llm"] and told["is"] in told["scores"]
    whole = after_run.export(tmp_path, "whole", "OUT_DIR")
    state = torch.load(whole / "model.pt", weights_only=True)["state_dict"]
    assert state.keys() == built.model.state_dict().keys()
    assert str(tmp_path) not in (whole / "config.yaml").read_text()
    with pytest.raises(BookError, match="whole"):
        after_run.export(tmp_path, "whole", "OUT_DIR")
