"""What FunASR's trainer writes during a run, when, and what becomes of it.

The trainer is watched from outside: its own methods run, and what they did to the folder is noted.
Sizes at full size come from shapes and dtypes, and are compared with real files on the mini.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from funasr.train_utils.trainer_ds import Trainer
from omegaconf import OmegaConf

from funasr_preflight import with_funasr
from funasr_preflight.laws.names import COMPONENTS
from helpers.config import configs
from helpers.errors import BookError
from helpers.model import launch, mini
from helpers.model.funasr_private import distributed
from helpers.model.mini import Built
from helpers.session import funasr_silenced
from helpers.training import anatomy, finetune

CHANCE_OFF: dict[str, Any] = {
    "frontend_conf.dither": 0.0,
    "audio_encoder_conf.dropout_rate": 0.0,
    "audio_encoder_conf.positional_dropout_rate": 0.0,
    "audio_encoder_conf.attention_dropout_rate": 0.0,
    "audio_adaptor_conf.dropout_rate": 0.0,
}
"""Keys that take dither and dropout out of a run; the order of the data stays."""


class Interrupted(Exception):
    """What `interrupted_after` raises, in place of a crash or a cancelled job."""


@dataclass(frozen=True)
class Event:
    """Something that the trainer did.

    Attributes:
        step: batches trained since the start of the run (`batch_total`).
        kind: "validates", "saves" or "deletes".
        names: the checkpoint's name in the ranking, or the files concerned.
        accuracy: token accuracy found by a validation.
        loss: loss found by a validation.
    """

    step: int
    kind: str
    names: tuple[str, ...]
    accuracy: float | None = None
    loss: float | None = None


@dataclass
class Diary:
    """What a run did, as seen from outside.

    Attributes:
        events: in their order.
        lines: what FunASR logged.
        gradient_norms: the norm of all gradients at each update, before clipping.
    """

    events: list[Event] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]

    def logged(self) -> int:
        """Number of lines in the log on the progress of training."""
        return sum(line.startswith("train, ") for line in self.lines)


@contextlib.contextmanager
def watched() -> Iterator[Diary]:
    """Note what every FunASR `Trainer` validates, saves, deletes and logs inside this block."""
    from funasr.utils import misc

    diary = Diary()
    validate, save, remove = Trainer.validate_epoch, Trainer.save_checkpoint, misc.smart_remove

    def validate_epoch(self, *arguments, **keywords):
        before = dict(self.val_acc_step_or_epoch)
        validate(self, *arguments, **keywords)
        for name, accuracy in self.val_acc_step_or_epoch.items():
            if name not in before:
                diary.events.append(Event(self.batch_total, "validates", (name,), accuracy,
                                          self.val_loss_step_or_epoch.get(name)))

    removed: list[str] = []

    def smart_remove(path):
        removed.append(Path(path).name)
        remove(path)

    def save_checkpoint(self, *arguments, **keywords):
        before = _times(self.output_dir)
        removed.clear()
        save(self, *arguments, **keywords)
        after = _times(self.output_dir)
        written = {name for name in after if after[name] != before.get(name)}
        written |= set(removed) - before.keys()
        diary.events.append(Event(self.batch_total, "saves", tuple(sorted(written))))
        if removed:
            diary.events.append(Event(self.batch_total, "deletes", tuple(removed)))

    clip = torch.nn.utils.clip_grad_norm_

    def clip_grad_norm(*arguments, **keywords):
        norm = clip(*arguments, **keywords)
        diary.gradient_norms.append(float(norm))
        return norm

    with (mock.patch.object(Trainer, "validate_epoch", validate_epoch),
          mock.patch("torch.nn.utils.clip_grad_norm_", clip_grad_norm),
          mock.patch.object(misc, "smart_remove", smart_remove),
          mock.patch.object(Trainer, "save_checkpoint", save_checkpoint),
          mock.patch("logging.info", lambda text, *_: diary.lines.append(str(text)))):
        yield diary


@contextlib.contextmanager
def interrupted_after(steps: int) -> Iterator[None]:
    """Let a run die in the forward pass that follows this many batches, as a cancelled job does.

    The block swallows `Interrupted`, and nothing else.

    Raises:
        BookError: the run ended before it got there.
    """
    forward = Trainer.forward_step

    def forward_step(self, model, batch, loss_dict):
        if model.training and self.batch_total > steps:
            raise Interrupted
        return forward(self, model, batch, loss_dict=loss_dict)

    with mock.patch.object(Trainer, "forward_step", forward_step):
        try:
            yield
        except Interrupted:
            return
    raise BookError(f"The run was over before it had done {steps} steps: interrupt it earlier.")


def read(path: str | Path) -> dict[str, Any]:
    """Everything in a checkpoint that the trainer wrote.

    Raises:
        BookError: there is no such file.
    """
    if not Path(path).is_file():
        raise BookError(f"There is no checkpoint {Path(path).name} in {Path(path).parent.name}.")
    return torch.load(path, map_location="cpu", weights_only=True)


def reload(config: configs.ConfigLike, checkpoint: Path) -> Built:
    """The mini as `++init_param=CHECKPOINT` builds it: in place of the pretrained `model.pt`."""
    if not Path(checkpoint).is_file():
        raise BookError(f"There is no checkpoint {Path(checkpoint).name} to reload.")
    with funasr_silenced():
        return mini.build(finetune.with_overrides(config, {"init_param": str(checkpoint)}))


def save_config(built: Built, folder: Path, called: str | None = None) -> Path:
    """Write the `config.yaml` that FunASR's training program leaves beside its checkpoints.

    Args:
        folder: the run's `output_dir`.
        called: what the launch called the mini's model directory; its path without it.
    """
    from funasr.utils.misc import prepare_model_dir

    base = mini.model_directory("mini")
    with funasr_silenced():
        prepare_model_dir(**{**built.config, "output_dir": str(folder),
                             "init_param": str(base / "model.pt")})
    path = folder / "config.yaml"
    if called:
        path.write_text(path.read_text(encoding="utf-8").replace(str(base), called),
                        encoding="utf-8")
    return path


def kept(folder: Path) -> tuple[str, ...]:
    """Names of the checkpoints in a run's folder."""
    return tuple(sorted(_times(folder)))


