"""The one door to FunASR, PyTorch and the book, for what shapes and closed laws do not tell.

Where they are not installed, the checker does without: `available` says so beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from itertools import islice
from typing import Any


def available() -> bool:
    """Whether FunASR and the book's builders can be asked on this machine."""
    return all(find_spec(name) is not None for name in ("torch", "funasr", "helpers"))


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
