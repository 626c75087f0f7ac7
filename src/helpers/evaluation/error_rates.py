"""Error rates of words and tokens, and paired differences, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jiwer
import numpy as np

from helpers.errors import BookError


@dataclass(frozen=True)
class ErrorRate:
    """An error rate with its bootstrap interval, as shares (0.1 is 10 %)."""

    rate: float
    low: float
    high: float
    errors: int
    units: int
    utterances: int

    def __str__(self) -> str:
        return f"{self.rate:.1%} [{self.low:.1%}, {self.high:.1%}]"


def error_rate(references: Sequence[str], hypotheses: Sequence[str], unit: str = "word",
               resamples: int = 1000, seed: int = 0) -> ErrorRate:
    """Word (or character) error rate over a set, with a 95 % bootstrap interval.

    Utterances are resampled with replacement; the rate is total errors over total reference
    units each time, so long utterances weigh more, as in the plain rate.

    Raises:
        BookError: no utterances, lists of different lengths, or an empty reference.
    """
    if not references or len(references) != len(hypotheses):
        raise BookError(f"{len(references)} references and {len(hypotheses)} hypotheses: give "
                        "the same number of both, and at least one.")
    if not all(reference.strip() for reference in references):
        raise BookError("A reference is empty: remove that utterance before scoring.")
    return rate_of_counts(*error_counts(references, hypotheses, unit), resamples, seed)


def error_counts(references: Sequence[str], hypotheses: Sequence[str],
                 unit: str = "word") -> tuple[np.ndarray, np.ndarray]:
    """Errors and reference units of each utterance: two integer arrays of shape (utterances,)."""
    measure = {"word": jiwer.process_words, "character": jiwer.process_characters}[unit]
    errors, units = [], []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        counts = measure(reference, hypothesis)
        errors.append(counts.substitutions + counts.deletions + counts.insertions)
        units.append(counts.hits + counts.substitutions + counts.deletions)
    return np.array(errors), np.array(units)


def rate_of_counts(errors: np.ndarray, units: np.ndarray, resamples: int = 1000,
                   seed: int = 0) -> ErrorRate:
    """The rate and interval of `error_rate`, from counts that were kept."""
    picks = np.random.default_rng(seed).integers(0, len(errors), (resamples, len(errors)))
    rates = errors[picks].sum(1) / units[picks].sum(1)
    low, high = np.quantile(rates, [0.025, 0.975])
    return ErrorRate(float(errors.sum() / units.sum()), float(low), float(high),
                     int(errors.sum()), int(units.sum()), len(errors))


class Difference(NamedTuple):
    """A difference of two error rates, as a share, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def direction(self) -> int:
        """1 or -1 if the interval leaves zero out, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def difference(errors: np.ndarray, other: np.ndarray, words: np.ndarray, resamples: int = 2000,
               seed: int = 0) -> Difference:
    """How much higher one error rate is than another on the same sentences.

    Sentences are resampled, each with both its results, so that what is hard about a sentence
    cancels out.

    Args:
        errors, other: word errors, shape (sentences,), or (seeds, sentences) to be averaged over
            seeds, whose numbers may differ.
        words: reference words of each sentence, shape (sentences,).
    """
    gap = np.atleast_2d(errors).mean(0) - np.atleast_2d(other).mean(0)
    picks = np.random.default_rng(seed).integers(0, len(words), (resamples, len(words)))
    low, high = np.quantile(gap[picks].sum(1) / words[picks].sum(1), [0.025, 0.975])
    return Difference(float(gap.sum() / words.sum()), float(low), float(high))


RESAMPLES = 2000


class Rate(Difference):
    """An error rate, or a difference of two, as a share, with its 95 % interval."""

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"

    def signed(self) -> str:
        """With a sign, as a difference is written, in points."""
        return f"{100 * self.value:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"
