"""What FunASR's `WavFrontend` computes at a sampling rate: its mel filters and its features.

Nothing is modelled here. `bank_of` runs the frontend and records what the Kaldi-style filterbank
beneath it (`torchaudio.compliance.kaldi`) was asked for; `frames` loads a file as FunASR does and
runs the frontend on it. `KeptBins` and `MovedBins` are frontends for comparison: they put what
they compute at 8 kHz where the encoder expects it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from funasr.frontends import wav_frontend
from funasr.frontends.wav_frontend import WavFrontend
from funasr.utils.load_utils import load_audio_text_image_video
from torchaudio.compliance import kaldi

from helpers.config import configs
from helpers.errors import BookError
from helpers.model.funasr_private import watched_framing
from helpers.session import seeded
from helpers.speech import manifests

PREEMPHASIS = 0.97
"""Kaldi's default, which WavFrontend does not change."""
FLOOR = float(np.log(torch.finfo(torch.float32).eps))
"""The lowest value a feature can have: the logarithm of float32's epsilon."""
SINGLE = {"lfr_m": 1, "lfr_n": 1}
"""Keys of a frontend that does not stack its frames."""
DECIBELS = 10 / np.log(10)
"""Features are natural logarithms of power; times this they are decibels."""


@dataclass(frozen=True)
class Bank:
    """The mel filters of one frontend.

    Attributes:
        fs: sampling rate in Hz.
        window: samples in a frame.
        shift: samples from one frame to the next.
        fft: samples after zero padding.
        low, high: band of the whole bank, in Hz.
        weights: shape (bins, fft / 2), what each filter takes from each FFT bin.
        left, centres, right: shape (bins,), feet and top of each triangle, in Hz.
    """

    fs: int
    window: int
    shift: int
    fft: int
    low: float
    high: float
    weights: np.ndarray
    left: np.ndarray
    centres: np.ndarray
    right: np.ndarray

    @property
    def fft_step(self) -> float:
        """Distance of neighbouring FFT bins in Hz."""
        return self.fs / self.fft

    @property
    def fft_bins(self) -> np.ndarray:
        """Number of FFT bins with a weight above zero in each filter, shape (bins,)."""
        return (self.weights > 0).sum(axis=1)

    @property
    def copies(self) -> int:
        """Filters that read one FFT bin which the filter below them reads alone as well.

        Such a feature is its neighbour plus a constant.
        """
        alone = [np.flatnonzero(row)[0] if count == 1 else None
                 for row, count in zip(self.weights, self.fft_bins, strict=True)]
        return sum(a is not None and a == b for a, b in zip(alone, alone[1:], strict=False))


def frontend(config: str = "pretrained", stacked: bool = False, **changes: Any) -> WavFrontend:
    """The frontend of a config, merged over the pretrained one.

    Args:
        stacked: keep the config's stacking of 7 frames; without it, one frame every 10 ms.
    """
    conf = configs.resolve(configs.merge_over("pretrained", config))["frontend_conf"]
    return WavFrontend(**{**conf, **({} if stacked else SINGLE), **changes})


def bank_of(front: WavFrontend) -> Bank:
    """The filters that a frontend really uses, recorded while it computes one second of zeros."""
    with (mock.patch.object(kaldi, "get_mel_banks", wraps=kaldi.get_mel_banks) as banks,
          watched_framing() as framing,
          torch.random.fork_rng(devices=[])):
        front(torch.zeros(1, front.fs), torch.tensor([front.fs]))
    bins, fft, fs, low, high = banks.call_args.args[:5]
    _, window, shift, _ = framing.call_args.args
    weights, centres = kaldi.get_mel_banks(*banks.call_args.args)
    high = high if high > 0 else high + fs / 2
    edges = torch.linspace(kaldi.mel_scale_scalar(low), kaldi.mel_scale_scalar(high), bins + 2)
    hertz = kaldi.inverse_mel_scale(edges).numpy()
    return Bank(int(fs), window, shift, fft, low, high, weights.numpy(), hertz[:-2],
                centres.numpy().reshape(-1), hertz[2:])


