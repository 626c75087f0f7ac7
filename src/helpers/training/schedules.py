"""The learning rate that a run really sees: FunASR's schedulers, optimizers and sampler, asked.

A run of N updates is described by `Seen`. How many updates a set of telephone speech makes is
counted by FunASR's own batch sampler on drawn utterance lengths. What a resumed run uses is read
from FunASR's own trainer after it has loaded a checkpoint.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from funasr_preflight.laws import schedule
from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND, TEXT_TOKENS_A_SECOND
from helpers.config import configs
from helpers.errors import BookError, first_sentence
from helpers.model.funasr_private import distributed
from helpers.model.mini import Built
from helpers.session import funasr_silenced
from helpers.speech.turns import turn_seconds
from helpers.training import finetune

SAMPLED_HOURS = 4


@dataclass(frozen=True)
class Seen:
    """The learning rates that a run of some length sees.

    Attributes:
        peak: the highest rate of any update.
        warmup_share: share of the updates that lie in the warm-up, 0 to 1.
        total: the sum of the rates, which is what weight decay is multiplied with.
    """

    updates: int
    peak: float
    mean: float
    last: float
    warmup_share: float
    total: float


def rates_at(config: configs.ConfigLike, updates: Sequence[int]) -> np.ndarray:
    """The rate that FunASR's scheduler gives to these updates, counted from 1.

    Args:
        config: a config with `optim_conf.lr`, `scheduler` and `scheduler_conf`.
        updates: numbers of updates; any scheduler but WarmupLR is run up to the last of them.
    """
    config = configs.as_config(config)
    if min(updates) < 1:
        raise BookError("Updates are counted from 1: give positive numbers.")
    if config.scheduler == "warmuplr":
        return schedule.warmup_rates(updates, config.optim_conf.lr,
                                     config.scheduler_conf.warmup_steps)
    rates = np.fromiter(islice(finetune.scheduled(config), int(max(updates))), float)
    return rates[np.asarray(updates) - 1]


def mean_rate(config: configs.ConfigLike, updates: int) -> float:
    """Mean learning rate of a run of this many updates."""
    return schedule.sum_over_run(updates, lambda numbers: rates_at(config, numbers)) / updates


def seen(config: configs.ConfigLike, updates: int) -> Seen:
    """What a run of this many updates sees of a config that warms up."""
    warmup = configs.as_config(config).scheduler_conf.warmup_steps
    peak, last = rates_at(config, [min(warmup, updates), updates])
    mean = mean_rate(config, updates)
    return Seen(updates, float(peak), mean, float(last), min(warmup, updates) / updates,
                mean * updates)


def shrinkage(config: configs.ConfigLike, updates: int, float32: bool = False) -> float:
    """Share of its size that a weight loses to AdamW's decay alone over a run, 0 to 1.

    Each update multiplies it by 1 - rate x decay.

    Args:
        float32: take the factor as a float32 weight sees it, which may be exactly 1.
    """
    decay = configs.as_config(config).optim_conf.weight_decay

    def logarithm(numbers: np.ndarray) -> np.ndarray:
        factors = 1 - decay * rates_at(config, numbers)
        return np.log(factors.astype(np.float32).astype(float) if float32 else factors)

    return max(0.0, -math.expm1(schedule.sum_over_run(updates, logarithm)))


def decay_is_rounded_away(config: configs.ConfigLike, updates: Sequence[int]) -> np.ndarray:
    """For each update, whether AdamW's factor 1 - rate x decay is exactly 1 in float32."""
    decay = configs.as_config(config).optim_conf.weight_decay
    return np.float32(1 - decay * rates_at(config, updates)) == 1


class _LineLengths(list):
    """As much of a data set as a batch sampler asks for."""

    get_source_len = list.__getitem__


@lru_cache(maxsize=64)
def batches_per_pass(name: str, hours: float) -> int:
    """Batches that FunASR's sampler makes of drawn telephone turns, once through the data."""
    from funasr.datasets.audio_datasets import samplers  # noqa: F401  (registers the classes)
    from funasr.register import tables

    conf = OmegaConf.to_container(configs.merge_over("pretrained", name).dataset_conf, resolve=True)
    lengths = turn_seconds(hours) * (FEATURE_FRAMES_A_SECOND + TEXT_TOKENS_A_SECOND)
    with funasr_silenced():
        sampler = tables.batch_sampler_classes.get(conf["batch_sampler"])
        dataloader_args = sampler(_LineLengths(lengths.round().astype(int).tolist()), **conf)
        return sum(1 for batch in dataloader_args["batch_sampler"] if batch)


