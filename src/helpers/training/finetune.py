"""Fine-tune with FunASR's own `Trainer`, dataset, sampler, optimizer and scheduler.

FunASR's training program, `funasr/bin/train_ds.py`, cannot run without a GPU: after it has built
the trainer it replaces the device by a CUDA index. This module makes the same calls, in the same
order, and leaves the device alone. It adds four things: every step is recorded, nothing is
printed, each run starts in an empty folder, so that nothing is resumed by accident, and a CPU
without bfloat16 units computes the LLM's products in float32 and rounds them.

What a run does is decided by the config alone. The few keys that a short run on a CPU has to
change are in `SHORT_RUN`, for the caller to merge in openly.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from funasr_preflight.laws.names import frozen_by_name
from helpers.config import configs
from helpers.errors import BookError
from helpers.model.funasr_private import distributed
from helpers.model.mini import Built
from helpers.session import funasr_silenced
from helpers.speech import manifests
from helpers.training import run_folders
from helpers.training.bfloat16 import rounded_products

SHORT_RUN: dict[str, Any] = {
    "dataset_conf.prompt_classes": None,
    "dataset_conf.num_workers": 0,
    "dataset_conf.data_split_num": 1,
    "train_conf.use_deepspeed": False,
    "train_conf.keep_nbest_models": 1,
    "train_conf.avg_nbest_model": 1,
}
"""Keys that any short run on one machine changes, whatever it studies.

The prompt that the mini was pretrained with; no worker processes; one pass over a single `.jsonl`
in an epoch; no DeepSpeed; one checkpoint.
"""


@dataclass(frozen=True)
class Step:
    """One optimizer step: its number from 1, loss, token accuracy, learning rate after it."""

    number: int
    loss: float
    accuracy: float
    learning_rate: float


@dataclass(frozen=True)
class Validation:
    """Mean loss and token accuracy over the validation set, after `steps` optimizer steps."""

    steps: int
    loss: float
    accuracy: float


@dataclass
class Run:
    """What a fine-tuning run did.

    Attributes:
        built: the model, trained in place, in evaluation mode.
        validations: the validation at the end of each epoch.
        folder: where FunASR wrote its checkpoints; a later run removes it when this object is gone.
    """

    built: Built
    steps: list[Step]
    validations: list[Validation]
    optimizer: torch.optim.Optimizer
    folder: Path
    seconds: float


def with_overrides(config: configs.ConfigLike, *overrides: dict[str, Any]) -> DictConfig:
    """A config with dotted keys replaced, later overrides last: FunASR's `++key=value`."""
    changed = configs.as_config(config).copy()
    for keys in overrides:
        for key, value in keys.items():
            OmegaConf.update(changed, key, value, force_add=True)
    return changed


def run(built: Built, train: Sequence[dict], valid: Sequence[dict], name: str, seed: int = 0,
        progress: str | None = None, keep_folder: bool = False, checkpoints: bool = True,
        silenced: Callable[[], AbstractContextManager] = funasr_silenced) -> Run:
    """Fine-tune a model in place, as its config says, with FunASR's own trainer.

    Args:
        built: from `helpers.model.mini.build`; its `kwargs` are the config of this run.
        valid: manifest lines to validate on after each epoch.
        name: name of the run's folder in the cache; this process's earlier run of that name is
            removed.
        seed: seed of everything random, set as FunASR sets it before it builds the model.
        keep_folder: leave what this process's earlier run of that name wrote, so that FunASR
            resumes it if `train_conf.resume` is true, as it is where a config does not set it. A
            run that was neither interrupted nor held must be the last one before.
        checkpoints: False leaves out the writing of files, some 300 MB an epoch of the mini, for
            a caller that wants the trained model alone. Nothing else of the run changes.
        silenced: what keeps FunASR's log lines off the page while it trains.

    Raises:
        BookError: DeepSpeed is asked for, a set is empty or none of it passes the filters of
            `dataset_conf`.
        RuntimeError: PyTorch's own, at the first step, if no parameter can receive a gradient.
    """
    from funasr.register import tables
    from funasr.train_utils.average_nbest_models import average_checkpoints
    from funasr.train_utils.set_all_random_seed import set_all_random_seed

    started = time.perf_counter()
    folder = run_folders.folder_for(name, keep_folder)
    kwargs = built.kwargs | {
        "train_data_set_list": str(manifests.write_manifest(_some(train, "train"),
                                                            folder / "train.jsonl")),
        "valid_data_set_list": str(manifests.write_manifest(_some(valid, "valid"),
                                                            folder / "valid.jsonl")),
        "output_dir": str(folder)}
    launched = distributed(kwargs, processes=1)
    if launched.deepspeed:
        raise BookError("train_conf.use_deepspeed is true, and this driver is for one process "
                        "without DeepSpeed: set it to false.")
    bar = tqdm(desc=progress, disable=None if progress else True)
    try:
        with silenced(), bar, rounded_products():
            set_all_random_seed(seed)
            freeze_listed(built.model, kwargs.get("freeze_param"))
            trainer = _recording_trainer(bar, checkpoints)(
                device=kwargs["device"], excludes=kwargs.get("excludes"), output_dir=str(folder),
                **launched.trainer_conf)
            model = trainer.warp_model(built.model, **kwargs)
            model, optimizer, scheduler = trainer.warp_optim_scheduler(model, **kwargs)
            dataloader = tables.dataloader_classes.get(
                kwargs["dataset_conf"].get("dataloader", "DataloaderMapStyle"))(**kwargs)
            trainer.resume_checkpoint(model=model, optim=optimizer, scheduler=scheduler,
                                      scaler=None)
            _train(trainer, dataloader, model=model, optim=optimizer, scheduler=scheduler,
                   scaler=None)
            if checkpoints:
                average_checkpoints(trainer.output_dir, trainer.avg_nbest_model)
            trainer.close()
    finally:
        built.model.eval()
    finished = Run(built, trainer.steps, trainer.validations, optimizer, folder,
                   time.perf_counter() - started)
    run_folders.remove_after(finished, folder)
    return finished


