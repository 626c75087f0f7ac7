"""A real data-parallel run: two processes, PyTorch's DDP, gloo on the CPU.

`run` starts the processes and gathers what each saw; the rest of the module is what they do.
`one_pass` does the same with FunASR's own trainer and sampler, so that its steps can be held
against those of one process with the same global batch.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from helpers import session
from helpers.model import mini
from helpers.speech import manifests
from helpers.training import anatomy, warm_processes
from helpers.training.checkpoints import CHANCE_OFF
from helpers.training.finetune import SHORT_RUN, freeze_listed, with_overrides

WORLD_SIZE = 2
SECONDS_TO_WAIT = 240
ALIKE: dict[str, Any] = CHANCE_OFF | {
    "llm_conf.llm_dtype": "fp32", "freeze_param": "ctc", "optim_conf.lr": 5e-4,
    "optim_conf.eps": 1e-5, "scheduler_conf.warmup_steps": 2, "dataset_conf.batch_size": 1000,
    "dataset_conf.batch_size_token_max": 10**6}
"""Overrides under which two passes differ in the order of summation alone.

Adam divides a gradient by its own size. The bias of an attention's keys has no gradient but what
rounding leaves, and with the default `eps` of 1e-8 Adam makes whole steps of that: another
processor's weights then lie 8e-4 of the way apart, and 6e-6 with 1e-5.
"""


@dataclass(frozen=True)
class Outcome:
    """What one process of a run saw.

    Attributes:
        steps: training steps done.
        error: first sentence of what stopped it, or "".
        weights: digest of all weights afterwards; equal on both ranks if they kept in step.
    """

    rank: int
    steps: int
    error: str
    weights: str


def run(cases: Mapping[str, Mapping[str, Any]], config: str, items: Sequence[dict],
        steps: int = 3) -> dict[str, list[Outcome]]:
    """Train each case for some steps in two processes.

    Args:
        cases: label to overrides of the config; the key `config` names another config.

    Returns:
        Label to the outcomes of rank 0 and rank 1.

    Raises:
        BookError: a process did not report in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        ranks = _in_two(Path(folder), {
            "cases": [[label, dict(case)] for label, case in cases.items()], "config": config,
            "items": list(items), "steps": steps})
    return {label: [Outcome(**rank[label]) for rank in ranks] for label in cases}


def _in_two(folder: Path, task: dict[str, Any]) -> list[Any]:
    """Do a task in two processes; what each left in its file."""
    (folder / "task.json").write_text(json.dumps(task))
    warm_processes.run(main, folder, count=WORLD_SIZE, seconds=SECONDS_TO_WAIT)
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(WORLD_SIZE)]


@dataclass(frozen=True)
class Pass:
    """One pass over the data by FunASR's trainer.

    Attributes:
        losses: optimizer steps, each with the losses of the batches in it.
        tokens: in the same shape, the number of label tokens that each loss is the mean of.
        weights: name to tensor, for every parameter that may learn, after the pass.
        started: the same before it.
    """

    losses: list[list[float]]
    tokens: list[list[int]]
    weights: dict[str, Any]
    started: dict[str, Any]

    def means(self) -> list[float]:
        """Mean loss of each optimizer step, every batch counting alike."""
        return [sum(step) / len(step) for step in self.losses]

    def distance(self, other: Pass) -> float:
        """How far the two passes' weights lie apart, as a share of the way this one has come."""
        apart = sum(float((self.weights[name] - other.weights[name]).square().sum())
                    for name in self.weights)
        travelled = sum(float((self.weights[name] - self.started[name]).square().sum())
                        for name in self.weights)
        return (apart / travelled) ** 0.5


def one_pass(config: str, items: Sequence[dict], overrides: Mapping[str, Any],
             processes: int = 1, joined: bool = False) -> Pass:
    """Train one pass with FunASR's sampler, optimizer and trainer, on a global batch of two.

    Two processes do it with DDP. One process does it with `accum_grad: 2`, and gets the same
    batches, for FunASR deals them to the processes in turn. Three things part them nevertheless. A
    list longer than `sort_size` is sorted in parts, and the parts are twice as long for two. An odd
    number of batches is filled up with one drawn at random, where one process has half a step left
    over, which it does not do. And a joined batch's loss is the mean over its tokens.

    Args:
        overrides: of the config; chance has to be off for two passes to be alike.
        joined: with one process, put the two batches into one in place of accumulating.

    Raises:
        BookError: a process failed or did not report in time.
    """
    task = {"config": config, "overrides": dict(overrides), "items": list(items),
            "joined": joined}
    with tempfile.TemporaryDirectory() as folder:
        if processes == 1:
            counts = _pass(Path(folder), task, 0, 1)
            size = 1 if joined else WORLD_SIZE
            losses, tokens = ([counts[key][start:start + size]
                               for start in range(0, len(counts[key]), size)]
                              for key in ("losses", "tokens"))
        else:
            ranks = _in_two(Path(folder), task)
            losses, tokens = ([list(step) for step in zip(*(counts[key] for counts in ranks),
                                                          strict=True)]
                              for key in ("losses", "tokens"))
        started, weights = torch.load(Path(folder) / "weights.pt", weights_only=True)
    return Pass(losses, tokens, weights, started)


