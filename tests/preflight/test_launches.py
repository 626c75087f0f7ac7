"""Launches as people write them: is the whole launch read, and what ends it named in time?"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from funasr_preflight import check
from funasr_preflight.command import main
from funasr_preflight.findings import Severity
from funasr_preflight.launch import directory, reading, shell, weights
from funasr_preflight.rules import launch
from funasr_preflight.rules.registry import RULES
from helpers.errors import BookError
from helpers.gpu import launch_scripts
from helpers.model import mini
from helpers.paths import CONFIGS, ROOT
from helpers.session import setup
from helpers.speech import manifests
from helpers.speech.turns import telephone_manifest

CASES = Path(__file__).with_name("cases")
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
SOUND = CASES / "sound.yaml"
NANO = "++model=FunAudioLLM/Fun-ASR-Nano-2512"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The cases in a folder of their own, with manifests of made-up turns; the test runs in it."""
    folder = shutil.copytree(CASES, tmp_path / "cases")
    items = [manifests.with_audio(item, Path("calls") / f"{item['key']}.wav")
             for item in telephone_manifest(300)]
    for place in (folder, folder / "own_folder"):
        manifests.write_manifest(items[:200], place / "train.jsonl")
        manifests.write_manifest(items[200:], place / "valid.jsonl")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def mini_directory() -> Path:
    setup()
    return mini.model_directory("mini")


def told(capsys, *arguments) -> dict:
    main([*map(str, arguments), "--probe", "none", "--format", "json"])
    return json.loads(capsys.readouterr().out)


def found_in(report: dict, *severities: str) -> dict[str, dict]:
    return {one["rule"]: one for one in report["findings"]
            if not severities or one["severity"] in severities}


# Whole launches


def test_a_launch_without_a_yaml_gets_a_whole_report(here, capsys):
    report = told(capsys, "official_launch/run.sh")
    found = found_in(report)
    assert {"trains", "schedule", "train", "valid"} <= {one["name"] for one in report["tables"]}
    assert "trains-without-gradient" in found_in(report, "error")  # two GPUs
    frozen = found["trains-encoder-frozen"]
    assert (frozen["file"], frozen["line"]) == ("run.sh", 12)
    assert "keys-type" not in found  # the library's own "None"
    same = told(capsys, NANO, "++audio_encoder_conf.freeze=true", "++llm_conf.freeze=false")
    assert "trains-encoder-frozen" in found_in(same)


@pytest.mark.parametrize(("script", "line"), [("run.bat", 9), ("run.ps1", 10)])
def test_a_script_of_windows_gets_a_whole_report(here, capsys, script, line):
    found = found_in(told(capsys, f"windows_launch/{script}"))
    batch = found["data-empty-batch"]
    assert (batch["file"], batch["line"]) == (script, line) and "6000" in batch["fix"]
    assert "after-no-llm" in found and "schedule-warmup-unfinished" in found
    assert "keys-class" not in found and "launch-weights" not in found
    parsed = shell.parse_command(f"windows_launch/{script}")
    assert parsed.overrides[0] == "++model=D:\\models\\Nano"
    assert parsed.gpus == (2 if script == "run.ps1" else 1)


def test_a_script_finds_its_own_folder_its_arrays_and_its_base(here, capsys, monkeypatch):
    monkeypatch.chdir(here.parent)
    parsed = shell.parse_command("cases/own_folder/run.sh")
    assert parsed.overrides == (
        "++model=$MODEL_DIR", "++train_data_set_list=cases/own_folder/train.jsonl",
        "++valid_data_set_list=cases/own_folder/valid.jsonl", "++text=$left", "++output_dir=$")
    assert parsed.gpus == 4
    assert [(one.values["name"], one.values["line"]) for one in parsed.assumed
            if "line" in one.values] == [
        ("MODEL_DIR", 6), ("EXTRA", 10), ("$(date +%s)", 12)]
    report = told(capsys, "cases/own_folder/run.sh")
    assert {"train", "valid"} <= {one["name"] for one in report["tables"]}