def same_tensors(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two state dicts are identical, to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name])
                                                 for name in first)


def components(state: Collection[str]) -> dict[str, int]:
    """Component to number of tensors in a state dict, those without any included."""
    return {part: sum(anatomy.component_of(name) == part for name in state)
            for part in COMPONENTS}


def completed(checkpoint: Path, pretrained: Path, target: Path) -> Path:
    """Write a checkpoint that holds all tensors: the pretrained ones, and over them the tuned.

    Args:
        pretrained: the `model.pt` that the run started from.
        target: file to write, in the layout of a released `model.pt`.

    Raises:
        BookError: the checkpoint has a tensor that the pretrained file lacks.
    """
    with_funasr.write_complete(Path(checkpoint), Path(pretrained), Path(target))
    return target


def alone_at_full_size(name: str) -> Built:
    """A fine-tuning config launched without the pretrained one, on the meta device.

    What the file lacks is supplied, the number of the released encoder's blocks included.
    """
    pieces = launch.launch_with_missing_pieces(name)[-1].overrides
    blocks = ("++audio_encoder_conf.num_blocks=50", "++audio_encoder_conf.tp_blocks=20")
    return mini.build(launch.compose(name, (*pieces, *blocks)), size="full", device="meta",
                      over=None)


@contextlib.contextmanager
def bare_trainer(**conf: Any) -> Iterator[Any]:
    """FunASR's `Trainer` with these keys of `train_conf`, silent, in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as folder, funasr_silenced():
        yield Trainer(output_dir=folder, device="cpu", **conf)


def trainer_default(key: str) -> Any:
    """What FunASR's `Trainer` takes for a key of `train_conf` that a config leaves out."""
    with bare_trainer() as trainer:
        return getattr(trainer, key)


def train_conf(built: Built, key: str) -> Any:
    """A key of `train_conf` as the trainer takes it: from the config, or its own default."""
    conf = built.config.get("train_conf") or {}
    return conf[key] if conf.get(key) is not None else trainer_default(key)


def toy_run(scores: Sequence[float], folder: Path, **conf: Any) -> Diary:
    """Let FunASR's own trainer save one small linear layer as often as there are scores.

    Args:
        scores: the validation accuracy that each save is given.
    """
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
    with watched() as diary, funasr_silenced():
        trainer = Trainer(output_dir=str(folder), device="cpu", **conf)
        for epoch, score in enumerate(scores, start=1):
            trainer.val_acc_step_or_epoch[f"model.pt.ep{epoch}"] = score
            trainer.save_checkpoint(epoch, model=layer, optim=optimizer, scheduler=scheduler)
    return diary


