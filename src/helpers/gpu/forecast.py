"""What can be known about a GPU run before there is a GPU: memory, padding, steps, DeepSpeed.

Shapes and lengths decide the first three. For the last, FunASR's trainer runs with a stand-in for
the package `deepspeed` that only notes what it is given.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch

from funasr_preflight.laws.memory import TrainingMemory
from helpers.config import configs
from helpers.model import mini
from helpers.model.mini import Built
from helpers.training import anatomy, checklist, finetune
from helpers.training.batches import loader, reach
from helpers.training.checkpoints import bare_trainer


def full_size_memory(config: str, items: Sequence[dict]) -> TrainingMemory:
    """Exact bytes of weights, gradients and AdamW's state of a merged config at full size.

    What learns is looked up on the mini, with one batch, and carried over by names.
    """
    small = mini.build(finetune.with_overrides(config, finetune.SHORT_RUN))
    finetune.freeze_listed(small.model, small.kwargs.get("freeze_param"))
    large = mini.build(config, size="full", device="meta").model
    learns = anatomy.carry_over(anatomy.reached(small, items).names, small.model, large)
    return anatomy.training_memory(large, learns)


def sharded(memory: TrainingMemory, gpus: int) -> TrainingMemory:
    """The same on each of several GPUs with ZeRO stage 2: gradients and optimizer are divided."""
    return TrainingMemory(memory.weights, memory.gradients // gpus, memory.optimizer // gpus)


@dataclass(frozen=True)
class Padded:
    """What one batch size makes of a pass: padding share, batches, utterances in a batch."""

    padding: float
    batches: int
    utterances: float


def padding_of(config: str, items: Sequence[dict], size: int | None = None,
               samples: int | None = None) -> Padded:
    """One pass of FunASR's sampler over the lines.

    Args:
        size, samples: `batch_size` and `batch_size_sample_max`; None keeps the config's.
    """
    changes = {"batch_size": size, "batch_size_token_max": size, "batch_size_sample_max": samples}
    reached = reach(config, items, {key: value for key, value in changes.items()
                                    if value is not None}, collate=False)
    served = sum(map(len, reached.batches))
    return Padded(reached.padding, len(reached.batches), served / len(reached.batches))


def dealt(config: str, items: Sequence[dict], processes: int,
          changes: Mapping[str, Any] | None = None) -> list[list[list[int]]]:
    """Steps of a pass by FunASR's sampler, each with a batch of line numbers for each process."""
    line_of = {item["key"]: number for number, item in enumerate(items)}
    parts = []
    with loader(config, items, {"data_split_num": 1, **(changes or {})}) as dataloader:
        for rank in range(processes):
            with (mock.patch("torch.distributed.get_rank", return_value=rank),
                  mock.patch("torch.distributed.get_world_size", return_value=processes)):
                train = dataloader.build_iter()[0]
            lines = [line_of[entry["key"]] for entry in train.dataset.index_ds.contents]
            parts.append([[lines[index] for index in batch] for batch in train.batch_sampler])
    return [list(step) for step in zip(*parts, strict=True)]


def accumulated(steps: Sequence[Sequence[list[int]]], count: int) -> list[list[list[int]]]:
    """The steps of one process that accumulates `count` batches; a rest is no step."""
    flat = [batch for step in steps for batch in step]
    return [flat[start:start + count] for start in range(0, len(flat) - count + 1, count)]


@dataclass
class Engine:
    """A stand-in for DeepSpeed's engine: a linear layer, and a note of each call."""

    layer: torch.nn.Module = field(default_factory=lambda: torch.nn.Linear(1, 1, bias=False))
    losses: list[float] = field(default_factory=list)
    steps: int = 0

    def backward(self, loss: torch.Tensor) -> None:
        self.losses.append(loss.item())
        loss.backward()

    def step(self) -> None:
        self.steps += 1


def handed_to_deepspeed(accum_grad: int, grad_clip: float, loss: float) -> tuple[Engine, float]:
    """Let FunASR's trainer do `accum_grad` batches with DeepSpeed, each of the same loss.

    Returns:
        What the engine noted, and the length of the summed gradient when it is left to DeepSpeed.
    """
    engine = Engine()
    torch.nn.init.ones_(engine.layer.weight)
    with bare_trainer(use_deepspeed=True, accum_grad=accum_grad, grad_clip=grad_clip) as trainer:
        for number in range(accum_grad):
            state = {"batch_idx": number, "loss": loss * engine.layer(torch.ones(1, 1)).sum()}
            trainer.backward_step(engine, None, loss_dict=state)
            trainer.update_step(engine, None, None, None, loss_dict=state)
    return engine, float(engine.layer.weight.grad.norm())


def optimizer_with_deepspeed(file: str) -> torch.optim.Optimizer | None:
    """The optimizer that FunASR's trainer goes on with after it has read this DeepSpeed file."""
    package = SimpleNamespace(initialize=lambda **kwargs: (kwargs["model"], kwargs["optimizer"],
                                                           None, kwargs["lr_scheduler"]))
    with (mock.patch.dict(sys.modules, deepspeed=package),
          bare_trainer(use_deepspeed=True, deepspeed_config=file) as trainer):
        return trainer.warp_optim_scheduler(
            torch.nn.Linear(1, 1), optim="adamw", optim_conf={"lr": 1e-4}, scheduler="warmuplr",
            scheduler_conf={"warmup_steps": 1})[1]


def frozen_for_ddp(built: Built, items: Sequence[dict]) -> bool:
    """Whether DDP survives its first steps with this model."""
    return checklist.parallel(built, items).passed


def label_of(config: str) -> str:
    """A config's name without its folder."""
    return configs.path_of(config).stem
