"""Is the telephone's codec the standard's, to the last bit?"""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import soundfile

from helpers.telephone import g711

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = np.arange(256).astype(np.uint8)
INDEPENDENT = {"mu-law": (audioop.lin2ulaw, audioop.ulaw2lin),
               "A-law": (audioop.lin2alaw, audioop.alaw2lin)}


def mu_law_step_by_step(sample: int) -> int:
    """G.711 mu-law as the ITU's software tool library describes it, one sample at a time."""
    magnitude = ((~sample if sample < 0 else sample) >> 2) + 33
    magnitude = min(magnitude, 0x1FFF)
    segment, rest = 1, magnitude >> 6
    while rest:
        segment, rest = segment + 1, rest >> 1
    code = ((8 - segment) << 4) | (0xF - ((magnitude >> segment) & 0xF))
    return code if sample < 0 else code | 0x80


@pytest.mark.parametrize("law", INDEPENDENT)
def test_all_256_codes_decode_as_audioop_decodes_them(law) -> None:
    expected = np.frombuffer(INDEPENDENT[law][1](EVERY_CODE.tobytes(), 2), np.int16)
    assert (g711.decode(EVERY_CODE, law) == expected).all()


def test_a_law_encodes_all_65536_samples_as_audioop_does() -> None:
    expected = np.frombuffer(audioop.lin2alaw(EVERY_SAMPLE.tobytes(), 2), np.uint8)
    assert (g711.encode(EVERY_SAMPLE, "A-law") == expected).all()


def test_mu_law_encodes_all_65536_samples_as_the_standard_does() -> None:
    expected = [mu_law_step_by_step(int(sample)) for sample in EVERY_SAMPLE]
    assert (g711.encode(EVERY_SAMPLE, "mu-law") == expected).all()


def test_other_libraries_differ_only_on_decision_thresholds_of_negative_values() -> None:
    for codes in (audioop.lin2ulaw(EVERY_SAMPLE.tobytes(), 2), _libsndfile("ULAW")):
        other = np.frombuffer(codes, np.uint8)
        differ = g711.encode(EVERY_SAMPLE, "mu-law") != other
        assert 0 < differ.mean() < 0.01 and (EVERY_SAMPLE[differ] < 0).all()
        steps = np.abs(g711.encode(EVERY_SAMPLE, "mu-law").astype(int) - other)[differ]
        assert (steps == 1).all()


@pytest.mark.parametrize("law", INDEPENDENT)
def test_a_second_passage_changes_nothing(law) -> None:
    once = g711.transcode(EVERY_SAMPLE / 32768, law)
    assert (g711.transcode(once, law) == once).all() and len(np.unique(once)) <= 256


def _libsndfile(subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, EVERY_SAMPLE, 8000, format="RAW", subtype=subtype)
    return buffer.getvalue()