def loaded(item: dict, fs: int) -> torch.Tensor:
    """An utterance's samples as FunASR's loader hands them to a frontend at this rate."""
    return load_audio_text_image_video(manifests.audio_path(item), fs=fs)


def image_level(hertz: float) -> float:
    """How far FunASR's upsampling of 8 kHz audio pushes down the image of a tone, in dB.

    Upsampling from 8 kHz must remove a copy of the spectrum mirrored at 4 kHz: a tone at 3 kHz
    comes back at 5 kHz. A second of the tone goes through FunASR's loader.
    """
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(8000) / 8000)
    raised = load_audio_text_image_video(tone, fs=16000, audio_fs=8000)
    power = torch.fft.rfft(raised * torch.hann_window(len(raised))).abs() ** 2
    step = 16000 / len(raised)
    powers = {image: power[round(image / step) - 3:round(image / step) + 4].sum()
              for image in (hertz, 8000 - hertz)}
    return float(10 * torch.log10(powers[8000 - hertz] / powers[hertz]))


def frames(item: dict, front: WavFrontend, seed: int = 0) -> np.ndarray:
    """Features of one utterance, loaded at the frontend's own rate: shape (frames, features)."""
    samples = loaded(item, front.fs)
    with seeded(seed):
        features, _ = front(samples[None], torch.tensor([len(samples)]))
    return features[0].numpy()


@contextmanager
def frontend_inputs() -> Iterator[list[int]]:
    """The number of samples of every utterance that any frontend is given, while this is open."""
    sizes: list[int] = []
    genuine = WavFrontend.forward

    def noting(self, input, input_lengths, **kwargs):  # noqa: A002  FunASR's name
        sizes.extend(int(length) for length in input_lengths)
        return genuine(self, input, input_lengths, **kwargs)

    with mock.patch.object(WavFrontend, "forward", noting):
        yield sizes


def paired_frames(first: Sequence[dict], first_front: WavFrontend, second: Sequence[dict],
                  second_front: WavFrontend) -> tuple[np.ndarray, np.ndarray]:
    """Features of the same utterances in two versions, frame by frame, all utterances in a row.

    Returns:
        Two arrays of one shape (frames, bins). Where the versions differ by a frame in length,
        the last one is dropped.
    """
    pairs = []
    for item, other_item in zip(first, second, strict=True):
        a, b = frames(item, first_front), frames(other_item, second_front)
        count = min(len(a), len(b))
        pairs.append((a[:count], b[:count]))
    return tuple(np.concatenate(column) for column in zip(*pairs, strict=True))


def correlation(first: np.ndarray, second: np.ndarray, axis: int = 0) -> np.ndarray:
    """Pearson correlation of two arrays of one shape, along an axis.

    Along axis 0 there is one value for each bin, along axis 1 one for each frame. A constant has
    no correlation: NaN.
    """
    if first.shape != second.shape:
        raise BookError(f"The shapes {first.shape} and {second.shape} differ: compare the same "
                        "frames and bins.")
    a, b = (x - x.mean(axis=axis, keepdims=True)
            for x in (first.astype(float), second.astype(float)))
    size = np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 1e-9, (a * b).sum(axis=axis) / size, np.nan)


def nearest_bins(bank: Bank, other: Bank) -> list[int | None]:
    """For each filter of a bank, the filter of another with the nearest centre, from 0.

    None where the other bank has no filter within half a step, so above its band.
    """
    nearest = []
    for hertz, foot, edge in zip(bank.centres, bank.left, bank.right, strict=True):
        index = int(np.abs(other.centres - hertz).argmin())
        nearest.append(index if foot < other.centres[index] < edge else None)
    return nearest


class ChangedFrontend(WavFrontend):
    """A frontend whose 10 ms frames are changed before they are stacked.

    Args:
        change: from frames of shape (frames, n_mels) to frames of any width.
    """

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor], **conf: Any) -> None:
        super().__init__(**conf)
        self.change = change
        self.single = WavFrontend(**conf | SINGLE)

    def forward(self, input, input_lengths, **kwargs):  # noqa: A002  FunASR's name
        stacked = []
        for samples, length in zip(input, input_lengths, strict=True):
            mat, _ = self.single(samples[None, :int(length)], [int(length)])
            stacked.append(wav_frontend.apply_lfr(self.change(mat[0]), self.lfr_m, self.lfr_n))
        lengths = torch.tensor([len(mat) for mat in stacked])
        return torch.nn.utils.rnn.pad_sequence(stacked, batch_first=True), lengths


