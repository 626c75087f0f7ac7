"""Does the script that a reader takes to the GPU machine hand FunASR the config that it shows?"""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from funasr.bin.train_ds import _resolve_distributed_config
from omegaconf import OmegaConf

from helpers.config import configs
from helpers.errors import BookError
from helpers.gpu import launch_scripts
from helpers.gpu.launch_scripts import TrainingRun
from helpers.model import launch
from helpers.training import finetune

pytestmark = pytest.mark.slow

NAMES = (*configs.CONFIG_NAMES, "recommended_8k", *configs.PUBLISHED)


def path_of(name):
    return str(configs.CONFIGS / f"{name}.yaml")


def handed_over(folder, name, model="MODEL", **options):
    """The arguments that torchrun gets when the script is run, and the files beside the script."""
    folder.mkdir(exist_ok=True)
    for part in ("train.jsonl", "valid.jsonl"):
        (folder / part).write_text("{}\n")
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "torchrun").write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
    (tools / "torchrun").chmod(0o755)
    script, *beside = launch_scripts.write(
        TrainingRun(path_of(name), model, str(folder / "train.jsonl"), str(folder / "valid.jsonl"),
               **options), folder / "run.sh")
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    done = subprocess.run([script], capture_output=True, text=True, check=True,
                          env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    return done.stdout.split("\0")[:-1], beside


def hydras(arguments):
    """What of the arguments is Hydra's: all after the config's name."""
    return arguments[arguments.index("--config-name") + 2:]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("deepspeed", [False, True])
def test_torchrun_gets_a_command_that_hydra_composes_to_the_wanted_config(name, deepspeed,
                                                                          tmp_path):
    folder = tmp_path / "calls (8 kHz), März = new"
    arguments, beside = handed_over(folder, name, model="/data/Fun ASR, nano", gpus=2,
                                    deepspeed=deepspeed, output=str(folder / "out"))
    assert arguments[:4] == ["--standalone", "--nnodes", "1", "--nproc_per_node"]
    assert arguments[4:7] == ["2", "--module", "funasr.bin.train_ds"]
    place = configs.path_of(path_of(name))
    assert arguments[7:11] == ["--config-path", str(place.parent), "--config-name", place.stem]
    composed = launch.compose(path_of(name), hydras(arguments))
    assert "model_conf" not in composed  # else FunASR does not read the model's directory
    assert composed.model == "/data/Fun ASR, nano"
    assert composed.train_data_set_list == str(folder / "train.jsonl")
    assert composed.valid_data_set_list == str(folder / "valid.jsonl")
    assert composed.output_dir == str(folder / "out")
    assert composed.ctc_decoder_conf.freeze is True
    assert "ctc" in composed.freeze_param.split(",")
    plain = OmegaConf.to_container(composed, resolve=False)
    ddp, _, with_deepspeed, file, _ = _resolve_distributed_config(plain, world_size=2)
    assert (ddp, with_deepspeed) == (not deepspeed, deepspeed)
    if deepspeed:
        assert file == str(beside[0])
    untouched = {key: value for key, value in configs.flatten(path_of(name)).items()
                 if key.startswith(("optim_conf", "scheduler_conf", "frontend_conf",
                                    "audio_encoder_conf"))}
    assert untouched.items() <= configs.flatten(composed).items()


@pytest.mark.parametrize("name", NAMES)
def test_the_command_builds_the_released_model_with_all_its_weights(name, tmp_path):
    arguments, _ = handed_over(tmp_path / "run", name, model=launch.MODEL_DIRECTORY, gpus=2)
    attempt = launch.launch(path_of(name), hydras(arguments)[:-1])
    assert attempt.built and attempt.merged, attempt.outcome
    assert attempt.tensors.loaded == set(launch.pretrained_tensors().shapes)


def test_a_key_that_the_yaml_does_not_set_is_not_removed():
    def removed(name):
        return [one for one in launch_scripts.overrides(TrainingRun(path_of(name), "m", "t", "v"))
                if one.startswith("~")]

    assert removed("recommended_8k") == []
    assert removed("config_8k_telephone") == ["~model_conf", "~tokenizer_conf.init_param_path"]


def test_the_ctc_cure_is_added_where_several_processes_need_it():
    main, mine = path_of("config_8k_telephone"), path_of("recommended_8k")
    cure = ["++ctc_decoder_conf.freeze=true", "++freeze_param='ctc'"]
    assert launch_scripts.ctc_cure(launch_scripts.merged(main)) == cure
    assert launch_scripts.ctc_cure(launch_scripts.merged(mine)) == []
    single = launch_scripts.overrides(TrainingRun(main, "m", "t", "v", gpus=1))
    assert not set(cure) & set(single)
    listed = finetune.with_overrides(launch_scripts.merged(mine), {"freeze_param": "llm"})
    assert launch_scripts.ctc_cure(listed) == ["++freeze_param='llm,ctc'"]


@pytest.mark.parametrize("bf16, fp16", [(False, False), (True, False), (False, True)])
def test_the_deepspeed_file_says_what_the_config_says(bf16, fp16):
    config = finetune.with_overrides(launch_scripts.merged("config_8k_telephone"), {
        "train_conf.use_bf16": bf16, "train_conf.use_fp16": fp16, "train_conf.accum_grad": 4})
    made = json.loads(json.dumps(launch_scripts.deepspeed_config(config)))
    assert (made["bf16"]["enabled"], made["fp16"]["enabled"]) == (bf16, fp16)
    assert made["gradient_accumulation_steps"] == 4
    assert made["gradient_clipping"] == config.train_conf.grad_clip
    assert "train_batch_size" not in made  # DeepSpeed multiplies it out for any number of GPUs
    assert not {"optimizer", "scheduler"} & made.keys()  # FunASR hands over its own


def test_funasrs_trainer_takes_precision_from_the_file_and_keeps_its_optimizer(tmp_path,
                                                                               monkeypatch):
    """The trainer's own set-up, with a stand-in for the package that returns what it is given."""
    import sys
    from types import SimpleNamespace

    import torch
    from funasr.train_utils.trainer_ds import Trainer

    given = {}

    def initialize(**options):
        given.update(options)
        return options["model"], options["optimizer"], None, options["lr_scheduler"]

    monkeypatch.setitem(sys.modules, "deepspeed", SimpleNamespace(initialize=initialize))
    bf16 = tmp_path / "bf16.yaml"
    OmegaConf.save(finetune.with_overrides("config_8k_telephone", {"train_conf.use_bf16": True}),
                   bf16)
    file = launch_scripts.write(TrainingRun(str(bf16), "m", "t", "v", deepspeed=True),
                                tmp_path / "run.sh")[1]
    trainer = Trainer(output_dir=str(tmp_path), device="cpu", use_deepspeed=True,
                      deepspeed_config=str(file))
    _, optimizer, scheduler = trainer.warp_optim_scheduler(
        torch.nn.Linear(2, 2), optim="adamw", optim_conf={"lr": 1e-4}, scheduler="warmuplr",
        scheduler_conf={"warmup_steps": 5})
    assert trainer.dtype == torch.bfloat16
    assert isinstance(optimizer, torch.optim.AdamW) and given["optimizer"] is optimizer
    assert given["lr_scheduler"] is scheduler and given["args"].deepspeed_config == str(file)


def test_a_script_without_its_data_says_so(tmp_path):
    script = launch_scripts.write(TrainingRun("pretrained", "m", "no such.jsonl", "v"),
                                  tmp_path / "run.sh")[0]
    done = subprocess.run([script], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("There is no no such.jsonl: set its")


@pytest.mark.parametrize("wrong, sentence", [
    ({"config": "config_8k"}, "did you mean"),
    ({"gpus": "0"}, "--gpus is 0: give the number"),
    ({"train": "it's.jsonl"}, 'TRAIN contains "\'", which Hydra'),
    ({"model": ""}, "MODEL is empty"),
    ({"model": "a${b}"}, "MODEL contains"),
    ({"out": "no/such/run.sh"}, "There is no folder no/such"),
])
def test_wrong_input_gives_one_sentence(wrong, sentence, tmp_path, capsys):
    given = {"config": "config_8k_telephone", "gpus": "2", "model": "m", "train": "t",
             "valid": "v", "out": str(tmp_path / "run.sh")} | wrong
    config = given.pop("config")
    options = [part for key, value in given.items() for part in (f"--{key}", value)]
    assert launch_scripts.main([config, *options]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_two_precisions_or_a_broken_accumulation_are_refused():
    merged = launch_scripts.merged("config_8k_telephone")
    both = finetune.with_overrides(merged, {"train_conf.use_bf16": True,
                                            "train_conf.use_fp16": True})
    with pytest.raises(BookError, match="both use_bf16 and use_fp16"):
        launch_scripts.deepspeed_config(both)
    with pytest.raises(BookError, match="accum_grad is 0"):
        launch_scripts.deepspeed_config(
            finetune.with_overrides(merged, {"train_conf.accum_grad": 0}))
