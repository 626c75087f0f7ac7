"""What FunASR's `SpecAugLFR` hides, measured by giving it something to hide, and its figures.

No mask is modelled here: every mask comes out of FunASR's own class, which is applied to features
of ones; what is zero afterwards was masked. Frames of the encoder (LFR frames) stack seven 10 ms
frames of 80 mel bins and start 60 ms apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from funasr.models.fun_asr_nano.model import FunASRNano
from funasr.models.specaug.specaug import SpecAugLFR
from funasr.register import tables
from torch import nn

from funasr_preflight.laws import geometry
from helpers.errors import BookError
from helpers.model import mel
from helpers.model.mini import Built
from helpers.model.stand_in import stand_in
from helpers.session import seeded
from helpers.telephone import packet_loss
from helpers.telephone.channel import LINE_BAND_HZ

BINS, COPIES = 80, 7


def augmenter(conf: Mapping[str, Any], **changes: Any) -> SpecAugLFR:
    """FunASR's module for a config's `specaug_conf`, with some of its keys replaced.

    Raises:
        BookError: a key that the class does not know.
    """
    try:
        return tables.specaug_classes["SpecAugLFR"](**{**conf, **changes})
    except TypeError as error:
        raise BookError(f"specaug_conf: SpecAugLFR takes no such keys ({error}): remove what it "
                        "does not name.") from None


def lfr_frames(seconds: float) -> int:
    """Number of LFR frames of a clip of this length."""
    return max(1, geometry.encoder_frames(round(seconds * geometry.FEATURE_FRAMES_A_SECOND)))


def draw(module: nn.Module, frames: int, batch: int = 1, seed: int | None = None,
         dims: int = BINS * COPIES) -> np.ndarray:
    """Where one call of a masking module hides: bool array (batch, frames, dims).

    Args:
        module: a `SpecAugLFR`, or one of its parts, `time_mask` or `freq_mask`.
        frames: LFR frames of the features.
        batch: utterances in the batch.
        seed: of this draw; without it, the state of PyTorch's generator goes on.
        dims: values in a frame.
    """
    with contextlib.nullcontext() if seed is None else seeded(seed):
        return (module(torch.ones(batch, frames, dims))[0] == 0).numpy()


def draws(module: nn.Module, frames: int, count: int, seed: int = 0,
          dims: int = BINS * COPIES) -> np.ndarray:
    """Masks of `count` utterances drawn one by one: bool array (count, frames, dims)."""
    with seeded(seed):
        return np.concatenate([draw(module, frames, dims=dims) for _ in range(count)])


def unstack(stacked: np.ndarray) -> np.ndarray:
    """10 ms frames of stacked values, taken from the middle copies: shape (6 * frames, 80).

    Of the seven copies the last six tile time without overlap; the first repeats the frame before.
    """
    return stacked.reshape(len(stacked), COPIES, BINS)[:, 1:].reshape(-1, BINS)


def hidden(masked: np.ndarray) -> np.ndarray:
    """10 ms frames and bins of which no stacked copy is left: bool array (6 * frames, 80).

    The last copy of a frame and the first copy of the next one are the same 10 ms of sound, so it
    is hidden only if both are.
    """
    copies = masked.reshape(len(masked), COPIES, BINS)
    gone = copies[:, 1:].copy()
    gone[:-1, -1] &= copies[1:, 0]
    return gone.reshape(-1, BINS)


def time_shares(module: SpecAugLFR, seconds: float, count: int = 400) -> np.ndarray:
    """Share of an utterance's LFR frames under the time mask, for `count` utterances."""
    return draws(module.time_mask, lfr_frames(seconds), count, dims=1)[..., 0].mean(axis=1)


def mask_seconds(module: SpecAugLFR) -> np.ndarray:
    """Duration of single time masks in a long utterance, in seconds; 0 where nothing is masked."""
    single = SpecAugLFR(apply_time_warp=False, apply_freq_mask=False, num_time_mask=1,
                        time_mask_width_range=module.time_mask.mask_width_range)
    masked = draws(single.time_mask, 200, 2000, dims=1)[..., 0]
    return masked.sum(axis=1) * geometry.ENCODER_FRAME_SECONDS


def gap_seconds(loss: float, burst: float) -> np.ndarray:
    """Duration of every gap that lost packets leave in a call of an hour, in seconds."""
    lost = packet_loss.lost_packets(int(3600 / packet_loss.PACKET_SECONDS), loss, burst)
    edges = np.flatnonzero(np.diff(np.r_[False, lost, False].astype(int)))
    return (edges[1::2] - edges[::2]) * packet_loss.PACKET_SECONDS


def digital_silence(front) -> np.ndarray:
    """A frontend's features of ten seconds of zeros: shape (frames, features)."""
    count = 10 * front.fs
    with seeded(0):  # the frontend's dither is random
        return front(torch.zeros(1, count), torch.tensor([count]))[0][0].numpy()


@dataclass(frozen=True)
class Levels:
    """Levels of a frontend's features, natural logarithms of power.

    Attributes:
        speech: mean over some calls, in the bins that a line passes.
        silence: mean where every sample is zero.
        below_zero: share of the calls' values below zero, the value under a mask.
    """

    speech: float
    silence: float
    below_zero: float


def levels(items: Sequence[dict], front) -> Levels:
    """Levels of calls and of digital silence through one frontend of single frames."""
    speech = np.concatenate([mel.frames(item, front) for item in items])
    passed = mel.bank_of(front).centres < LINE_BAND_HZ[1]
    return Levels(float(speech[:, passed].mean()), float(digital_silence(front).mean()),
                  float((speech < 0).mean()))


class MaskingNano(FunASRNano):
    """Fun-ASR-Nano whose `specaug` key masks what the encoder gets, in training only.

    Config keys beside FunASR's `specaug` and `specaug_conf`: `specaug_fill`, the value put under a
    mask (0 by default, as FunASR's classes do).
    """

    def __init__(self, *args, specaug: str | None = None, specaug_conf: dict | None = None,
                 specaug_fill: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.specaug = tables.specaug_classes[specaug](**specaug_conf or {}) if specaug else None
        self.specaug_fill = specaug_fill

    def encode(self, speech, speech_lengths):
        """FunASR's `encode` on masked features: shape (batch, frames, 560)."""
        if self.training and self.specaug is not None:
            fill = self.specaug_fill  # the classes mask in place, and with zero
            speech = self.specaug(speech - fill if fill else speech.clone())[0] + fill
        return super().encode(speech, speech_lengths)


def switched_on() -> contextlib.AbstractContextManager[None]:
    """Let FunASR's register give `MaskingNano` for the name FunASRNano while this is open."""
    return stand_in(MaskingNano)


def share_covered(built: Built, items: Sequence[dict]) -> float:
    """Mean share of the features that a model's `specaug` hides, each utterance on its own."""
    module = getattr(built.model, "specaug", None)
    if module is None:
        return 0.0
    frames = [max(1, geometry.encoder_frames(item["speech_length"])) for item in items]
    with seeded(0):
        return float(np.mean([draw(module, count).mean() for count in frames]))
