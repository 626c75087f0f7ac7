"""Does the table of where calls fail name the group that is really worse, and no other?"""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from helpers.errors import BookError
from helpers.evaluation import breakdown, intervals
from helpers.evaluation.decoding import Hypothesis
from helpers.speech import corpus, manifests
from helpers.telephone import line_noise

TRUE_RATE = 0.3


def calls(count: int, words: int = 10) -> list[dict]:
    return [manifests.chatml(f"c{n}", "a.wav", " ".join(["word"] * words), 100 * (1 + n % 12), 10,
                             voice=f"v{n % 8}", channel=("line", "radio")[n // 8 % 2])
            for n in range(count)]


def heard(items: list[dict], wrong: list[int]) -> list[Hypothesis]:
    """So many of each call's words are replaced by another word."""
    return [Hypothesis(item["key"], manifests.transcript(item), item["voice"], llm=" ".join(
        ["other"] * errors + ["word"] * (len(manifests.transcript(item).split()) - errors)))
        for item, errors in zip(items, wrong, strict=True)]


@pytest.mark.parametrize(("gap", "speakers"), [(0.0, 20), (0.2, 20), (0.0, 8), (0.0, 6)])
def test_the_interval_of_a_contrast_covers_the_truth(gap, speakers, monkeypatch) -> None:
    """Voices differ. All speak in both groups, but for six of which two speak in the one alone."""
    monkeypatch.setattr(intervals, "RESAMPLES", 400)
    draw, covered = np.random.default_rng(0), []
    voices, words = np.arange(120) % speakers, draw.integers(3, 15, 120)
    chosen = np.arange(120) % 3 == 0
    for _ in range(200):
        rate = TRUE_RATE + gap * chosen + draw.normal(0, 0.1, speakers)[voices]
        errors = draw.binomial(words, rate.clip(0, 1))
        found = intervals.contrast(errors, words, voices, chosen)
        covered.append(found.low <= gap <= found.high)
    assert 0.9 <= np.mean(covered)
    assert speakers == 6 or np.mean(covered) <= 0.995  # two voices settle hardly anything


def test_a_contrast_is_the_difference_of_the_two_rates() -> None:
    errors, words = np.array([1, 2, 3, 0]), np.array([10, 10, 5, 5])
    found = intervals.contrast(errors, words, ["a", "b", "a", "b"], [True, True, False, False])
    assert found.value == pytest.approx(3 / 20 - 3 / 10)
    assert found.low <= found.value <= found.high
    many = intervals.contrast(errors, words, ["a", "b", "a", "b"], [True, True, False, False], 9)
    assert many.high - many.low >= found.high - found.low
    with pytest.raises(BookError, match="no word"):
        intervals.contrast(errors, words, ["a"] * 4, [True] * 4)
    with pytest.raises(BookError, match="single sentence"):
        intervals.contrast(errors, words, ["a"] * 4, [True, False, False, False])


def test_the_group_that_is_worse_is_named_and_the_others_are_not() -> None:
    items = calls(96)
    wrong = [6 if item["channel"] == "radio" else 1 for item in items]
    found = breakdown.parts(heard(items, wrong), items, ["length", "channel"])
    assert [(one.factor, one.group) for one in breakdown.worse(found)] == [("channel", "radio")]
    lengths = [one.group for one in found if one.factor == "length"]
    assert lengths == ["under 2 s", "2 to 5 s", "5 to 10 s", "10 s or more"]
    for factor in ("length", "channel"):
        assert sum(one.utterances for one in found if one.factor == factor) == len(items)


@pytest.mark.slow
def test_of_many_groups_without_a_difference_none_is_a_finding() -> None:
    """Forty groups by chance: with an interval for each alone, one or two would be "worse"."""
    draw, named, alone = np.random.default_rng(1), 0, 0
    for _ in range(6):
        items = [{**item, "agent": f"a{draw.integers(40)}"} for item in calls(400)]
        wrong = list(draw.binomial(10, TRUE_RATE, len(items)))
        found = breakdown.parts(heard(items, wrong), items, ["agent"])
        named += len(breakdown.worse(found))
        errors, words = np.array(wrong), np.full(len(items), 10)
        agents = np.array([item["agent"] for item in items])
        alone += sum(intervals.contrast(errors, words, [item["voice"] for item in items],
                                        agents == one.group).direction > 0 for one in found)
    assert named <= 1 < alone


def test_a_group_of_few_calls_is_compared_with_nothing() -> None:
    items = calls(20)
    items[0]["channel"] = "satellite"
    found = {one.group: one for one in breakdown.parts(heard(items, [9] + [0] * 19), items,
                                                       ["channel"])}
    assert found["satellite"].gap is None and found["satellite"].cells[-1] == "too few"
    assert found["line"].gap is not None


def test_what_is_measured_in_the_audio_is_what_was_put_in(tmp_path) -> None:
    item = corpus.load_set("test")[0]
    samples, rate = soundfile.read(manifests.audio_path(item), dtype="float32")
    for dbov in (-45.0, -25.0):
        soundfile.write(tmp_path / "x.wav", line_noise.set_level(samples, dbov), rate)
        measured = breakdown.level_dbfs(manifests.with_audio(item, tmp_path / "x.wav"))
        assert measured == pytest.approx(dbov, abs=1)
    for snr in (5.0, 15.0):
        noisy = line_noise.line_noise(samples, rate, snr, seed=0)
        soundfile.write(tmp_path / "x.wav", noisy, rate)
        line = manifests.with_audio(item, tmp_path / "x.wav")
        assert breakdown.speech_over_pauses_db(line) == pytest.approx(snr, abs=3)
    soundfile.write(tmp_path / "x.wav", np.zeros(rate), rate)
    assert breakdown.level_dbfs(manifests.with_audio(item, tmp_path / "x.wav")) <= -100


def test_edges_belong_to_the_group_above() -> None:
    scale = breakdown.Scale(lambda item: item["x"], "s", (2, 5))
    assert [scale.group({"x": x}) for x in (1.9, 2, 4.9, 5)] == [
        "under 2 s", "2 to 5 s", "2 to 5 s", "5 s or more"]
    assert scale.groups == ["under 2 s", "2 to 5 s", "5 s or more"]


def test_a_manifest_of_yours_names_its_speakers() -> None:
    line = manifests.chatml("c1", "a.wav", "yes", 100, 1)
    assert [manifests.voice(one) for one in (line, {**line, "speaker": "s"},
                                             {**line, "voice": "v"})] == ["c1", "s", "v"]


def test_a_key_that_no_line_has_is_refused() -> None:
    with pytest.raises(BookError, match="the key topic"):
        breakdown.groups_of(calls(3), "topic")
