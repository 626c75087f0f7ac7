"""Would a chapter or the checker state a law of FunASR's that FunASR does not follow?

FunASR itself is the oracle: its training program freezes, its scheduler gives the rate, its trainer
makes the steps and writes the files, its dataset and frontend count.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch

from funasr_preflight import checking
from funasr_preflight.laws import geometry, memory, names, schedule
from funasr_preflight.manifest.scanning import FilterConf, scan
from funasr_preflight.rules import run as run_rules
from funasr_preflight.run import estimates, gpu_memory
from helpers.audit import activations
from helpers.config import configs
from helpers.gpu import launch_scripts
from helpers.model import mini, spec_augment
from helpers.paths import CONFIGS
from helpers.session import funasr_silenced
from helpers.speech import corpus, manifests
from helpers.speech.turns import line
from helpers.telephone.channel import telephone_set
from helpers.training import anatomy, batches, checkpoints, finetune, schedules

MAIN = configs.FINE_TUNING[0]
OURS = CONFIGS / "recommended_8k.yaml"


class Stopped(Exception):
    """Ends FunASR's training program where the question is answered."""


@pytest.fixture(scope="module")
def built():
    return mini.build(finetune.with_overrides(MAIN, finetune.SHORT_RUN, {
        "ctc_decoder_conf.freeze": False}))


@pytest.fixture(scope="module")
def full():
    return mini.build(finetune.with_overrides(MAIN, finetune.SHORT_RUN), size="full", device="meta")


@pytest.fixture(scope="module")
def calls():
    return sorted(telephone_set("adapt", 60), key=lambda item: item["speech_length"])


# Names


def frozen_by_funasr(model: torch.nn.Module, value: object) -> set[str]:
    """What `funasr/bin/train_ds.py` freezes of a model, itself run up to its trainer."""
    from funasr.bin import train_ds

    model.requires_grad_(True)
    own = SimpleNamespace(model=model, kwargs={"model": "", "tokenizer": None, "frontend": None,
                                               "freeze_param": value})
    with (mock.patch.object(train_ds, "AutoModel", lambda **_: own),
          mock.patch.object(train_ds, "prepare_model_dir", lambda **_: None),
          mock.patch.object(train_ds, "Trainer", side_effect=Stopped), funasr_silenced(),
          suppress(Stopped)):
        train_ds.main(train_conf={}, device="cpu")
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


FREEZE = ["ctc", "ctc,ctc_decoder", "ctc, ctc_decoder", "ctc, audio_encoder.x",
          "ctc,audio_encoder.tp_encoders", " ctc", "ctc,", "", None, ["ctc", "llm"], ["ctc,llm"],
          ["ctc", " llm"], "ctc_dec", "audio_encoder.encoders.1",
          "audio_encoder.after_norm.weight,audio_adaptor"]


@pytest.mark.parametrize("value", FREEZE, ids=repr)
def test_a_freeze_list_reaches_what_funasrs_training_program_freezes(built, value):
    """Else a user is told that a branch is frozen which trains, or ends DDP."""
    theirs = frozen_by_funasr(built.model, value)
    ours = {name for name, _ in built.model.named_parameters()
            if names.frozen_by_name(name, value)}
    assert ours == theirs
    built.model.requires_grad_(True)
    finetune.freeze_listed(built.model, value)
    assert {name for name, parameter in built.model.named_parameters()
            if not parameter.requires_grad} == theirs


def test_freezing_the_output_layer_leaves_the_decoder_whose_name_begins_alike(built):
    theirs = frozen_by_funasr(built.model, "ctc")
    assert {names.component_of(name) for name in theirs} == {"ctc"}
    for value, idle in (("ctc", {"ctc_decoder"}), ("ctc,ctc_decoder", set()),
                        ("ctc, ctc_decoder", {"ctc_decoder"})):
        context = checking.context_of(OURS, overrides=[
            f"freeze_param='{value}'", "ctc_decoder_conf.freeze=false"], gpus=2)
        assert {part.name for part in estimates.parts(context) if part.flagged > part.learning} == (
            idle), value
        cure = launch_scripts.ctc_cure(finetune.with_overrides(OURS, {
            "freeze_param": value, "ctc_decoder_conf.freeze": False}))
        assert bool(cure) == bool(idle)


def test_a_name_with_a_blank_is_told_to_the_user():
    context = checking.context_of(OURS, overrides=["freeze_param='ctc, ctc_decoder'"])
    finding, = run_rules.freeze_param(context)
    assert "' ctc_decoder'" in str(finding.message) and "blank" in str(finding.fix)


