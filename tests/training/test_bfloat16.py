"""Without these, a faster training run might be another training run."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch.nn import functional

from helpers.training import bfloat16
from helpers.training.bfloat16 import rounded_products

ONE_ROUNDING = {"rtol": 2**-7, "atol": 2**-7}
SHAPES = [(40,), (7, 40), (3, 7, 40), (2, 3, 7, 40)]


@pytest.fixture(autouse=True)
def without_units():
    with mock.patch.object(bfloat16, "has_units", lambda: False):
        yield


def passed_through(shape: tuple[int, ...], biased: bool) -> list[torch.Tensor]:
    """A layer's output, and the gradients of its inputs, its weight and its bias."""
    torch.manual_seed(0)
    tensors = [torch.randn(size).mul(0.3).bfloat16().requires_grad_()
               for size in (shape, (20, 40), *([(20,)] if biased else []))]
    output = functional.linear(*tensors)
    output.float().square().sum().backward()
    return [output.detach(), *(tensor.grad for tensor in tensors)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("autocast", [True, False])
def test_output_and_gradients_are_those_of_pytorch(shape, biased, autocast) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        expected = passed_through(shape, biased)
        with rounded_products():
            got = passed_through(shape, biased)
    for mine, theirs in zip(got, expected, strict=True):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
        torch.testing.assert_close(mine, theirs, **ONE_ROUNDING)


def test_the_product_is_rounded_once() -> None:
    """Rounding on the way, or not at all, would be another arithmetic than a GPU's."""
    torch.manual_seed(0)
    inputs, weight = torch.randn(5, 300).bfloat16(), torch.randn(9, 300).bfloat16()
    with rounded_products():
        got = functional.linear(inputs, weight)
    torch.testing.assert_close(got, (inputs.double() @ weight.double().T).bfloat16(),
                               rtol=2**-8, atol=0)


def test_float32_stays_pytorchs_own() -> None:
    inputs, weight = torch.randn(5, 40), torch.randn(20, 40)
    with rounded_products(), mock.patch.object(bfloat16._Linear, "apply") as own:
        functional.linear(inputs, weight)
    assert not own.called


def test_a_frozen_layer_has_no_gradient() -> None:
    inputs = torch.randn(3, 40).bfloat16().requires_grad_()
    weight = torch.randn(20, 40).bfloat16()
    with rounded_products():
        functional.linear(inputs, weight).sum().backward()
    assert inputs.grad is not None and weight.grad is None


def test_afterwards_pytorch_is_as_it_was() -> None:
    before = functional.linear
    with pytest.raises(KeyError), rounded_products():
        assert functional.linear is not before
        raise KeyError
    assert functional.linear is before


def test_a_processor_with_units_does_it_itself() -> None:
    before = functional.linear
    with mock.patch.object(bfloat16, "has_units", lambda: True), rounded_products():
        assert functional.linear is before
