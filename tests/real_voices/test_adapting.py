"""Is it Whisper that is adapted, is the named part trained alone, and on other clips than heard?

The real weights are for recording only: a Whisper of a few thousand weights stands in, stored as
CTranslate2 stores it.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import WhisperConfig, WhisperForConditionalGeneration

from helpers.errors import BookError
from helpers.real_voices import adapting, speech, whisper
from helpers.real_voices.adapting import ALL, BRIDGE, DECODER, ENCODER, NOTHING, PARTS
from helpers.real_voices.results import Cell, RecordedVoices

pytestmark = pytest.mark.slow  # trains a small Whisper

SMALL = whisper.SIZES | {"d_model": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
                         "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "vocab_size": 9}
SPECIAL = (whisper.END, whisper.START, whisper.NO_TIMESTAMPS)
WORDS = ("press", "one", "two", "for", "sales", "help")
FUSED = {"self_attn.q_proj": ("self_attention/linear_0", ("q_proj", "k_proj", "v_proj")),
         "self_attn.out_proj": ("self_attention/linear_1", ("out_proj",)),
         "encoder_attn.q_proj": ("attention/linear_0", ("q_proj",)),
         "encoder_attn.k_proj": ("attention/linear_1", ("k_proj", "v_proj")),
         "encoder_attn.out_proj": ("attention/linear_2", ("out_proj",)),
         "self_attn_layer_norm": ("self_attention/layer_norm", ()),
         "encoder_attn_layer_norm": ("attention/layer_norm", ()),
         "final_layer_norm": ("ffn/layer_norm", ()), "fc1": ("ffn/linear_0", ()),
         "fc2": ("ffn/linear_1", ())}


def as_ctranslate2(model: WhisperForConditionalGeneration) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights by the names, and joined in the order, of CTranslate2's loader of Whisper."""
    state = model.state_dict()
    for side in ("encoder", "decoder"):
        yield f"{side}/position_encodings/encodings", state[f"model.{side}.embed_positions.weight"]
        for kind, norm in (("weight", "gamma"), ("bias", "beta")):
            yield f"{side}/layer_norm/{norm}", state[f"model.{side}.layer_norm.{kind}"]
            for layer in range(4):
                block = f"model.{side}.layers.{layer}"
                for name, (module, parts) in FUSED.items():
                    if f"{block}.{name}.weight" not in state:
                        continue
                    parent = name.rpartition(".")[0]
                    names = [f"{parent}.{part}" for part in parts] or [name]
                    values = [state.get(f"{block}.{each}.{kind}", torch.zeros(16))
                              for each in names]
                    suffix = norm if "norm" in module else kind
                    yield f"{side}/layer_{layer}/{module}/{suffix}", torch.cat(values)
    for conv in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            yield f"encoder/{conv}/{kind}", state[f"model.encoder.{conv}.{kind}"]
    yield "decoder/embeddings/weight", state["model.decoder.embed_tokens.weight"]


def stored(tensors: Sequence[tuple[str, torch.Tensor]], version: int = whisper.VERSION,
           kind: int = whisper.HALF_PRECISION) -> bytes:
    """A file of CTranslate2, with a setting among the weights as its files have them."""
    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    file = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3,
                                                                         len(tensors) + 1)
    file += text("encoder/num_heads") + struct.pack("<BBI", 0, 2, 2) + struct.pack("<h", 2)
    for name, tensor in tensors:
        data = tensor.numpy().astype("<f2").tobytes()
        file += text(name) + struct.pack(f"<B{tensor.dim()}I", tensor.dim(), *tensor.shape)
        file += struct.pack("<BI", kind, len(data)) + data
    return file + struct.pack("<I", 0)


@pytest.fixture(scope="module")
def original() -> WhisperForConditionalGeneration:
    """A small Whisper whose weights 16 bits can hold."""
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(WhisperConfig(
        **SMALL, bos_token_id=6, eos_token_id=6, pad_token_id=6, decoder_start_token_id=7,
        suppress_tokens=None, begin_suppress_tokens=None))
    for weight in model.parameters():
        weight.data = (weight.data + torch.randn_like(weight) / 20).half().float()
    return model.eval()


