"""Does each way of handing over a call end as the chapter on inference says?"""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from helpers.evaluation import audio_inputs
from helpers.model import mini
from helpers.speech import manifests
from helpers.telephone import g711
from helpers.telephone.channel import telephone_set


def test_bytes_of_a_line_are_the_samples_of_the_recommendation() -> None:
    codes = np.arange(256, dtype=np.uint8)
    for subtype, law in (("ULAW", "mu-law"), ("ALAW", "A-law")):
        samples = audio_inputs.raw_samples(codes.tobytes(), subtype)
        assert samples.dtype == torch.float32
        assert np.array_equal((32768 * samples.numpy()).astype(int), g711.decode(codes, law))
    pcm = np.array([0, 1, -32768], dtype="<i2")
    assert audio_inputs.raw_samples(pcm.tobytes(), "PCM_16").tolist() == [0, 1 / 32768, -1]


@pytest.mark.parametrize("level", [-40.0, -60.0])
def test_nobody_speaks_at_the_level_that_is_asked_for(level) -> None:
    noise = audio_inputs.without_speech(4.0, level, seed=1).numpy()
    assert 20 * np.log10(noise.std()) == pytest.approx(level, abs=0.2)
    assert not audio_inputs.without_speech(4.0, None, seed=1).any()
    assert len(noise) == 32000


def test_an_error_is_its_name_and_its_first_line() -> None:
    def fails():
        raise ValueError("one\ntwo")

    assert audio_inputs.attempt(fails) == ("", "ValueError: one")
    assert audio_inputs.attempt(lambda: "text") == ("text", "")


def test_a_result_without_words_has_no_score() -> None:
    assert audio_inputs.alignment_score({"text": ""}) == 0
    assert audio_inputs.alignment_score({"timestamps": [{"score": 0.2}, {"score": 0.4}]}) == (
        pytest.approx(0.3))


@pytest.mark.slow
def test_funasr_hears_a_call_only_with_its_rate(tmp_path) -> None:
    model = audio_inputs.recogniser(mini.model_directory("mini"))
    path = manifests.audio_path(telephone_set("test", 1)[0])
    samples, rate = soundfile.read(path, dtype="float32")
    right, error = audio_inputs.outcome(model, path)
    assert right and not error and rate == 8000
    assert audio_inputs.outcome(model, torch.from_numpy(samples), audio_fs=rate)[0] == right
    assert audio_inputs.outcome(model, torch.from_numpy(samples))[0] not in ("", right)
    assert "data_src" in audio_inputs.outcome(model, torch.from_numpy(samples), fs=rate)[1]
    for refused in (samples, samples.tobytes()):
        assert "NoneType" in audio_inputs.outcome(model, refused, audio_fs=rate)[1]
    assert audio_inputs.counted(model, [path, path], batch_size=2)[1] == 2
    plain = audio_inputs.prompt_of(model, path)
    assert audio_inputs.prompt_of(model, path, hotword="Watson") == plain
    assert "[Watson]" in audio_inputs.prompt_of(model, path, hotwords=["Watson"])
    assert "[W, a, t" in audio_inputs.prompt_of(model, path, hotwords="Watson")
