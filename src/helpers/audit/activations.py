"""What the backward pass keeps, by what trains and by precision, counted at full width on a CPU.

Each part of the model (encoder, adaptor, LLM) is counted on its own. Layers of a part are alike, so
what a layer keeps is the difference between two depths, and the full depth follows. The law is
then held against batches that it has not seen, at the full depth.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from funasr_preflight.laws.memory import activation_terms
from helpers.config import configs
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import finetune
from helpers.training.activations import kept_for_backward

DEPTHS = (1, 3)
PRECISIONS = {"fp32": ("fp32", False), "amp": ("fp32", True), "bf16": ("bf16", False)}
"""Name to `llm_conf.llm_dtype` and `train_conf.use_bf16`."""
LLM_MODES = ("frozen", "lora", "full")
FITTED = ((5,), (575,))
UNSEEN = ((60,), (350,), (100, 101))
"""Places in the corpus's telephone turns, by length: what a law is fitted to, and judged by."""
PARTS = ("audio_encoder", "audio_adaptor", "llm")
LORA = {"llm_conf.use_lora": True, "llm_conf.lora_conf": {
    "r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": ["q_proj", "v_proj"]}}


def at_full_size() -> dict[str, Any]:
    """Bytes for each frame and pair of frames (encoder, adaptor), token and pair of tokens (LLM).

    Returns:
        `laws`: part, mode and precision to two numbers; `largest_error`: of the sum, as a share,
        on batches that no law was fitted to; `judged_on`: how many such sums there were.
    """
    pool = sorted(telephone_set("adapt"), key=lambda item: item["speech_length"])
    fitted, unseen = ([[pool[index] for index in indices] for indices in batches]
                      for batches in (FITTED, UNSEEN))
    laws: dict[str, list[float]] = {}
    errors: list[float] = []
    for mode in LLM_MODES:
        built = built_for(mode)
        of_mode = laws_of(built, mode, fitted)
        errors += [error_of(built, items, mode, "fp32", of_mode) for items in unseen]
        if mode == LLM_MODES[0]:  # 16 bits are slow on a CPU
            errors += [error_of(built, unseen[0], mode, precision, of_mode)
                       for precision in PRECISIONS if precision != "fp32"]
        laws |= of_mode if mode == LLM_MODES[0] else {name: law for name, law in of_mode.items()
                                                      if name.startswith("llm")}
    return {"laws": laws, "largest_error": round(max(map(abs, errors)), 3),
            "judged_on": len(errors)}


def built_for(mode: str) -> mini.Built:
    """The full-size model, with encoder and adaptor training and the LLM so.

    Its weights are whatever lies in the memory, for bytes do not depend on values: pages that
    nobody writes take no room.
    """
    keys = {"audio_encoder_conf.freeze": False, "audio_adaptor_conf.freeze": False,
            "llm_conf.freeze": mode != "full", "llm_conf.llm_dtype": "fp32",
            **(LORA if mode == "lora" else {})}
    built = mini.build(finetune.with_overrides(configs.FINE_TUNING[0], finetune.SHORT_RUN, keys),
                       size="full", device="meta")
    built.model.to_empty(device="cpu")
    built.kwargs["device"] = "cpu"
    built.model.train()
    return built


def laws_of(built: mini.Built, mode: str, batches: Sequence[Sequence[dict]]
            ) -> dict[str, list[float]]:
    """The law of each part and precision, from two depths and carried to the full one."""
    laws = {}
    for precision in PRECISIONS:
        rows, sums = ({part: [] for part in PARTS} for _ in range(2))
        for items in batches:
            batch = finetune.batch(built, items)
            shallow, deep = (kept_at(built.model, batch, precision, depth) for depth in DEPTHS)
            for part in PARTS:
                layer = (deep[part] - shallow[part]) / (DEPTHS[1] - DEPTHS[0])
                more = _whole_depth(built.model, part) - DEPTHS[0]
                sums[part].append(shallow[part] + layer * more)
                rows[part].append(terms(part, batch))
        for part in PARTS:
            laws[name_of(part, mode, precision)] = _fitted(np.array(rows[part]),
                                                           np.array(sums[part]))
    return laws


def error_of(built: mini.Built, items: Sequence[dict], mode: str, precision: str,
             laws: Mapping[str, Sequence[float]]) -> float:
    """By which share the laws miss what is counted of a batch at full depth."""
    batch = finetune.batch(built, items)
    predicted = sum(float(np.dot(terms(part, batch), laws[name_of(part, mode, precision)]))
                    for part in PARTS)
    return predicted / sum(kept_at(built.model, batch, precision).values()) - 1


def name_of(part: str, mode: str, precision: str) -> str:
    """Name of a law, such as "audio_encoder amp" or "llm lora bf16"."""
    return f"{part} {mode} {precision}" if part == "llm" else f"{part} {precision}"


def terms(part: str, batch: Mapping[str, Any]) -> tuple[float, float]:
    """What a part's bytes grow with: samples times length, and samples times its square."""
    samples, frames = batch["speech"].shape[:2]
    length = batch["input_ids"].shape[1] if part == "llm" else frames
    return activation_terms(samples, length)


def kept_at(model: torch.nn.Module, batch: Mapping[str, Any], precision: str,
            depth: int | None = None) -> dict[str, int]:
    """Bytes that each part keeps in one forward pass, as FunASR's trainer would run it."""
    dtype, autocast = PRECISIONS[precision]
    torch_dtype = torch.bfloat16 if dtype == "bf16" else torch.float32
    if model.llm_dtype != dtype:
        model.llm_dtype = dtype
        for tensor in (*model.llm.parameters(), *model.llm.buffers()):
            if tensor.is_floating_point():
                tensor.data = torch.empty_like(tensor, dtype=torch_dtype)
    with (_cut(model, depth) if depth else contextlib.nullcontext(),
          torch.autocast("cpu", torch.bfloat16, enabled=autocast)):
        fresh = {name: value.clone() if torch.is_tensor(value) else value
                 for name, value in batch.items()}
        kept = kept_for_backward(model, lambda: model(**fresh)[0])
    return {part: kept.get(part, 0) for part in PARTS}


def _fitted(rows: np.ndarray, counts: np.ndarray) -> list[float]:
    scale = rows.max(0)
    return [round(float(factor), 1) for factor in nnls(rows / scale, counts)[0] / scale]


def _whole_depth(model: torch.nn.Module, part: str) -> float:
    """The full model's layers in steps of `_cut`, whose step is two layers of the encoder."""
    encoder = model.audio_encoder
    return {"audio_encoder": (len(encoder.encoders) + len(encoder.tp_encoders)) / 2,
            "llm": len(model.llm.model.layers)}.get(part, DEPTHS[0])


@contextlib.contextmanager
def _cut(model: torch.nn.Module, depth: int) -> Iterator[None]:
    """The model with so many layers in the LLM and in each of the encoder's two stacks."""
    encoder, decoder = model.audio_encoder, model.llm.model
    whole = encoder.encoders, encoder.tp_encoders, decoder.layers
    encoder.encoders, encoder.tp_encoders, decoder.layers = (
        torch.nn.ModuleList(list(stack)[:depth]) for stack in whole)
    decoder.config.num_hidden_layers = depth
    try:
        yield
    finally:
        encoder.encoders, encoder.tp_encoders, decoder.layers = whole
        decoder.config.num_hidden_layers = len(whole[2])
