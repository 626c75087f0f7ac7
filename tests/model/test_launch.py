"""What FunASR builds from each config alone and merged, and what its code falls back on."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from helpers.config import configs
from helpers.config.funasr_source import code_default
from helpers.errors import BookError
from helpers.model import arrivals, launch, mini
from helpers.paths import ROOT
from helpers.site.commands.recommended import chapter_fences
from helpers.training import warm_processes

pytestmark = pytest.mark.slow  # most launch FunASR

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


BOX = re.search(r":class: config-box\n.*?```bash\n(.*?)```",
                (ROOT / "notebooks" / "configs_side_by_side.md").read_text(encoding="utf-8"),
                flags=re.DOTALL)[1]
SHOWN_BEFORE_RUNNING = """
python() { printf '%s\\0' "$@"; printf '\\n'; }
torchrun() { printf '%s\\0' "$@"; printf '\\n'; }
"""
VARIANTS = {
    "as printed": lambda box: box,
    "stage 1": lambda box: box.replace("config_8k_telephone", "stage1_encoder_adapt"),
    "from the document": lambda box: box.replace("/configs/published", "/configs"),
    "stage 1 from the document": lambda box: box.replace(
        "/configs/published", "/configs").replace("config_8k_telephone", "stage1_encoder_adapt"),
    "from Hugging Face": lambda box: box.replace("++train_data", "++hub=hf ++train_data"),
}


def commands_of_the_box(box: str, folder: Path) -> list[list[str]]:
    """What bash hands to `python` and to `torchrun` where a reader pastes the box."""
    done = subprocess.run(
        ["bash", "-eu", "-c", SHOWN_BEFORE_RUNNING + box], cwd=ROOT, text=True, check=True,
        capture_output=True, env={**os.environ, "MODEL_DIR": str(launch.pretrained_directory()),
                                  "TRAIN": str(folder / "my train.jsonl"),
                                  "VALID": str(folder / "valid.jsonl"), "OUT": str(folder / "out")})
    return [line.split("\0")[:-1] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_boxs_command_followed_to_the_letter_loads_every_tensor(variant, tmp_path, capsys):
    """A reader who pastes the box would pay for a run that starts from random weights."""
    box = VARIANTS[variant](BOX)
    assert variant == "as printed" or box != BOX
    look, train = commands_of_the_box(box, tmp_path)
    assert look[:2] == ["-m", "helpers.model.arrivals"]
    assert train[:4] == ["--nproc_per_node", "1", "-m", "funasr.bin.train_ds"]
    assert look[2:] == train[4:]
    (_, path, _, name), overrides = train[4:8], train[8:]
    attempt = launch.launch(Path(path) / f"{name}.yaml", overrides)
    assert attempt.built and attempt.merged, attempt.outcome
    assert attempt.tensors.loaded == set(launch.pretrained_tensors().shapes)
    assert arrivals.main(look[2:]) == 0
    assert "arrive: 1,347 of 1,347" in capsys.readouterr().out


ALONE = re.search(r":class: config-box\n.*?```bash\n(.*?)```",
                  (ROOT / "notebooks" / "frozen_and_omitted.md").read_text(encoding="utf-8"),
                  flags=re.DOTALL)[1]


@pytest.mark.parametrize("name", [*configs.PUBLISHED, *configs.FINE_TUNING])
def test_the_box_for_a_launch_alone_builds_and_loads_every_tensor(name, tmp_path):
    """As printed for the published files; with the box's YAML put into those of the document."""
    box = ALONE.replace("--config-name config_8k_telephone",
                        f"--config-name {configs.path_of(name).stem}")
    if name in configs.FINE_TUNING:
        (text,) = chapter_fences("frozen_and_omitted")
        OmegaConf.save(OmegaConf.merge(configs.load(name), OmegaConf.create(text)),
                       tmp_path / f"{name}.yaml")
        box = box.replace("$PWD/configs/published", str(tmp_path))
        bare = launch.launch(name, commands_of_the_box(box, tmp_path)[0][6:])
        assert not bare.built or bare.tensors.loaded != set(launch.pretrained_tensors().shapes)
    look, train = commands_of_the_box(box, tmp_path)
    (_, path, _, stem), overrides = train[4:8], train[8:]
    assert look[2:] == train[4:] and stem == configs.path_of(name).stem
    attempt = launch.launch(Path(path) / f"{stem}.yaml", overrides)
    assert attempt.built and not attempt.merged, attempt.outcome
    assert attempt.tensors.loaded == set(launch.pretrained_tensors().shapes)


@pytest.mark.parametrize("name", configs.PUBLISHED)
def test_published_files_need_more_than_the_three_overrides(name, capsys):
    """The advice that fits the files written from the document loads nothing here, in silence."""
    assert not launch.launch(name, launch.MERGED).built
    silent = launch.launch(name, arrivals.MERGED_WITH_PATHS)
    assert silent.built and silent.tensors.loaded is None and not silent.status
    assert not arrivals.arrives_whole(silent)
    folder, stem = configs.path_of(name).parent, configs.path_of(name).stem
    asked = ["--config-path", str(folder), "--config-name", f"{stem}.yaml"]
    assert arrivals.main([*asked, *arrivals.MERGED_WITH_PATHS]) == 1
    assert "no checkpoint was read" in capsys.readouterr().out
    assert arrivals.main([*asked, "~no_such_key"]) == 2
    assert "Hydra refuses" in capsys.readouterr().err


def test_funasr_says_that_all_keys_match_whatever_arrives():
    """Who trusts that line takes a small encoder for the released one."""
    small, whole = (way("config_8k_telephone") for way in
                    (launch.launch_alone, launch.launch_merged))
    assert small.status == whole.status == "<All keys matched successfully>"
    assert not arrivals.arrives_whole(small) and arrivals.arrives_whole(whole)
    said = " ".join(arrivals.report(small))
    assert f"arrive: {len(small.tensors.loaded):,} of 1,347" in said
    assert "CTC branch off" in said


def test_a_checkpoint_of_values_is_counted_as_one_of_names_is(tmp_path):
    """The reader's own model.pt holds numbers; the stand-in holds none."""
    folder = mini.model_directory("mini")
    path = tmp_path / "mine.yaml"
    path.write_text("model: FunASRNano\noptim_conf: {lr: 1.0e-4}\n")
    attempt = launch.launch(path, [f"++model={folder}"])
    assert attempt.built and attempt.merged, attempt.outcome
    assert arrivals.arrives_whole(attempt) and attempt.tensors.offered > 0
