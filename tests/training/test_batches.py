"""Would a reader be told that an utterance is served, or lost, where FunASR does otherwise?"""

from __future__ import annotations

import pytest

from helpers.config import configs
from helpers.errors import BookError
from helpers.speech.turns import line, telephone_manifest
from helpers.training import batches

MAIN, STAGE1 = configs.FINE_TUNING


def test_the_sampler_counts_frames_and_text_together() -> None:
    fits, too_much = line("fits", 10.0, 24), line("too much", 10.0, 25)
    kept = batches.reach(MAIN, [fits, too_much]).kept
    assert kept["index"].all() and kept["sampler"].tolist() == [True, False]


def test_text_is_as_long_as_the_manifest_says() -> None:
    short, longer = (batches.fetch(MAIN, [line("a", 3.0, tokens)], {})[0]
                     for tokens in (5, 9))
    assert len(longer["input_ids"]) - len(short["input_ids"]) == 4


def test_the_dataset_replaces_what_the_sampler_let_pass() -> None:
    items = [line("long text", 1.0, 90), *(line(str(n), 0.2, 1) for n in range(9))]
    found = batches.reach(MAIN, items, {"max_token_length": 200, "prompt_classes": None})
    assert found.replaced == 0
    found = batches.reach(MAIN, items, {"max_token_length": 200})
    assert found.kept["sampler"][0] and not found.kept["dataset"][0] and found.replaced == 1


def test_the_collator_drops_the_longest_of_a_batch() -> None:
    items = [line(str(n), 1.0 + n, 4) for n in range(6)]
    kept = batches.reach(STAGE1, items, {"batch_size_token_max": 600}).kept["collator"]
    assert kept.any() and not kept[-1]


def test_a_single_file_is_read_once_a_split_and_a_list_once() -> None:
    items = telephone_manifest(8)
    assert batches.splits(MAIN, items).lines == 512 * 8
    assert batches.splits(MAIN, items, files=2).lines == 8


def test_padding_is_none_between_equals_and_found_between_unequals() -> None:
    assert batches.reach(MAIN, [line(str(n), 2.0, 5) for n in range(4)]).padding == 0
    pair = [line("one", 1.0, 5), line("three", 3.0, 5)]
    assert batches.reach(MAIN, pair).padding == pytest.approx(1 / 3)


def test_none_takes_a_key_away() -> None:
    assert "batch_size_token_max" not in batches.dataset_conf(STAGE1,
                                                              {"batch_size_token_max": None})


def test_an_empty_manifest_is_one_sentence() -> None:
    with pytest.raises(BookError, match="manifest is empty"):
        batches.reach(MAIN, [])
