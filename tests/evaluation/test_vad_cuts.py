"""Is the speech that a VAD found the speech that FunASR hands on?"""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from helpers.evaluation import audio_inputs, vad_cuts
from helpers.model import mini
from helpers.telephone.channel import telephone_set

SEGMENTS = ((1000, 3000), (4000, 6000), (7000, 9000))


def test_at_16_khz_a_segment_is_where_it_is() -> None:
    pieces = vad_cuts.cut_at(SEGMENTS, 16000, 10.0)
    assert np.abs(1000 * np.array(pieces) - SEGMENTS).max() < 1


def test_at_8_khz_it_is_at_twice_its_time_and_the_end_is_gone() -> None:
    first, second, third = vad_cuts.cut_at(SEGMENTS, 8000, 10.0)
    assert first == pytest.approx((2, 6), abs=1e-3) and second == pytest.approx((8, 10), abs=1e-3)
    assert third == (10.0, 10.0)


def test_a_long_call_says_where_its_sentences_lie() -> None:
    items = telephone_set("test", 3)
    call = vad_cuts.long_call(items, pause_seconds=0.5)
    assert [start for start, _ in call.segments][0] == 500
    for start, end in call.segments:
        assert np.abs(call.samples[8 * start:8 * end]).max() > 0.01
        assert not call.samples[8 * start - 3200:8 * start - 8].any()


@pytest.mark.slow
def test_with_a_vad_funasr_takes_a_file_and_no_array(tmp_path) -> None:
    call = vad_cuts.long_call(telephone_set("test", 2))
    soundfile.write(tmp_path / "call.wav", call.samples, 8000)
    model = vad_cuts.give_vad(audio_inputs.recogniser(mini.model_directory("mini")), call.segments)
    result = audio_inputs.generated(model, str(tmp_path / "call.wav"))[0]
    begins = [one["start_time"] for one in result["timestamps"]]
    assert begins == sorted(begins) and 1000 * begins[-1] > call.segments[1][0]
    for more in ({"fs": 8000}, {"audio_fs": 8000}):
        assert "data_src" in audio_inputs.outcome(model, call.samples, **more)[1]
