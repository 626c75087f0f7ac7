"""Bytes of a training run, held against the tensors that PyTorch makes for it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from helpers.training import anatomy


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_memory_is_that_of_the_tensors_a_run_holds() -> None:
    """Weights and buffers as a checkpoint has them, AdamW's state as AdamW makes it."""
    module = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16))
    frozen = module[1].weight.requires_grad_(False)
    optimizer = torch.optim.AdamW(p for p in module.parameters() if p.requires_grad)
    module(torch.randn(4, 8)).square().sum().backward()
    optimizer.step()
    found = anatomy.training_memory(module, {"0.weight", "0.bias", "1.bias"})
    assert frozen.grad is None
    assert found.weights == bytes_of(module.state_dict().values())
    assert found.gradients == bytes_of(p.grad for p in module.parameters() if p.grad is not None)
    moments = [t for state in optimizer.state.values() for key, t in state.items() if key != "step"]
    assert found.optimizer == bytes_of(moments)