WAYS = ['x=$(cd $(dirname $0); pwd)', 'x="$(dirname "$(realpath "$0")")"', 'x=${0%/*}',
        'x=$(dirname $(readlink -f ${BASH_SOURCE[0]}))', 'x=`dirname $0`',
        'cd "$(dirname "$0")"\nx=`pwd`', 'x=$(cd "${BASH_SOURCE%/*}" >/dev/null 2>&1 && pwd -P)']


@pytest.mark.parametrize("way", WAYS)
def test_the_ways_in_which_a_script_finds_its_folder(way, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "c.yaml").write_text("debug: false\n")
    (tmp_path / "a" / "run.sh").write_text(
        f"{way}\nfunasr-train-ds --config-path $x --config-name c ++model=m\n")
    monkeypatch.chdir(tmp_path)
    parsed = shell.parse_command("a/run.sh")
    assert parsed.config == Path("a/c.yaml") and not [
        one for one in parsed.assumed if "outside" in str(one)]


def test_a_hydra_base_is_composed_as_hydra_composes_it(here):
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    folder = here / "own_folder" / "conf"
    for text in ("[base, optim_conf: slow, _self_]", "[base, optim_conf: slow]", "[_self_, base]"):
        (folder / "own.yaml").write_text(f"defaults: {text}\ntrain_conf: {{max_epoch: 7}}\n")
        with initialize_config_dir(config_dir=str(folder), version_base=None):
            composed = OmegaConf.to_container(compose("own"))
        read = reading.read(folder / "own.yaml")
        assert dict(read.source.values) == dict(reading.flatten(composed)), text
    (folder / "own.yaml").write_text("defaults: [override /optim_conf: slow]\ndebug: false\n")
    assert any("line 1" in str(one) for one in reading.read(folder / "own.yaml").assumed)


@pytest.mark.parametrize("gpus", [1, 2])
def test_the_scripts_that_the_book_writes_are_read(here, capsys, gpus):
    launch_scripts.write(launch_scripts.TrainingRun(
        str(CONFIGS / "recommended_8k.yaml"), "FunAudioLLM/Fun-ASR-Nano-2512", "train.jsonl",
        "valid.jsonl", gpus), here / "go.sh")
    report = told(capsys, here / "go.sh", "--steps", 50_000)
    assert {"train", "valid"} <= {one["name"] for one in report["tables"]}
    assert found_in(report, "error") == {}


def test_lists_that_the_yaml_names_are_read(here, capsys):
    own = here / "lists.yaml"
    own.write_text(SOUND.read_text() + "train_data_set_list: train.jsonl\n"
                                       "valid_data_set_list: gone.jsonl\n")
    report = told(capsys, own)
    assert "train" in {one["name"] for one in report["tables"]}
    assert any("gone.jsonl" in one for one in report["assumed"])


@pytest.mark.parametrize("command", ["funasr-train ++model=iic/Nano ++optim_conf.lr=1e-4",
                                     "python funasr/bin/train.py ++model=m"])
def test_the_older_trainer_is_read_and_named(command):
    assert any("older trainer" in str(one) for one in shell.parse_command(command).assumed)
    with pytest.raises(BookError):
        shell.parse_command("python train.py --lr 3")


# Other models


@pytest.mark.parametrize("arguments", [
    ["other_models/sensevoice.yaml"], ["other_models/paraformer.yaml"], ["other_models/run.sh"],
    ["other_models/unnamed.yaml"], ["sound.yaml", "--over", "other_models/paraformer.yaml"],
    ["sound.yaml", "++model=openai/whisper-large-v3"], ["sound.yaml", "++hub=openai"],
    ["++model=LLMASR2"], ["++model=iic/speech_paraformer-large_asr_nat-zh-cn"]])
