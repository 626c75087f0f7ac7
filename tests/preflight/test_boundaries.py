"""Lengths at a limit, and lengths counted in several ways: what FunASR keeps, what audio holds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from funasr_preflight.manifest import scanning
from funasr_preflight.manifest.scanning import scan
from funasr_preflight.manifest.settings import FilterConf
from helpers.speech.manifests import chatml, write_manifest
from helpers.speech.turns import line
from helpers.training import batches

MAIN = "config_8k_telephone"
LIMIT = 300


@pytest.mark.parametrize("sum_of_both", [LIMIT - 1, LIMIT, LIMIT + 1])
def test_speech_and_text_at_the_samplers_limit_are_kept_as_funasr_does(sum_of_both, tmp_path):
    changes = {"max_token_length": LIMIT, "min_source_length": 1}
    items = [line(f"turn {number}", (sum_of_both - 10) / 100, 10) for number in range(3)]
    conf = FilterConf.of({"dataset_conf": batches.dataset_conf(MAIN, changes)})
    short = line("short", 1.0, 10)
    kept = batches.reach(MAIN, [*items, short], changes, collate=False).kept["sampler"][:3].sum()
    report = scan(write_manifest(items, tmp_path / "m.jsonl"), conf)
    assert report.kept_utterances == kept == (3 if sum_of_both <= LIMIT else 0)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 7.3])
def test_a_length_counted_in_either_usual_way_agrees_with_the_audio(seconds, tmp_path) -> None:
    """25 ms windows every 10 ms, only whole ones (Kaldi) or one for every 10 ms begun (Whisper)."""
    samples = int(seconds * 8000)
    soundfile.write(tmp_path / "a.wav", np.zeros(samples), 8000)
    counts = [1 + (samples - 200) // 80, -(-samples // 80)]
    wrong = round(counts[0] * 1.1) + 8  # some words more than the audio holds
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(chatml(f"{count}", str(tmp_path / "a.wav"), "yes", count, 1))
                            + "\n" for count in [*counts, wrong]))
    found = scan(path, FilterConf(), sample_audio=scanning.ALL).audio
    assert [number for number, *_ in found.disagreeing] == [3]
