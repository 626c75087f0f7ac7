"""Products of bfloat16 matrices on a CPU that has no units for them: in float32, then rounded.

That is what such units do, and what PyTorch itself gives; but there it takes ten times as long as
float32, which is more than half of the mini's training step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch.nn import functional


def has_units() -> bool:
    """Whether this processor multiplies bfloat16 matrices itself."""
    return any(has for name, has in torch.cpu.get_capabilities().items() if "bf16" in name)


@contextmanager
def rounded_products() -> Iterator[None]:
    """While this lasts, linear layers in bfloat16 on a CPU without units work in float32."""
    if has_units():
        yield
        return
    with mock.patch.object(functional, "linear", _linear):
        yield


_torch_linear = functional.linear


def _linear(inputs: torch.Tensor, weight: torch.Tensor,
            bias: torch.Tensor | None = None) -> torch.Tensor:
    operands = {(tensor.dtype, tensor.device.type) for tensor in (inputs, weight)}
    if operands != {(torch.bfloat16, "cpu")}:
        return _torch_linear(inputs, weight, bias)
    return _Linear.apply(inputs, weight, bias)


class _Linear(torch.autograd.Function):
    """Keeps for the backward pass what PyTorch's own keeps: inputs and weight, in 16 bits."""

    @staticmethod
    def forward(ctx, inputs, weight, bias):
        ctx.save_for_backward(inputs, weight)
        with torch.autocast("cpu", enabled=False):
            return _torch_linear(inputs.float(), weight.float(),
                                 None if bias is None else bias.float()).to(inputs.dtype)

    @staticmethod
    def backward(ctx, gradient):
        inputs, weight = ctx.saved_tensors
        exact, dtype = gradient.float(), gradient.dtype
        rows = exact.reshape(-1, exact.shape[-1])
        of_inputs = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_inputs = (exact @ weight.float()).to(dtype)
        if ctx.needs_input_grad[1]:
            of_weight = (rows.T @ inputs.float().reshape(len(rows), -1)).to(dtype)
        if ctx.needs_input_grad[2]:
            of_bias = rows.sum(0).to(dtype)
        return of_inputs, of_weight, of_bias
