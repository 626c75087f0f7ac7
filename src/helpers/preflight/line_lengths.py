"""The two lengths of every line of a chunk, found in its bytes with numpy, many lines at a time.

An unescaped `"speech_length":` in valid JSON is a key and nothing else. Where a chunk is in any way
unusual (a key missing or twice in a line, a value that is not a plain number of at most eight
digits, a line that is no object), nothing is returned and the chunk is read with types.
"""

from __future__ import annotations

import msgspec
import numpy as np

NEWLINE, UNDERSCORE = b"\n_"
CHECKED = 3
"""Lines of each chunk that are also read with types and compared."""
LONGEST_NUMBER = 8
MARGIN = 32
"""Bytes before the first line of a buffer, and after the last, that may be looked at."""
_OPENING = {"speech": np.uint64(int.from_bytes(b'"speech_', "little")),
            "text": np.uint64(int.from_bytes(b'  "text_', "little"))}
_TEXT_MASK = np.uint64(0xFFFFFFFFFFFF0000)
_CLOSING = np.uint64(int.from_bytes(b'length":', "little"))


class _Lengths(msgspec.Struct, gc=False):
    speech_length: int
    text_length: int
    messages: msgspec.Raw


_DECODER = msgspec.json.Decoder(_Lengths)


class Reader:
    """Reads chunk after chunk of one file; after `PATIENCE` unusual ones it tries no more."""

    PATIENCE = 3

    def __init__(self):
        self.unusual = 0

    def read(self, buffer: bytearray, end: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Speech frames and text tokens of each line; None where they must be read whole.

        Args:
            buffer: whole lines from `MARGIN` on.
            end: end of the last of them; at least `MARGIN` bytes follow it.
        """
        if self.unusual >= self.PATIENCE:
            return None
        found = lengths(buffer, end)
        if found is None or not _agrees(buffer, *found):
            self.unusual += 1
            return None
        return found


def lengths(buffer: bytearray, end: int) -> tuple[np.ndarray, np.ndarray] | None:
    """`speech_length` and `text_length` of each line as int32, or None if unsure."""
    padded = np.frombuffer(buffer, np.uint8, end + MARGIN)
    if padded[end - 1] != NEWLINE:
        return None
    ends = MARGIN + np.flatnonzero(padded[MARGIN:end] == NEWLINE)
    begins = np.empty_like(ends)
    begins[0] = MARGIN
    begins[1:] = ends[:-1] + 1
    if (padded[begins] != ord("{")).any() or (padded[ends - 1] != ord("}")).any():
        return None
    words = np.ndarray(len(padded) - 7, "<u8", padded, 0, (1,))
    marks = MARGIN + np.flatnonzero(padded[MARGIN:end] == UNDERSCORE)
    marks = marks[words[marks + 1] == _CLOSING]
    before = words[marks - 7]
    found = []
    for name, opening in _OPENING.items():
        same = before == opening if name == "speech" else (
            (before & _TEXT_MASK) == (opening & _TEXT_MASK))
        at = marks[same]
        if len(at) != len(ends) or (at < begins).any() or (at > ends).any():
            return None
        quote = at - (7 if name == "speech" else 5)
        if (padded[quote - 1] == ord("\\")).any():
            return None
        numbers = _numbers(padded, words, at + 9)
        if numbers is None:
            return None
        found.append(numbers)
    return found[0], found[1]


def _numbers(padded: np.ndarray, words: np.ndarray, at: np.ndarray) -> np.ndarray | None:
    """The plain number after each place, or None if one of them is anything else."""
    at = at + (padded[at] == ord(" "))
    word = words[at]
    value = np.zeros(len(at), np.int32)
    going = np.ones(len(at), bool)
    for digit in range(LONGEST_NUMBER):
        byte = ((word >> np.uint64(8 * digit)) & np.uint64(255)).astype(np.int32)
        going &= (byte >= 48) & (byte <= 57)
        if digit == 0 and not going.all():
            return None
        if not going.any():
            break
        value = np.where(going, value * 10 + byte - 48, value)
        at = at + going
    closing = padded[at]
    if not ((closing == ord(",")) | (closing == ord("}"))).all():
        return None
    return value


def _agrees(buffer: bytearray, speech: np.ndarray, text: np.ndarray) -> bool:
    """Whether the first lines of a chunk say the same when they are read with types."""
    place = MARGIN
    for number in range(min(CHECKED, len(speech))):
        end = buffer.index(b"\n", place)
        try:
            line = _DECODER.decode(buffer[place:end])
        except (msgspec.DecodeError, RecursionError):
            return False
        if (line.speech_length, line.text_length) != (speech[number], text[number]):
            return False
        place = end + 1
    return True