@pytest.fixture
def folder(original, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(whisper, "SIZES", SMALL)
    monkeypatch.setattr(whisper, "LONGEST_ANSWER_TOKENS", 8)
    (tmp_path / "model.bin").write_bytes(stored([*as_ctranslate2(original)]))
    (tmp_path / "config.json").write_text(json.dumps({"suppress_ids": [7, 8],
                                                      "suppress_ids_begin": [6]}))
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(
        (*WORDS, *SPECIAL))}, unk_token="help"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([*SPECIAL])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


@pytest.fixture
def ears(folder: Path) -> whisper.Whisper:
    return whisper.load(folder)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * 16000)).astype(np.float32)


def test_the_weights_arrive_where_they_were(ears, original) -> None:
    weights, loaded = original.state_dict(), ears.model.state_dict()
    assert weights.keys() == loaded.keys()
    assert all(torch.equal(weights[name], loaded[name]) for name in weights)


def test_it_hears_what_the_original_hears(ears, original) -> None:
    """Greedy by hand: the likeliest token that is not suppressed, until the end."""
    with torch.no_grad():
        features, tokens = ears._features([noise(2)]), [7, 8]
        for step in range(whisper.LONGEST_ANSWER_TOKENS):
            logits = original(features, decoder_input_ids=torch.tensor([tokens])).logits[0, -1]
            logits[[7, 8] if step else [6, 7, 8]] = -torch.inf
            tokens.append(int(logits.argmax()))
            if tokens[-1] == 6:
                break
    assert ears.write([noise(2)]) == [ears.tokenizer.decode(tokens)]


def test_the_loss_is_that_of_the_text_and_its_end(ears) -> None:
    sounds, tokens = [noise(1), noise(2, 1)], torch.tensor([[7, 8, 0, 1], [7, 8, 3, 0]])
    with torch.no_grad():
        logits = ears.model(ears._features(sounds), decoder_input_ids=tokens).logits.log_softmax(-1)
        expected = -sum(logits[row, 1 + at, token] for row, answer in enumerate(
            ([0, 1, 6], [3, 0, 6])) for at, token in enumerate(answer)) / 6
        assert ears.loss(sounds, ["press one", "for press"]).item() == pytest.approx(
            expected.item(), rel=1e-4)


def test_a_short_text_beside_a_long_one_counts_no_padding(ears) -> None:
    texts, sounds = ["press", "press one for sales"], [noise(1), noise(2, 1)]
    with torch.no_grad():
        apart = [ears.loss([sound], [text]).item() for sound, text in zip(sounds, texts,
                                                                          strict=True)]
        together = ears.loss(sounds, texts).item()
    assert together == pytest.approx((2 * apart[0] + 5 * apart[1]) / 7, rel=1e-4)


def test_short_clips_take_a_short_window_and_the_long_one_comes_back(ears) -> None:
    whole = ears.model.model.encoder.embed_positions.weight.clone()
    ears.take(10)
    with torch.no_grad():
        heard = ears.model.model.encoder(ears._features([noise(2)])).last_hidden_state
    assert heard.shape[1] == 500
    ears.take(whisper.HEARD_SECONDS)
    assert torch.equal(ears.model.model.encoder.embed_positions.weight, whole)
    assert ears.model.config.max_source_positions == SMALL["max_source_positions"]


@pytest.mark.parametrize(("content", "fault"), [
    (b"", "CTranslate2's version"), (b"pickle", "CTranslate2's version"),
    (stored([], version=5), "CTranslate2's version"), (stored([]), "no Whisper tiny.en"),
    (stored([("encoder/layer_norm/gamma", torch.ones(3))]), "no Whisper tiny.en"),
    (stored([("encoder/conv1/weight", torch.ones(3, 3))], kind=1), "16 bits")])
def test_another_file_is_refused_in_one_sentence(folder, content, fault) -> None:
    (folder / "model.bin").write_bytes(content)
    with pytest.raises(BookError, match=fault) as refused:
        whisper.load(folder)
    assert "\n" not in str(refused.value)


