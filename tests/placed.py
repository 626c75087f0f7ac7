"""Tensors that say they are on a GPU, on a machine that has none.

Their values lie in the CPU's memory, so that a loop over lengths or an answer's tokens goes on as
it would. Where an operation meets one of them beside a tensor of the CPU, it ends, as CUDA would
end it. PyTorch's FakeTensorMode has no values and stops at the first such loop; it is switched on
only because it keeps PyTorch from looking for a driver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map_only

aten = torch.ops.aten
TAKE_BOTH = {aten._to_copy.default, aten.copy_.default, aten.index.Tensor, aten.index_put.default,
             aten.index_put_.default, aten._index_put_impl_.default}
"""Operations that CUDA does with a tensor of the CPU among them; the first one's place decides."""


class OnGpu(torch.Tensor):
    """A tensor that says it is on the first GPU."""

    @staticmethod
    def __new__(cls, values: torch.Tensor) -> OnGpu:
        made = torch.Tensor._make_wrapper_subclass(
            cls, values.shape, dtype=values.dtype, strides=values.stride(),
            storage_offset=values.storage_offset(), device="cuda:0")
        made.values_here = values
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return done(operation, args, kwargs or {})

    def tolist(self) -> list:
        """As CUDA copies values to Python."""
        return self.values_here.tolist()


class _Watching(TorchDispatchMode):
    """Sees operations without such a tensor too: those that make one."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return done(operation, args, kwargs or {})


def done(operation: Any, args: tuple, kwargs: Mapping[str, Any]) -> Any:
    """Do an operation where its tensors are.

    Raises:
        RuntimeError: they are in two places.
    """
    given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
    gpu = [one for one in given if isinstance(one, OnGpu)]
    cpu = [one for one in given if not isinstance(one, OnGpu) and one.dim()]  # CUDA takes scalars
    if gpu and cpu and operation not in TAKE_BOTH:
        raise RuntimeError(f"{operation} wants all tensors on one device, and got cuda:0 and cpu")
    target = kwargs.get("device")
    if target is not None:
        to_gpu = torch.device(target).type == "cuda"
    else:
        to_gpu = isinstance(args[0], OnGpu) if operation in TAKE_BOTH else bool(gpu)
    plain, named = tree_map_only(OnGpu, lambda one: one.values_here, (args, dict(kwargs)))
    if target is not None:
        named["device"] = torch.device("cpu")
    with _disable_current_modes():
        made = operation(*plain, **named)
    known = {id(one.values_here): one for one in gpu}  # what an operation in place gives back
    return tree_map_only(torch.Tensor, lambda one: known[id(one)] if id(one) in known
                         else OnGpu(one), made) if to_gpu else made


def moved(model: torch.nn.Module) -> torch.nn.Module:
    """The model, with all that it holds on the GPU that there is not."""
    for module in model.modules():
        for name, one in module.named_parameters(recurse=False):
            setattr(module, name, torch.nn.Parameter(OnGpu(one.data), requires_grad=False))
        for name, one in module.named_buffers(recurse=False):
            setattr(module, name, OnGpu(one))
    return model


@contextmanager
def watched() -> Iterator[None]:
    """While this lasts, operations are held to their tensors' places."""
    with FakeTensorMode(), _Watching(), torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        yield