def run_updates(name: str, hours: float, passes_an_epoch: int | None = None) -> int:
    """Updates of a whole run on one GPU.

    Up to SAMPLED_HOURS are sampled; more are taken in proportion.

    Args:
        passes_an_epoch: passes over the data in one epoch; `dataset_conf.data_split_num`, which is
            what a single `.jsonl` gets, if None.
    """
    merged = configs.merge_over("pretrained", name)
    passes = passes_an_epoch or merged.dataset_conf.data_split_num
    sampled = min(hours, SAMPLED_HOURS)
    batches = round(batches_per_pass(name, sampled) * hours / sampled)
    return max(1, schedule.updates_of_a_run(batches, passes, merged.train_conf.max_epoch,
                                            merged.train_conf.accum_grad))


def trainer_for(built: Built, folder: str | Path, keys: Mapping[str, Any]):
    """FunASR's trainer, optimizer and scheduler for a model, in this folder, before any step."""
    from funasr.train_utils.trainer_ds import Trainer

    kwargs = built.kwargs | {"output_dir": str(folder), **keys}
    trainer_conf = distributed(kwargs, processes=1).trainer_conf
    with funasr_silenced():
        trainer = Trainer(device=kwargs["device"], excludes=kwargs.get("excludes"),
                          output_dir=str(folder), **trainer_conf)
        _, optimizer, scheduler = trainer.warp_optim_scheduler(built.model, **kwargs)
    return trainer, optimizer, scheduler


def optimizer_for(built: Built, **keys: Any) -> torch.optim.Optimizer:
    """FunASR's optimizer for a model; `keys` replace whole sections of its config."""
    with tempfile.TemporaryDirectory() as folder:
        trainer, optimizer, _ = trainer_for(built, folder, keys)
        trainer.close()
    return optimizer


def optimizers_that_build(built: Built) -> dict[str, str]:
    """Name that `optim` may have to "builds", or to why it does not with this `optim_conf`."""
    from funasr.optimizers import optim_classes

    outcomes = {}
    for name in optim_classes:
        try:
            optimizer_for(built, optim=name)
        except (TypeError, ValueError, ImportError) as error:
            outcomes[name] = first_sentence(error).rpartition("__init__() ")[2]
        else:
            outcomes[name] = "builds"
    return outcomes


def decay_alone(built: Built, **keys: Any) -> dict[str, torch.Tensor]:
    """What one update does to each trainable tensor whose gradient is exactly zero.

    Returns:
        Name to the change of the tensor. The model keeps its weights and no gradient.
    """
    optimizer = optimizer_for(built, **keys)
    moved = {}
    trainable = {name: p for name, p in built.model.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in trainable.items()}
    for parameter in trainable.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    with torch.no_grad():
        for name, parameter in trainable.items():
            moved[name] = parameter - before[name]
            parameter.copy_(before[name])
            parameter.grad = None
    return moved


def settings_after_resume(built: Built, folder: Path, keys: Mapping[str, Any]) -> dict[str, Any]:
    """What a run would use that resumes from a folder with other values in its YAML.

    Returns:
        `before` and `after` FunASR's `resume_checkpoint`: peak and current rate, warm-up, decay,
        betas, and updates done.
    """
    if not (Path(folder) / "model.pt").is_file():
        raise BookError("The folder holds no model.pt: train there first.")
    trainer, optimizer, scheduler = trainer_for(built, folder, keys)

    def state() -> dict[str, Any]:
        group = optimizer.param_groups[0]
        return {"peak": scheduler.base_lrs[0], "warmup_steps": scheduler.warmup_steps,
                "next_rate": scheduler.get_lr()[0], "weight_decay": group["weight_decay"],
                "betas": tuple(group["betas"]), "updates": scheduler.last_epoch}

    before = state()
    with funasr_silenced():
        trainer.resume_checkpoint(model=built.model, optim=optimizer, scheduler=scheduler,
                                  scaler=None)
    after = state()
    trainer.close()
    built.model.eval()
    return {"before": before, "after": after}


def rising(config: DictConfig, low: float, high: float, updates: int) -> DictConfig:
    """A config whose rate rises from `low` to `high`, in equal ratios, over so many updates.

    It uses FunASR's `exponentiallr`, whose factor may be above one.
    """
    changed = config.copy()
    changed.optim_conf.lr = low
    changed.scheduler = "exponentiallr"
    changed.scheduler_conf = {"gamma": (high / low) ** (1 / (updates - 1))}
    return changed