def test_another_model_is_refused_whatever_names_it(here, capsys, arguments):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "FunASRNano" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("name", ["Fun-ASR-Nano-2512", "C:\\models\\Nano", "/data/whisper/nano",
                                  "FunAudioLLM/Fun-ASR-MLT-Nano-2512", "./my_run"])
def test_names_that_may_be_nano_are_not_refused(here, name):
    report = check(SOUND, overrides=[f"++model='{name}'"])
    assert not report.at_least(WARNING)


# What ends a launch


CASES_OF_RULES = [
    ("launch-incomplete", ["no_list.sh"], "train_data_set_list"),
    ("launch-incomplete", ["no_list.sh"], "`model`"),
    ("launch-incomplete", ["no_valid.sh"], "valid_data_set_list"),
    ("launch-lists", ["sound.yaml", "++train_data_set_list=[a.jsonl,b.jsonl]"], "one file name"),
    ("launch-alone", ["sound.yaml", "++model_conf={lsm_weight: 0.1}"], "audio_encoder"),
    ("override-refused", ["sound.yaml", "optim_conf.lr=1e-4"], "optim_conf.lr"),
    ("override-refused", ["sound.yaml", "~optim_conf.lr"], "removes"),
    ("override-refused", ["sound.yaml", "+train_conf.max_epoch=3"], "one +"),
    ("override-refused", ["sound.yaml", "++hub=other"], "`hub`"),
    ("override-refused", ["sound.yaml", "++hub=null"], "`hub`"),
    ("launch-weights", ["sound.yaml", "++init_param=null"], "random weights"),
    ("launch-weights", ["sound.yaml", "++init_param=/nowhere/model.pt"], "model.pt"),
    ("launch-paths", ["sound.yaml", "++dataset_conf.ctc_tokenizer_conf.vocab_path=null"],
     "vocab_path"),
    ("launch-paths", ["sound.yaml", "++llm_conf.init_param_path=Qwen3-0.6B"], "Qwen3-0.6B"),
    ("launch-paths", ["sound.yaml", "++dataset_conf.ctc_tokenizer_conf.vocab_path=''"],
     "vocab_path"),
    ("launch-paths", ["sound.yaml", "++tokenizer_conf.init_param_path=[a]"], "of type list"),
    ("launch-paths", ["sound.yaml", "++frontend_conf.cmvn_file=[a]"], "of type list"),
    ("launch-paths", ["sound.yaml", "++frontend_conf.cmvn_file=nowhere.mvn"], "nowhere.mvn"),
    ("launch-paths", ["sound.yaml", "++dataset_conf.prompt_classes=MultiContextPrompt",
                      "++dataset_conf.prompt_conf.chinese_hotwords_list=words.txt"], "words.txt"),
    ("launch-weights", ["sound.yaml", "++init_param=[a]"], "of type list"),
    ("launch-paths", ["sound.yaml", "++hub=hf", "++llm_conf.freeze=true"], "hub: hf"),
    ("launch-paths", ["sound.yaml", "++llm_conf.init_param_path=my/model.pt.avg"],
     "Hugging Face"),
    ("launch-paths", ["alone.yaml", "++tokenizer_conf.init_param_path=nowhere"], "nowhere"),
    ("launch-lists", ["sound.yaml", "++train_data_set_list=blank.list"], "line 2 is blank"),
    ("launch-excludes", ["sound.yaml", "++excludes=llm."], "llm.model"),
    ("launch-excludes", ["sound.yaml", "++excludes={audio:1}"], "audio_"),
    ("launch-directory", ["sound.yaml", "--over", "poor"], "multilingual.tiktoken"),
    ("launch-tensors", ["sound.yaml", "--over", "poor"], "audio_encoder"),
    ("launch-tensors", ["sound.yaml", "++audio_encoder_conf.linear_units=1024"], "linear_units"),
    ("launch-tensors", ["sound.yaml", "++audio_encoder_conf.num_blocks=60"], "num_blocks"),
    ("launch-tensors", ["sound.yaml", "++audio_encoder_conf.num_blocks=40"], "left out"),
    ("launch-tensors", ["sound.yaml", "++frontend_conf.n_mels=40"], "n_mels"),
    ("launch-tensors", ["sound.yaml", "++ctc_decoder_conf.ffn_dim=512"], "no CTC branch"),
    ("launch-remote-code", ["remote_code/run.sh"], "model.py"),
]
QUIET = [
    ("launch-incomplete", ["sound.yaml"]), ("launch-incomplete", ["official_launch/run.sh"]),
    ("launch-lists", ["sound.yaml", "++train_data_set_list=a.jsonl"]),
    ("launch-alone", ["sound.yaml", NANO]), ("override-refused", ["sound.yaml", "++seed=3"]),
    ("override-refused", ["sound.yaml", "+seed=3", "++hub=modelscope",
                          "+llm_conf={use_lora: false}"]),
    ("launch-tensors", ["sound.yaml", "++audio_encoder_conf.attention_heads=8"]),
    ("launch-weights", ["sound.yaml", "++init_param=$dir/model.pt"]),
    ("launch-paths", [NANO, "++hub=hf", "++optim_conf.lr=1e-5"]),
    ("launch-paths", ["sound.yaml", "++llm_conf.init_param_path=Qwen/Qwen3-0.6B"]),
    ("launch-paths", ["alone.yaml"]),
    ("launch-excludes", ["sound.yaml", "++excludes=ctc."]),
    ("launch-excludes", ["sound.yaml", "++excludes=llm.model.embed_tokens."]),
    ("launch-directory", ["sound.yaml", "--over", "mini"]),
    ("launch-tensors", ["sound.yaml", "--over", "mini"]),
    ("launch-remote-code", ["sound.yaml", "++trust_remote_code=true"]),
]