class Saved(torch.nn.Module):
    """Tensors under the names of the components: some tied, some buffers."""

    def __init__(self):
        super().__init__()
        for name in names.COMPONENTS:
            self.add_module(name, torch.nn.Linear(128, 128))
        self.llm.register_buffer("table", torch.zeros(64, 128))
        self.llm.register_buffer("scratch", torch.zeros(64, 128), persistent=False)
        self.llm.model = torch.nn.Linear(128, 128)
        self.llm.lm_head = torch.nn.Linear(128, 128, bias=False)
        self.llm.lm_head.weight = self.llm.model.weight
        self.to(torch.float32)

    def forward(self, inputs):
        loss = self.audio_encoder(inputs).sum() ** 2
        return loss, {"loss": loss.detach(), "acc": torch.rand(())}, torch.ones(())


EXCLUDES = [None, ["llm."], "llm.", "ctc., llm.", "ctc.,llm.", "ctc.,", "", "ctc", "None",
            ["llm.model."], "audio_encoder.weight", ["ctc.", " llm."], {"llm.": 1}]


@pytest.mark.parametrize("value", EXCLUDES, ids=repr)
def test_a_checkpoint_lacks_what_funasrs_trainer_leaves_out(value, tmp_path):
    """Else a user is told of an LLM in a file that has none, and a size that it has not."""
    from funasr.train_utils.trainer_ds import Trainer

    model = Saved()
    optimizer = torch.optim.AdamW(model.audio_encoder.parameters())
    model(torch.ones(1, 128))[0].backward()
    optimizer.step()
    with funasr_silenced():
        Trainer(output_dir=str(tmp_path), device="cpu", effective_save_name_excludes=value
                ).save_checkpoint(1, model=model, optim=optimizer,
                                  scheduler=torch.optim.lr_scheduler.ConstantLR(optimizer))
    held = checkpoints.read(tmp_path / "model.pt")["state_dict"].keys()
    assert held == {name for name in model.state_dict() if not names.left_out(name, value)}
    learning = ["audio_encoder.weight", "audio_encoder.bias"]
    size = anatomy.checkpoint_size(model, learning, value)
    real = (tmp_path / "model.pt").stat().st_size
    assert 0 < real - size.total < 25_000  # what the format adds, less than one tensor
    moments = sum(tensor.nbytes for state in optimizer.state.values() for tensor in state.values())
    assert size.optimizer == moments


@pytest.mark.parametrize(("value", "saved"), [
    ("null", "all"), ("'ctc., llm.'", "all but ctc"), ("'llm.,'", "nothing"),
    ("[llm.model.layers.0.]", "a part"), ("[llm.model.]", "a part"), ("[llm.]", "no llm")])
def test_the_checker_sizes_a_checkpoint_by_names_as_the_trainer_does(full, value, saved):
    context = checking.context_of(OURS, overrides=[
        f"train_conf.effective_save_name_excludes={value}"])
    size = {part.name: part.saved * part.bytes_each for part in estimates.parts(context)}
    whole = {part.name: part.parameters * part.bytes_each for part in estimates.parts(context)}
    disk = estimates.disk(context)
    assert disk.checkpoint.weights == sum(size.values())
    assert disk.checkpoint.weights == pytest.approx(anatomy.checkpoint_size(
        full.model, [], context.get("train_conf.effective_save_name_excludes")).weights, rel=1e-3)
    assert disk.without_llm == (saved not in ("all", "all but ctc"))
    assert (size == whole) == (saved == "all") and (sum(size.values()) == 0) == (saved == "nothing")
    assert (0 < size["llm"] < whole["llm"]) == (saved == "a part")


# Rates and steps


@pytest.mark.parametrize("conf", [{"warmup_steps": 1000}, {"warmup_steps": 1},
                                  {"warmup_steps": 2500.5}])
def test_the_warm_up_law_is_funasrs_scheduler_run_for_thousands_of_steps(conf):
    config = finetune.with_overrides(MAIN, {"scheduler_conf": conf, "optim_conf.lr": 3e-4})
    run = np.array([3e-4 * conf["warmup_steps"] ** -1, *finetune.learning_rates(config, 5999)])
    run[0] = next(finetune.scheduled(config))
    law = schedule.warmup_rates(range(1, 6001), 3e-4, conf["warmup_steps"])
    assert np.allclose(law, run, rtol=1e-9, atol=0)
    assert np.allclose(schedules.rates_at(config, range(1, 6001)), run, rtol=1e-9, atol=0)
    assert schedules.mean_rate(config, 6000) == pytest.approx(run.mean(), rel=1e-5)


