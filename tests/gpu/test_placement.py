"""Would a forward pass and decoding end on a GPU, because a tensor was left on the CPU?

The first reader with a GPU would find out, after a download of two gigabytes.
"""

from __future__ import annotations

import placed
import pytest
import torch

from helpers.evaluation import decoding
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import finetune

pytestmark = pytest.mark.slow
CONFIG = finetune.with_overrides("config_8k_telephone", finetune.SHORT_RUN,
                                 {"llm_conf.llm_dtype": "fp32"})
"""Autocast does nothing for a GPU that PyTorch does not find, so all is in one precision."""


@pytest.fixture(scope="module")
def calls() -> list[dict]:
    return telephone_set("adapt", 2)


@pytest.fixture(scope="module")
def on_cpu() -> mini.Built:
    return mini.build(CONFIG)


@pytest.fixture(scope="module")
def on_gpu() -> mini.Built:
    built = mini.build(CONFIG)
    placed.moved(built.model)
    built.kwargs["device"] = "cuda"
    return built


@pytest.mark.parametrize("left", [None, "speech", "speech_lengths", "input_ids", "labels_ids"])
def test_a_batch_of_the_collator_passes_only_where_all_of_it_is_moved(on_cpu, on_gpu, calls,
                                                                      left) -> None:
    batch = finetune.batch(on_cpu, calls)
    there = {key: placed.OnGpu(value) if isinstance(value, torch.Tensor) and key != left else value
             for key, value in batch.items()}
    with placed.watched():
        if left:
            with pytest.raises(RuntimeError, match="cuda:0 and cpu"):
                on_gpu.model.eval()(**there)
            return
        loss, stats, _ = on_gpu.model.eval()(**there)
    assert loss.device.type == "cuda"
    with torch.no_grad():
        expected, _, _ = on_cpu.model.eval()(**finetune.batch(on_cpu, calls))
    assert loss.tolist() == pytest.approx(expected.tolist(), rel=1e-3)


@pytest.mark.parametrize("branch", ["ctc", "llm", "both"])
def test_decoding_moves_what_it_needs(on_cpu, on_gpu, calls, branch) -> None:
    with placed.watched():
        heard = decoding.decode(on_gpu, calls, branch)
    assert heard == decoding.decode(on_cpu, calls, branch)


def test_a_weight_that_stayed_behind_is_noticed(on_gpu, calls, monkeypatch) -> None:
    """That decoding can fail at all."""
    layer = on_gpu.model.audio_adaptor.linear1
    monkeypatch.setattr(layer, "weight", torch.nn.Parameter(layer.weight.values_here))
    with placed.watched(), pytest.raises(RuntimeError, match="cuda:0 and cpu"):
        decoding.decode(on_gpu, calls, "llm")
