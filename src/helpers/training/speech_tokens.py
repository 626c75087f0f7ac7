"""What the LLM receives of an utterance: which frames of the adaptor, and how the gradient returns.

`FunASRNano.forward` counts the speech tokens of an utterance beforehand and copies as many frames
of the adaptor's output into the LLM's input. The functions here watch the real model do so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from helpers.errors import BookError
from helpers.model.mini import Built
from helpers.speech.turns import seconds_of
from helpers.training import finetune


@dataclass(frozen=True)
class Flow:
    """One utterance on its way through the model, and the loss's gradient on its way back.

    Attributes:
        frames: encoder frames, and as many of the adaptor.
        tokens: speech tokens that the LLM's input has room for.
        into_adaptor: norm of the gradient at each frame of the encoder's output.
        into_llm: norm of the gradient at each frame of the adaptor's output.
    """

    frames: int
    tokens: int
    into_adaptor: np.ndarray
    into_llm: np.ndarray
    loss: float


@dataclass(frozen=True)
class Length:
    """An utterance's length at each station: seconds, encoder frames, speech tokens."""

    seconds: float
    frames: int
    tokens: int


def flow(built: Built, item: dict) -> Flow:
    """Send one utterance forth and the gradient of its loss back, without dropout.

    Raises:
        BookError: the encoder is frozen, so that no gradient comes back through the adaptor.
    """
    if not any(parameter.requires_grad for parameter in built.model.audio_encoder.parameters()):
        raise BookError("The encoder is frozen and no gradient returns to it: set "
                        "audio_encoder_conf.freeze to false.")
    outputs = {}

    def keep(name):
        def hook(_module, _inputs, output):
            outputs[name] = output[0]
            outputs[name].retain_grad()
        return hook

    inputs = finetune.batch(built, [item])
    with (built.model.audio_encoder.register_forward_hook(keep("encoder")),
          built.model.audio_adaptor.register_forward_hook(keep("adaptor"))):
        built.model.zero_grad(set_to_none=True)
        loss, _, _ = built.model(**inputs)
        loss.backward()
    built.model.zero_grad(set_to_none=True)
    norms = {name: output.grad[0].float().norm(dim=-1).numpy() for name, output in outputs.items()}
    return Flow(outputs["encoder"].shape[1], int(inputs["fake_token_len"].max()), norms["encoder"],
                norms["adaptor"], loss.item())


def loss_with_noise(built: Built, item: dict, first: int, last: int) -> float:
    """The loss of an utterance whose adaptor frames from `first` up to `last` are noise."""
    def replace(_module, _inputs, output):
        frames = output[0].clone()
        noise = torch.randn(frames[:, first:last].shape, generator=torch.Generator().manual_seed(1))
        frames[:, first:last] = noise * frames.std()
        return (frames, *output[1:])

    inputs = finetune.batch(built, [item])
    with built.model.audio_adaptor.register_forward_hook(replace), torch.no_grad():
        return built.model(**inputs)[0].item()


def lengths(built: Built, items: Sequence[dict]) -> list[Length]:
    """How long each utterance is for the encoder and for the LLM, from FunASR's own dataset."""
    inputs = (finetune.batch(built, [item]) for item in items)
    return [Length(seconds, int(batch["speech_lengths"].max()), int(batch["fake_token_len"].max()))
            for seconds, batch in zip(seconds_of(items).tolist(), inputs, strict=True)]
