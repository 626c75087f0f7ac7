"""Does a call do to speech what a call does, and is bad audio refused in one sentence?"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
import torch

from helpers.errors import BookError
from helpers.model import mel
from helpers.speech import corpus, manifests
from helpers.telephone import line_noise, packet_loss, recordings, speech_codecs
from helpers.telephone.channel import Channel, call

RATE = 8_000


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    first = corpus.load_set("test")[0]
    samples, rate = soundfile.read(manifests.audio_path(first), dtype="float32")
    return call(samples, rate, Channel(codec=None))


def snr(clean: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(np.sum(clean ** 2) / np.sum((other - clean) ** 2))


@pytest.mark.parametrize(("codec", "least"), [("mu-law", 28), ("A-law", 28), ("G.721", 15)])
def test_waveform_codecs_stay_close_to_the_waveform(speech, codec, least) -> None:
    assert snr(speech, speech_codecs.transcode(speech, codec)) > least


@pytest.mark.parametrize("codec", speech_codecs.available())
def test_every_codec_keeps_length_rate_and_the_words_envelope(speech, codec) -> None:
    heard = speech_codecs.transcode(speech, codec)
    assert heard.shape == speech.shape and heard.dtype == np.float32
    frames = [np.abs(x[:len(x) // 400 * 400]).reshape(-1, 400).mean(1) for x in (speech, heard)]
    assert np.corrcoef(*frames)[0, 1] > 0.8


def test_codecs_are_repeatable(speech) -> None:
    for codec in ("mu-law", "GSM", "G.721"):
        assert (speech_codecs.transcode(speech, codec)
                == speech_codecs.transcode(speech, codec)).all()


def test_a_missing_codec_is_named_with_the_fix(speech, monkeypatch) -> None:
    with pytest.raises(BookError, match="no codec 'MP3'"):
        speech_codecs.transcode(speech, "MP3")
    monkeypatch.setattr(speech_codecs.shutil, "which", lambda _: None)
    with pytest.raises(BookError, match="needs ffmpeg"):
        speech_codecs.transcode(speech, "AMR")
    assert "AMR" not in speech_codecs.available()


def test_noise_has_the_level_asked_for(speech) -> None:
    noisy = line_noise.line_noise(speech, RATE, snr_db=15, seed=1)
    noise = np.sqrt(np.mean((noisy - speech) ** 2))
    level = line_noise.active_level(speech, RATE)
    assert 20 * np.log10(level / noise) == pytest.approx(15, abs=0.5)
    assert (noisy == line_noise.line_noise(speech, RATE, 15, seed=1)).all()
    assert (noisy != line_noise.line_noise(speech, RATE, 15, seed=2)).any()


def test_comfort_noise_fills_pauses_and_leaves_speech() -> None:
    tone = 0.3 * np.sin(np.arange(RATE) * 0.3).astype("f4")
    clip = np.concatenate([tone, np.zeros(RATE, "f4"), tone])
    filled = line_noise.comfort_noise(clip, RATE, dbov=-60)
    assert (filled[:RATE] == tone).all()
    pause = np.sqrt(np.mean(filled[RATE + 200:2 * RATE - 200] ** 2))
    assert 20 * np.log10(pause) == pytest.approx(-60, abs=1)


def test_level_is_set_and_overdriven_speech_clips(speech) -> None:
    quiet = line_noise.set_level(speech, -26)
    assert 20 * np.log10(line_noise.active_level(quiet, RATE)) == pytest.approx(-26, abs=0.1)
    assert np.abs(quiet).max() < 0.999
    assert np.mean(np.abs(line_noise.set_level(speech, -1)) >= 0.999) > 0.01


def test_losses_have_the_rate_and_the_bursts_asked_for() -> None:
    lost = packet_loss.lost_packets(200_000, rate=0.1, burst=4, seed=0)
    assert lost.mean() == pytest.approx(0.1, abs=0.01)
    bursts = np.count_nonzero(np.diff(lost.astype(int)) == 1)
    assert lost.sum() / bursts == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("concealment", ["silence", "repeat"])
def test_only_lost_packets_change(speech, concealment) -> None:
    heard = packet_loss.drop_packets(speech, RATE, 0.2, 2, seed=3, concealment=concealment)
    lost = packet_loss.lost_packets(-(-len(speech) // 160), 0.2, 2, seed=3)
    gone = np.repeat(lost, 160)[:len(speech)]
    assert (heard[~gone] == speech[~gone]).all() and lost.any()
    assert (heard[gone] == 0).all() == (concealment == "silence")


@pytest.mark.parametrize(("options", "sentence"), [
    ({"rate": 1.0}, "loss rate"), ({"rate": 0.1, "burst": 0.5}, "mean burst"),
    ({"rate": 0.9, "burst": 2}, "at least 9.00")])
def test_losses_that_cannot_be_are_refused(options, sentence) -> None:
    with pytest.raises(BookError, match=sentence):
        packet_loss.lost_packets(10, **options)


def test_a_call_is_a_pure_function_of_clip_channel_and_seed(speech) -> None:
    channel = Channel("A-law", level_dbov=-20, snr_db=20, loss=0.1, burst=2, comfort=True)
    first, again, other = (call(speech, RATE, channel, seed) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()


def test_a_call_of_two_legs_is_not_averaged(tmp_path) -> None:
    path = tmp_path / "call.wav"
    legs = np.stack([np.full(800, 0.25), np.full(800, -0.25)], axis=1)
    soundfile.write(path, legs, RATE)
    with pytest.raises(BookError, match="call.wav has 2 channels.*leg=0 or leg=1"):
        recordings.read_call(path)
    left, rate = recordings.read_call(path, leg=0)
    assert rate == RATE and left.mean() == pytest.approx(0.25, abs=0.001)
    with pytest.raises(BookError, match="no leg 2"):
        recordings.read_call(path, leg=2)


def test_a_file_that_is_not_audio_is_named(tmp_path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("not audio")
    with pytest.raises(BookError, match="notes.wav cannot be read as audio"):
        recordings.read_call(path)
    with pytest.raises(BookError, match="no file"):
        recordings.read_call(tmp_path / "missing.wav")


def test_a_call_costs_no_more_than_the_features_that_are_made_of_it() -> None:
    """Else whoever sends a training set through the channel waits for it, not for the model."""
    clip = np.random.default_rng(0).standard_normal(16_000 * 60).astype("f4") * 0.05
    channel = Channel(snr_db=20, loss=0.05, burst=2, concealment="repeat")
    features, wave = mel.frontend("pretrained"), torch.from_numpy(clip)[None]

    def seconds(work: Callable[[], object]) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    through = min(seconds(lambda: call(clip, 16_000, channel)) for _ in range(3))
    assert through < 3 * min(seconds(lambda: features(wave, torch.tensor([len(clip)])))
                             for _ in range(3))