def _pass(folder: Path, task: dict[str, Any], rank: int, processes: int) -> dict[str, list]:
    """One process's part of a pass; rank 0 leaves the weights in a file."""
    from funasr.register import tables
    from funasr.train_utils.set_all_random_seed import set_all_random_seed

    alone = processes == 1
    accumulated = WORLD_SIZE if alone and not task["joined"] else 1
    built = mini.build(with_overrides(task["config"], SHORT_RUN, task["overrides"]))
    manifest = str(manifests.write_manifest(task["items"], folder / f"items{rank}.jsonl"))
    kwargs = built.kwargs | {"train_data_set_list": manifest, "valid_data_set_list": manifest}
    with session.funasr_silenced():
        set_all_random_seed(0)
        freeze_listed(built.model, kwargs.get("freeze_param"))
        trainer = _counting_trainer()(
            rank=rank, local_rank=rank, world_size=processes, use_ddp=not alone, device="cpu",
            output_dir=str(folder / f"rank{rank}"),
            **kwargs["train_conf"] | {"accum_grad": accumulated, "validate_interval": 10**9,
                                      "save_checkpoint_interval": 10**9})
        started = _learning(built.model)
        model = built.model if alone else torch.nn.parallel.DistributedDataParallel(built.model)
        model, optimizer, scheduler = trainer.warp_optim_scheduler(model, **kwargs)
        loader, _ = tables.dataloader_classes.get("DataloaderMapStyle")(**kwargs).build_iter()
        if task["joined"]:
            loader = _Joined(loader)
        trainer.train_epoch(model=model, optim=optimizer, scheduler=scheduler, scaler=None,
                            dataloader_train=loader, epoch=0)
        if rank == 0:
            torch.save((started, _learning(built.model)), folder / "weights.pt")
    return {"losses": trainer.losses, "tokens": trainer.tokens}


class _Joined:
    """FunASR's loader with every two of its batches made into one, by its own collator."""

    def __init__(self, loader):
        self.dataset, self.batch_sampler = loader.dataset, loader.batch_sampler

    def __iter__(self):
        batches = list(self.batch_sampler)
        for start in range(0, len(batches), WORLD_SIZE):
            indices = [index for batch in batches[start:start + WORLD_SIZE] for index in batch]
            yield self.dataset.collator([self.dataset[index] for index in indices])

    def __len__(self):
        return -(-len(self.batch_sampler) // WORLD_SIZE)


def _counting_trainer():
    """FunASR's `Trainer`, noting each batch's loss and how many tokens it is the mean of."""
    from funasr.train_utils.trainer_ds import Trainer

    class CountingTrainer(Trainer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.losses: list[float] = []
            self.tokens: list[int] = []

        def forward_step(self, model, batch, loss_dict):
            super().forward_step(model, batch, loss_dict=loss_dict)
            self.losses.append(loss_dict["loss"].item())
            self.tokens.append(int((batch["labels_ids"][:, 1:] != -100).sum()))

    return CountingTrainer


def _learning(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()
            if parameter.requires_grad}


def _outcomes(folder: Path, task: dict[str, Any], rank: int) -> dict[str, dict[str, Any]]:
    """One process's part of `run`."""
    outcomes = {}
    for number, (label, case) in enumerate(task["cases"]):
        overrides = dict(case)
        config = overrides.pop("config", task["config"])
        built = mini.build(with_overrides(config, SHORT_RUN, overrides))
        freeze_listed(built.model, built.kwargs.get("freeze_param"))
        with _together(folder / f"meeting{number}", rank):
            steps, error = anatomy.steps_under_ddp(built, task["items"][rank::WORLD_SIZE],
                                                   task["steps"], learning_rate=1e-4)
        digest = hashlib.sha256(str(anatomy.fingerprints(built.model)).encode()).hexdigest()[:12]
        outcomes[label] = asdict(Outcome(rank, steps, error, digest))
    return outcomes


@contextmanager
def _together(meeting: Path, rank: int) -> Iterator[None]:
    """Both processes in one group of PyTorch's, as long as this lasts."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=WORLD_SIZE,
        timeout=datetime.timedelta(seconds=SECONDS_TO_WAIT / 2))
    yield
    distributed.destroy_process_group()


def main(rank: int, folder: Path) -> None:
    """What a started process does: its part of the task in the folder."""
    session.setup()
    task = json.loads((folder / "task.json").read_text())
    if "cases" in task:
        report = _outcomes(folder, task, rank)
    else:
        with _together(folder / "meeting", rank):
            report = _pass(folder, task, rank, WORLD_SIZE)
    (folder / f"rank{rank}.json").write_text(json.dumps(report))