@pytest.fixture
def directories(here, mini_directory) -> None:
    """A whole model directory, and one whose weights lack an encoder and that lacks a file."""
    (here / "mini").symlink_to(mini_directory)
    alone = (CONFIGS / "published" / "config_8k_telephone.yaml").read_text()
    for old, new in (("init_param: null", "init_param: mini/model.pt"),
                     ("vocab_path: null", "vocab_path: mini/multilingual.tiktoken"),
                     ("init_param_path: Qwen3-0.6B", "init_param_path: mini/Qwen3-0.6B")):
        alone = alone.replace(old, new)
    (here / "alone.yaml").write_text(alone)
    (here / "blank.list").write_text("train.jsonl\n\n")
    shutil.copytree(mini_directory, here / "poor", ignore=shutil.ignore_patterns("*.tiktoken"))
    shutil.copy(CONFIGS / "pretrained.yaml", here / "poor" / "config.yaml")
    torch.save({"ctc.x": torch.zeros(1)}, here / "poor" / "model.pt")


@pytest.mark.parametrize(("rule", "arguments", "words"), CASES_OF_RULES)
def test_what_ends_a_launch_is_named(directories, capsys, rule, arguments, words):
    messages = [one["message"] for one in told(capsys, *arguments)["findings"]
                if one["rule"] == rule]
    assert any(words in one for one in messages), messages


@pytest.mark.parametrize(("rule", "arguments"), QUIET)
def test_a_launch_in_order_is_left_alone(directories, capsys, rule, arguments):
    assert rule not in found_in(told(capsys, *arguments))


def test_every_rule_on_launches_has_both_cases_and_a_page():
    own = {name for name, one in RULES.items() if one.check.__module__ == launch.__name__}
    assert own == {case[0] for case in CASES_OF_RULES} == {case[0] for case in QUIET}
    for name in own:
        page = RULES[name].chapter.partition("#")[0]
        assert (ROOT / "notebooks" / f"{page}.md").is_file()


# What a manifest or a value hides


