"""What a forward pass keeps for the backward pass: PyTorch hands each such tensor to a hook."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch

from funasr_preflight.laws.names import COMPONENTS


def kept_for_backward(model: torch.nn.Module, forward: Callable[[], Any]) -> dict[str, int]:
    """Bytes that are kept, by the component in whose forward pass they arise.

    Tensors that share memory count once; the model's own parameters and buffers do not count.

    Args:
        forward: one forward pass of the model, whose result leads back to all that it keeps.

    Returns:
        Name of a component, or "other", to its bytes, where there are any.
    """
    counted = {tensor.untyped_storage().data_ptr()
               for tensor in (*model.parameters(), *model.buffers())}
    kept = dict.fromkeys((*COMPONENTS, "other"), 0)
    inside = ["other"]

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in counted:  # what is kept stays, so no address comes twice
            counted.add(storage.data_ptr())
            kept[inside[-1]] += storage.nbytes()
        return tensor

    with ExitStack() as hooks:
        for name in COMPONENTS:
            part = getattr(model, name, None)
            if part is not None:
                hooks.enter_context(part.register_forward_pre_hook(
                    lambda *_call, name=name: inside.append(name)))
                hooks.enter_context(part.register_forward_hook(
                    lambda *_call: inside.pop() and None))
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            result = forward()
        del result  # it kept every one of them alive until here
    return {name: size for name, size in kept.items() if size}
