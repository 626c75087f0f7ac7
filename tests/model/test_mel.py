"""What a reader of the chapter on the sampling rate would lose if the filters were wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchaudio.compliance import kaldi

from helpers.config import configs
from helpers.errors import BookError
from helpers.evaluation.decoding import BRANCHES
from helpers.experiments import runs, sample_rate
from helpers.model import mel
from helpers.speech import corpus

CONF = {**configs.resolve("pretrained")["frontend_conf"], "lfr_m": 1, "lfr_n": 1}


@pytest.fixture(scope="module")
def banks() -> dict[int, mel.Bank]:
    return {fs: mel.bank_of(mel.frontend(fs=fs)) for fs in sample_rate.RATES}


@pytest.fixture(scope="module")
def recording() -> dict:
    return corpus.load_set("test")[2]


def test_the_bank_is_what_the_features_are_made_with(banks, recording) -> None:
    """Energies from the recorded weights equal the frontend's own features."""
    samples = mel.loaded(recording, 16000)[None] * 2**15
    spectrum = kaldi.spectrogram(samples, window_type="hamming", sample_frequency=16000,
                                 energy_floor=0.0).exp()
    made = np.log(spectrum[:, 1:-1].numpy() @ banks[16000].weights[:, 1:].T)
    genuine = mel.frames(recording, mel.frontend(dither=0.0))
    loud = genuine > 0
    assert np.abs(made - genuine)[loud].max() < 0.01


def test_the_document_s_two_rates_differ_as_the_chapter_says(banks) -> None:
    wide, narrow = banks[16000], banks[8000]
    assert (wide.window, wide.shift, wide.fft) == (400, 160, 512)
    assert (narrow.window, narrow.shift, narrow.fft) == (200, 80, 256)
    assert wide.fft_step == narrow.fft_step and narrow.high == 4000
    assert (narrow.centres < wide.centres).all()
    assert (wide.left < wide.centres).all() and (wide.centres < wide.right).all()


def test_nearest_bins_finds_the_same_frequency_or_says_that_there_is_none(banks) -> None:
    wide, narrow = banks[16000], banks[8000]
    assert mel.nearest_bins(wide, wide) == list(range(80))
    moved = mel.nearest_bins(wide, narrow)
    assert moved[-1] is None and moved[39] == 52


@pytest.mark.parametrize("frontend", [mel.KeptBins, mel.MovedBins])
def test_a_repaired_frontend_puts_8_khz_features_where_16_khz_has_them(frontend, banks) -> None:
    """Noise that has nothing above 3.5 kHz reads alike through both, and the rest is a constant."""
    torch.manual_seed(0)
    spectrum = torch.fft.rfft(torch.randn(32000))
    spectrum[7000:] = 0
    wide = torch.fft.irfft(spectrum, 32000)[None] * 0.1
    level = np.full(80, 7.0)
    got, lengths = frontend(level, **{**CONF, "dither": 0.0})(wide[:, ::2], torch.tensor([16000]))
    expected, _ = mel.frontend(dither=0.0)(wide, torch.tensor([32000]))
    inside = (banks[16000].centres > 300) & (banks[16000].centres < 3000)
    apart = (got - expected)[0][:, inside].mean(0).abs()
    assert got.shape == expected.shape and lengths.tolist() == [got.shape[1]]
    assert apart.max() < (0.1 if frontend is mel.KeptBins else 0.4)
    assert (got[0][:, banks[16000].centres > 4000] == 7).all()


def test_a_changed_frontend_that_changes_nothing_is_the_frontend(recording) -> None:
    """Stacking, lengths and dither stay as FunASR has them, in a batch of unequal lengths too."""
    conf = configs.resolve("pretrained")["frontend_conf"]
    sound = mel.loaded(recording, 16000)
    batch = torch.stack([sound, sound])
    lengths = torch.tensor([len(sound), len(sound) // 2])
    results = []
    for front in (mel.ChangedFrontend(lambda mat: mat, **conf), mel.frontend(stacked=True)):
        torch.manual_seed(3)
        results.append(front(batch, lengths))
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])


def test_the_seed_decides_the_features(recording) -> None:
    front = mel.frontend()
    features, again, other = (mel.frames(recording, front, seed) for seed in (0, 0, 1))
    assert np.array_equal(features, again) and not np.array_equal(features, other)


def test_measuring_leaves_the_random_state_alone(recording) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    mel.bank_of(mel.frontend())
    mel.frames(recording, mel.frontend())
    assert torch.equal(state, torch.get_rng_state())


def test_correlation_of_a_constant_is_not_a_number() -> None:
    ramp = np.arange(6.0).reshape(3, 2)
    correlations = mel.correlation(ramp, np.stack([ramp[:, 0] * -2, np.ones(3)], axis=1))
    assert correlations[0] == pytest.approx(-1) and np.isnan(correlations[1])
    with pytest.raises(BookError, match="shapes"):
        mel.correlation(ramp, ramp[:2])


def test_an_image_lies_above_4_khz() -> None:
    assert mel.image_level(3800) > -10 > -60 > mel.image_level(1000)


@pytest.mark.parametrize("call", [
    lambda: mel.KeptBins(np.zeros(80), **{**CONF, "fs": 8000}),
    lambda: mel.MovedBins(np.zeros(80), **{**CONF, "fs": 8000}),
    lambda: sample_rate.sound_set("shellac"),
    lambda: sample_rate.frontend_of(sample_rate.Case("telephone", 8000, "gilded"))])
def test_bad_input_gets_one_sentence(call) -> None:
    with pytest.raises(BookError) as error:
        call()
    assert str(error.value).count("\n") == 0


def test_a_case_without_a_recording_is_named(tmp_path) -> None:
    with pytest.raises(BookError, match="sample_rate --record"):
        replace(sample_rate.RECORDS, path=tmp_path / "none.json").read()


def test_every_recorded_row_is_there() -> None:
    """The chapter reads all of these; a lost row would be an error on its page."""
    content = sample_rate.RECORDS.content()
    assert content["words"] == runs.words(sample_rate.SENTENCES)
    assert sample_rate.RECORDS.keys() == {
        key for keys in sample_rate.RUNS.values() for key in keys}
    assert all(len(row["errors"]) == sample_rate.SENTENCES for row in content["rows"])
    heard = sample_rate.results()
    for branch in BRANCHES:
        for case in sample_rate.ALL_CASES:
            assert heard.rate(sample_rate.PRETRAINED, case.name, branch).value > 0