def test_a_path_without_its_mark_is_an_error_and_another_prompt_a_warning(here, capsys):
    lines = [json.loads(line) for line in (here / "train.jsonl").read_text().splitlines()]
    for place, (kind, old, new) in enumerate([("no_bang", "|>!", "|>"), ("prompt", "语音", "请")]):
        changed = json.loads(json.dumps(lines).replace(old, new)) if kind == "no_bang" else [
            {**line, "messages": [{**turn, "content": turn["content"].replace(old, new)}
                                  for turn in line["messages"]]} for line in lines]
        path = manifests.write_manifest(changed, here / f"{place}.jsonl")
        report = told(capsys, "sound.yaml", "--train", path)
        assert [one["severity"] for one in report["findings"]
                if ("|>!PATH<|" if kind == "no_bang" else "语音转写") in one["fix"]] == [
            "error" if kind == "no_bang" else "warning"]
    clean = told(capsys, "sound.yaml", "--train", "train.jsonl")
    assert not [one for one in clean["findings"] if "PATH" in one["fix"] or "语音" in one["fix"]]


def test_the_prompts_are_those_that_funasr_asks_with():
    from funasr.models.fun_asr_nano.model import FunASRNano

    from funasr_preflight.manifest import scanning

    for words in ([], ["Müller"]):
        for language in (None, "中文", "英文"):
            for itn in (True, False):
                asked = FunASRNano.get_prompt(None, words, language, itn)
                assert scanning._ASKED.match(f"{asked}<|startofspeech|>")


def test_a_batch_size_meant_as_samples_is_explained(here, capsys):
    found = found_in(told(capsys, "sound.yaml", "--train", "train.jsonl",
                          "++dataset_conf.batch_type=token", "++dataset_conf.batch_size=60"))
    assert "10 ms frames" in found["data-lonely-batches"]["fix"]


# Held against FunASR


OVERLAYS = [{}, {"init_param": None}, {"llm_conf": {"init_param_path": None}},
            {"llm_conf": {"freeze": False}}, {"dataset_conf": {"batch_size": 3}},
            {"dataset_conf": {"ctc_tokenizer_conf": {"vocab_path": None}}},
            {"llm_conf": {"init_param_path": "Qwen3-0.6B"}, "tokenizer_conf": {"x": 1}}]


@pytest.mark.parametrize("hub", ["ms", "hf"])
@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("own", OVERLAYS)
def test_paths_are_those_that_funasr_merges(hub, described, own, tmp_path, mini_directory):
    from funasr.download.download_model_from_hub import download_model

    folder = shutil.copytree(mini_directory, tmp_path / "model")
    if not described:
        os.remove(folder / "configuration.json")
        if own.get("init_param", "") is None and hub == "ms":
            return  # os.path.exists(None): FunASR ends there
    merged = download_model(model=str(folder), hub=hub, is_training=True, **own)
    told = directory.final_paths(directory.read_directory(folder), own, hub)
    for key, value in told.items():
        node = merged
        for part in key.split("."):
            node = (node or {}).get(part)
        assert value == node, key


def test_tensors_are_those_that_torch_loads(tmp_path, mini_directory):
    state = torch.load(mini_directory / "model.pt", weights_only=True)
    expected = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert weights.shapes(mini_directory / "model.pt") == expected
    small = {"module.a": torch.nn.Parameter(torch.zeros(2, 3)), "b": torch.zeros(4).half()}
    for wrapped, old in (({"state_dict": small, "epoch": 3}, False), (small, True)):
        torch.save(wrapped, tmp_path / "m.pt", _use_new_zipfile_serialization=not old)
        assert weights.shapes(tmp_path / "m.pt") == {"a": (2, 3), "b": (4,)}


