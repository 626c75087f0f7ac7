"""The one 95 % interval of this book: what other voices, sentences and seeds would have given.

Sentences by one voice are alike, so a voice is drawn with all its sentences (A. C. Davison and
D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). All seeds hear the same
sentences. Drawing three of three seeds again would never reach beyond them and cover too little, so
their part is drawn from Student's distribution with the spread that they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy import stats

from helpers.errors import BookError

LEVEL = 0.95
RESAMPLES = 4000


@dataclass(frozen=True)
class Interval:
    """A share (0.1 is 10 %) with its 95 % interval; written in percent, such as `12.3 [8.0, 15.1]`.

    A format such as `.0f` applies to all three numbers.
    """

    value: float
    low: float
    high: float
    FORMAT: ClassVar[str] = ".1f"

    def __format__(self, spec: str) -> str:
        value, low, high = (f"{100 * share:{spec or self.FORMAT}}"
                            for share in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"

    def __str__(self) -> str:
        return format(self)

    @classmethod
    def resampled(cls, errors: np.ndarray, words: np.ndarray, voices: Sequence[str],
                  among: int = 1) -> Self:
        """From word errors, or from their differences between two models on the same sentences.

        With one seed the interval says nothing of other seeds; with one voice, nothing of other
        voices: its sentences are drawn instead.

        Args:
            errors: shape (seeds, sentences).
            words: reference words of each sentence, shape (sentences,).
            voices: who speaks each sentence.
            among: how many comparisons are read together. All of their intervals hold at once in
                95 of 100 cases, so that the best of many is no winner by chance (Bonferroni).

        Raises:
            BookError: the three do not belong to the same sentences, or there are none.
        """
        if not len(words) or not errors.shape[1] == len(words) == len(voices):
            raise BookError(f"Errors of {errors.shape[1]} sentences, {len(words)} lengths and "
                            f"{len(voices)} voices: give one of each for every sentence.")
        rng = np.random.default_rng(0)
        names, voice = np.unique(voices, return_inverse=True)
        if len(names) == 1:
            voice = np.arange(len(words))
        wrong, spoken = (np.bincount(voice, counts) for counts in (errors.mean(0), words))
        resamples = RESAMPLES * among
        times = rng.multinomial(len(spoken), np.full(len(spoken), 1 / len(spoken)), resamples)
        drawn = times @ wrong / (times @ spoken)
        by_seed = errors.sum(1) / words.sum()
        if len(by_seed) > 1:
            deviation = by_seed.std(ddof=1) / np.sqrt(len(by_seed))
            drawn += deviation * rng.standard_t(len(by_seed) - 1, resamples)
        tail = (1 - LEVEL) / 2 / among
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return cls(float(by_seed.mean()), float(low), float(high))


class ErrorRate(Interval):
    """An error rate."""


class Difference(Interval):
    """How much higher one error rate is than another, written in points with its sign."""

    FORMAT = "+.1f"

    @property
    def direction(self) -> int:
        """1 or -1 if the interval leaves zero out, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def error_rate(errors: np.ndarray, words: np.ndarray, voices: Sequence[str]) -> ErrorRate:
    """Error rate over all seeds; arguments as those of `Interval.resampled`.

    Seeds that differ much widen the interval to both sides, but no rate is below zero.
    """
    rate = ErrorRate.resampled(np.atleast_2d(errors), words, voices)
    return replace(rate, low=max(0.0, rate.low))


def difference(errors: np.ndarray, other: np.ndarray, words: np.ndarray,
               voices: Sequence[str], among: int = 1) -> Difference:
    """How much higher one error rate is than another, sentence by sentence and seed by seed.

    What is hard about a sentence, and what a seed draws for both, cancels out.

    Args:
        errors, other: word errors, shape (seeds, sentences), of the same seeds; or one of the two
            has a single run, which is then compared with every run of the other.
        words, voices, among: as those of `Interval.resampled`.

    Raises:
        BookError: both have several seeds, and not as many.
    """
    first, second = np.atleast_2d(errors), np.atleast_2d(other)
    if len(first) != len(second) and 1 not in (len(first), len(second)):
        raise BookError(f"{len(first)} seeds against {len(second)}: compare runs of the same "
                        "seeds.")
    return Difference.resampled(first - second, words, voices, among)


def contrast(errors: np.ndarray, words: np.ndarray, voices: Sequence[str],
             chosen: Sequence[bool], among: int = 1) -> Difference:
    """How much higher the error rate of the chosen sentences is than that of the others, one run.

    A voice is drawn with its sentences of both kinds. Where one voice alone speaks either kind,
    sentences are drawn instead, and the interval says nothing of other voices.

    Args:
        errors: word errors of each sentence, shape (sentences,).
        words, voices, among: as those of `Interval.resampled`.
        chosen: which sentences, shape (sentences,).

    Raises:
        BookError: no word is among the chosen, or none among the others; or a single sentence is.
    """
    groups = np.array([chosen, ~np.asarray(chosen)], dtype=float)
    if not (groups @ words).all():
        raise BookError("Two groups are compared and one has no word: give sentences of both.")
    names, unit = np.unique(voices, return_inverse=True)
    if min(len(set(unit[group > 0])) for group in groups) == 1:
        names, unit = np.arange(len(words)), np.arange(len(words))
    count = min(len(set(unit[group > 0])) for group in groups)
    if count == 1:
        raise BookError("Two groups are compared and one is a single sentence: give more of it.")
    wrong, spoken = (np.array([np.bincount(unit, group * counts) for group in groups]).T
                     for counts in (errors, words))
    rng, drawn = np.random.default_rng(0), []
    for _ in range(among):  # one part at a time: many voices times many draws need much memory
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn.append((times @ wrong / (times @ spoken)) @ (1, -1))
    first, other = (groups @ errors) / (groups @ words)
    tail = (1 - LEVEL) / 2 / among
    gaps = np.concatenate(drawn)
    # Few voices drawn again vary less than few other voices would: Student's t says by how much.
    gap = float(first - other)
    wider = (stats.t.ppf(1 - tail, count - 1) / stats.norm.ppf(1 - tail)
             * np.sqrt(count / (count - 1)))
    low, high = (gap + wider * (edge - gap)
                 for edge in np.quantile(gaps[np.isfinite(gaps)], [tail, 1 - tail]))
    return Difference(gap, float(low), float(high))
