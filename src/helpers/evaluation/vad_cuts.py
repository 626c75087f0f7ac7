"""Where FunASR cuts a long call: its own cutting, with a stand-in that knows where speech is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from helpers.telephone import raw_calls
from helpers.telephone.channel import TELEPHONE_RATE

Segment = tuple[int, int]
"""Start and end in milliseconds."""


@dataclass(frozen=True)
class LongCall:
    """Sentences with pauses between them.

    Attributes:
        samples: at 8 kHz, float32, shape (samples,).
        segments: where each sentence lies.
    """

    samples: np.ndarray
    segments: tuple[Segment, ...]


def long_call(items: Sequence[dict], pause_seconds: float = 1.0) -> LongCall:
    """A call made of telephone clips at 8 kHz, in their order, each after a pause."""
    samples, spans = raw_calls.joined(items, pause_seconds)
    return LongCall(samples, tuple((1000 * start // TELEPHONE_RATE, 1000 * end // TELEPHONE_RATE)
                                   for start, end in spans))


class KnownSegments(torch.nn.Module):
    """Stands for a VAD that makes no mistake, so that only what FunASR does with it is seen."""

    def __init__(self, segments: Sequence[Segment]):
        super().__init__()
        self.segments = segments
        self.device_of = torch.nn.Parameter(torch.zeros(1))  # FunASR asks a model for its device

    def inference(self, data_in, key, **_):
        """What a VAD of FunASR returns."""
        return [{"key": key[0], "value": [list(segment) for segment in self.segments]}], {
            "batch_data_time": 1}


def give_vad(model, segments: Sequence[Segment]):
    """Give FunASR's `AutoModel` this stand-in, as `vad_model=` would a real one."""
    model.vad_model, model.vad_kwargs = KnownSegments(segments), {}
    return model


def cut_at(segments: Sequence[Segment], rate: int, seconds: float) -> list[tuple[float, float]]:
    """Which seconds of a call FunASR hands on for each segment of its VAD.

    FunASR's own function cuts a signal whose samples are their own times.

    Args:
        rate: samples a second of the signal that it cuts, `frontend_conf.fs`.

    Returns:
        Start and end of each piece in seconds; equal where the piece is empty.
    """
    from funasr.utils.vad_utils import slice_padding_audio_samples

    times = torch.arange(int(seconds * rate)) / rate
    pieces, _ = slice_padding_audio_samples(
        times, len(times), [(list(segment), number) for number, segment in enumerate(segments)])
    return [(float(piece[0]), float(piece[-1])) if len(piece) else (seconds, seconds)
            for piece in pieces]
