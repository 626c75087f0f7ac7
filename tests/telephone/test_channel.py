"""The telephone line does to speech what a line does, and refuses what is not speech."""

import numpy as np
import pytest
import soundfile

from helpers.errors import BookError
from helpers.speech import corpus, manifests
from helpers.telephone import channel, speech_codecs


def tone(hertz: float, rate: int = 16_000, seconds: float = 1.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate).astype("f4")


def level_db(samples: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean(samples[len(samples) // 4:] ** 2)))


@pytest.mark.parametrize(("hertz", "low", "high"), [
    (1000, -1, 1), (2000, -1, 1), (100, -200, -30), (5000, -200, -30), (7000, -200, -30)])
def test_only_the_line_band_passes(hertz, low, high):
    sent = tone(hertz)
    assert low < level_db(channel.telephone(sent, 16_000)) - level_db(sent) < high


def test_mu_law_has_256_levels_and_the_codecs_noise():
    sent = tone(700, 8_000)
    received = speech_codecs.transcode(sent, "mu-law")
    assert len(np.unique(received)) <= 256
    noise = level_db(sent) - level_db(received - sent)
    assert 30 < noise < 45  # dB; G.711 promises about 38 over most of its range


def test_a_set_by_telephone_keeps_texts_and_lengths():
    items, direct = channel.telephone_set("test", 3), corpus.load_set("test")[:3]
    for by_phone, original in zip(items, direct, strict=True):
        assert manifests.transcript(by_phone) == manifests.transcript(original)
        info = soundfile.info(manifests.audio_path(by_phone))
        assert info.samplerate == 8_000
        assert info.duration == pytest.approx(
            soundfile.info(manifests.audio_path(original)).duration, abs=0.001)


@pytest.mark.parametrize(("samples", "rate", "complaint"), [
    (np.zeros(0), 16_000, "empty"), (np.zeros((8, 2)), 16_000, "two legs"),
    (np.array([0.1, np.nan]), 16_000, "NaN"), (np.zeros(100), 6_000, "below")])
def test_bad_audio_is_refused_in_one_sentence(samples, rate, complaint):
    with pytest.raises(BookError, match=complaint):
        channel.telephone(samples, rate)
