"""The audit file: what the installed FunASR gives, read without FunASR."""

import json
import subprocess
import sys

import pytest
from torch.nn import Linear

from funasr_preflight import audit
from funasr_preflight.laws.names import COMPONENTS
from helpers.audit import activations, making
from helpers.errors import BookError
from helpers.knobs import record
from helpers.model import mini
from helpers.session import setup
from helpers.training import anatomy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded():
    return audit.load()


@pytest.fixture(scope="module")
def notebook_setup():
    setup()


@pytest.fixture(scope="module")
def full_model(notebook_setup):
    return mini.build("pretrained", size="full", device="meta").model


def test_the_file_is_what_the_installed_funasr_gives(notebook_setup, loaded):
    stored = loaded.content
    made = json.loads(json.dumps(making.make()))
    assert [key for key in made if made[key] != stored.get(key)] == []
    assert {*made, "activations", "provenance"} == set(stored)


def test_the_stored_laws_of_activations_fit_what_was_counted(loaded):
    stored = loaded.content["activations"]
    assert stored["largest_error"] < 0.05
    if "laws" not in stored:  # an audit that was not counted part by part
        assert all(size > 0 for size in stored["bytes"])
        return
    assert stored["judged_on"] >= 9
    names = {activations.name_of(part, mode, precision) for part in activations.PARTS
             for mode in activations.LLM_MODES for precision in activations.PRECISIONS}
    assert set(stored["laws"]) == names
    assert all(linear > 0 and square >= 0 for linear, square in stored["laws"].values())


def test_reading_it_imports_neither_torch_nor_funasr():
    script = ("import sys; from funasr_preflight import audit, fix; "
              "from funasr_preflight.launch import reading, shell; "
              "from funasr_preflight.rules import keys; audit.load(); "
              "print(*{'torch', 'funasr', 'transformers'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == ""


def test_verdicts_are_the_knob_test_s(loaded):
    turned = record.load()
    assert {knob.key: knob.verdict for knob in turned} == {
        key: loaded.verdict(key) for key in loaded.content["keys"]}
    assert all(loaded.known(knob.key) for knob in turned)


def test_counts_are_those_of_the_full_model(full_model, loaded):
    total = sum(parameter.numel() for parameter in full_model.parameters())
    assert sum(sum(loaded.parameters(name).values()) for name in COMPONENTS) == total
    for component in COMPONENTS:
        for name, size in loaded.parameters(component).items():
            assert full_model.get_parameter(name).numel() == size
            assert anatomy.component_of(name) == component


def test_lora_counts_are_those_of_the_wrapped_layers(full_model, loaded):
    for targets in (["q_proj", "v_proj"], ["down_proj"], ["self_attn"], ["mlp", "lm_head"], ["5"]):
        layers = [module for name, module in full_model.llm.named_modules()
                  if isinstance(module, Linear) and set(name.split(".")) & set(targets)]
        expected = sum(8 * (layer.in_features + layer.out_features) for layer in layers)
        assert loaded.lora_parameters(targets, 8) == expected > 0
    assert loaded.lora_parameters(["proj"], 8) == 0  # a part of a name is no name


@pytest.mark.parametrize(("key", "meant"), [
    ("train_conf.max_epochs", "train_conf.max_epoch"),
    ("dataset_conf.batchsize", "dataset_conf.batch_size"),
    ("audio_encoder_conf.sanm_shift", "audio_encoder_conf.sanm_shfit"),
    ("trian_conf.accum_grad", "train_conf.accum_grad"),
    ("accum_grad", "train_conf.accum_grad"), ("train_conf.freeze_param", "freeze_param"),
    ("train_conf.zzzzzz", "")])
def test_suggestions(loaded, key, meant):
    assert not loaded.known(key) and loaded.suggest(key) == meant


@pytest.mark.parametrize(("known", "unknown"), [
    ("freeze_param", "train_conf.freeze_param"), ("train_conf.max_epoch", "max_epoch"),
    ("train_conf.find_unused_parameters", "find_unused_parameters"),
    ("train_conf.early_stopping_patience", "early_stopping_patience"),
    ("train_conf.use_bf16", "use_bf16"), ("seed", "train_conf.seed"),
    ("train_conf.grad_clip_type", "optim_conf.grad_clip_type")])
def test_a_key_is_known_where_it_is_read_and_nowhere_else(loaded, known, unknown):
    assert loaded.known(known) and not loaded.known(unknown)


def test_classes_and_what_they_take(loaded):
    assert "FunASR" in loaded.classes("dataset") and loaded.classes("train_conf.max_epoch") == []
    assert loaded.accepts("optim", "adamw")["lr"] is True
    assert loaded.accepts("scheduler", "steplr")["step_size"] is False
    assert loaded.accepts("optim", "nothing") is None
    assert loaded.deprecated("scheduler", "noamlr") and not loaded.deprecated("optim", "adamw")


def test_another_installed_version_is_seen(loaded, monkeypatch):
    assert loaded.installed_version() == loaded.version
    monkeypatch.setattr(audit.importlib.metadata, "version", lambda name: "9.9")
    assert loaded.installed_version() == "9.9"


@pytest.mark.parametrize("text", [None, "{", ""])
def test_a_broken_file_ends_in_one_sentence(tmp_path, text):
    path = tmp_path / "audit.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BookError, match="python -m helpers.audit.making"):
        audit.load(path)
