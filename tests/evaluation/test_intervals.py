"""Would a reader be told that a difference is sure, and other voices or seeds turn its sign?"""

from __future__ import annotations

import numpy as np
import pytest

from helpers.errors import BookError
from helpers.evaluation import intervals
from helpers.evaluation.intervals import Difference, ErrorRate
from helpers.speech import corpus, manifests

SENTENCES, SEEDS, RUNS = 120, 3, 300
TRUE_RATE = 0.3
ITEMS = corpus.load_set("test")[:SENTENCES]
WORDS = np.array([len(manifests.transcript(item).split()) for item in ITEMS])
VOICES = np.array([item["voice"] for item in ITEMS])


def simulated(draw: np.random.Generator, voice_spread: float, seed_spread: float,
              rate: float = TRUE_RATE, seeds: int = SEEDS) -> np.ndarray:
    """Word errors of the book's own test sentences, whose voices and seeds differ by chance."""
    names, number = np.unique(VOICES, return_inverse=True)
    voice = draw.normal(0, voice_spread, len(names))[number]
    share = rate + voice + draw.normal(0, seed_spread, (seeds, 1))
    return draw.binomial(WORDS, np.clip(share, 0, 1))


@pytest.mark.parametrize(("voice_spread", "seed_spread"),
                         [(0.1, 0.0), (0.1, 0.02), (0.05, 0.05), (0.0, 0.05)])
def test_the_interval_covers_the_truth_as_often_as_it_says(voice_spread, seed_spread, monkeypatch):
    """Sentences alone cover it in 50 to 85 of 100, and an interval of 60 % in about 60."""
    monkeypatch.setattr(intervals, "RESAMPLES", 600)
    draw = np.random.default_rng(0)
    found = [intervals.error_rate(simulated(draw, voice_spread, seed_spread), WORDS, VOICES)
             for _ in range(RUNS)]
    covered = np.mean([one.low <= TRUE_RATE <= one.high for one in found])
    assert 0.92 <= covered <= 0.995
    above, below = (np.mean([TRUE_RATE < one.low for one in found]),
                    np.mean([TRUE_RATE > one.high for one in found]))
    assert max(above, below) < 0.06


def test_the_interval_is_as_wide_as_chance_and_no_wider(monkeypatch):
    """Its width is that of 95 % of what other voices really give, so 50 or 99 % are found out."""
    draw = np.random.default_rng(1)
    many = [simulated(draw, 0.1, 0.0, seeds=1) for _ in range(RUNS)]
    real = np.quantile([errors.sum() / WORDS.sum() for errors in many], [0.025, 0.975])
    said = np.mean([one.high - one.low for one in (
        intervals.error_rate(errors, WORDS, VOICES) for errors in many[:40])])
    assert 0.8 < said / (real[1] - real[0]) < 1.2


@pytest.mark.parametrize("gain", [0.0, 0.1])
def test_a_paired_difference_finds_what_is_there_and_no_more(gain, monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 600)
    draw, found = np.random.default_rng(2), []
    for _ in range(150):
        shared = np.random.default_rng(draw.integers(2**32))
        names, number = np.unique(VOICES, return_inverse=True)
        voice = shared.normal(0, 0.1, len(names))[number]
        pair = [draw.binomial(WORDS, np.clip(rate + voice + draw.normal(0, 0.02, (SEEDS, 1)), 0, 1))
                for rate in (TRUE_RATE + gain, TRUE_RATE)]
        found.append(intervals.difference(*pair, WORDS, VOICES))
    assert np.mean([one.low <= gain <= one.high for one in found]) >= 0.92
    wrong = [one for one in found if one.direction == -1]
    assert len(wrong) <= 6
    if gain:
        assert np.mean([one.direction == 1 for one in found]) > 0.6


def test_sentences_by_one_voice_count_as_one_witness():
    """One voice that is heard badly in twenty sentences says little of other voices."""
    errors = np.where(VOICES == "flite:rms", WORDS, 0)[None]
    together = intervals.error_rate(errors, WORDS, VOICES)
    apart = intervals.error_rate(errors, WORDS, range(SENTENCES))
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_one_voice_is_judged_by_its_sentences_and_never_without_doubt():
    errors = simulated(np.random.default_rng(4), 0.0, 0.0, seeds=1)
    alone = intervals.error_rate(errors, WORDS, ["flite:rms"] * SENTENCES)
    assert alone == intervals.error_rate(errors, WORDS, range(SENTENCES))
    assert alone.low < alone.value < alone.high


def test_seeds_that_disagree_widen_it_beyond_the_seeds_themselves():
    steady = intervals.error_rate(np.ones((3, 40)), np.full(40, 10), range(40))
    shaky = intervals.error_rate(np.ones((3, 40)) * [[0], [1], [2]], np.full(40, 10), range(40))
    assert steady.high - steady.low < 1e-9
    assert shaky.low == 0 and shaky.high > 0.2  # and no rate is below zero


def test_a_difference_is_taken_sentence_by_sentence_and_seed_by_seed():
    draw = np.random.default_rng(3)
    errors = simulated(draw, 0.2, 0.1)
    same = intervals.difference(errors, errors, WORDS, VOICES)
    assert same == Difference(0, 0, 0) and same.direction == 0
    more = intervals.difference(errors + 1, errors, WORDS, VOICES)
    assert more.value == pytest.approx(SENTENCES / WORDS.sum()) and more.direction == 1
    assert intervals.difference(errors, errors + 1, WORDS, VOICES).direction == -1
    alone = intervals.difference(errors, errors[:1], WORDS, VOICES)
    assert alone.high - alone.low > more.high - more.low


def test_rates_are_written_in_percent_and_differences_in_points():
    assert str(ErrorRate(0.123, 0.08, 0.2)) == "12.3 [8.0, 20.0]"
    assert f"{ErrorRate(0.123, 0.08, 0.2):.0f}" == "12 [8, 20]"
    assert str(Difference(0.012, -0.01, 0.03)) == "+1.2 [-1.0, +3.0]"


def test_counts_that_do_not_belong_together_are_refused():
    with pytest.raises(BookError, match="same seeds"):
        intervals.difference(np.zeros((3, 4)), np.zeros((2, 4)), np.ones(4), list("abcd"))
    with pytest.raises(BookError, match="one of each"):
        intervals.error_rate(np.zeros((1, 4)), np.ones(4), list("abc"))
    with pytest.raises(BookError, match="one of each"):
        intervals.error_rate(np.zeros((1, 0)), np.ones(0), [])


@pytest.mark.slow
def test_the_best_of_many_is_no_winner_by_chance(monkeypatch):
    """Of twenty arms that are all the same, one seems better or worse in a third of the sets."""
    monkeypatch.setattr(intervals, "RESAMPLES", 400)
    draw, alone, together = np.random.default_rng(5), 0, 0
    for _ in range(20):
        base = simulated(draw, 0.0, 0.02, seeds=5)
        arms = [simulated(draw, 0.0, 0.02, seeds=5) for _ in range(20)]
        alone += any(intervals.difference(arm, base, WORDS, VOICES).direction for arm in arms)
        together += any(intervals.difference(arm, base, WORDS, VOICES, among=20).direction
                        for arm in arms)
    assert together <= 2 < 4 <= alone
