"""A manifest of any length, read as a stream: what FunASR's index and sampler make of its lines.

`scan` reads every line with types (`full=True`), or only its two lengths (`full=False`), passing
over the rest of the line's JSON.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from funasr_preflight.errors import BookError
from funasr_preflight.laws.geometry import FEATURE_FRAMES_AN_HOUR
from funasr_preflight.manifest.audio_probe import ALL, SHOWN, AudioProbe, AudioReport, Shown
from funasr_preflight.manifest.batch_plan import Plan, plan, plan_of_parts
from funasr_preflight.manifest.settings import FilterConf
from funasr_preflight.manifest.transcripts import suspicious
from funasr_preflight.texts import Text, quoted, say

__all__ = ["ALL", "FilterConf", "ManifestReport", "batches_per_epoch", "common",
           "passes_per_epoch", "scan", "steps_per_epoch"]

CHUNK = 1 << 18
LONGEST_LINE = 16 << 20
"""Bytes; a longer line is passed over, in constant memory."""
HISTOGRAM = 12_001
"""Buckets of 10 ms; the last holds everything longer."""
LARGEST = 2**31 - 1

LOST = {
    "unreadable": say("no line that the index can read"),
    "other_index": say("the class in index_ds does not read `messages`"),
    "no_text_length": say("text_length is missing or below 1"),
    "no_speech_length": say("speech_length is missing or 0"),
    "too_long": say("speech_length is over max_source_length"),
    "too_short": say("speech_length is under min_source_length"),
    "text_too_long": say("text_length is over max_target_length"),
    "over_token_length": say("speech_length + text_length is over max_token_length"),
    "unfilled": say("in a last batch that is not full, with drop_last"),
}
"""Why a line is not trained on, in the order in which FunASR looks."""


class _Message(msgspec.Struct, gc=False):
    role: str
    content: str


class _Line(msgspec.Struct, gc=False):
    messages: list[_Message]
    speech_length: int = 0
    text_length: int = 0


class _System(msgspec.Struct, tag_field="role", tag="system", gc=False):
    content: str


class _User(_System, tag="user", gc=False):
    pass


class _Assistant(_System, tag="assistant", gc=False):
    pass


class _UsualLine(msgspec.Struct, gc=False):
    """A line with one turn of each, in the usual order."""

    messages: tuple[_System, _User, _Assistant]
    speech_length: int
    text_length: int


class _LengthsOfALine(msgspec.Struct, gc=False):
    """What decides whether a line is kept and how it is batched; its turns stay unread."""

    speech_length: int = 0
    text_length: int = 0


@dataclass(frozen=True)
class ManifestReport:
    """What a manifest holds, and what a run under a config makes of it.

    Attributes:
        name: the file's name.
        lines: lines of the file; `utterances` and `hours`: those that can be read, by
            `speech_length`.
        malformed: (line, reason) of lines that cannot be used as they are; not all where only
            lengths were read.
        fatal: those of them that end FunASR's reading, and so the run.
        lost: key of `LOST` to (utterances, hours) that are left out for it.
        length_histogram: utterances by `speech_length`, in 10 ms frames; the last bucket has all
            that are longer.
        plan: batches of one pass, or of an epoch over parts.
        suspicious: kind (a key of `transcripts.KINDS`) to (count, first lines).
        duplicates: audio files that an earlier line already names; `duplicate_lines`: some.
        audio: what the files are, where they were looked at.
        files: `.jsonl` files that were read; `listed`: whether the manifest is a list of them.
        audio_hashes, text_hashes: sorted, of every readable line; they hold within one process.
    """

    name: str
    lines: int
    utterances: int
    hours: float
    malformed: Shown
    fatal: Shown
    lost: dict[str, tuple[int, float]]
    kept_utterances: int
    kept_hours: float
    length_histogram: np.ndarray
    plan: Plan
    suspicious: dict[str, tuple[int, tuple[int, ...]]]
    duplicates: int
    duplicate_lines: tuple[int, ...]
    audio: AudioReport
    files: int
    listed: bool
    full: bool
    audio_hashes: np.ndarray = field(repr=False)
    text_hashes: np.ndarray = field(repr=False)


class _Column:
    """Numbers that arrive in small pieces, kept in large blocks, which the system gets back."""

    BLOCK = 1 << 18

    def __init__(self, dtype: type):
        self.dtype, self.blocks, self.filled = dtype, [], self.BLOCK

    def append(self, part: np.ndarray) -> None:
        while len(part):
            if self.filled == self.BLOCK:
                self.blocks.append(np.empty(self.BLOCK, self.dtype))
                self.filled = 0
            taken = part[:self.BLOCK - self.filled]
            self.blocks[-1][self.filled:self.filled + len(taken)] = taken
            self.filled += len(taken)
            part = part[len(taken):]

    @property
    def count(self) -> int:
        """How many there are."""
        return self.BLOCK * max(0, len(self.blocks) - 1) + (self.filled if self.blocks else 0)

    def whole(self) -> np.ndarray:
        """All of them as one array; the column is empty afterwards."""
        size = self.count
        numbers = np.empty(size, self.dtype)
        while self.blocks:
            start = self.BLOCK * (len(self.blocks) - 1)
            numbers[start:size] = self.blocks.pop()[:size - start]
            size = start
        self.filled = self.BLOCK
        return numbers


@dataclass
class _Tally:
    """What has been counted so far, under these settings."""

    conf: FilterConf
    lines: int = 0
    malformed: Shown = field(default_factory=Shown)
    fatal: Shown = field(default_factory=Shown)
    skipped: array = field(default_factory=lambda: array("q"))
    """Numbers of the lines that hold no utterance."""
    speech: _Column = field(default_factory=lambda: _Column(np.int32))
    text: _Column = field(default_factory=lambda: _Column(np.int32))
    audio_hashes: _Column = field(default_factory=lambda: _Column(np.int64))
    text_hashes: _Column = field(default_factory=lambda: _Column(np.int64))
    suspicious: dict[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    """How many utterances there were at the end of each file."""

    def bad(self, line: int, reason: Text, fatal: bool = False) -> None:
        self.malformed.append((line, reason))
        if fatal:
            self.fatal.append((line, reason))

    def suspect(self, kind: str, lines: list[int]) -> None:
        if lines:
            count, shown = self.suspicious.get(kind, (0, ()))
            self.suspicious[kind] = count + len(lines), (*shown, *lines)[:SHOWN]


def scan(path: str | Path, conf: FilterConf, *, sample_audio: int | None = None,
         full: bool = True, progress: bool = False, training: bool = True) -> ManifestReport:
    """Read a manifest and say what it holds and what becomes of it.

    Args:
        path: a `.jsonl` or `.json` file, or a list of such files, one a line.
        sample_audio: look at so many audio files, drawn at random; `ALL` at every one; None at
            none.
        full: check every line; otherwise count lengths, filters and batches alone, and take for
            granted that what is not read is sound: turns of text, and bytes that are UTF-8.
        training: whether it is the training set, whose order may be shuffled.

    Raises:
        BookError: a file is missing or is no file.
    """
    from tqdm import tqdm

    path, tally = Path(path), _Tally(conf)
    probe = AudioProbe(sample_audio, conf.fs) if sample_audio is not None and full else None
    files = _files(path)
    with tqdm(total=sum(file.stat().st_size for file in files), unit="B", unit_scale=True,
              desc="manifest", disable=not progress) as bar:
        for file in files:
            with file.open("rb") as stream:
                _read(stream, tally, full, probe, bar)
            tally.ends.append(tally.speech.count)
    if not training:
        conf = replace(conf, shuffle=False, data_split_num=1)
    return _report(path, tally, conf, probe, files, full)


def passes_per_epoch(report: ManifestReport, conf: FilterConf) -> int:
    """How often an epoch goes through every line: a `.jsonl` is re-read for each split, and a list
    of files is divided among them."""
    return 1 if report.listed else conf.data_split_num


def batches_per_epoch(report: ManifestReport, conf: FilterConf) -> int:
    """Batches that the first process gets in an epoch."""
    return passes_per_epoch(report, conf) * sum(each[0] for each in report.plan.passes)


def steps_per_epoch(report: ManifestReport, conf: FilterConf, accum_grad: int = 1) -> int:
    """Optimizer steps of an epoch: gradients left over at the end of a pass make none."""
    return passes_per_epoch(report, conf) * sum(each[0] // max(1, accum_grad)
                                                for each in report.plan.passes)


def common(first: np.ndarray, second: np.ndarray) -> int:
    """How many distinct hashes two manifests share: of audio or of transcripts, each sorted."""
    small, large = sorted((first, second), key=len)
    if not len(small):
        return 0
    small = np.unique(small)
    places = np.searchsorted(large, small).clip(max=len(large) - 1)
    return int((large[places] == small).sum())


def _files(path: Path) -> list[Path]:
    if not path.is_file():
        raise BookError(say("Manifest {file} is not a file: check the path {path}.",
                            file=path.name, path=path))
    if path.name.endswith((".jsonl", ".json")):
        return [path]
    with path.open("rb") as stream:
        listed = stream.read(LONGEST_LINE)
    try:
        names = listed.decode().removesuffix("\n").split("\n") if listed else []
        files = [Path(name.strip()) for name in names]
        missing = [file for file in files if not file.is_file()]
    except (UnicodeDecodeError, ValueError):
        files = missing = []
        names = []
    blank = next((line for line, name in enumerate(names, 1) if not name.strip()), None)
    if path.suffix == ".scp":
        raise BookError(say("{file} is a Kaldi list, and FunASR wants .jsonl: make one with "
                            "`preflight manifest {file} --out train.jsonl`, or with FunASR's own "
                            "funasr/models/fun_asr_nano/tools/scp2jsonl.py.", file=path.name))
    if blank and names:
        raise BookError(say("{file}, line {line} is blank: FunASR opens every line of a list as "
                            "a file, and the run ends there. Remove the line.", file=path.name,
                            line=blank))
    if missing or not names:
        fault = (say("names {file}, which is no file", file=missing[0]) if missing
                 else say("names no file"))
        raise BookError(say("{file} does not end in .jsonl, so FunASR takes it for a list of "
                            "files, and it {what}: rename it or correct the list.",
                            file=path.name, what=fault))
    return files


def _chunks(stream: BinaryIO, bar) -> Iterator[bytes | None]:
    """Whole lines, some `CHUNK` bytes at a time; None stands for a line too long to be read."""
    while chunk := stream.read(CHUNK):
        rest = stream.readline(LONGEST_LINE)
        bar.update(len(chunk) + len(rest))
        if len(rest) < LONGEST_LINE or rest.endswith(b"\n"):
            chunk += rest
            yield chunk if chunk.endswith(b"\n") else chunk + b"\n"
            continue
        yield chunk[:chunk.rfind(b"\n") + 1]
        yield None
        while not rest.endswith(b"\n") and (rest := stream.readline(CHUNK)):
            bar.update(len(rest))


def _read(stream: BinaryIO, tally: _Tally, full: bool, probe: AudioProbe | None, bar) -> None:
    for chunk in _chunks(stream, bar):
        if chunk is not None:
            _read_chunk(chunk, tally, full, probe)
        else:
            tally.lines += 1
            tally.skipped.append(tally.lines)
            tally.bad(tally.lines, say("the line has more than {megabytes} MB",
                                       megabytes=LONGEST_LINE >> 20))


def _read_chunk(chunk: bytes, tally: _Tally, full: bool, probe: AudioProbe | None) -> None:
    values = np.frombuffer(chunk, np.uint8)
    count = int(np.count_nonzero(values == ord("\n")))
    numbers: list[int] | range = range(tally.lines + 1, tally.lines + 1 + count)
    tally.lines += count
    lines = turns = None
    if b"\r" not in chunk and b"\x00" not in chunk:
        lines = _decoded(chunk, count, full)
        if lines and full:
            turns = _alike(lines)
            seen = turns.high if turns else 0
            if np.count_nonzero(values > 127) != seen and not _is_utf8(chunk):
                lines = turns = None
    if lines is None:
        numbers, lines = _one_by_one(chunk, tally.lines - count + 1, tally)
    if not lines:
        return
    speech = _numbers([line.speech_length for line in lines])
    text = _numbers([line.text_length for line in lines])
    tally.speech.append(speech)
    tally.text.append(text)
    if full:
        _note_turns(numbers, turns or _any_turns(lines, numbers, tally), speech, text, tally, probe)


def _decoded(chunk: bytes, count: int, full: bool) -> list | None:
    """The lines of a chunk with types, or None unless all can be used."""
    for decoder in (_USUAL, _DECODER) if full else (_LENGTHS,):
        try:
            lines = decoder.decode_lines(chunk)
        except (ValueError, RecursionError):
            continue
        return lines if len(lines) == count else None
    return None


_USUAL = msgspec.json.Decoder(_UsualLine)
_DECODER = msgspec.json.Decoder(_Line)
_LENGTHS = msgspec.json.Decoder(_LengthsOfALine)


def _is_utf8(chunk: bytes) -> bool:
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return False
    return True


def _one_by_one(chunk: bytes, first: int, tally: _Tally) -> tuple[list[int], list[_Line]]:
    numbers, lines = [], []
    pieces = chunk.split(b"\n")
    if not pieces[-1]:
        pieces.pop()
    for number, piece in enumerate(pieces, first):
        line = _usable(piece.removesuffix(b"\r"), number, tally)
        if line is not None:
            numbers.append(number)
            lines.append(line)
    return numbers, lines


def _usable(piece: bytes, number: int, tally: _Tally) -> _Line | None:
    """The line with types; None, and a reason in the tally, where FunASR could not use it."""
    fatal = False
    try:
        text = piece.decode()
        value = None if "\r" in text else json.loads(text)
    except UnicodeDecodeError as error:
        outcome, fatal = say("byte {place} is not UTF-8", place=error.start + 1), True
    except (ValueError, RecursionError) as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        outcome = (say("the line is empty") if not text.strip() else
                   say("it is not JSON ({error})", error=quoted(problem)))
    else:
        if "\r" in text:
            outcome = say("a carriage return inside the line ends it for FunASR")
        else:
            outcome, fatal = _typed(value, tally.conf), True
    if not isinstance(outcome, Text):
        return outcome
    tally.skipped.append(number)
    tally.bad(number, outcome, fatal)
    return None


def _typed(value, conf: FilterConf) -> _Line | Text:
    """A line as FunASR's index takes it, or why it ends there.

    The index looks at the lengths before it looks into the messages, so that a line which a filter
    leaves out does not end it, whatever its messages are.
    """
    if not isinstance(value, dict):
        return say("it is JSON, but no object")
    if "messages" not in value and "source" in value:
        return say("it has `source` and `target`, which this index does not read: write `messages`")
    if "messages" not in value:
        return say("`messages` is missing")
    messages = value["messages"]
    lengths, listed = [], isinstance(value.get("speech_length"), list)
    for key in ("speech_length", "text_length"):
        length = value.get(key, 0)
        if listed and not (isinstance(length, list) and length):
            return say("`speech_length` is a list, and FunASR then wants a list in both")
        length = length[0] if listed else length
        try:
            number = int(length)
        except (TypeError, ValueError, OverflowError):
            return say("`{key}` is not a number", key=key)
        lengths.append(max(-1, min(number, LARGEST)))
    if lengths[1] < 1 and _ends_the_index(messages):
        return say("`text_length` is missing or below 1, and the third of the `messages` has no "
                   "`content`")
    looked_into = lengths[1] >= 1 and not any(
        gone for reason, gone in _filters(*lengths, conf) if reason != "over_token_length")
    if not isinstance(messages, list) and messages not in ("", {}) or not all(
            isinstance(message, dict) for message in messages):
        return say("`messages` is not a list of objects") if looked_into else _Line([], *lengths)
    turns = [_Message(_plain(message.get("role")), _plain(message.get("content")))
             for message in messages if "role" in message and "content" in message]
    return _Line(turns, *lengths)


def _ends_the_index(messages) -> bool:
    """Whether FunASR fails at a line without a text length, whose third message it measures."""
    if not isinstance(messages, (str, list, dict)):
        return True
    if len(messages) < 3:
        return False
    third = messages[2] if isinstance(messages, list) else None
    return not isinstance(third, dict) or not isinstance(third.get("content"), (str, list, dict))


def _plain(value) -> str:
    """A string as it is; anything else, and a string that no UTF-8 can hold, as something else."""
    if not isinstance(value, str):
        return f"\ufffd{type(value).__name__}"
    return value.encode("utf-8", "replace").decode().replace("?", "\ufffd") if any(
        "\ud800" <= sign <= "\udfff" for sign in value) else value


@dataclass(frozen=True)
class _Turns:
    """Audio path ("" for none) and transcript of each line of a chunk.

    Attributes:
        high: bytes of the turns that are not ASCII, where that is known; the decoder has checked
            those, and it passes over the keys that it does not keep.
    """

    audio: list[str]
    transcripts: list[str]
    high: int = 0


def _alike(lines: list) -> _Turns | None:
    """The turns of usual lines that differ in nothing but audio and transcript; else None."""
    if not isinstance(lines[0], _UsualLine):
        return None
    turns = [line.messages for line in lines]
    heard = [turn[1].content for turn in turns]
    before, begin, rest = heard[0].partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        return None
    before, after = before + begin, end + after
    first, last = len(before), -len(after)
    if not _ASKED.match(before):
        return None
    audio = [turn[first:last] for turn in heard]
    paths = "\n".join(audio)
    rebuilt = before + f"{after}\n{before}".join(audio) + after
    if "" in audio or _BEGIN in paths or _END in paths or rebuilt != "\n".join(heard):
        return None
    transcripts = [turn[2].content for turn in turns]
    around = "".join(sign for sign in before + after if not sign.isascii())
    known = paths.isascii() and all(map(str.isascii, transcripts))
    return _Turns(audio, transcripts, len(lines) * len(around.encode()) if known else 0)


def _any_turns(lines: list, numbers, tally: _Tally) -> _Turns:
    if isinstance(lines[0], _UsualLine):
        pairs = [(line.messages[1].content, line.messages[2].content) for line in lines]
    else:
        pairs = [_turns(line.messages, number, tally)
                 for line, number in zip(lines, numbers, strict=True)]
    audio = [_audio(heard) for heard, _ in pairs]
    silent = [(number, heard) for number, path, (heard, _) in zip(numbers, audio, pairs,
                                                                  strict=True) if not path]
    tally.suspect("no_bang", [number for number, heard in silent if _NO_BANG.search(heard)])
    tally.suspect("no_audio", [number for number, heard in silent if not _NO_BANG.search(heard)])
    tally.suspect("prompt", [number for number, (heard, _) in zip(numbers, pairs, strict=True)
                             if heard and not _ASKED.match(heard)])
    return _Turns(audio, [transcript for _, transcript in pairs])


def _numbers(lengths: list[int]) -> np.ndarray:
    """Lengths within what an int32 sum can hold."""
    try:
        numbers = np.array(lengths, np.int64)
    except OverflowError:
        numbers = np.array([max(-1, min(length, LARGEST)) for length in lengths], np.int64)
    return numbers.clip(-1, LARGEST >> 1).astype(np.int32)


def _note_turns(numbers, turns: _Turns, speech: np.ndarray, text: np.ndarray, tally: _Tally,
                probe: AudioProbe | None) -> None:
    tally.audio_hashes.append(_hashes(turns.audio))
    tally.text_hashes.append(_hashes(turns.transcripts))
    for kind, places in suspicious(turns.transcripts, speech, text):
        tally.suspect(kind, [numbers[index] for index in places])
    if probe is not None:
        probe.take(numbers, turns.audio, speech)


_BEGIN, _END = "<|startofspeech|>!", "<|endofspeech|>"
_NO_BANG = re.compile(r"<\|startofspeech\|>\s*[^!\s<]")
_ASKED = re.compile(r"[\s\S]*语音转写(?:成[^：]{1,20})?(?:，不进行文本规整)?：<\|startofspeech\|>")
"""The prompts that `FunASRNano.get_prompt` makes, with and without a language or normalisation."""


def _audio(heard: str) -> str:
    """The audio that a user turn names, or ""."""
    _, _, rest = heard.partition(_BEGIN)
    path, closed, _ = rest.partition(_END)
    return path if closed else ""


def _turns(turns: list[_Message], number: int, tally: _Tally) -> tuple[str, str]:
    users = [turn.content for turn in turns if turn.role == "user"]
    answers = [turn.content for turn in turns if turn.role == "assistant"]
    if not users or not answers:
        tally.bad(number, say("there is no user turn, or no assistant turn"))
    elif len(users) > 1 or len(answers) > 1:
        tally.suspect("several_turns", [number])
    return "".join(users[:1]), "".join(answers[:1])


def _hashes(values: list[str]) -> np.ndarray:
    return np.fromiter(map(hash, values), np.int64, len(values))


def _report(path: Path, tally: _Tally, conf: FilterConf, probe: AudioProbe | None,
            files: list[Path], full: bool) -> ManifestReport:
    speech, text = tally.speech.whole(), tally.text.whole()
    histogram = np.bincount(np.minimum(speech, HISTOGRAM - 1).clip(0), minlength=HISTOGRAM)
    seen, total = len(speech), int(speech.sum(where=speech > 0, dtype=np.int64))
    lost = {"unreadable": (len(tally.skipped), 0.0)} if tally.skipped else {}
    left = np.ones(seen, bool)
    for reason, gone in _filters(speech, text, conf):
        gone &= left
        if gone.any():
            frames = int(speech[gone].clip(0).sum(dtype=np.int64))
            lost[reason] = int(gone.sum()), frames / FEATURE_FRAMES_AN_HOUR
            left &= ~gone
        if reason == "text_too_long":
            indexed = left.copy()
    kept, kept_frames = int(left.sum()), int(speech.sum(where=left, dtype=np.int64))
    parts = _parts(tally.ends, conf.data_split_num) if files != [path] else ()
    if parts:
        before = np.concatenate([[0], np.cumsum(indexed)])
        parts = [int(before[end]) for end in parts]
    if not indexed.all():
        speech = speech[indexed]
        text = text[indexed]
    del left, indexed, gone
    planned = plan_of_parts(speech, text, conf, parts) if parts else plan(speech, text, conf)
    del speech, text
    unfilled, unheard = planned.unfilled
    if unfilled:
        lost["unfilled"] = unfilled, unheard / FEATURE_FRAMES_AN_HOUR
        kept, kept_frames = kept - unfilled, kept_frames - unheard
    audio_hashes = tally.audio_hashes.whole()
    duplicates, repeats = _duplicates(audio_hashes)
    skipped = np.frombuffer(tally.skipped, np.int64) if tally.skipped else np.empty(0, np.int64)
    before = skipped - 1 - np.arange(len(skipped))
    places = tuple((repeats + np.searchsorted(before, repeats)).tolist())
    audio_hashes.sort()
    text_hashes = tally.text_hashes.whole()
    text_hashes.sort()
    return ManifestReport(
        path.name, tally.lines, seen, total / FEATURE_FRAMES_AN_HOUR, tally.malformed,
        tally.fatal, lost, kept,
        kept_frames / FEATURE_FRAMES_AN_HOUR, histogram, planned, tally.suspicious, duplicates,
        places, probe.report() if probe else AudioReport(conf.fs), len(files), files != [path],
        full, audio_hashes, text_hashes)


def _parts(ends: list[int], splits: int) -> list[int]:
    """Where the part of each split ends that holds a file; [] where one split reads them all."""
    files = (len(ends) - 1) // splits + 1
    return ends[files - 1:-1:files] + ends[-1:] if splits > 1 and files < len(ends) else []


def _filters(speech: np.ndarray, text: np.ndarray, conf: FilterConf):
    if not conf.reads_messages:
        yield "other_index", speech == speech
    yield "no_text_length", text < 1
    yield "no_speech_length", (speech < 1) & (speech < conf.min_source_length)
    yield "too_long", speech > conf.max_source_length
    yield "too_short", speech < conf.min_source_length
    yield "text_too_long", text > conf.max_target_length
    if conf.max_token_length is not None:
        yield "over_token_length", speech + text > conf.max_token_length


_NO_AUDIO = hash("")


def _duplicates(hashes: np.ndarray) -> tuple[int, np.ndarray]:
    """How many repeat an earlier one, and which utterances, from 1, the first of them are."""
    ordered = np.sort(hashes)
    again = (ordered[1:] == ordered[:-1]) & (ordered[1:] != _NO_AUDIO)
    count = int(again.sum())
    values = np.unique(ordered[1:][again][:SHOWN]) if count else ordered[:0]
    places = [np.flatnonzero(hashes == value)[1:] + 1 for value in values]
    return count, np.sort(np.concatenate([*places, np.empty(0, np.int64)]))[:SHOWN]
