"""Which parameters `freeze_param` freezes: FunASR's training program is asked."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from unittest import mock

import pytest
from torch import nn

from helpers.session import funasr_silenced
from helpers.training import finetune


class Reached(Exception):
    """The program has come to its trainer."""


def model() -> nn.Module:
    return nn.ModuleDict({name: nn.Linear(1, 1) for name in ("ctc", "ctc_decoder", "llm")})


def learning(module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("names", [None, "ctc", "ctc,llm", ["ctc_decoder"], "ctc.bias", "ct"])
def test_names_freeze_what_funasrs_program_freezes(names, tmp_path) -> None:
    from funasr.bin import train_ds

    theirs, ours = model(), model()
    handed = SimpleNamespace(model=theirs, kwargs={
        "model": theirs, "tokenizer": None, "frontend": None, "output_dir": str(tmp_path),
        "device": "cpu", "freeze_param": names, "train_conf": {}})
    with (mock.patch.object(train_ds, "AutoModel", lambda **_: handed),
          mock.patch.object(train_ds, "prepare_model_dir"),
          mock.patch.object(train_ds, "Trainer", side_effect=Reached),
          funasr_silenced(), contextlib.suppress(Reached)):
        train_ds.main(device="cpu", train_conf={}, output_dir=str(tmp_path))
    finetune.freeze_listed(ours, names)
    assert learning(ours) == learning(theirs)