def test_another_schedulers_rates_are_those_of_the_same_updates():
    config = schedules.rising(configs.load(MAIN), 1e-6, 1e-2, 5)
    assert np.allclose(schedules.rates_at(config, [5, 1]), [1e-2, 1e-6])


def test_the_checker_and_the_chapters_tell_one_mean_rate():
    context = checking.context_of(configs.path_of(MAIN))
    for updates in (10, 3000, 250_000):
        assert estimates.mean_rate(context, updates) == pytest.approx(
            schedules.mean_rate(MAIN, updates), rel=1e-12)


class Batches(list):
    """As much of a data loader as FunASR's trainer asks for."""

    def __init__(self, count):
        super().__init__([{"inputs": torch.ones(1, 128)}] * count)
        self.batch_sampler = SimpleNamespace(set_epoch=lambda epoch: None)


def trained(folder: Path, epochs: int, passes: int, count: int, **conf):
    """Epochs of FunASR's own trainer on a small model: trainer and scheduler at the end."""
    from funasr.train_utils.average_nbest_models import average_checkpoints
    from funasr.train_utils.trainer_ds import Trainer

    torch.manual_seed(0)
    model = Saved()
    optimizer = torch.optim.AdamW(model.audio_encoder.parameters(), lr=1e-6)
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    state = {"model": model, "optim": optimizer, "scheduler": scheduler, "scaler": None}
    with funasr_silenced(), mock.patch.object(logging, "info"):
        trainer = Trainer(output_dir=str(folder), device="cpu", max_epoch=epochs, **conf)
        for epoch in range(epochs):
            for part in range(passes):
                trainer.train_epoch(**state, dataloader_train=Batches(count),
                                    dataloader_val=Batches(1), epoch=epoch, data_split_i=part,
                                    data_split_num=passes)
            trainer.validate_epoch(model=model, dataloader_val=Batches(1), epoch=epoch + 1)
            trainer.step_in_epoch = 0
            trainer.save_checkpoint(epoch + 1, **state)
        average_checkpoints(str(folder), trainer.avg_nbest_model)
        trainer.close()
    return model, scheduler


RUNS = [  # epochs, passes, batches a pass, accum_grad, save, validate, keep, average
    (1, 1, 7, 1, 5000, 5000, 500, 10), (3, 1, 7, 3, 5000, 5000, 2, 1), (2, 2, 7, 2, 3, 3, 4, 3),
    (2, 1, 12, 1, 2, 3, 1, 5), (2, 3, 5, 4, 4, 6, 0, 2), (3, 2, 6, 6, 3, 2, 3, 3),
    (2, 1, 4, 5, 3, 5000, 2, 2)]


@pytest.mark.parametrize(("epochs", "passes", "count", "accum", "save", "validate", "keep", "avg"),
                         RUNS)
def test_steps_and_files_are_those_of_funasrs_trainer(tmp_path, epochs, passes, count, accum, save,
                                                      validate, keep, avg):
    """Else a user is told a wrong length of the run, or fills a disk."""
    model, scheduler = trained(tmp_path, epochs, passes, count, accum_grad=accum,
                               save_checkpoint_interval=save, validate_interval=validate,
                               keep_nbest_models=keep, avg_nbest_model=avg)
    assert scheduler.last_epoch == schedule.updates_of_a_run(count, passes, epochs, accum)

    left = memory.files_left(epochs, passes * count, save, validate, keep, avg)
    written = {path.name: path.stat().st_size for path in tmp_path.glob("model.pt*")}
    averaged = [name for name in written if ".avg" in name]
    assert len(written) - len(averaged) == left.whole and bool(averaged) == bool(left.averaged)
    scores = checkpoints.read(tmp_path / "model.pt")["val_acc_step_or_epoch"]
    scored = [name for name in written if name in scores]
    assert len(scored) == left.ranked
    size = anatomy.checkpoint_size(model, ["audio_encoder.weight", "audio_encoder.bias"])
    if accum <= min(save, count):  # AdamW has moments from its first step on
        disk = estimates.Disk(size, left, 0, False)
        assert 0 < sum(written.values()) - disk.total < 15_000 * len(written)  # the file format
        assert len(written) == disk.count


