"""What a version's training program and trainer do with the keys that they are given."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from helpers.versions import book
from helpers.versions.probe import NotThereError, probe

FREEZE_WITH_BLANK = "audio_adaptor, audio_encoder"


class _TrainerReached(Exception):
    """FunASR's program has come to the trainer."""


@probe("What `freeze_param: \"audio_adaptor, audio_encoder\"` freezes: components, or what ends "
       "the run")
def freeze_param_with_a_blank() -> list[str] | str:
    return _frozen(FREEZE_WITH_BLANK)


@probe("What `freeze_param: \"audio_adaptor,audio_encoder\"` freezes")
def freeze_param_without_a_blank() -> list[str] | str:
    return _frozen(FREEZE_WITH_BLANK.replace(" ", ""))


@probe("What the list `freeze_param: [audio_adaptor, audio_encoder]` freezes")
def freeze_param_as_list() -> list[str] | str:
    return _frozen(FREEZE_WITH_BLANK.split(", "))


@probe("What the trainer is told on two GPUs when `train_conf.use_deepspeed` is true")
def two_gpus_with_deepspeed() -> list[str] | str:
    start = _to_the_trainer({"train_conf": {"use_deepspeed": True, "deepspeed_config": "ds.json"}},
                            processes=2)
    return start if isinstance(start, str) else sorted(
        name for name in ("use_ddp", "use_fsdp", "use_deepspeed") if start[1].get(name))


@probe("What `use_deepspeed: true` with `deepspeed_config: null` ends in")
def deepspeed_config_null() -> str:
    return book.module("checkpoints").deepspeed_with_null_config(book.built())


@probe("Does `effective_save_name_excludes: [llm.]` keep the LLM out of a checkpoint?")
def save_excludes_honoured() -> bool:
    return not any(name.startswith("llm.") for name in _saved(
        {"train_conf.effective_save_name_excludes": ["llm."]}))


@probe("Does the text `effective_save_name_excludes: \"ctc., llm.\"` leave any `llm.` tensor in?")
def save_excludes_not_stripped() -> bool:
    return any(name.startswith("llm.") for name in _saved(
        {"train_conf.effective_save_name_excludes": "ctc., llm."}))


@probe("What ends a save at a step without a validation (\"\" if nothing)")
def save_without_validation() -> str:
    import torch

    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
    with book.module("checkpoints").bare_trainer() as trainer:
        try:
            trainer.save_checkpoint(1, step=5, model=layer, optim=optimizer, scheduler=scheduler,
                                    step_in_epoch=5)
        except KeyError as error:
            return f"KeyError: {error}"
    return ""


@probe("Sections that accept a key that does not exist, in silence", slow=True)
def sections_that_accept_anything() -> list[str]:
    return sorted(section for section, ended in _refusals().items() if not ended)


@probe("Sections that refuse a key that does not exist", slow=True)
def sections_that_refuse() -> list[str]:
    return sorted(section for section, ended in _refusals().items() if ended)


@cache
def _refusals() -> dict[str, bool]:
    """Section to whether a key that does not exist ends the set-up of a run."""
    book.needs_class()
    book.needs_dataset()
    return {section: _refused(key)
            for section, key in book.module("unknown_keys").invented(book.MAIN).items()}


def _refused(key: str) -> bool:
    try:
        _set_up(book.built({key: 1}))
    except (NotThereError, TypeError) as error:
        if book.module("unknown_keys").NO_SUCH_KEY not in str(error):
            raise
        return True
    return False


def _set_up(built: Any) -> None:
    """Everything that a run makes of its config before the first step."""
    from funasr.register import tables

    conf = book.module("private").distributed(built.kwargs, processes=1).trainer_conf
    with book.module("checkpoints").bare_trainer(**conf) as trainer:
        manifest = str(book.module("manifests").write_manifest(
            book.items(), Path(trainer.output_dir) / "lines.jsonl"))
        kwargs = built.kwargs | {"train_data_set_list": manifest, "valid_data_set_list": manifest}
        trainer.warp_optim_scheduler(built.model, **kwargs)
        tables.dataloader_classes.get("DataloaderMapStyle")(**kwargs).build_iter(0)


def _frozen(freeze_param: Any) -> list[str] | str:
    """Components of which the program, started with this key, leaves no parameter learning."""
    start = _to_the_trainer({"freeze_param": freeze_param}, thawed=True)
    if isinstance(start, str):
        return start
    named = [(name.partition(".")[0], parameter) for name, parameter in start[0].named_parameters()]
    learning = {component for component, parameter in named if parameter.requires_grad}
    return sorted({component for component, _ in named} - learning)


def _to_the_trainer(keys: Mapping[str, Any], processes: int = 1, thawed: bool = False):
    """Run FunASR's own program up to the trainer.

    Returns:
        The model and the keywords that the trainer is made with, or what ended the program.
    """
    import torch
    from funasr.bin import train_ds
    from omegaconf import OmegaConf

    built = book.built()
    for parameter in built.model.parameters() if thawed else ():
        parameter.requires_grad = True
    plain = {key: value for key, value in built.config.items()
             if key not in ("device", "freeze_param")}
    folder = str(book.scratch("launch"))
    kwargs = book.module("bench").changed(plain, {}) | {"device": "cpu", "output_dir": folder}
    for key, value in keys.items():
        kwargs[key] = {**kwargs[key], **value} if isinstance(value, Mapping) else value
    handed = SimpleNamespace(model=built.model, kwargs={
        **built.kwargs, **kwargs, "model": built.model, "output_dir": folder,
        "tokenizer": built.tokenizer, "frontend": built.frontend})
    trainer = mock.Mock(side_effect=_TrainerReached)
    world = {"WORLD_SIZE": str(processes), "RANK": "0", "LOCAL_RANK": "0"}
    with (book.module("session").funasr_silenced(), mock.patch.dict(os.environ, world),
          mock.patch.object(train_ds, "AutoModel", lambda **_: handed),
          mock.patch.object(train_ds, "Trainer", trainer),
          mock.patch.object(torch.cuda, "set_device", lambda _: None),
          mock.patch.object(torch.distributed, "init_process_group", lambda *_, **__: None),
          contextlib.ExitStack() as stack):
        if hasattr(train_ds, "deepspeed"):
            stack.enter_context(mock.patch.object(train_ds, "deepspeed", mock.Mock()))
        try:
            train_ds.main_hydra.__wrapped__(OmegaConf.create(kwargs))
        except _TrainerReached:
            return built.model, trainer.call_args.kwargs
        except Exception as error:  # noqa: BLE001  what ends the program is the answer
            return book.described(error)
    raise NotThereError("its program ends without a trainer")


def _saved(changes: Mapping[str, Any]) -> list[str]:
    """Names of the tensors in the checkpoint that the trainer writes."""
    import torch

    built = book.built(changes)
    optimizer = torch.optim.SGD(built.model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
    conf = {key: value for key, value in built.kwargs["train_conf"].items()
            if key not in ("use_deepspeed", "deepspeed_config")}
    with book.module("checkpoints").bare_trainer(**conf) as trainer:
        trainer.val_acc_step_or_epoch["model.pt.ep1"] = 0.5
        trainer.val_loss_step_or_epoch["model.pt.ep1"] = 0.5
        trainer.save_checkpoint(1, model=built.model, optim=optimizer, scheduler=scheduler)
        state = torch.load(f"{trainer.output_dir}/model.pt", map_location="cpu", weights_only=False)
    return list(state["state_dict"])
