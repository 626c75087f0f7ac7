"""The two lengths of every line of a chunk, found in its bytes with numpy, many lines at a time.

An unescaped `"speech_length":` in valid JSON is a key and nothing else. Where a chunk is in any way
unusual (a key missing or twice in a line, a value that is not a plain number of at most seven
digits, a line that is no object), nothing is returned and the chunk is read with types.

Where every line ends in `"speech_length": N, "text_length": N}`, as in FunASR's own examples, no
more than its end is looked at: what stands there belongs to the line's outer object.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

NEWLINE, UNDERSCORE = b"\n_"
CHECKED = 3
"""Lines of each chunk that are also read with types and compared."""
MARGIN = 64
"""Bytes before the first line of a buffer, and after the last, that may be looked at."""
_SPEECH, _TEXT, _CLOSING = (np.uint64(int.from_bytes(name, "little"))
                            for name in (b'"speech_', b'\0\0"text_', b'length":'))
_TEXT_MASK = np.uint64(0xFFFFFFFFFFFF0000)
_ZEROS, _NOT_A_DIGIT, _HIGH_BITS = (np.uint64(0x0101010101010101 * byte)
                                    for byte in (0x30, 0x76, 0x80))
_PAIRS, _FOURS, _ALL = (np.uint64(mask) for mask in (
    0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF, 0x00000000FFFFFFFF))
_ONE, _THREE, _EIGHT, _TEN, _SIXTEEN, _THIRTY_TWO, _HUNDRED, _MYRIAD = map(
    np.uint64, (1, 3, 8, 10, 16, 32, 100, 10_000))


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
    found = _at_the_end(padded, words, begins, ends)
    if found is None:
        marks = MARGIN + np.flatnonzero(padded[MARGIN:end] == UNDERSCORE)
        found = _fields(padded, words, marks, begins, ends)
    return None if found is None else (found[0].value, found[1].value)


@dataclass(frozen=True)
class _Field:
    """One field of every line: place of its first quote, its number, place after the number."""

    quote: np.ndarray
    value: np.ndarray
    after: np.ndarray


def _at_the_end(padded: np.ndarray, words: np.ndarray, begins: np.ndarray, ends: np.ndarray
                ) -> tuple[_Field, _Field] | None:
    """The two fields where they are the last of every line, and nothing stands between them."""
    windows = np.ndarray((len(padded) - MARGIN + 1, MARGIN), np.uint8, padded, 0, (1, 1))
    flat = np.flatnonzero(windows[ends - MARGIN] == UNDERSCORE)
    marks = (ends - MARGIN)[flat // MARGIN] + flat % MARGIN
    found = _fields(padded, words, marks, begins, ends)
    if found is None:
        return None
    speech, text = found
    gap = text.quote - speech.after
    close = (gap == 1) | ((gap == 2) & (padded[speech.after + 1] == ord(" ")))
    return found if (close & (text.after == ends - 1)).all() else None


def _fields(padded: np.ndarray, words: np.ndarray, marks: np.ndarray, begins: np.ndarray,
            ends: np.ndarray) -> tuple[_Field, _Field] | None:
    """The two fields of each line from the places of underscores, or None if unsure."""
    marks = marks[words[marks + 1] == _CLOSING]
    before = words[marks - 7]
    found = []
    for same, long in ((before == _SPEECH, 7), (before & _TEXT_MASK == _TEXT, 5)):
        at = marks[same]
        if len(at) != len(ends) or (at < begins).any() or (at > ends).any():
            return None
        quote = at - long
        if (padded[quote - 1] == ord("\\")).any():
            return None
        numbers = _numbers(padded, words, at + 9)
        if numbers is None:
            return None
        found.append(_Field(quote, *numbers))
    return found[0], found[1]


def _numbers(padded: np.ndarray, words: np.ndarray, at: np.ndarray
             ) -> tuple[np.ndarray, np.ndarray] | None:
    """The plain number after each place and where it ends, or None if one is anything else.

    Eight bytes are looked at in one word: digits are told from the rest by their high bits, the
    rest is shifted out, and neighbours are added up in pairs.
    """
    at = at + (padded[at] == ord(" "))
    digits = words[at] ^ _ZEROS
    others = (digits + _NOT_A_DIGIT | digits) & _HIGH_BITS
    count = np.bitwise_count((others & -others) - _ONE) >> 3
    if (others == 0).any() or (count == 0).any():
        return None
    digits <<= (8 - count).astype(np.uint64) << _THREE
    digits = (digits * _TEN + (digits >> _EIGHT)) & _PAIRS
    digits = (digits * _HUNDRED + (digits >> _SIXTEEN)) & _FOURS
    digits = (digits * _MYRIAD + (digits >> _THIRTY_TWO)) & _ALL
    after = at + count
    closing = padded[after]
    if not ((closing == ord(",")) | (closing == ord("}"))).all():
        return None
    return digits.astype(np.int32), after


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