def test_the_checker_tells_the_files_of_a_config(tmp_path):
    path = manifests.write_manifest([line(f"turn_{n}", 3.0, 12) for n in range(400)],
                                    tmp_path / "train.jsonl")
    context = checking.context_of(OURS, path, probe=None, overrides=[
        "train_conf.max_epoch=3", "train_conf.keep_nbest_models=0",
        "train_conf.save_checkpoint_interval=2", "train_conf.validate_interval=2"])
    batches_an_epoch = context.train.plan.batches
    files = estimates.disk(context).files
    assert batches_an_epoch > 4 and files.ranked == 3 * (batches_an_epoch // 2 + 1)
    assert estimates.disk(context).count == files.ranked + 3  # last, best and the average
    assert estimates.total_steps(context) == 3 * batches_an_epoch


# Memory


def test_buffers_are_part_of_what_a_model_weighs():
    """The full size in the memory table; AdamW and gradients know nothing of buffers."""
    model = Saved()
    found = anatomy.training_memory(model, ["ctc.weight"])
    layer = 4 * (128 * 128 + 128)
    assert found.weights == 6 * layer + 2 * 4 * 64 * 128
    assert (found.gradients, found.optimizer) == (4 * 128**2, 2 * 4 * 128**2)


def test_adamw_holds_what_the_memory_table_says(built, calls):
    learning = anatomy.reached(built, calls[:2]).names
    parameters = [built.model.get_parameter(name) for name in sorted(learning)]
    optimizer = torch.optim.AdamW(parameters, lr=0.0)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    told = anatomy.training_memory(built.model, learning)
    assert told.optimizer == sum(anatomy.optimizer_state(optimizer, built.model).values())
    assert told.gradients == sum(parameter.grad.nbytes for parameter in parameters)
    built.model.zero_grad(set_to_none=True)


@pytest.mark.slow
def test_activations_at_full_size_are_what_pytorch_keeps(full, calls):
    """The estimate that decides whether a batch fits: the audit's law, on a batch not fitted."""
    model = full.model.to_empty(device="cpu")  # bytes do not depend on values
    model.train()
    batch = finetune.batch(full, calls[20:22])
    kept = sum(activations.kept_at(model, batch, "bf16").values())
    longest = max(item["speech_length"] for item in calls[20:22])
    told = gpu_memory.activation_bytes(checking.context_of(OURS), len(batch["speech"]), longest)
    assert told == pytest.approx(kept, rel=0.15)


# Frames and tokens


def test_frames_and_tokens_are_counted_as_frontend_and_dataset_do(built, calls):
    for item in calls[::12]:
        batch = finetune.batch(built, [item])
        frames = geometry.encoder_frames(item["speech_length"])
        assert batch["speech"].shape[1] == frames
        assert int(batch["fake_token_len"].max()) == geometry.speech_tokens(frames)
    conf = configs.load("pretrained").frontend_conf
    assert conf.frame_shift == 1000 * geometry.FEATURE_FRAME_SECONDS
    assert conf.frame_shift * conf.lfr_n == pytest.approx(1000 * geometry.ENCODER_FRAME_SECONDS)
    assert spec_augment.lfr_frames(1.0) == geometry.encoder_frames(100) == 17


def test_tokens_a_second_are_those_of_the_committed_corpus():
    items = [item for name in ("adapt", "valid", "test") for item in corpus.load_set(name)]
    seconds = sum(item["speech_length"] for item in items) / geometry.FEATURE_FRAMES_A_SECOND
    rate = sum(item["text_length"] for item in items) / seconds
    assert round(rate, 1) == 3.8 and round(rate) == geometry.TEXT_TOKENS_A_SECOND


LIMITS = [("max_source_length", "speech", 300), ("min_source_length", "speech", 300),
          ("max_target_length", "text", 9), ("min_target_length", "text", 9)]


@pytest.mark.parametrize(("key", "of", "limit"), LIMITS)
def test_a_line_exactly_at_a_limit_is_treated_as_funasr_does(key, of, limit, tmp_path):
    """Else a user whose calls are cut at the limit is told that all of them are lost, or none."""
    lines = [line(f"turn_{n}", (limit + n if of == "speech" else 300) / 100,
                  limit + n if of == "text" else 9) for n in (-1, 0, 1)]
    kept = batches.reach(MAIN, lines, {key: limit}, collate=False).kept["index"]
    conf = FilterConf.of({"dataset_conf": batches.dataset_conf(MAIN, {key: limit})})
    report = scan(manifests.write_manifest(lines, tmp_path / "train.jsonl"), conf)
    assert kept[1] and report.kept_utterances == kept.sum()
    assert kept.sum() == (3 if key == "min_target_length" else 2)  # FunASR has no use for that key
