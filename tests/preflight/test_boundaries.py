"""A length that is exactly the limit: FunASR's own index and sampler decide, the checker follows.

A reader who sets a limit to the longest utterance wants to know whether that one is trained on.
"""

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


@pytest.mark.parametrize("near", [LIMIT - 1, LIMIT, LIMIT + 1])
@pytest.mark.parametrize("key", ["max_source_length", "min_source_length", "max_target_length",
                                 "max_token_length"])
def test_a_line_at_a_limit_is_kept_or_left_out_as_funasr_does(key, near, tmp_path) -> None:
    speech, tokens = (200, near) if key == "max_target_length" else (near, 10)
    if key == "max_token_length":
        speech = near - tokens
    common = {"max_token_length": 5000, "batch_size": 5000, "min_source_length": 1}
    items = [line(f"turn {number}", speech / 100, tokens) for number in range(3)]
    changes = common | {key: LIMIT}
    conf = FilterConf.of({"dataset_conf": batches.dataset_conf(MAIN, changes)})
    other = line("other", 4.0 if key.startswith("min") else 1.0, 10)
    kept = batches.reach(MAIN, [*items, other], changes, collate=False)
    report = scan(write_manifest(items, tmp_path / "m.jsonl"), conf)
    assert report.kept_utterances == int(kept.kept["sampler"][:3].sum())


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
