"""The mini is Fun-ASR-Nano in everything but size."""

import json
import shutil

import pytest
import torch
from omegaconf import OmegaConf

from funasr_preflight.laws.names import COMPONENTS
from helpers.config import configs
from helpers.errors import BookError
from helpers.model import mini
from helpers.paths import MINI

NAMES = configs.CONFIG_NAMES


@pytest.fixture(scope="module")
def minis() -> dict[str, mini.Built]:
    return {name: mini.build(name) for name in NAMES}


def test_it_is_made_of_funasrs_own_classes(minis):
    model = minis["pretrained"].model
    classes = {part: type(getattr(model, part)) for part in COMPONENTS}
    made_of = {part: f"{class_.__module__}.{class_.__name__}" for part, class_ in classes.items()}
    assert type(model).__name__ == "FunASRNano"
    assert made_of["audio_encoder"].endswith("sense_voice.model.SenseVoiceEncoderSmall")
    assert made_of["audio_adaptor"] == made_of["ctc_decoder"]
    assert made_of["audio_adaptor"].endswith("llm_asr.adaptor.Transformer")
    assert made_of["llm"].endswith("Qwen3ForCausalLM")
    assert made_of["ctc"].startswith("funasr.")
    assert type(minis["pretrained"].frontend).__name__ == "WavFrontend"


@pytest.mark.parametrize("name", NAMES)
def test_shrinking_changes_dimensions_only(name):
    """A key that the mini changed behind the reader's back would make every experiment a lie."""
    config = configs.load(name)
    before, after = configs.flatten(config), configs.flatten(mini.shrink(config))
    changed = {key for key in before if before[key] != after[key]}
    assert before.keys() == after.keys()
    assert changed <= set(mini.MINI_DIMENSIONS)


@pytest.mark.parametrize("name", NAMES)
def test_the_configs_own_switches_reach_the_model(name, minis):
    built, config = minis[name], configs.load(name)
    assert built.frontend.fs == config.frontend_conf.fs
    for part in ("audio_encoder", "audio_adaptor", "llm", "ctc_decoder"):
        flags = {p.requires_grad for p in getattr(built.model, part).parameters()}
        assert flags == {not config[f"{part}_conf"].freeze}
    assert built.kwargs["optim_conf"]["lr"] == config.optim_conf.lr
    assert built.kwargs["dataset_conf"]["max_token_length"] == config.dataset_conf.max_token_length


def test_the_committed_weights_fill_every_tensor(minis):
    report = minis["pretrained"].loaded
    assert report.loaded and not report.missing and not report.mismatched and not report.unused
    assert minis["pretrained"].model.ctc_decoder is not None  # FunASR drops it if incomplete


def test_the_checkpoint_is_small_and_documented():
    assert (MINI / "model.safetensors").stat().st_size <= 15e6
    log = [json.loads(line) for line in (MINI / "pretraining_log.jsonl").open()]
    assert log[0]["recipe"]["seed"] is not None
    llm_losses = [entry["llm"] for entry in log if entry.get("llm")]
    assert llm_losses[-1] < 0.5 * llm_losses[0]
    assert "word error rate" in (MINI / "MODEL_CARD.md").read_text().lower()


def test_the_answer_ends_where_the_tokenizer_says(minis):
    """With another end-of-turn id, decoding talks on after the answer and the error rate lies."""
    built = minis["pretrained"]
    end = built.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert built.model.llm.generation_config.eos_token_id == end == built.tokenizer.eos_token_id


def test_full_size_builds_on_the_meta_device_without_memory():
    built = mini.build("config_8k_telephone", size="full", device="meta")
    assert all(p.is_meta for p in built.model.parameters())
    assert len(built.model.audio_encoder.encoders) == 49  # and one in encoders0
    assert len(built.model.audio_encoder.tp_encoders) == 20
    assert built.model.llm.config.num_hidden_layers == 28


def test_a_real_model_directory_is_read_whole(tmp_path):
    """The reader's own path: a folder with the released layout, merged under a config."""
    folder = tmp_path / "Fun-ASR-Nano-2512"
    shutil.copytree(mini.model_directory("mini"), folder)
    overlay = OmegaConf.create({"audio_encoder_conf": {"freeze": False},
                                "optim_conf": {"lr": 1e-4}})
    built = mini.build(overlay, model_dir=folder)
    assert built.kwargs["optim_conf"]["lr"] == 1e-4
    assert not built.loaded.missing
    assert next(built.model.audio_encoder.parameters()).requires_grad
    (folder / "model.pt").unlink()
    with pytest.raises(BookError, match="lacks model.pt"):
        mini.build(overlay, model_dir=folder)


def test_weights_survive_storage(minis, tmp_path):
    model = minis["pretrained"].model
    mini.write_weights(model.state_dict(), tmp_path / "model.safetensors")
    stored = mini.read_weights(tmp_path / "model.safetensors")
    for key, tensor in model.state_dict().items():
        assert torch.allclose(stored[key], tensor.float(), rtol=1e-2, atol=1e-3), key


def test_the_seed_decides_the_random_weights():
    first, second, other = (mini.build("pretrained", load_weights=False, seed=s).model.ctc.ctc_lo
                            .weight for s in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, other)


@pytest.mark.parametrize(("arguments", "complaint"), [
    ({"size": "tiny"}, "no size `tiny`"),
    ({"model_dir": "no/such/folder"}, "no model directory"),
    ({"config": "config_8k"}, "config_8k_telephone"),
])
def test_bad_input_is_one_sentence(arguments, complaint):
    with pytest.raises(BookError, match=complaint):
        mini.build(**arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_no_gpu_is_said_at_once():
    with pytest.raises(BookError, match="no CUDA GPU"):
        mini.build("pretrained", device="cuda")