class PlacedBins(ChangedFrontend):
    """A frontend at 8 kHz whose bins lie where those of 16 kHz lie.

    What the bank of 16 kHz has above 4 kHz gets a constant, and the level of each bin is corrected
    for what the rate itself changes: half the samples in a window, and a pre-emphasis that acts
    from sample to sample.

    Args:
        above: shape (bins,), the value of each bin that lies above 4 kHz; others are ignored.

    Raises:
        BookError: `conf` is for another rate than 16 kHz.
    """

    def __init__(self, above: np.ndarray, **conf: Any) -> None:
        if conf.get("fs") != 16000:
            raise BookError(f"{type(self).__name__} starts from a frontend at 16000 Hz, not "
                            f"{conf.get('fs')}: give the pretrained frontend_conf.")
        super().__init__(self.place, **conf | {"fs": 8000})
        self.wide = bank_of(WavFrontend(**conf | SINGLE))
        self.outside = torch.from_numpy(self.wide.centres > 4000)
        self.gain = torch.from_numpy(_rate_gain(self.wide.centres)).float()
        self.above = torch.as_tensor(above, dtype=torch.float32)

    def place(self, mat: torch.Tensor) -> torch.Tensor:
        """Frames of 16 kHz, shape (frames, bins), from those that the frontend made."""
        return torch.where(self.outside, self.above, mat + self.gain)


class KeptBins(PlacedBins):
    """Reads the 8 kHz spectrum with the filters of the 16 kHz bank.

    Both have the same FFT step, so the weights fit as they are.
    """

    def __init__(self, above: np.ndarray, **conf: Any) -> None:
        super().__init__(above, **conf)
        weights = self.wide.weights
        self.weights = torch.from_numpy(weights[:, :weights.shape[1] // 2])

    def forward(self, input, input_lengths, **kwargs):  # noqa: A002  FunASR's name
        with mock.patch.object(kaldi, "get_mel_banks", return_value=(self.weights, None)):
            return super().forward(input, input_lengths, **kwargs)


class MovedBins(PlacedBins):
    """Moves the 80 features of 8 kHz to the places of 16 kHz by interpolation."""

    def __init__(self, above: np.ndarray, **conf: Any) -> None:
        super().__init__(above, **conf)
        wide, narrow = self.wide, bank_of(self.single)
        wide_bins = np.interp(wide.centres, narrow.centres, np.arange(len(narrow.centres)))
        self.lower = torch.from_numpy(np.floor(wide_bins).astype(int))
        self.upper = (self.lower + 1).clamp(max=len(narrow.centres) - 1)
        self.share = torch.from_numpy(wide_bins - np.floor(wide_bins)).float()
        wider = (wide.right - wide.left) / np.interp(wide.centres, narrow.centres,
                                                     narrow.right - narrow.left)
        self.gain = torch.from_numpy(_rate_gain(wide.centres) + np.log(wider)).float()

    def place(self, mat: torch.Tensor) -> torch.Tensor:
        return super().place(mat[:, self.lower] * (1 - self.share)
                             + mat[:, self.upper] * self.share)


def filled(above: np.ndarray, centres: np.ndarray, **conf: Any) -> ChangedFrontend:
    """The frontend of a config, with a constant in each bin centred above 4 kHz."""
    outside, level = torch.from_numpy(centres > 4000), torch.as_tensor(above, dtype=torch.float32)
    return ChangedFrontend(lambda mat: torch.where(outside, level, mat), **conf)


def _rate_gain(hertz: np.ndarray) -> np.ndarray:
    """Log power to add at 8 kHz so that a tone of this frequency reads as it does at 16 kHz."""
    def emphasis(fs: int) -> np.ndarray:
        inside = np.minimum(hertz, 4000)
        return np.abs(1 - PREEMPHASIS * np.exp(-2j * np.pi * inside / fs)) ** 2
    return np.log(4 * emphasis(16000) / emphasis(8000))
