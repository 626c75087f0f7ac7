"""A 95 % interval holds the truth 95 times in a hundred: counted where the truth is known."""

from __future__ import annotations

import numpy as np

from helpers.evaluation import error_rates

SETS, SENTENCES, WORDS = 300, 80, 8
TRUTH = 0.2


def drawn(number: int, share: float) -> np.ndarray:
    """Word errors of sentences whose words are wrong with a known chance."""
    return np.random.default_rng(number).binomial(WORDS, share, SENTENCES)


def held(intervals: list, truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in intervals]))


def test_a_rates_interval_holds_the_true_rate() -> None:
    words = np.full(SENTENCES, WORDS)
    found = [error_rates.rate_of_counts(drawn(number, TRUTH), words) for number in range(SETS)]
    assert 0.91 < held(found, TRUTH) < 0.98


def test_a_differences_interval_holds_the_true_difference() -> None:
    words = np.full(SENTENCES, WORDS)
    found = [error_rates.difference(drawn(number, TRUTH), drawn(number + SETS, TRUTH / 2), words,
                                    resamples=500) for number in range(SETS)]
    assert 0.91 < held(found, TRUTH / 2) < 0.98
