"""What FunASR builds from each config alone and merged, and what its code falls back on."""

from __future__ import annotations

import os
import runpy
import sys

import pytest

from helpers.config import configs
from helpers.config.funasr_source import code_default
from helpers.errors import BookError
from helpers.model import launch, mini
from helpers.training import warm_processes

FROM_INSIDE = ["++llm_conf.init_param_path=Qwen3-0.6B",
               "++dataset_conf.ctc_tokenizer=SenseVoiceTokenizer",
               "++dataset_conf.ctc_tokenizer_conf.vocab_path=multilingual.tiktoken",
               "++ctc_decoder_conf.encoder_dim=512", "++audio_adaptor_conf.encoder_dim=512",
               "++audio_adaptor_conf.llm_dim=1024", "++init_param=model.pt"]


@pytest.mark.parametrize("name", configs.CONFIG_NAMES)
def test_no_config_builds_from_its_yaml_alone(name):
    for inside in (False, True):
        attempt = launch.launch(name, inside_model_directory=inside)
        assert not attempt.built and not attempt.merged
        assert attempt.error and attempt.place.startswith("funasr/")
        assert str(launch.pretrained_directory()) not in attempt.sentence


@pytest.mark.parametrize("name", configs.FINE_TUNING)
def test_merged_config_is_the_pretrained_model_and_loads_all_of_it(name):
    attempt = launch.launch(name, launch.MERGED)
    pretrained = launch.pretrained_tensors()
    assert attempt.built and attempt.merged and not attempt.ctc_switched_off
    assert attempt.tensors.shapes == pretrained.shapes
    assert attempt.tensors.loaded == set(pretrained.shapes)
    assert attempt.layers["encoder blocks"] == 50
    assert attempt.layers["encoder tp blocks"] == 20


@pytest.mark.parametrize("name", configs.FINE_TUNING)
def test_config_alone_with_only_the_missing_pieces_is_another_model(name):
    attempt = launch.launch(name, FROM_INSIDE, inside_model_directory=True)
    assert attempt.built and not attempt.merged and attempt.ctc_switched_off
    default = code_default("audio_encoder_conf.num_blocks").values[0]
    assert attempt.layers["encoder blocks"] == default
    assert attempt.layers["encoder tp blocks"] == 0
    assert attempt.tensors.count("ctc_decoder", loaded=True) < attempt.tensors.count("ctc_decoder")
    assert attempt.tensors.count() < launch.pretrained_tensors().count()


@pytest.mark.parametrize("name", configs.FINE_TUNING)
def test_one_yaml_that_states_everything_loads_everything(name, tmp_path):
    path = launch.save_merged(name, tmp_path / "whole.yaml")
    needed = [override for override in FROM_INSIDE if "vocab_path" in override
              or "init_param=model" in override]
    attempt = launch.launch(path, needed, inside_model_directory=True)
    assert attempt.built and not attempt.merged
    assert attempt.tensors.loaded == set(launch.pretrained_tensors().shapes)


def test_naming_the_model_is_not_enough_while_model_conf_is_set():
    attempt = launch.launch("config_8k_telephone", ["++model=MODEL_DIR"],
                            inside_model_directory=True)
    assert not attempt.merged and attempt.error == "RuntimeError"
    assert "MODEL_DIR" in attempt.sentence and "not registered" in attempt.sentence


def test_relative_tokenizer_folder_wins_over_the_model_directorys_own():
    attempt = launch.launch("config_8k_telephone", launch.MERGED[:2])
    assert attempt.merged and not attempt.built and "Qwen3-0.6B" in attempt.sentence


def test_merge_over_says_what_funasr_merges():
    built = mini.build("config_8k_telephone", size="full", device="meta", over="pretrained")
    ours = configs.resolve(configs.merge_over("pretrained", "config_8k_telephone"))
    for part in ("audio_encoder_conf", "audio_adaptor_conf", "ctc_decoder_conf", "train_conf",
                 "optim_conf", "frontend_conf", "specaug_conf"):
        theirs = {key: value for key, value in built.config[part].items()}
        assert {key: theirs[key] for key in ours[part]} == ours[part]


@pytest.mark.slow
def test_train_ds_itself_stops_at_the_same_key(tmp_path):
    expected = launch.launch("stage1_encoder_adapt", FROM_INSIDE[:1], inside_model_directory=True)
    with pytest.raises(BookError) as refused:
        warm_processes.run(_train_ds, launch.pretrained_directory(), [
            "--config-path", str(configs.CONFIGS), "--config-name", "stage1_encoder_adapt",
            FROM_INSIDE[0], f"hydra.run.dir={tmp_path}", "hydra.output_subdir=null"])
    assert expected.error == "ConfigKeyError"
    assert expected.sentence == "`audio_adaptor_conf.encoder_dim` is not in struct"
    assert "ConfigKeyError: Key 'encoder_dim' is not in struct" in str(refused.value)
    assert "full_key: audio_adaptor_conf.encoder_dim" in str(refused.value)


def _train_ds(_, folder, arguments):
    """`python -m funasr.bin.train_ds` in that folder."""
    os.chdir(folder)
    sys.argv = ["funasr.bin.train_ds", *arguments]
    runpy.run_module("funasr.bin.train_ds", run_name="__main__", alter_sys=True)


@pytest.mark.parametrize("name", configs.CONFIG_NAMES)
def test_hydra_composes_each_config_to_what_load_reads(name):
    assert configs.flatten(launch.compose(name)) == configs.flatten(name)


def test_hydra_overrides_reach_the_config_and_bad_ones_give_a_sentence():
    composed = launch.compose("config_8k_telephone", ["++optim_conf.lr=1e-4", "~model_conf"])
    assert composed.optim_conf.lr == 1e-4 and "model_conf" not in composed
    for wrong in ("optim_conf.nothing=1", "~nothing", "a=[1,"):
        with pytest.raises(BookError, match="Hydra refuses"):
            launch.compose("config_8k_telephone", [wrong])
    with pytest.raises(BookError, match="did you mean"):
        launch.compose("config_8k")


def test_place_of_names_a_line_and_notices_a_changed_library():
    assert launch.place_of("funasr.bin.train_ds", '"model_conf" not in kwargs').startswith(
        "funasr/bin/train_ds.py, line ")
    with pytest.raises(BookError, match="no longer has a line"):
        launch.place_of("funasr.bin.train_ds", "a line that was never there")


def test_a_config_that_no_piece_can_mend_gives_a_sentence(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("model: NoSuchModel\nmodel_conf: {lsm_weight: 0.1}\n")
    attempt = launch.launch(path)
    assert not attempt.built and "NoSuchModel" in attempt.sentence
    with pytest.raises(BookError, match="odd does not build alone"):
        launch.launch_alone(path)


def test_speech_tokens_follow_the_low_frame_rate_key():
    frames, tokens = launch.speech_tokens("stage1_encoder_adapt", False, seconds=4)
    assert frames == tokens > 0
    assert launch.speech_tokens("stage1_encoder_adapt", True, seconds=4)[1] == -(-frames // 8)
