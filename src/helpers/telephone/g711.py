"""ITU-T G.711, bit by bit: 16-bit samples to 8-bit codes and back, both laws.

Written from the recommendation because no library at hand follows it to the last bit: libsndfile,
ffmpeg and Python's audioop each round some negative values that lie on a decision threshold to
the other side (`tests/test_g711.py` counts them). The recommendation works on 14-bit (mu-law) and
13-bit (A-law) values and takes the ones' complement of negative ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

Law = Literal["mu-law", "A-law"]

_MU_BIAS, _MU_LARGEST = 33, 0x1FFF
_A_TOGGLED = 0x55  # A-law inverts every second bit on the line


def encode(pcm: np.ndarray, law: Law) -> np.ndarray:
    """16-bit samples (int16) to G.711 codes (uint8), as they go over the line."""
    return _encoder(law)[pcm.astype(np.int32) + 32768]


def decode(codes: np.ndarray, law: Law) -> np.ndarray:
    """G.711 codes (uint8) to 16-bit samples (int16)."""
    return _decoder(law)[codes]


def transcode(samples: np.ndarray, law: Law) -> np.ndarray:
    """Encode and decode float samples in [-1, 1]; louder ones are clipped."""
    pcm = np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)
    return decode(encode(pcm, law), law).astype(np.float32) / np.float32(32768)


@lru_cache(maxsize=2)
def _encoder(law: Law) -> np.ndarray:
    values = np.arange(-32768, 32768)
    magnitude = np.where(values < 0, ~values, values)
    if law == "mu-law":
        biased = np.minimum((magnitude >> 2) + _MU_BIAS, _MU_LARGEST)
        segment = np.floor(np.log2(biased)).astype(int) - 5
        code = (segment << 4) | ((biased >> (segment + 1)) & 0xF)
        return np.where(values < 0, ~(code | 0x80), ~code).astype(np.uint8)
    reduced = magnitude >> 4
    segment = np.maximum(np.floor(np.log2(np.maximum(reduced, 1))).astype(int) - 4, 0)
    code = np.where(reduced < 32, reduced, ((segment + 1) << 4) | ((reduced >> segment) & 0xF))
    return (np.where(values < 0, code, code | 0x80) ^ _A_TOGGLED).astype(np.uint8)


@lru_cache(maxsize=2)
def _decoder(law: Law) -> np.ndarray:
    codes = np.arange(256)
    if law == "mu-law":
        inverted = ~codes & 0xFF
        segment, step = (inverted >> 4) & 7, inverted & 0xF
        magnitude = (((2 * step + 33) << segment) - 33) << 2
        return np.where(inverted & 0x80, -magnitude, magnitude).astype(np.int16)
    toggled = codes ^ _A_TOGGLED
    segment, step = (toggled >> 4) & 7, toggled & 0xF
    magnitude = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return np.where(toggled & 0x80, magnitude << 3, -(magnitude << 3)).astype(np.int16)
