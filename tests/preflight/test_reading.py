"""Reading a user's config: as FunASR does, and without trusting it."""

import string
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from funasr_preflight.launch import reading
from funasr_preflight.launch.shell import parse_command
from funasr_preflight.launch.yaml_file import flatten
from helpers.config import configs
from helpers.errors import BookError
from helpers.paths import CONFIGS

QUICK = settings(derandomize=True, max_examples=150, deadline=None,
                 suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def written(tmp_path):
    def write(text, name="own.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path
    return write


def one_sentence(error) -> str:
    text = str(error.value)
    assert "\n" not in text and "Traceback" not in text and len(text) < 400
    return text


@pytest.mark.parametrize("name", ["pretrained", *configs.FINE_TUNING])
def test_values_are_those_that_funasr_s_loader_gives(name):
    config = reading.read(configs.path_of(name))
    assert dict(config.source.values) == configs.flatten(name)
    assert config.merged == configs.resolve(configs.merge_over("pretrained", name))


def test_every_key_has_the_line_that_it_stands_in():
    path = CONFIGS / "recommended_8k.yaml"
    lines = path.read_text().splitlines()
    config = reading.read(path)
    assert len(config.source.values) > 20
    for key in config.source.values:
        assert lines[config.source.lines[key] - 1].strip().startswith(f"{key.split('.')[-1]}:")


def test_mode_follows_model_conf_and_is_said():
    alone = reading.read(configs.path_of("config_8k_telephone"))
    assert alone.mode == "alone"
    cured = reading.read(configs.path_of("config_8k_telephone"),
                         ["++model=/models/nano", "~model_conf"])
    assert cured.mode == "merged" and "model_conf" in cured.applied.removed
    assert any("model directory" in str(one) for one in alone.assumed)


def test_overrides_are_hydra_s(written):
    path = written("optim_conf:\n  lr: 1.0e-4\n  weight_decay: 0.1\ndebug: true\n")
    config = reading.read(path, ["optim_conf.lr=5e-6", "+seed=3", "++freeze_param=[a, b]",
                                 "~debug", "optim_conf={weight_decay: 0.2}", "nowhere=1"])
    assert config.source.values["optim_conf.lr"] == 5e-6
    assert config.source.values["optim_conf.weight_decay"] == 0.2
    assert config.source.values["freeze_param"] == ["a", "b"] and config.source.values["seed"] == 3
    assert "debug" not in config.source.values and config.applied.not_in_config == ["nowhere"]


@pytest.mark.parametrize("text", ["a: null\n", "a: 5\n", "a: ''\n", "b: 1\n", "a: {b: null}\n"])
@pytest.mark.parametrize("override", ["++a.b=1", "+a.b=1", "++a.b.c=1"])
def test_hydra_makes_a_section_of_a_value(written, text, override):
    """Else a launch that runs is refused, or read otherwise than it runs."""
    path = written(text)
    with initialize_config_dir(config_dir=str(path.parent.resolve()), version_base=None):
        composed = OmegaConf.to_container(compose(path.stem, overrides=[override]))
    assert reading.read(path, [override]).source.values == dict(flatten(composed))


def test_over_takes_a_directory_or_a_yaml(written, tmp_path):
    own = written("debug: true\n")
    base = written("train_conf:\n  max_epoch: 7\n", "config.yaml")
    for over in (base, tmp_path):
        config = reading.read(own, over=over)
        assert config.merged == {"train_conf": {"max_epoch": 7}, "debug": True}
        assert config.base == {"train_conf.max_epoch": 7}


GROWING = "a0: xxxxxxxxxx\n" + "".join(f"a{n}: ${{a{n - 1}}}${{a{n - 1}}}\n" for n in range(1, 60))
BRANCHING = "a0: x\n" + "".join(
    f"a{n}:\n  x: ${{a{n - 1}}}\n  y: ${{a{n - 1}}}\n" for n in range(1, 40))
ALIASES = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(("text", "says"), [
    ("a: !!python/object/apply:os.system ['true']\n", "line 1: the tag"),
    ("a: 1\nb: !made_up 2\n", "line 2: the tag"),
    (ALIASES, "aliases"), (GROWING, "over and over"), (BRANCHING, "over and over"),
    ("a: &a\n  b: *a\n", "aliases"), ("a: ${b}\nb: ${a}\n", "or to itself"),
    ("a: ${${b}}\nb: c\n", "over and over"), ("a: ${nowhere}\n", "line 1: `a` points"),
    ("a: 1\nb: 2\na: 3\n", "line 3: `a` is there twice"), ("a: " + "[" * 500, "nested or long"),
    ("a:\n" + "".join(" " * n + "a:\n" for n in range(1, 500)), "nested or long"),
    (b"a: \xff\xfe\n", "not UTF-8"), (b"a: 1\nb: \0\n", "line 2: there is a NUL"),
    ("a: " + "9" * 5000, "line 1"), ("- 1\n", "holds no keys"), ("", "holds no keys"),
    ("a: b: c\n", "line 1"), ("x: 1\n" * 300_000, "more than"), ("? [a]\n: 1\n", "plain name"),
    ("a: &x {b: 1}\nc:\n  <<: *x\n", "`<<`"), ("a: ${\n", "line 1"),
])
def test_hostile_yaml_ends_in_one_sentence(written, text, says):
    with pytest.raises(BookError) as error:
        reading.read(written(text))
    assert says in one_sentence(error)


@pytest.mark.parametrize("path", ["nowhere.yaml", ".", "a\0b", "x" * 5000])
def test_a_path_that_is_no_file_ends_in_one_sentence(path):
    with pytest.raises(BookError) as error:
        reading.read(path)
    one_sentence(error)


@pytest.mark.parametrize("override", [
    "=", "a", "a=[1", "+", "~", "a=b,c", "a=1,2", "a=" + "[" * 999, "a\0=1", "",
    "a=" + "x" * 20_000, "listed.x=1"])
def test_a_broken_override_ends_in_one_sentence(written, override):
    with pytest.raises(BookError) as error:
        reading.read(written("debug: true\nlisted: [1]\n"), [override])
    one_sentence(error)


yaml_pieces = st.lists(st.sampled_from([
    "a", "b", ": ", ":\n", "\n", "  ", "- ", "[", "]", "{", "}", ", ", "&a ", "*a", "!!int ", "!x ",
    "|\n", ">\n", "'", '"', "#", "%", "---\n", "...\n", "${a}", "${", "1", "1e5", ".inf", "~",
    "null", "\t", "? ", "<<", "\\uD800", "é", "=", "2020-01-01", "0x1F", "1_0", "train_conf"]),
    max_size=25).map("".join)


@QUICK
@given(text=st.one_of(yaml_pieces, st.binary(max_size=60)))
def test_any_text_is_read_or_refused_in_one_sentence(written, text):
    try:
        config = reading.read(written(text))
    except BookError as error:
        assert "\n" not in str(error)
    else:
        assert config.mode in ("merged", "alone")


@QUICK
@given(text=st.text(st.sampled_from("ab.=+~[]{},:'\"\\$ 1-@/#\n\0") | st.characters(), max_size=20))
def test_any_override_is_read_or_refused_in_one_sentence(written, text):
    try:
        reading.read(written("a: 1\nb:\n  c: 2\n"), [text])
    except BookError as error:
        assert len(str(error)) < 500


SCRIPT = r'''#!/bin/bash
export CUDA_VISIBLE_DEVICES="0,1,2"
gpu_num=$(echo $CUDA_VISIBLE_DEVICES | awk -F "," '{print NF}')
# it's a comment with an open quote
data='/data/calls'; workspace=`pwd`
train_tool=`which funasr-train-ds`
ARGUMENTS="
    --nnodes ${WORLD_SIZE:-2} \
    --nproc_per_node $gpu_num
"
cat <<END > notes.txt
torchrun train_ds.py x=1 'open
END
echo "torchrun $ARGUMENTS train_ds.py"
torchrun $ARGUMENTS ${train_tool} --config-path "/here/$name" --config-name mine \
  ++model="${model_dir}" '~model_conf' \
  ++train_data_set_list=${data}/train.jsonl ++valid_data_set_list="'${data}/val.jsonl'" \
  ++optim_conf.lr=0.0002 "++text=a b" ++seed=$1 2>&1 | tee log#1.txt   # the end
'''


def test_a_script_is_read_without_running_it(written):
    found = parse_command(written(SCRIPT, "finetune.sh"))
    assert found.overrides == parse_command(SCRIPT).overrides
    assert found.config == Path("/here/$name/mine.yaml") and found.gpus == 6
    assert found.overrides == (
        "++model=$model_dir", "~model_conf", "++train_data_set_list=/data/calls/train.jsonl",
        "++valid_data_set_list='/data/calls/val.jsonl'", "++optim_conf.lr=0.0002", "++text=a b",
        "++seed=$1")
    assert found.origin.lines == (16, 16, 17, 17, 18, 18, 18)
    assert [(one.values["name"], one.values["line"]) for one in found.assumed] == [
        ("name", 15), ("model_dir", 16), ("1", 18)]
    merged = reading.read(CONFIGS / "recommended_8k.yaml", found.overrides[:1])
    assert not any("++model" in str(one) for one in merged.assumed)


@pytest.mark.parametrize(("command", "config", "gpus", "overrides"), [
    ("funasr-train-ds --config-path=/c --config-name=a.yaml x=1", "/c/a.yaml", 1, ("x=1",)),
    ("python -m funasr.bin.train_ds -cp /c -cn a ~y +z=2", "/c/a.yaml", 1, ("~y", "+z=2")),
    ("torchrun --nproc-per-node=4 -m funasr.bin.train_ds -cd /c -cn a", "/c/a.yaml", 4, ()),
    ("CUDA_VISIBLE_DEVICES=0,1 torchrun --nproc_per_node $N /x/train_ds.py ++a=1", None, 2,
     ("++a=1",)),
    ("nohup torchrun --nproc_per_node gpu train_ds.py a=1 &", None, 1, ("a=1",)),
    (r'funasr-train-ds "a=D:\x\"y\"\$z" b=\$c \
 d=1', None, 1, (r'a=D:\x"y"$z', "b=$c", "d=1")),
])
def test_the_ways_to_launch(command, config, gpus, overrides):
    found = parse_command(command)
    assert (str(found.config) if found.config else None, found.gpus, found.overrides) == (
        config, gpus, overrides)


def test_a_substitution_is_never_executed(tmp_path):
    mark = tmp_path / "ran"
    found = parse_command(f"x=$(touch {mark}) \n funasr-train-ds a=`touch {mark}` b=$x c=${{HOME}}")
    assert not mark.exists() and found.overrides[2] == "c=$HOME" and len(found.assumed) >= 2


@pytest.mark.parametrize("command", [
    "echo hello world", "funasr-train-ds 'open x=1", "funasr-train-ds $(date x=1", "x=${a b\n",
    "echo funasr-train-ds a=1", "a\0 b", "nowhere.sh", "funasr-train-ds `a b"])
def test_a_command_that_is_none_ends_in_one_sentence(command):
    with pytest.raises(BookError) as error:
        parse_command(command)
    one_sentence(error)


def test_variables_that_double_end_in_one_sentence():
    script = "a=xxxxxxxxxx\n" + "a=$a$a\n" * 60 + "funasr-train-ds b=$a\n"
    with pytest.raises(BookError, match="without end"):
        parse_command(script)


@QUICK
@given(text=st.lists(st.sampled_from([
    "funasr-train-ds", "torchrun", " ", "\n", "\\\n", "'", '"', "$", "${", "}", "$(", ")", "`", "#",
    "a=1", "x=$x", "++b=${x:-2}", ";", "&", "|", ">", "<", "<<E", "E\n", "--config-name", "=",
    "--nproc_per_node", "9" * 9, "\\", "~c", "^\n", "%X%", "set X=", "%~dp0", "@(", "$x = ", "`\n",
    "$env:X", "@x", "A=(", "A+=(", "${A[@]}", "$0", "cd ", "dirname ", "é", "\U000f0041",
    *string.ascii_lowercase[:3]]),
    max_size=30).map("".join))
def test_any_command_is_read_or_refused_in_one_sentence(written, text):
    for suffix in (None, ".sh", ".bat", ".ps1"):
        try:
            command = text + " \n" if suffix is None else written(text, f"run{suffix}")
            assert parse_command(command).gpus >= 1
        except BookError as error:
            assert "\n" not in str(error)
