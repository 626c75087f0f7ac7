"""The document's pre-training checklist, line by line, as checks that run and can fail.

Each line has two readings. As written, it is a look at a value in the YAML. What it is there for is
a property of the run: that weights arrive, that a component learns, that features are masked. The
functions here test the second with FunASR's own classes.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from funasr_preflight.laws.schedule import updates_of_a_run
from helpers.config import configs
from helpers.model import launch
from helpers.model.mini import Built, modes_given_back
from helpers.session import funasr_silenced
from helpers.speech import manifests
from helpers.speech.turns import seconds_of
from helpers.training import anatomy, finetune, schedules

LINES = {
    "weights": "Pretrained weights loaded",
    "encoder": "Audio encoder's freeze key is false",
    "rate": "Frontend sample rate is the stage's own",
    "deepspeed": "DeepSpeed disabled",
    "lr": "Learning rate appropriate for the dataset size",
    "specaug": "SpecAug enabled",
    "ctc": "CTC decoder's freeze key is the stage's own"}
"""The document's seven lines, in our words."""

_CTC_FREEZE = {"config_8k_telephone": False, "stage1_encoder_adapt": True}


@dataclass(frozen=True)
class Check:
    """One line of the checklist, tested: whether the run has the property, and what was seen."""

    passed: bool
    finding: str


def as_written(config: DictConfig, stage: str, model_dir: Path) -> dict[str, bool | None]:
    """The seven lines read literally; None where the line gives no rule.

    Args:
        stage: the config whose values the document names, `config_8k_telephone` or
            `stage1_encoder_adapt`.
    """
    def value(key):
        return OmegaConf.select(config, key)

    return {"weights": (model_dir / "model.pt").is_file(),
            "encoder": value("audio_encoder_conf.freeze") is False,
            "rate": value("frontend_conf.fs") in (8000, 16000),
            "deepspeed": value("train_conf.use_deepspeed") is False,
            "lr": None,
            "specaug": value("specaug") is not None,
            "ctc": value("ctc_decoder_conf.freeze") is _CTC_FREEZE[stage]}


def weights(attempt: launch.Attempt) -> Check:
    """Does every tensor of the pretrained checkpoint arrive in the model that trains?"""
    expected = launch.pretrained_tensors().count()
    if attempt.tensors is None:
        return Check(False, attempt.outcome)
    arrived = attempt.tensors.count(loaded=True)
    return Check(arrived == expected, f"{arrived} of {expected} tensors")


def encoder(built: Built, items: Sequence[dict]) -> Check:
    """Does the encoder get a gradient, all of it that the top-level `freeze_param` does not name?

    FunASR freezes what that key names after it has built the model, and so does this.
    """
    names = {name for name, _ in built.model.named_parameters()
             if anatomy.component_of(name) == "audio_encoder"}
    before = names & anatomy.flagged(built.model)
    finetune.freeze_listed(built.model, built.kwargs.get("freeze_param"))
    trainable = names & anatomy.flagged(built.model)
    learns = names & anatomy.reached(built, items).names
    held_back = f", freeze_param holds {len(before - trainable)} back" if before - trainable else ""
    return Check(bool(learns) and learns == trainable,
                 f"{len(learns)} of {len(names)} tensors get a gradient{held_back}")


def rate(config: DictConfig) -> Check:
    """Does the frontend make the features that the encoder was trained on?"""
    trained_fs = configs.load("pretrained").frontend_conf.fs
    fs = config.frontend_conf.fs
    return Check(fs == trained_fs, f"features at {fs} Hz, encoder trained on {trained_fs} Hz")


def deepspeed(config: DictConfig) -> Check:
    """Can the run start: is DeepSpeed off, or installed and configured?"""
    train = config.train_conf
    if not train.get("use_deepspeed"):
        return Check(True, "off")
    installed = importlib.util.find_spec("deepspeed") is not None
    return Check(installed and bool(train.get("deepspeed_config")),
                 f"on, installed: {installed}, config: {train.get('deepspeed_config')}")


def learning_rate(config: DictConfig, steps: int) -> Check:
    """Is the run's mean learning rate at least a third of the one that the config names?"""
    share = schedules.mean_rate(config, steps) / config.optim_conf.lr
    return Check(share > 1 / 3, f"{steps:,} steps, mean rate {share:.0%} of optim_conf.lr")


def specaug(built: Built, items: Sequence[dict]) -> Check:
    """Does the encoder get altered features in training where the config names a SpecAug?"""
    inputs = finetune.batch(built, items)
    features, encoder_inputs = inputs["speech"].clone(), []
    with (modes_given_back(built.model), torch.no_grad(),
          built.model.audio_encoder.register_forward_pre_hook(
              lambda _module, arguments: encoder_inputs.append(arguments[0].clone()))):
        built.model.train()
        built.model(**inputs)
    altered = (encoder_inputs[0] != features).float().mean().item()
    configured = built.kwargs.get("specaug") is not None
    return Check(configured == (altered > 0), f"{'named' if configured else 'not named'}, "
                                              f"{altered:.0%} of the features altered")


def ctc(built: Built, items: Sequence[dict]) -> Check:
    """Does the CTC branch learn exactly where it may?"""
    finetune.freeze_listed(built.model, built.kwargs.get("freeze_param"))
    branch = {name for name in anatomy.flagged(built.model)
              if anatomy.component_of(name) in ("ctc", "ctc_decoder")}
    learns = branch & anatomy.reached(built, items).names
    return Check(branch == learns, f"{len(branch)} tensors may learn, {len(learns)} do")


def parallel(built: Built, items: Sequence[dict]) -> Check:
    """Does the run survive its first steps on several GPUs?"""
    finetune.freeze_listed(built.model, built.kwargs.get("freeze_param"))
    steps, error = anatomy.parallel_steps(built, items)
    return Check(not error, f"steps done under DDP: {steps}" + (", then an error" if error else ""))


def one_pass(config: DictConfig) -> Check:
    """Is an epoch over a single .jsonl one pass over the data?"""
    splits = config.dataset_conf.get("data_split_num", 1)
    return Check(splits == 1, f"an epoch reads a single .jsonl {splits}\u00d7")


def steps_of_a_run(built: Built, items: Sequence[dict], hours: float) -> int:
    """Optimizer steps of a whole run, counted by FunASR's own loader and sampler.

    Args:
        built: whose `kwargs` are the run's config.
        items: manifest lines; they are repeated until they make up `hours`.
    """
    from funasr.register import tables

    hours_once = seconds_of(items).sum() / 3600
    repeated = list(items) * max(1, round(hours / hours_once))
    conf = built.kwargs["dataset_conf"] | {"num_workers": 0}
    with funasr_silenced(), tempfile.TemporaryDirectory() as folder:
        manifest = str(manifests.write_manifest(repeated, Path(folder) / "train.jsonl"))
        loader = tables.dataloader_classes.get("DataloaderMapStyle")(**built.kwargs | {
            "dataset_conf": conf, "train_data_set_list": manifest,
            "valid_data_set_list": manifest})
        batches = sum(1 for _ in loader.build_iter()[0].batch_sampler)
    train = built.kwargs["train_conf"]
    return updates_of_a_run(batches, loader.data_split_num, train["max_epoch"],
                            train.get("accum_grad", 1))
