"""Lost packets of a voice call: bursts after Gilbert and Elliott, and what is played instead."""

from __future__ import annotations

from typing import Literal

import numpy as np

from helpers.errors import BookError
from helpers.telephone.recordings import checked

PACKET_SECONDS = 0.02

Concealment = Literal["silence", "repeat"]


def lost_packets(count: int, rate: float, burst: float = 1.0, seed: int = 0) -> np.ndarray:
    """Which of `count` packets are lost, by a two-state Markov chain.

    In the good state packets arrive, in the bad one they are lost (Gilbert 1960; Elliott 1963
    allows a loss probability inside either state, here 0 and 1).

    Args:
        rate: share of packets lost in the long run, 0 to below 1.
        burst: mean length of a run of lost packets, 1 or more. With `burst = 1 / (1 - rate)`
            losses are independent.

    Returns:
        bool array of shape (count,), True where a packet is lost.

    Raises:
        BookError: a rate or a burst length that no chain can have.
    """
    if not 0 <= rate < 1:
        raise BookError(f"A loss rate of {rate} is impossible: give a share from 0 to below 1.")
    if burst < 1:
        raise BookError(f"A mean burst of {burst} packets is impossible: give 1 or more.")
    if rate == 0:
        return np.zeros(count, dtype=bool)
    leave_bad = 1 / burst
    enter_bad = leave_bad * rate / (1 - rate)
    if enter_bad > 1:
        raise BookError(f"A loss rate of {rate} needs bursts longer than {burst} packets on "
                        f"average: give a burst of at least {rate / (1 - rate):.2f}.")
    draws = np.random.default_rng(seed).random(count + 1)
    lost = np.empty(count, dtype=bool)
    bad = draws[0] < rate
    for packet in range(count):
        lost[packet] = bad
        bad = draws[packet + 1] >= leave_bad if bad else draws[packet + 1] < enter_bad
    return lost


def drop_packets(samples: np.ndarray, rate: int, loss: float, burst: float = 1.0, seed: int = 0,
                 concealment: Concealment = "silence") -> np.ndarray:
    """Lose 20 ms packets of a call and conceal the gaps.

    Args:
        samples: one channel, shape (samples,).
        rate: samples a second.
        concealment: "silence" plays nothing; "repeat" plays the last packet that arrived again,
            half as loud each time, as simple receivers do.

    Returns:
        float32 samples of the same length.
    """
    samples = checked(samples)
    if concealment not in ("silence", "repeat"):
        raise BookError(f"There is no concealment {concealment!r}: choose silence or repeat.")
    packet = int(rate * PACKET_SECONDS)
    padded = np.pad(samples, (0, -len(samples) % packet)).reshape(-1, packet)
    lost = lost_packets(len(padded), loss, burst, seed)
    received = np.where(lost[:, None], np.float32(0), padded)
    if concealment == "repeat" and lost.any():
        numbers = np.arange(len(padded))
        last = np.maximum.accumulate(np.where(lost, -1, numbers))
        repeated = lost & (last >= 0)
        gain = 0.5 ** (numbers - last)[repeated]
        received[repeated] = padded[last[repeated]] * gain[:, None].astype(np.float32)
    return received.reshape(-1)[:len(samples)]
