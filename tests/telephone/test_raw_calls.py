"""Are the folders that a chapter converts what they say, faults included?"""

from __future__ import annotations

import csv
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from helpers.errors import BookError
from helpers.speech import corpus, manifests
from helpers.telephone import raw_calls
from helpers.telephone.channel import telephone_set
from helpers.telephone.recordings import TELEPHONE_RATE


def test_the_lists_lack_one_line_and_have_every_fault(tmp_path) -> None:
    items = telephone_set("valid", 6)
    folder = raw_calls.kaldi(items, tmp_path / "kaldi")
    keys = {name: [line.split()[0] for line in (folder / name).read_text().splitlines()]
            for name in ("wav.scp", "text", "utt2spk")}
    assert keys["wav.scp"][:6] == keys["utt2spk"] == [item["key"] for item in items]
    assert set(keys["utt2spk"]) - set(keys["text"]) == {items[raw_calls.UNTRANSCRIBED]["key"]}
    assert not (folder / "gone.wav").exists() and "piped" in keys["wav.scp"]
    samples, rate = soundfile.read(folder / f"{items[0]['key']}.wav")
    assert rate == TELEPHONE_RATE and 100 * len(samples) / rate == pytest.approx(
        items[0]["speech_length"], abs=4)


def test_each_turn_of_the_table_is_heard_on_its_leg_alone(tmp_path) -> None:
    items = telephone_set("valid", 5)
    table = raw_calls.two_legs(items, tmp_path)
    both, rate = soundfile.read(tmp_path / "call.wav")
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == [manifests.transcript(item) for item in items]
    assert [row["channel"] for row in rows] == list("ABABA")
    for row in rows:
        part = both[int(float(row["start"]) * rate):int(float(row["end"]) * rate)]
        power = (part ** 2).mean(0)
        own = "AB".index(row["channel"])
        assert power[own] > 100 * power[1 - own]


def test_a_long_call_has_its_sentences_where_it_says(tmp_path) -> None:
    items = telephone_set("valid", 9)
    scp, spans = raw_calls.long_call(items, tmp_path)
    samples, rate = soundfile.read(tmp_path / "long.wav")
    assert scp.read_text() == "long long.wav\n" and len(spans) == 9
    gaps = [later - end for (_, end), (later, _) in pairwise(spans)]
    assert max(gaps) == pytest.approx(raw_calls.LONG_PAUSE_SECONDS) and min(gaps) > 0.5
    for start, end in spans:
        inside = np.sqrt((samples[int(start * rate):int(end * rate)] ** 2).mean())
        before = np.sqrt((samples[int((start - 0.5) * rate):int(start * rate)] ** 2).mean())
        assert inside > 10 * before


def test_wideband_is_no_call(tmp_path) -> None:
    with pytest.raises(BookError, match="16000 Hz"):
        raw_calls.long_call(corpus.load_set("valid")[:1], tmp_path)