def half_precision_update(loss: float, scale: float | None) -> tuple[float, float | None]:
    """One update of a single weight by FunASR's trainer, with PyTorch's gradient scaler or without.

    The weight is 0 and its gradient is `loss`; the optimizer is SGD with a learning rate of 1, so
    that the weight's change is the gradient that arrived. `grad_clip` is 5.

    Args:
        scale: the scaler's factor (PyTorch starts with 65536), or None for no scaler.

    Returns:
        How far the weight moved, and the scaler's factor afterwards.
    """
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale) if scale else None
    with bare_trainer(grad_clip=5) as trainer:
        step = {"batch_idx": 0, "loss": loss * layer(torch.ones(1, 1)).sum()}
        trainer.backward_step(layer, scaler, loss_dict=step)
        trainer.update_step(layer, optimizer, scheduler, scaler, loss_dict=step)
    return abs(float(layer.weight.detach())), scaler.get_scale() if scaler else None


def computing_dtypes(built: Built, items: Sequence[dict], trainer_dtype: torch.dtype,
                     as_on_gpu: bool = False) -> dict[str, str]:
    """In which dtype the linear layers of each component compute during a training step.

    Args:
        built: the model; its LLM's dtype is that of `llm_conf.llm_dtype`.
        items: manifest lines, one batch.
        trainer_dtype: what `use_bf16` and `use_fp16` make the trainer ask for.
        as_on_gpu: FunASR's outer autocast names the device type "cuda", which does nothing on a
            CPU. If true, it is given the CPU's type, so that it acts as it would on a GPU.
    """
    from funasr.train_utils import trainer_ds

    dtypes: dict[str, set[str]] = {
        part: set() for part in ("audio_encoder", "audio_adaptor", "llm")}
    with contextlib.ExitStack() as stack:
        for name, module in built.model.named_modules():
            part = anatomy.component_of(name)
            if part in dtypes and isinstance(module, torch.nn.Linear):
                stack.enter_context(module.register_forward_hook(
                    lambda *call, part=part: dtypes[part].add(str(call[2].dtype))))
        if as_on_gpu:
            stack.enter_context(mock.patch.object(trainer_ds, "autocast",
                                                  partial(torch.autocast, "cpu")))
        with torch.no_grad(), trainer_ds.maybe_autocast(trainer_dtype):
            built.model(**finetune.batch(built, items))
    return {part: " and ".join(sorted(dtype.removeprefix("torch.") for dtype in used))
            for part, used in dtypes.items()}


def start_of_program(config: configs.ConfigLike) -> str:
    """How FunASR's training program begins with this config: the error that ends it.

    The program is `funasr/bin/train_ds.py` itself. Without a GPU it cannot get far; with DeepSpeed
    asked for, the question is whether it gets past its first lines.

    Raises:
        BookError: DeepSpeed is not asked for, so the program would start to build and train.
    """
    from funasr.bin import train_ds

    plain = OmegaConf.to_container(configs.as_config(config), resolve=False)
    if not distributed(plain, processes=1).deepspeed:
        raise BookError("This config does not ask for DeepSpeed: set train_conf.use_deepspeed.")
    try:
        with funasr_silenced():
            train_ds.main(**plain)
    except Exception as error:  # noqa: BLE001  whatever ends the program is the finding
        return f"{type(error).__name__}: {error}"
    raise BookError("The training program ran to its end, which this function did not expect.")


def deepspeed_with_null_config(built: Built) -> str:
    """What FunASR's trainer says to `use_deepspeed: true` and `deepspeed_config: null`.

    The package is replaced by an empty module, so that the trainer gets as far as the file.

    Raises:
        BookError: the trainer did not complain.
    """
    with (mock.patch.dict(sys.modules, deepspeed=ModuleType("deepspeed")),
          bare_trainer(use_deepspeed=True, deepspeed_config=None) as trainer):
        try:
            trainer.warp_optim_scheduler(built.model, **built.kwargs)
        except TypeError as error:
            return str(error)
    raise BookError("The trainer took a DeepSpeed config that is null.")


def way_to_run(name: str, processes: int) -> str:
    """How FunASR's training program would run a config: plain PyTorch, DDP, FSDP or DeepSpeed."""
    method = distributed(OmegaConf.to_container(configs.load(name), resolve=False), processes)
    return ("DeepSpeed" if method.deepspeed else "FSDP" if method.fsdp else "DDP" if method.ddp
            else "plain PyTorch")


def required_by_funasr() -> frozenset[str]:
    """Names of the packages that the installed FunASR asks for, those of its extras included."""
    return frozenset(re.match(r"[\w.-]+", line)[0].lower()
                     for line in importlib.metadata.requires("funasr") or ())


def average(folder: Path, number: int) -> Path | None:
    """Let FunASR average the best checkpoints of a run; None if it found none to average."""
    from funasr.train_utils.average_nbest_models import average_checkpoints

    with funasr_silenced():
        path = average_checkpoints(str(folder), number)
    return Path(path) if path else None


def _times(folder: str | Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).glob("model.pt*")}