def test_parts_do_not_overlap_and_leave_out_the_embeddings_alone(ears) -> None:
    names = {part: {name for name, weight in ears.model.named_parameters() if weight.requires_grad}
             for part in (NOTHING, *PARTS) if adapting.trained_weights(ears.model, part) or True}
    rest = {name for name, _ in ears.model.named_parameters()} - names[ALL]
    assert names[NOTHING] == set()
    assert len(names[ENCODER] | names[BRIDGE] | names[DECODER]) == sum(
        len(names[part]) for part in (ENCODER, BRIDGE, DECODER))
    assert names[ALL] == names[ENCODER] | names[BRIDGE] | names[DECODER]
    assert {name.split(".")[2] for name in rest} == {"embed_positions", "embed_tokens"}
    assert all(names.values()) is False and all(names[part] for part in PARTS)


@pytest.fixture
def prompts(monkeypatch) -> list[speech.Clip]:
    """Prompts of two words each, of noise."""
    every = [speech.Clip(f"p{number}", "Ann", "press one", noise(1, number), 16000)
             for number in range(160)]
    monkeypatch.setattr(speech, "prompts", lambda: every)
    monkeypatch.setitem(speech.SETS, adapting.ONE_VOICE, lambda: speech.joined(every))
    monkeypatch.setitem(speech.SETS, adapting.MANY_VOICES, lambda: every[:3])
    adapting.clips.cache_clear()
    yield every
    adapting.clips.cache_clear()


@pytest.mark.parametrize("part", [NOTHING, *PARTS])
def test_only_the_named_part_changes(part, ears, prompts) -> None:
    before = {name: weight.clone() for name, weight in ears.model.named_parameters()}
    adapting.train(ears, part, seed=0, steps=2)
    named = {name for name, weight in ears.model.named_parameters() if weight.requires_grad}
    moved = {name for name, weight in ears.model.named_parameters()
             if not torch.equal(weight, before[name])}
    assert moved <= named and len(moved) >= 0.8 * len(named)
    assert ears.seconds == whisper.HEARD_SECONDS


def test_nothing_is_trained_that_is_heard_afterwards(prompts) -> None:
    heard = {key for clip in adapting.clips(adapting.ONE_VOICE) for key in clip.key.split("+")}
    trained = {key for clip in adapting.training_clips() for key in clip.key.split("+")}
    assert heard and trained and not heard & trained
    assert all(clip.seconds < adapting.TRAINING_SECONDS for clip in adapting.training_clips())


def test_a_run_gives_the_rows_that_are_lacking(folder, prompts, monkeypatch) -> None:
    monkeypatch.setattr(adapting, "tiny_whisper_folder", lambda: folder)
    key = (NOTHING, adapting.MANY_VOICES, "wideband", 0)
    row, = adapting.make(NOTHING, 0, [key])
    assert adapting.RECORDS.key_of(row) == key
    assert len(row["errors"].split()) == 3


def row_of(part: str, seed: int, place: tuple[str, str], errors: str) -> dict:
    return {"recogniser": part, "speech": place[0], "stage": place[1], "seed": seed,
            "frontend": "own", "part": 0, "errors": errors, "plain_errors": errors}


def test_a_run_that_is_not_finished_is_left_out(tmp_path, monkeypatch) -> None:
    """A table would compare different seeds from one column to the next."""
    monkeypatch.setattr(adapting, "RECORDS", dataclasses.replace(
        adapting.RECORDS, path=tmp_path / "adapted.json"))
    sizes = {name: len(RecordedVoices.read().words(name)[:adapting.PART])
             for name in (adapting.ONE_VOICE, adapting.MANY_VOICES)}
    for part, seed, places in ((NOTHING, 0, adapting.HEARD_AS), (ENCODER, 0, adapting.HEARD_AS),
                               (ENCODER, 1, adapting.HEARD_AS[:2])):
        for place in places:
            adapting.RECORDS.add(row_of(part, seed, place, " ".join(["1"] * sizes[place[0]])))
    heard = adapting.recorded()
    table = adapting.gains(heard, [ENCODER])
    assert [row[:2] for row in table.rows] == [[NOTHING, ""], [ENCODER, "1"]]
    assert set(table.rows[1][2:]) == {"+0.0 [+0.0, +0.0]"}
    assert all(f"{size} clips" in table.caption for size in sizes.values())


def test_a_part_that_is_not_recorded_names_the_command() -> None:
    with pytest.raises(BookError, match="real_voices.adapting --record"):
        adapting.recorded().rate(Cell("tail", *adapting.HEARD_AS[0]))
