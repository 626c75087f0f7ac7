"""Does the second mini hear calls beside what the first heard, and nothing of the test set?"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.errors import BookError
from helpers.experiments import arms, recipes, runs
from helpers.experiments.results import Results
from helpers.model import mini
from helpers.pretraining import second_mini, two_minis
from helpers.speech import corpus
from helpers.telephone.speech_codecs import CODECS

MINIS = (two_minis.FIRST, two_minis.SECOND)


@pytest.fixture(scope="module")
def clip():
    return np.random.default_rng(0).normal(0, 0.05, corpus.SAMPLE_RATE).astype(np.float32)


@pytest.fixture(scope="module")
def drawn():
    chance = np.random.default_rng(0)
    return [second_mini.drawn_channel(chance) for _ in range(400)]


def test_training_has_calls_of_every_kind(drawn) -> None:
    own = {name for name, maker in CODECS.items() if maker != "ffmpeg"}
    assert {channel.codec for channel in drawn} == own | {None}
    for some in ([c.snr_db is not None for c in drawn], [c.loss > 0 for c in drawn],
                 [c.band for c in drawn], [c.comfort for c in drawn]):
        assert 0 < sum(some) < len(drawn)
    assert any(c.snr_db is None and not c.loss for c in drawn)


def test_half_of_the_clips_stay_wideband_and_the_others_lose_what_a_line_loses(clip) -> None:
    chance = np.random.default_rng(1)
    made = [second_mini.half_as_calls(clip, chance) for _ in range(40)]
    calls = [samples for samples in made if samples is not clip]
    assert 10 < len(calls) < 30 and {len(samples) for samples in made} == {len(clip)}
    high = np.fft.rfftfreq(len(clip), 1 / corpus.SAMPLE_RATE) > 6000
    share = [np.square(np.abs(np.fft.rfft(samples))[high]).mean() for samples in (clip, *calls)]
    assert max(share[1:]) < share[0] / 10


@pytest.mark.slow
def test_both_have_the_same_sentences(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(corpus, "UTTERANCES_PER_SHARD", 4)
    texts, features = [], []
    for name, deliver in second_mini.DELIVERIES.items():
        (tmp_path / name).mkdir()
        with np.load(corpus.synthesise_shard(0, tmp_path / name, deliver)) as shard:
            texts.append(shard["texts"].tolist())
            features.append(shard["features"])
    assert texts[0] == texts[1] and features[0].shape == features[1].shape
    assert not np.array_equal(*features)
    assert not set(texts[0]) & set(sum(corpus.held_out_sentences().values(), []))


def test_no_run_of_the_first_mini_is_made_twice() -> None:
    """What another record has is read from there: else two rows of one name could differ."""
    assert set(two_minis.DECIDING) <= {*arms.ARMS, *recipes.RECIPES}
    elsewhere = {*arms.RECORDS.keys(), *recipes.RECORDS.keys()}
    assert not elsewhere & {(arm, seed) for name, arm, seed in two_minis.RECORDS.keys()
                            if name == two_minis.FIRST and arm != two_minis.AS_IT_IS}


@pytest.mark.parametrize("arm", two_minis.DECIDING)
def test_a_trained_arm_is_recorded_for_both_minis_with_the_same_seeds(arm) -> None:
    recorded = two_minis.recorded()
    trained = arm in recipes.RECIPES or arms.ARMS[arm].steps > 0
    for name in MINIS:
        assert recorded.seeds((name, arm)) == list(runs.MORE_SEEDS if trained else (0,))
        assert set(recorded.heard((name, arm))) >= {
            (band, branch) for band in recipes.BANDS for branch in ("ctc", "llm")}


@pytest.mark.slow
def test_an_arm_with_lora_starts_from_the_other_minis_weights() -> None:
    """These have none of LoRA's, and everything else has to arrive."""
    state = mini.read_weights(two_minis.weights(two_minis.SECOND))
    lora = replace(arms.ARMS["lora"], steps=0)
    built = runs.train_and_hear(lora, 0, runs.test_sets(1, ("wideband",)), ("ctc",), state).built
    now = built.model.state_dict()
    assert any(".lora_" in name for name in now)
    assert all(torch.equal(now[name], weight.to(now[name].dtype))
               for name, weight in state.items())


@pytest.mark.slow
def test_the_committed_weights_are_those_that_the_record_speaks_of() -> None:
    """Else a reader who goes on from them goes on from another model than the chapter's."""
    sentences, recorded = 24, two_minis.recorded()
    heard = Results((((name, two_minis.AS_IT_IS), 0, runs.written(two_minis.hear(
        name, ("telephone", "wideband"), sentences, ("ctc",)))) for name in MINIS), "this test")
    for name in MINIS:
        arm = (name, two_minis.AS_IT_IS)
        for band in ("telephone", "wideband"):
            live, stored = heard.rate(arm, band, "ctc"), recorded.rate(arm, band, "ctc")
            assert live.low < stored.high and stored.low < live.high, (name, band)
    first, second = (heard.rate((name, two_minis.AS_IT_IS), "telephone", "ctc") for name in MINIS)
    assert second.value < 0.8 * first.value


def test_weights_that_are_not_there_are_one_sentence(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(second_mini, "WEIGHTS", tmp_path / "none.safetensors")
    with pytest.raises(BookError, match="make them with `python -m"):
        two_minis.weights(two_minis.SECOND)