class Evil:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02.", b"text", Evil()])
def test_a_file_that_is_no_weights_ends_in_one_sentence_and_runs_nothing(
        content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.pt"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(BookError) as error:
        weights.shapes(path)
    assert "\n" not in str(error.value) and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("with_ctc", [True, False])
def test_weights_without_ctc_have_nothing_to_freeze(with_ctc, tmp_path, mini_directory):
    """As the copy on Hugging Face: FunASR drops the branch, and DDP has nothing to wait for."""
    from funasr import AutoModel

    folder = shutil.copytree(mini_directory, tmp_path / "model")
    state = torch.load(folder / "model.pt", weights_only=True)
    torch.save({name: tensor for name, tensor in state.items()
                if with_ctc or not name.startswith("ctc")}, folder / "model.pt")
    thawed = ["ctc_decoder_conf.freeze=false", "~freeze_param"]
    report = check(SOUND, overrides=thawed, over=folder, gpus=2)
    assert bool(report.of("trains-without-gradient")) == with_ctc
    assert bool(report.of("launch-tensors")) != with_ctc
    model = AutoModel(model=str(folder), device="cpu", disable_update=True).model
    assert (model.ctc_decoder is not None) == with_ctc


def test_a_saved_run_s_own_config_is_launched_alone_and_whole(tmp_path, mini_directory):
    """FunASR writes it into the output folder; a user starts the next run from it."""
    from funasr.download.download_model_from_hub import download_model
    from funasr.utils.misc import prepare_model_dir

    merged = download_model(model=str(mini_directory), is_training=True,
                            train_conf={"use_deepspeed": False}, output_dir=str(tmp_path))
    prepare_model_dir(**merged)
    read = reading.read(tmp_path / "config.yaml")
    assert read.mode == "alone" and read.launch.lacking == ()
    report = check(tmp_path / "config.yaml")
    assert not report.of("launch-alone") and not report.of("keys-unknown")
    assert not report.of("launch-weights") and not report.of("launch-paths")


MERGE = ["++model=DIR", "~model_conf"]
OWN_PATHS = ["~tokenizer_conf.init_param_path"]
LAUNCHES = [
    ("config_8k_telephone", []), ("config_8k_telephone", ["++init_param=DIR/model.pt"]),
    ("config_8k_telephone", MERGE),
    ("config_8k_telephone", [*MERGE, *OWN_PATHS]),
    ("config_8k_telephone", [*MERGE, *OWN_PATHS, "++hub=hf"]),
    ("config_8k_telephone", [*MERGE, *OWN_PATHS, "++init_param=null"]),
    ("config_8k_telephone", [*MERGE, *OWN_PATHS, "++init_param=/nowhere/model.pt"]),
    ("config_8k_telephone", [*MERGE, *OWN_PATHS, "++ctc_conf.blank_id=0"]),
    ("config_8k_telephone", [*MERGE, *OWN_PATHS, "++dataset_conf.ctc_tokenizer=null"]),
    ("pretrained", MERGE),
]


@pytest.mark.parametrize(("name", "overrides"), LAUNCHES)
def test_launches_end_where_funasr_ends_them(name, overrides, tmp_path, monkeypatch):
    """Full size, without memory: what FunASR builds, and how many pretrained values arrive."""
    from helpers.model import launch as funasr_launch

    folder = funasr_launch.pretrained_directory()
    monkeypatch.chdir(tmp_path)
    attempt = funasr_launch.launch(name, [one.replace("DIR", funasr_launch.MODEL_DIRECTORY)
                                          for one in overrides])
    report = check(CONFIGS / f"{name}.yaml",
                   overrides=[one.replace("DIR", str(folder)) for one in overrides])
    ending = [one.rule for one in report.findings if one.severity is ERROR
              and one.rule in ("launch-alone", "launch-paths", "launch-weights", "keys-crash",
                               "keys-null")]
    starts_well = attempt.built and attempt.arrived("audio_encoder") > 0
    assert starts_well == (not ending), (attempt.outcome, ending)


LISTS = "++train_data_set_list=t.jsonl ++valid_data_set_list=v.jsonl ++output_dir=o"


@pytest.mark.parametrize("text", [
    f"docker run image bash -c \"cd /w && torchrun --nproc_per_node 4 train_ds.py {LISTS}\"",
    f"ssh box 'torchrun --nproc_per_node=4 -m funasr.bin.train_ds {LISTS}'",
    f"srun bash -c 'nohup bash -c \"torchrun --nproc_per_node=4 train_ds.py {LISTS}\"'",
    "torchrun --nproc_per_node 4 $(python -c \"import funasr, os; print(os.path.join(os.path."
    f"dirname(funasr.__file__), 'bin', 'train_ds.py'))\") {LISTS}",
    f"source path.sh\ntorchrun --nproc_per_node 4 ${{TRAIN_TOOL}} {LISTS}",
    f"torchrun --nproc_per_node 4 -m $MODULE {LISTS}",
    f"export CUDA_VISIBLE_DEVICES=0,1,2,3\ntorchrun --nproc_per_node $GPUS $TOOL {LISTS}",
    f"git commit -m 'train_ds.py with lr=3'\necho 'train_ds.py ++a=1'\n"
    f"torchrun --nproc_per_node 4 train_ds.py {LISTS}",
    f"pkill -f train_ds.py\nkill $(pgrep -f train_ds.py)\ncp train_ds.py old/\n"
    f"torchrun --nproc_per_node 4 train_ds.py {LISTS}",
    f"sed -i \"s/don't ++x train_ds.py/y/\" notes.txt\n"
    f"torchrun --nproc_per_node 4 train_ds.py {LISTS}",
])
def test_a_program_that_only_a_shell_finds_is_a_training_command(text):
    """In a container, on a cluster, behind a variable or a command in a command."""
    command = shell.parse_command(text)
    assert command.overrides == tuple(LISTS.split()) and command.gpus == 4
    assert not any("training commands" in str(one) for one in command.assumed)


def test_a_hub_of_another_model_does_not_make_it_another(here, capsys):
    """FunASR asks the hub for a name only; a YAML that says the class is built as it stands."""
    (here / "own.yaml").write_text("model: FunASRNano\nmodel_conf: {}\nhub: openai\n")
    assert main(["own.yaml"]) == 1 and "launch-alone" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["job.slurm", "job", "run.zsh"])
