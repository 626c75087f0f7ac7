"""Do two GPUs learn what one learns with the same global batch, and where do they not?

Two real processes talk through gloo; sampler, optimizer and training loop are FunASR's own.
Dither and dropout are off, everything is float32. Losses may differ by 1e-4 of their size, which
leaves room for another order of summation on another machine. Weights count as alike when they lie
ten times nearer to each other than to those of the run that weighs every token alike.
"""

from __future__ import annotations

from unittest import mock

import pytest

from helpers.speech.turns import telephone_manifest
from helpers.telephone.channel import telephone_set
from helpers.training import batches, data_parallel
from helpers.training.data_parallel import ALIKE

pytestmark = pytest.mark.slow

STAGE1 = "stage1_encoder_adapt"
TOLERANCE = 1e-4


def close(one, other):
    return one == pytest.approx(other, rel=TOLERANCE)


@pytest.fixture(scope="module")
def even():
    """Utterances that make an even number of batches."""
    return telephone_set("adapt", 22)


@pytest.fixture(scope="module")
def two(even):
    return data_parallel.one_pass(STAGE1, even, ALIKE, processes=2)


@pytest.fixture(scope="module")
def joined(even):
    return data_parallel.one_pass(STAGE1, even, ALIKE, joined=True)


def test_two_processes_do_what_one_does_with_the_same_global_batch(even, two, joined) -> None:
    one = data_parallel.one_pass(STAGE1, even, ALIKE)
    assert len(two.losses) == len(one.losses) >= 4 and {*map(len, one.losses)} == {2}
    assert one.tokens == two.tokens
    assert close(one.means(), two.means())
    assert one.distance(two) < two.distance(joined) / 10
    assert two.means()[-1] < two.means()[0]  # the weights that agree have moved, and to the good


def test_the_mean_over_processes_is_not_the_mean_over_tokens(two, joined) -> None:
    """DDP averages the processes' gradients; each loss is a mean over its own tokens."""
    losses, tokens = two.losses[0], two.tokens[0]
    assert joined.tokens[0] == [sum(tokens)] and tokens[0] != tokens[1]
    by_token = sum(loss * count for loss, count in zip(losses, tokens, strict=True)) / sum(tokens)
    assert close(joined.losses[0][0], by_token)
    assert not close(joined.losses[0][0], two.means()[0])
    assert two.distance(joined) > 0.01


def test_an_odd_batch_is_filled_up_for_two_processes_and_left_out_by_one() -> None:
    odd = telephone_set("adapt", 24)
    two = data_parallel.one_pass(STAGE1, odd, ALIKE, processes=2)
    one = data_parallel.one_pass(STAGE1, odd, ALIKE)
    assert len(one.losses[-1]) == 1 and len(two.losses[-1]) == 2
    assert one.losses[-1][0] == pytest.approx(two.losses[-1][0], rel=TOLERANCE)
    assert close(one.means()[:-1], two.means()[:-1])
    assert one.distance(two) > 0.01  # only two processes have taken the last step


def dealt(items, processes):
    """The keys in each batch, in the order in which the processes train on them together."""
    with batches.loader(STAGE1, items, {"sort_size": 1024, "data_split_num": 1}) as made:
        parts = []
        for rank in range(processes):
            with (mock.patch("torch.distributed.get_rank", return_value=rank),
                  mock.patch("torch.distributed.get_world_size", return_value=processes)):
                parts.append([batch for batch in made.build_iter()[0].batch_sampler if batch])
    return [batch for step in zip(*parts, strict=True) for batch in step]


def test_a_list_longer_than_the_sorting_buffer_makes_other_batches_for_two() -> None:
    short, long = telephone_manifest(500), telephone_manifest(3000)
    same = dealt(short, 1)
    assert dealt(short, 2)[:len(same)] == same
    assert dealt(long, 2) != dealt(long, 1)
