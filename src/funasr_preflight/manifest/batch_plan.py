"""FunASR's order and batches of a pass, computed from lengths alone, many buffers at a time.

What `helpers.training.batches` finds by running the library's own loader, this finds in numpy
without torch, for millions of lines; a test holds one against the other.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from funasr_preflight.laws import geometry
from funasr_preflight.manifest.settings import ESPNET, FilterConf

EXACT_LINES = 200_000
"""Up to so many lines, the shuffled order is the very one of FunASR; above, another random one."""
BLOCK = 1 << 19
WIDEST_BUFFER = 8192
LARGEST_EXAMPLE_BATCH = 1 << 22
"""A greater number of samples in a batch is taken for this one: lines repeat to fill it."""
TEMPLATE_TOKENS = 25
"""Tokens of the released system and user prompt and of the chat template, about."""
CONTEXT_TOKENS = 121
"""Tokens that MultiContextPrompt adds in training, about."""


@dataclass(frozen=True)
class Plan:
    """The batches of one pass over the kept lines, or of all passes of an epoch over parts of them.

    Attributes:
        batches: how many, of all processes together, without empty ones.
        passes: for each pass, the batches that every process gets, empty and repeated ones among
            them.
        uneven: whether the sampler stops at a number of lines that does not divide evenly.
        empty: batches without a sample, which end the run in the collator.
        served: samples in them; with `batch_type` "example" some are served twice.
        padding_share: share of samples x longest that is padding, over all batches, by speech.
        longest: samples and speech frames of the batch that takes most frames.
        dropped: samples that the collator drops, estimated from the lengths of the LLM's input.
        left_out: samples whose LLM input is over the dataset's limit, so another one is served.
        padded_frames: speech frames of all batches, padding included.
        order: "exact" where the batches are those of FunASR's first epoch, "alike" where they come
            from another random order.
        unfilled: lines and speech frames of last batches, which `drop_last` leaves out.
    """

    batches: int = 0
    passes: tuple[tuple[int, ...], ...] = ()
    uneven: bool = False
    empty: int = 0
    served: int = 0
    padding_share: float = 0.0
    longest: tuple[int, int] = (0, 0)
    dropped: int = 0
    left_out: int = 0
    order: str = "exact"
    padded_frames: int = 0
    unfilled: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Block:
    """Some batches: indices into the lengths, and where each batch starts in them.

    Attributes:
        process: whose they are; None where the batches of all are dealt out in turn.
        unfilled: indices of a last batch that `drop_last` leaves out.
    """

    indices: np.ndarray
    starts: np.ndarray
    empty: int = 0
    process: int | None = None
    unfilled: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint32))


def torch_order(count: int, seed: int) -> np.ndarray:
    """The permutation that `torch.randperm` draws on the CPU with a fresh generator."""
    drawn = np.random.RandomState(seed).randint(0, 2**32, max(count - 1, 0), np.uint32)
    targets = np.arange(count - 1, dtype=np.int64) + drawn % (count - np.arange(count - 1))
    order = list(range(count))
    for index, target in enumerate(targets.tolist()):
        order[index], order[target] = order[target], order[index]
    return np.array(order, np.uint32)


def order(count: int, conf: FilterConf, exact: int = EXACT_LINES) -> np.ndarray:
    """Order in which the sampler goes through `count` lines in the first epoch."""
    if not conf.shuffle or count < 2:
        return np.arange(count, dtype=np.uint32)
    if count <= exact:
        return torch_order(count, 0)
    drawn = np.arange(count, dtype=np.uint32)
    np.random.default_rng(0).shuffle(drawn)
    return drawn


def blocks(lengths: np.ndarray, conf: FilterConf) -> Iterator[Block]:
    """Every batch of a pass in FunASR's order, except that ESPnet's are not shuffled in the end.

    Args:
        lengths: speech plus text of each line that the index kept.
    """
    if conf.batch_sampler == ESPNET:
        counted = np.ones_like(lengths) if conf.batch_type == "example" else lengths
        for block in _sorted_blocks(counted, order(len(lengths), conf), len(lengths), None,
                                    conf.batch_size, None):
            yield _without_last(block, counted, conf) if conf.drop_last else block
    elif conf.batch_type == "example":
        yield from _example_blocks(lengths, conf)
    elif conf.sort_size > 0:
        yield from _sorted_blocks(lengths, order(len(lengths), conf),
                                  conf.sort_size * conf.processes, conf.max_token_length,
                                  conf.batch_size, conf.batch_size_sample_max)
    else:
        drawn = order(len(lengths), conf)
        for process in range(conf.processes):
            yield _unsorted(lengths, drawn[process::conf.processes], conf, process)


def llm_tokens(speech, text, conf: FilterConf):
    """Length of the LLM's input, estimated from a line's frames and tokens, or from arrays."""
    heard = geometry.speech_tokens(geometry.encoder_frames(np.asarray(speech, np.int64)))
    return heard + text + TEMPLATE_TOKENS + (CONTEXT_TOKENS if conf.prompt else 0)


def plan_of_parts(speech: np.ndarray, text: np.ndarray, conf: FilterConf,
                  ends: Sequence[int]) -> Plan:
    """What an epoch makes of lines that are read in parts, one pass each.

    Args:
        ends: where each part ends among the lines.
    """
    parts = [plan(speech[start:end], text[start:end], conf)
             for start, end in pairwise((0, *ends))]
    summed = {name: sum(getattr(part, name) for part in parts) for name in (
        "batches", "empty", "served", "dropped", "left_out", "padded_frames")}
    spoken = sum(part.padded_frames * (1 - part.padding_share) for part in parts)
    padded = summed["padded_frames"]
    return Plan(
        **summed, passes=tuple(each for part in parts for each in part.passes),
        uneven=any(part.uneven for part in parts),
        padding_share=1 - spoken / padded if padded else 0.0,
        longest=max((part.longest for part in parts), key=math.prod, default=(0, 0)),
        order="exact" if all(part.order == "exact" for part in parts) else "alike",
        unfilled=(sum(part.unfilled[0] for part in parts), sum(part.unfilled[1] for part in parts)))


def plan(speech: np.ndarray, text: np.ndarray, conf: FilterConf) -> Plan:
    """What one pass over these lines makes of them.

    Args:
        speech: 10 ms frames of each line that the index kept.
        text: tokens of each.
    """
    lengths = speech + text
    own = [0] * conf.processes
    dealt = 0
    count = empty = served = dropped = left_out = 0
    padded = spoken = unfilled = unheard = 0
    longest = (0, 0)
    for block in blocks(lengths, conf):
        empty += block.empty
        unfilled += len(block.unfilled)
        unheard += int(speech[block.unfilled].sum(dtype=np.int64))
        if block.process is None:
            dealt += block.empty + len(block.starts)
        else:
            own[block.process] += block.empty + len(block.starts)
        if not len(block.starts):
            continue
        frames = speech[block.indices]
        sizes = np.diff(block.starts, append=len(block.indices))
        frames_of_longest = np.maximum.reduceat(frames, block.starts).astype(np.int64)
        area = sizes * frames_of_longest
        worst = int(area.argmax())
        longest = max(longest, (int(sizes[worst]), int(frames_of_longest[worst])), key=math.prod)
        count += len(sizes)
        served += int(sizes.sum())
        padded += int(area.sum())
        spoken += int(frames.sum(dtype=np.int64))
        tokens = llm_tokens(frames, text[block.indices], conf)
        if conf.retry > 1:
            left_out += int((tokens > conf.dataset_token_length).sum())
        if conf.token_type:
            dropped += _dropped(tokens, block.starts, sizes, conf.batch_size_token_max,
                                max(0, conf.retry - 1))
    exact = not conf.shuffle or len(lengths) <= EXACT_LINES
    each = -(-dealt // conf.processes)
    return Plan(count, (tuple(batches + each for batches in own),), _uneven(len(lengths), conf),
                empty, served, 1 - spoken / padded if padded else 0.0, longest, dropped, left_out,
                "exact" if exact else "alike", padded, (unfilled, unheard))


def _uneven(count: int, conf: FilterConf) -> bool:
    """Whether `drop_last` with whole samples finds that the lines do not divide evenly."""
    return conf.drop_last and conf.batch_type == "example" and conf.batch_sampler != ESPNET and (
        count % (conf.batch_size * conf.processes) != 0)


def _dropped(tokens: np.ndarray, starts: np.ndarray, sizes: np.ndarray, limit: int,
             most: int) -> int:
    """How many samples leave, the last first, until samples x longest is within the limit, at most
    so many of a batch."""
    over = np.maximum.reduceat(tokens, starts) * sizes > limit
    gone = 0
    for start, size in zip(starts[over].tolist(), sizes[over].tolist(), strict=True):
        inside = np.maximum.accumulate(tokens[start:start + size]) * np.arange(1, size + 1)
        gone += min(most, size - max(1, int((inside <= limit).sum())))
    return gone


def _example_blocks(lengths: np.ndarray, conf: FilterConf) -> Iterator[Block]:
    count = len(lengths)
    if not count:
        return
    size = min(conf.batch_size, max(count, LARGEST_EXAMPLE_BATCH))
    together = size * conf.processes
    whole = np.resize(order(count, conf), -(-count // together) * together)
    for process in range(conf.processes):
        indices = whole[process::conf.processes]
        if conf.max_token_length is not None:
            indices = indices[lengths[indices] <= conf.max_token_length]
        yield Block(indices, np.arange(0, len(indices), size), 0, process)


def _unsorted(lengths: np.ndarray, drawn: np.ndarray, conf: FilterConf, process: int) -> Block:
    """Batches in the drawn order: one goes on until samples x longest is over the batch size."""
    kept = drawn[lengths[drawn] <= conf.max_token_length]
    starts, size, longest, empty = [], 0, 0, 0
    for index, length in enumerate(lengths[kept].tolist()):
        taller = max(longest, length)
        if taller * (size + 1) <= conf.batch_size:
            if not size:
                starts.append(index)
            size, longest = size + 1, taller
        else:
            empty += not size
            starts.append(index)
            size, longest = 1, length
    end = len(kept)
    if conf.drop_last and starts and size * longest != conf.batch_size:
        end = starts.pop()
    return Block(kept[:end], np.array(starts, np.int64), empty, process, kept[end:])


def _without_last(block: Block, lengths: np.ndarray, conf: FilterConf) -> Block:
    """Without the last batch, unless it is exactly full."""
    last = block.indices[block.starts[-1]:] if len(block.starts) else block.indices
    if not len(last) or len(last) * lengths[last].max() == conf.batch_size:
        return block
    return Block(block.indices[:block.starts[-1]], block.starts[:-1], block.empty, unfilled=last)


def _sorted_blocks(lengths: np.ndarray, drawn: np.ndarray, width: int, longest: int | None,
                   size: int, samples: int | None) -> Iterator[Block]:
    """Batches of buffers of `width` lines, each sorted by length; lines over `longest` left out."""
    width = max(1, min(width, len(drawn)))
    step = max(1, BLOCK // width) * width
    limit = np.iinfo(np.int32).max if longest is None else longest
    for begin in range(0, len(drawn), step):
        part = drawn[begin:begin + step]
        buffers = -(-len(part) // width)
        packed = np.full(buffers * width, np.iinfo(np.int64).max, np.int64)
        packed[:len(part)] = lengths[part]
        packed[:len(part)] <<= 32
        packed[:len(part)] |= np.arange(len(part))
        packed = packed.reshape(buffers, width)
        packed.sort(axis=1)
        sorted_lengths = packed >> 32
        inside = sorted_lengths <= limit
        cap = size + 1 if samples is None else samples
        find = _starts_by_column if width <= WIDEST_BUFFER else _starts_by_row
        starts, empty = find(sorted_lengths, inside, size, cap)
        indices = part[(packed & 0xFFFFFFFF)[inside]]
        yield Block(indices, np.flatnonzero(starts[inside]), empty)


def _starts_by_column(lengths: np.ndarray, inside: np.ndarray, size: int, samples: int):
    """Which sorted lines start a batch, all buffers in step; and how many batches are empty.

    The first batch of a buffer holds one sample fewer than the others: FunASR counts it from 1.
    """
    by_column = np.ascontiguousarray(lengths.T)
    starts = np.empty(by_column.shape, bool)
    in_batch = np.zeros(len(lengths), np.int64)
    counted = np.ones(len(lengths), np.int64)
    for column, length in enumerate(by_column):
        joins = (length * (in_batch + 1) <= size) & (counted < samples)
        np.logical_not(joins, out=starts[column])
        in_batch *= joins
        in_batch += 1
        counted *= joins
        counted += 1
    empty = int((starts[0] & inside[:, 0]).sum())
    starts[0] = True
    return np.ascontiguousarray(starts.T), empty


def _starts_by_row(lengths: np.ndarray, inside: np.ndarray, size: int, samples: int):
    """As `_starts_by_column`, one buffer after the other: for few and wide buffers."""
    starts = np.zeros(lengths.shape, bool)
    empty = 0
    for row, counts, first in zip(lengths.tolist(), inside.sum(axis=1).tolist(), starts,
                                  strict=True):
        start, cap = 0, samples - 1
        while start < counts:
            first[start] = True
            fits = bisect_right(range(1, min(cap, counts - start) + 1), size,
                                key=lambda many, at=start: row[at + many - 1] * many)
            empty += not start and not fits
            start += max(1, fits)
            cap = samples
    return starts, empty