def test_a_script_is_known_by_its_first_line(here, capsys, name):
    (here / name).write_text(f"#!/usr/bin/env bash\ntrain_ds.py ++model=m {LISTS}\n")
    assert main([name]) == 1 and f"{name}: " in capsys.readouterr().out


@pytest.mark.parametrize("name, text", [
    ("train.py", "subprocess.run(['torchrun', 'funasr/bin/train_ds.py'])"),
    ("Makefile", "train:\n\tfunasr-train-ds ++a=1\n"), ("run.ipynb", '["!funasr-train-ds"]'),
    ("train.py", "from funasr.bin.train_ds import main_hydra"),
    ("job.yaml", "kind: Job\nspec:\n  command: [torchrun, train_ds.py, ++model=m]\n"),
    ("compose.yml", "services:\n  train:\n    command: torchrun train_ds.py ++model=m\n")])
def test_a_launch_in_another_language_is_refused_with_what_to_do(here, capsys, name, text):
    (here / name).write_text(text)
    assert main([name]) == 2
    assert f"{name} is neither a config nor a shell script" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mine.conf", "mine.yaml"])
def test_a_config_that_quotes_its_launch_is_a_config(here, capsys, name):
    (here / name).write_text("# torchrun train_ds.py ++model=m\noptim_conf:\n  lr: 1e-4\n")
    assert main([name]) == 1 and f"{name}: " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "."])
def test_a_name_that_no_file_can_have_gets_one_sentence(here, capsys, name):
    assert main([name]) == 2 and capsys.readouterr().err.count("\n") == 1
