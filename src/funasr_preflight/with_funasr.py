"""The one door to FunASR, PyTorch and the book, for what shapes and closed laws do not tell.

Where they are not installed, the checker does without: `available` says so beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from funasr_preflight.errors import BookError


def available() -> bool:
    """Whether FunASR and the book's builders can be asked on this machine."""
    return all(find_spec(name) is not None for name in ("torch", "funasr", "helpers"))


def has_torch() -> bool:
    """Whether PyTorch is installed, which putting weights together takes."""
    return find_spec("torch") is not None


def write_complete(checkpoint: Path, pretrained: Path, target: Path, lora_alpha: float = 0.0
                   ) -> None:
    """Write all tensors of a model: the pretrained ones, and over them the tuned.

    LoRA matrices are folded into the weight that they belong to, W + alpha/r * B A, computed in
    float32 and rounded to the weight's own type; they are not written. Every tensor is written for
    itself, as in a released file: the trainer writes the LLM's tied weights as one, and
    safetensors, with which FunASR prepares the LLM for vLLM, refuses such a pair.

    Args:
        checkpoint: what the trainer or its averaging wrote.
        pretrained: the `model.pt` that the run started from.
        target: file to write, in the layout of a released `model.pt`.
        lora_alpha: of the run's `lora_conf`.

    Raises:
        BookError: the checkpoint has a tensor that the pretrained file lacks.
    """
    import torch

    def tensors(path: Path) -> dict[str, Any]:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        state = state.get("state_dict", state)
        return {name.removeprefix("module."): tensor for name, tensor in state.items()}

    whole, tuned = tensors(pretrained), tensors(checkpoint)
    folded = {name: tuned.pop(name) for name in list(tuned) if ".lora_" in name}
    strange = sorted(tuned.keys() - whole.keys())
    if strange:
        raise BookError(f"{pretrained.name} has no tensor {strange[0]}: give the file that this "
                        "run started from.")
    whole |= tuned
    for name, after in folded.items():
        weight, _, matrix = name.rpartition(".lora_")
        if matrix == "A":
            behind = folded[f"{weight}.lora_B"].float()
            step = behind @ after.float() * (lora_alpha / after.shape[0])
            before = whole[f"{weight}.weight"]
            whole[f"{weight}.weight"] = (before.float() + step).to(before.dtype)
    written = set()
    for name, tensor in whole.items():
        if tensor.untyped_storage().data_ptr() in written:
            whole[name] = tensor.clone()
        written.add(tensor.untyped_storage().data_ptr())
    torch.save({"state_dict": whole}, target)


def parameter_sizes(config: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Values of each parameter by component, from FunASR's own classes on the meta device.

    Raises:
        Exception: what FunASR's classes raise on dimensions that they cannot have.
    """
    from omegaconf import OmegaConf

    from helpers.model import mini
    from helpers.session import quieten
    from helpers.training import anatomy

    quieten()
    model = mini.build(OmegaConf.create(dict(config)), size="full", device="meta").model
    sizes: dict[str, dict[str, int]] = {}
    for name, parameter in model.named_parameters():
        sizes.setdefault(anatomy.component_of(name), {})[name] = parameter.numel()
    return sizes


def scheduled_rates(config: Mapping[str, Any], steps: int) -> list[float]:
    """Learning rates of the first updates under the config's scheduler, from FunASR's own class.

    Raises:
        Exception: what the scheduler raises on keys that it cannot take.
    """
    from omegaconf import OmegaConf

    from helpers.training import finetune

    return list(islice(finetune.scheduled(OmegaConf.create(dict(config))), steps))
