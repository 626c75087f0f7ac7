"""From utterances to FunASR's manifest: measured, cut, split, and every lost line accounted for.

All is written into a folder beside the manifest and moved into place at the end, so that an
interruption leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import re
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from funasr_preflight.converting import pauses, sound
from funasr_preflight.converting.lines import message_turns, prompt
from funasr_preflight.converting.sources import LEGS, Lost, Read, Utterance
from funasr_preflight.errors import BookError
from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND, speech_frames
from funasr_preflight.texts import Text, say

KEPT, LEFT_OUT, CUT = "kept", "left out", "cut"
REPORT_HEAD = ("file", "line", "key", "what became of it", "why")
SILENT = say("nobody speaks in it")
UNTRANSCRIBED = ".to_transcribe.scp"


@dataclass(frozen=True)
class Settings:
    """How to convert.

    Attributes:
        out, valid: the manifests to write; without `valid` there is no split.
        valid_share: of the speech, for validation. `seed`: of the draw of its speakers.
        audio: folder for the files that are cut.
        tokens: counts the tokens of a transcript.
        hotwords_in: the hot words of a list that a transcript has.
        cut: recordings without a transcript are cut into pieces of so many seconds.
        relative_to: paths are written as seen from there; absolute without it.
        language, normalised, hotwords_in_prompt: see `lines.prompt`.
        legs: names of the channels, where calls are split.
        speakers: whether lines name their speaker, in the key `speaker`, which FunASR ignores.
        jobs: threads that open audio files.
    """

    out: Path
    audio: Path
    tokens: Callable[[str], int]
    valid: Path | None = None
    valid_share: float = 0.05
    seed: int = 0
    hotwords_in: Callable[[str], list[str]] = lambda text: []
    cut: float | None = None
    relative_to: Path | None = None
    language: str | None = None
    normalised: bool = True
    hotwords_in_prompt: bool = False
    legs: tuple[str, ...] = ()
    speakers: bool = False
    jobs: int = 4

    @property
    def report(self) -> Path:
        return self.out.with_suffix(".report.tsv")

    @property
    def untranscribed(self) -> Path:
        return self.out.with_suffix(UNTRANSCRIBED)

    @property
    def targets(self) -> tuple[Path, ...]:
        """What may be written and is never overwritten; a report is."""
        return self.out, *((self.valid,) if self.valid else ()), self.untranscribed, self.audio


@dataclass
class Conversion:
    """What became of the source.

    Attributes:
        written: utterances in each manifest, training first. `hours`: of speech in it.
        speakers: how many there are in each.
        left_out, remarked: kind of reason to number of lines that are not in a manifest, or that
            are and should be looked at. `examples`: the first reason of each kind.
        pieces: files cut from recordings without a transcript.
    """

    written: list[int] = field(default_factory=list)
    hours: list[float] = field(default_factory=list)
    speakers: list[int] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    remarked: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Text] = field(default_factory=dict)
    pieces: int = 0

    def count(self, became: str, reason: Text) -> None:
        if became != CUT:
            counter = self.remarked if became == KEPT else self.left_out
            counter[reason.template] += 1
            self.examples.setdefault(reason.template, reason)


@dataclass(frozen=True)
class _SourceLine:
    """An utterance that can be trained on, its length in frames, and what to remark about it."""

    utterance: Utterance
    audio: str
    frames: int
    remark: Text | None = None


@dataclass(frozen=True)
class _Pieces:
    """Files cut from a recording without a transcript: name and path, and whether all are clean.

    Attributes:
        silent: names of its legs on which nobody speaks.
    """

    utterance: Utterance
    files: tuple[tuple[str, str], ...]
    clean: bool
    silent: tuple[str, ...] = ()


def convert(source: Read, settings: Settings, bar: Any = None) -> Conversion:
    """Write the manifests, the report and the files that are cut.

    Args:
        bar: counts what has been read, as `tqdm` does.

    Raises:
        BookError: something is in the way of the files, or no line could be used.
    """
    for path in settings.targets:
        if path.exists() or path.is_symlink():
            raise BookError(say("{name} is there already, and nothing is overwritten: remove it, "
                                "or name another.", name=path.name))
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    work = settings.out.parent / f".{settings.out.name}.{os.getpid()}.partial"
    outcome = Conversion()
    try:
        work.mkdir()
        maker = _Maker(settings, work)
        lengths, speakers = maker.run(source, outcome, bar)
        _split(settings, work, lengths, speakers, outcome)
        _into_place(settings, work, outcome)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return outcome


class _Maker:
    """Measures and cuts utterances in threads, and writes their lines in order."""

    def __init__(self, settings: Settings, work: Path):
        self.settings, self.work = settings, work
        self.names: Counter[str] = Counter()

    def run(self, source: Read, outcome: Conversion, bar: Any) -> tuple[list[int], list[str]]:
        """Write all lines: frames and speaker of each."""
        lengths: list[int] = []
        speakers: list[str] = []
        with (open(self.work / "all", "w", encoding="utf-8") as lines,
              open(self.work / "scp", "w", encoding="utf-8") as scp,
              open(self.work / "report", "w", encoding="utf-8", newline="") as stream,
              contextlib.closing(self._in_order(source)) as in_order):
            report = csv.writer(stream, delimiter="\t", lineterminator="\n")
            report.writerow(REPORT_HEAD)

            def note(utt: Utterance | Lost, became: str, reason: Text) -> None:
                outcome.count(became, reason)
                report.writerow([utt.file, utt.line, utt.key.encode(errors="replace").decode(),
                                 became, str(reason)])

            for result in in_order:
                if bar is not None:
                    bar.update()
                if isinstance(result, _SourceLine):
                    self._write(result, lines)
                    lengths.append(result.frames)
                    speakers.append(result.utterance.speaker)
                    if result.remark is not None:
                        note(result.utterance, KEPT, result.remark)
                elif isinstance(result, _Pieces):
                    outcome.pieces += len(result.files)
                    scp.writelines(f"{key} {path}\n" for key, path in result.files)
                    note(result.utterance, CUT, say(
                        "it has no transcript: {count} pieces to transcribe",
                        count=len(result.files)) if result.clean else say(
                        "it has no transcript: {count} pieces to transcribe, some cut where "
                        "somebody speaks", count=len(result.files)))
                    for side in result.silent:
                        note(replace(result.utterance, key=side), LEFT_OUT, SILENT)
                else:
                    note(result, LEFT_OUT, result.reason)
        return lengths, speakers

    def _in_order(self, source: Read) -> Iterator[_SourceLine | _Pieces | Lost]:
        waiting: deque[Lost | Future] = deque()
        with ThreadPoolExecutor(self.settings.jobs) as pool:
            try:
                for utt in source:
                    waiting.append(utt if isinstance(utt, Lost) else pool.submit(
                        self._made, utt, self._file_name(utt)))
                    while len(waiting) > 8 * self.settings.jobs:
                        yield _result(waiting.popleft())
                yield from map(_result, waiting)
            finally:
                pool.shutdown(cancel_futures=True)

    def _file_name(self, utt: Utterance) -> str:
        """A name for a file of its own, which no other utterance has."""
        plain = re.sub(r"[^\w.+-]", "_", utt.key).strip(".")[:120] or "utterance"
        self.names[plain] += 1
        return plain if self.names[plain] == 1 else f"{plain}-{self.names[plain]}"

    def _made(self, utt: Utterance, name: str) -> _SourceLine | _Pieces | Lost:
        try:
            if not utt.text:
                if self.settings.cut is not None:
                    return self._cut(utt, name)
                raise sound.Unusable(say("it has no transcript") if utt.text is None else
                                     say("its transcript is empty"))
            return self._measured(utt, name)
        except sound.Unusable as fault:
            return Lost(utt.file, utt.line, utt.key, fault.reason)

    def _measured(self, utt: Utterance, name: str) -> _SourceLine:
        remark = None
        if utt.is_part or utt.data is not None:
            samples, rate = sound.part(utt.audio, utt.start, utt.end, utt.channel, utt.data)
            count, channels = len(samples), samples.shape[1] if samples.ndim > 1 else 1
        else:
            samples, (rate, count, channels) = None, sound.header(utt.audio)
        if channels > 1 and self.settings.legs:
            raise sound.Unusable(say(
                "the call has two legs and the transcript names none: name them {first} and "
                "{second}", first=f"{utt.key}-{self.settings.legs[0]}",
                second=f"{utt.key}-{self.settings.legs[-1]}"))
        if channels > 1:
            remark = say("it has several channels, and FunASR takes their mean: split them with "
                         "--legs")
        frames = speech_frames(count, rate)
        if not frames:
            raise sound.Unusable(say("it is shorter than one frame of 25 ms"))
        if samples is None:
            return _SourceLine(utt, self._shown(Path(utt.audio)), frames, remark)
        sound.write(self.work / "audio" / f"{name}.wav", samples, rate)
        return _SourceLine(utt, self._shown(self.settings.audio / f"{name}.wav"), frames, remark)

    def _cut(self, utt: Utterance, name: str) -> _Pieces:
        legs = self.settings.legs or LEGS
        samples, rate = sound.part(utt.audio, utt.start, utt.end, utt.channel, utt.data)
        if samples.ndim == 1:
            sides = [(name, samples)]
        elif self.settings.legs:
            sides = [(f"{name}-{leg}", samples[:, number])
                     for number, leg in enumerate(legs[:samples.shape[1]])]
        else:
            sides = [(name, samples.mean(1).astype(samples.dtype))]
        files, silent, clean = [], [], True
        for side, heard in sides:
            cuts = pauses.pieces(heard, rate, self.settings.cut)
            if not cuts:
                silent.append(side)
            for start, end, whole in cuts:
                piece = f"{side}-{round(1000 * start):07d}-{round(1000 * end):07d}"
                sound.write(self.work / "audio" / f"{piece}.wav",
                            heard[round(start * rate):round(end * rate)], rate)
                files.append((piece, self._shown(self.settings.audio / f"{piece}.wav")))
                clean &= whole
        if not files:
            raise sound.Unusable(SILENT)
        return _Pieces(utt, tuple(files), clean, tuple(silent))

    def _shown(self, path: Path) -> str:
        """The path as the manifest names it."""
        whole = path.resolve()
        base = self.settings.relative_to
        return str(whole if base is None else os.path.relpath(whole, base.resolve()))

    def _write(self, source: _SourceLine, stream: TextIO) -> None:
        utt, settings = source.utterance, self.settings
        words = list(dict.fromkeys([*utt.hotwords, *settings.hotwords_in(utt.text)]))
        request = prompt(settings.language, settings.normalised,
                         words if settings.hotwords_in_prompt else ())
        line = {"key": utt.key, "messages": message_turns(source.audio, utt.text, request),
                "speech_length": source.frames, "text_length": settings.tokens(utt.text)}
        if settings.speakers:
            line["speaker"] = Path(utt.speaker).stem if utt.speaker == utt.audio else utt.speaker
        if words and not settings.hotwords_in_prompt:
            line["hotwords"] = ", ".join(words)
        stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def _result(waiting: Lost | Future) -> _SourceLine | _Pieces | Lost:
    return waiting if isinstance(waiting, Lost) else waiting.result()


def for_validation(lengths: Mapping[str, int], share: float, seed: int) -> set[str]:
    """Speakers for the validation set: drawn, and taken while they stay within the share.

    Args:
        lengths: how much there is of each speaker, in any unit.
        share: of the whole, that is aimed at.

    Raises:
        BookError: there is one speaker only.
    """
    if len(lengths) < 2:
        raise BookError(say("There is one speaker only, so that no split without a speaker in "
                            "common can be made: name the speakers in utt2spk or a column "
                            "speaker, or leave --valid out."))
    room = share * sum(lengths.values())
    chosen: set[str] = set()
    names = sorted(lengths)
    random.Random(seed).shuffle(names)
    for name in names:
        if lengths[name] <= room and len(chosen) + 1 < len(names):
            chosen.add(name)
            room -= lengths[name]
    return chosen or {min(names, key=lambda name: (lengths[name], names.index(name)))}


def _split(settings: Settings, work: Path, lengths: list[int], speakers: list[str],
           outcome: Conversion) -> None:
    """Divide the lines among training and validation set."""
    by_speaker: Counter[str] = Counter()
    for frames, speaker in zip(lengths, speakers, strict=True):
        by_speaker[speaker] += frames
    held = (for_validation(by_speaker, settings.valid_share, settings.seed)
            if settings.valid and lengths else set())
    written, frames_of = [0, 0], [0, 0]
    with contextlib.ExitStack() as stack:
        whole = stack.enter_context(open(work / "all", encoding="utf-8", newline="\n"))
        parts = [stack.enter_context(open(work / name, "w", encoding="utf-8", newline="\n"))
                 for name in ("train", "valid")]
        for line, frames, speaker in zip(whole, lengths, speakers, strict=True):
            part = int(speaker in held)
            parts[part].write(line)
            written[part] += 1
            frames_of[part] += frames
    parts = 1 + bool(settings.valid)
    outcome.written = written[:parts]
    outcome.hours = [frames / FEATURE_FRAMES_A_SECOND / 3600 for frames in frames_of[:parts]]
    outcome.speakers = [len(by_speaker) - len(held), len(held)][:parts]


def _into_place(settings: Settings, work: Path, outcome: Conversion) -> None:
    """Move what was made to where it belongs; the manifest last, since it names the rest."""
    moves = [("audio", settings.audio), ("report", settings.report)]
    if outcome.pieces:
        moves.append(("scp", settings.untranscribed))
    if outcome.written[0]:
        if settings.valid:
            moves.append(("valid", settings.valid))
        moves.append(("train", settings.out))
    for name, target in moves:
        if (work / name).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(work / name, target)