def _train(trainer, dataloader, **state) -> None:
    """The loop of `train_ds.main` over epochs and data splits."""
    for epoch in range(trainer.start_epoch, trainer.max_epoch):
        for part in range(trainer.start_data_split_i, dataloader.data_split_num):
            loader, loader_valid = dataloader.build_iter(epoch, data_split_i=part,
                                                         start_step=trainer.start_step)
            _check_loader(loader, dataloader.kwargs["dataset_conf"])
            trainer.train_epoch(
                **state, dataloader_train=loader, dataloader_val=loader_valid, epoch=epoch,
                data_split_i=part, data_split_num=dataloader.data_split_num,
                start_step=trainer.start_step)
            trainer.start_step = 0
        trainer.start_data_split_i = 0
        trainer.validate_epoch(model=state["model"], dataloader_val=loader_valid, epoch=epoch + 1)
        trainer.validations.append(
            Validation(trainer.batch_total, trainer.val_loss_avg, trainer.val_acc_avg))
        trainer.step_in_epoch = 0
        trainer.save_checkpoint(epoch + 1, **state)
        trainer.train_acc_avg = trainer.train_loss_avg = 0.0


def freeze_listed(model: torch.nn.Module, names: str | Sequence[str] | None) -> None:
    """Apply FunASR's top-level key `freeze_param`: module or parameter names, comma-separated."""
    for name, parameter in model.named_parameters():
        if frozen_by_name(name, names):
            parameter.requires_grad = False


def batch(built: Built, items: Sequence[dict], seed: int = 0) -> dict[str, Any]:
    """One training batch of these manifest lines, made by FunASR's own dataset and collator.

    Returns:
        What `FunASRNano.forward` takes: `speech` of shape (utterances, frames, 560), `input_ids`,
        `labels_ids` and `attention_mask` of shape (utterances, tokens), and their companions.
    """
    from funasr.register import tables

    torch.manual_seed(seed)
    with funasr_silenced(), tempfile.TemporaryDirectory() as folder:
        manifest = manifests.write_manifest(_some(items, "batch"), Path(folder) / "batch.jsonl")
        dataset = tables.dataset_classes.get(built.kwargs["dataset"])(
            str(manifest), frontend=built.frontend, tokenizer=built.tokenizer, is_training=True,
            **built.kwargs["dataset_conf"])
        inputs = dataset.collator([dataset[index] for index in range(len(dataset))])
    if "input_ids" not in inputs:
        raise BookError("None of these utterances passes the length limits of dataset_conf: give "
                        "utterances between min_source_length and max_source_length.")
    return {key: value.to(built.device) if isinstance(value, torch.Tensor) else value
            for key, value in inputs.items()}


def trainable_line(model: torch.nn.Module) -> str:
    """What FunASR's log says about trainable parameters when a run starts."""
    from funasr.train_utils.model_summary import model_summary

    with funasr_silenced():
        summary = model_summary(model)
    return summary.rpartition("Number of trainable parameters: ")[2].splitlines()[0]


def scheduled(config: DictConfig) -> Iterator[float]:
    """The learning rate of each update in turn, without an end, from FunASR's own scheduler."""
    from funasr.schedulers import scheduler_classes

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.optim_conf.lr)
    scheduler = scheduler_classes[config.scheduler](optimizer, **config.scheduler_conf)
    while True:
        yield scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()


def learning_rates(config: DictConfig, steps: int) -> list[float]:
    """The learning rate after each of the first `steps` steps, as FunASR's trainer logs it."""
    return list(islice(scheduled(config), 1, steps + 1))


def _recording_trainer(bar: tqdm, checkpoints: bool):
    """FunASR's `Trainer`, noting what it is about to log."""
    from funasr.train_utils.trainer_ds import Trainer

    class RecordingTrainer(Trainer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.steps: list[Step] = []
            self.validations: list[Validation] = []

        def log(self, loss_dict=None, tag="train", **kwargs):
            if tag == "train":
                self.steps.append(Step(
                    loss_dict["batch_total"], loss_dict["loss"].item(),
                    loss_dict["stats"]["acc"].item(), loss_dict["lr"]))
                bar.update()
            super().log(loss_dict, tag, **kwargs)

        def save_checkpoint(self, *args, **kwargs):
            if checkpoints:
                super().save_checkpoint(*args, **kwargs)

    return RecordingTrainer


def _check_loader(loader, conf: dict[str, Any]) -> None:
    """FunASR trains zero steps in silence when its filters leave nothing."""
    random_state = random.getstate()
    batches = sum(1 for indices in loader.batch_sampler if indices)
    random.setstate(random_state)
    if not batches:
        raise BookError("No training utterance passes dataset_conf (max_token_length "
                        f"{conf.get('max_token_length')}, max_source_length "
                        f"{conf.get('max_source_length')}): give shorter ones or raise the limit.")


def _some(items: Sequence[dict], name: str) -> Sequence[dict]:
    if not items:
        raise BookError(f"The {name} set is empty: give at least one manifest line.")
    return items
