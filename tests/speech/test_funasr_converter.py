"""Is it FunASR's own converter that runs, with a tokenizer of this machine?"""

from __future__ import annotations

import pytest

from helpers.speech import corpus, funasr_converter, manifests

pytestmark = pytest.mark.slow


def test_it_pairs_line_with_line(tmp_path) -> None:
    items = corpus.load_set("valid")[:4]
    folder = manifests.write_kaldi(items, tmp_path / "good")
    lists = folder / "wav.scp", folder / "text"
    found = funasr_converter.convert(*lists, tmp_path / "good.jsonl")
    assert [manifests.transcript(line) for line in found] == [
        manifests.transcript(item) for item in items]
    assert [line["text_length"] for line in found] == [item["text_length"] for item in items]
    rows = lists[1].read_text().splitlines()
    lists[1].write_text("\n".join([rows[0], *rows[2:]]))
    found = funasr_converter.convert(*lists, tmp_path / "shifted.jsonl")
    assert [manifests.transcript(line) for line in found] == [manifests.transcript(items[0])]
