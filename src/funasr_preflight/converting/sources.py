"""What users have: Kaldi's lists, tables, data sets. Each is read into utterances.

Nothing is passed over in silence: what cannot be an utterance comes out as `Lost`, with file and
line. A line that is blank holds nothing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from funasr_preflight.errors import BookError
from funasr_preflight.texts import Text, say

LEGS = ("A", "B")
"""What stands behind a recording's name for its first and second channel, as in `call7-A`."""


@dataclass(frozen=True)
class Utterance:
    """A stretch of audio, and what was said in it.

    Attributes:
        key: its name.
        audio: path or name of the recording.
        text: the transcript; None where there is none.
        file, line: where it is written down.
        start, end: seconds in the recording; an end of None is the recording's.
        channel: of the recording, from 0; None for all of it.
        speaker: who speaks, or the recording where that is not known.
        hotwords: words to listen for.
        data: the recording itself, where a data set brings it along.
    """

    key: str
    audio: str
    text: str | None
    file: str
    line: int
    start: float = 0.0
    end: float | None = None
    channel: int | None = None
    speaker: str = ""
    hotwords: tuple[str, ...] = ()
    data: bytes | None = field(default=None, repr=False)

    @property
    def is_part(self) -> bool:
        """Whether it is less than its recording, so that it needs a file of its own."""
        return self.start > 0 or self.end is not None or self.channel is not None


@dataclass(frozen=True)
class Lost:
    """A line that no utterance came of, and why."""

    file: str
    line: int
    key: str
    reason: Text


Read = Iterator[Utterance | Lost]


# Kaldi


@dataclass(frozen=True)
class KaldiFiles:
    """The files of a Kaldi data folder; those that are None do not exist."""

    scp: Path
    text: Path | None
    segments: Path | None
    utt2spk: Path | None

    @classmethod
    def beside(cls, source: Path, **named: str | None) -> KaldiFiles:
        """The files as named, else those beside `wav.scp`.

        Raises:
            BookError: a file that is named is not there.
        """
        scp = source / "wav.scp" if source.is_dir() else source
        paths: dict[str, Path | None] = {}
        for name in ("text", "segments", "utt2spk"):
            chosen = named.get(name)
            path = Path(chosen) if chosen else scp.parent / name
            if chosen and not path.is_file():
                raise BookError(say("{name} is no file: check the path {path}.", name=path.name,
                                    path=chosen))
            paths[name] = path if path.is_file() else None
        return cls(scp, paths["text"], paths["segments"], paths["utt2spk"])


def from_kaldi(files: KaldiFiles, legs: Sequence[str] = ()) -> Read:
    """Utterances of Kaldi's lists, joined by their keys, in the order of the recordings.

    Args:
        legs: names of the channels; with them `call7-A` in `text` or `segments` is the first
            channel of `call7` in `wav.scp`.
    """
    recordings: dict[str, tuple[int, str]] = {}
    yield from _recordings(files.scp, recordings)
    texts: dict[str, tuple[int, str]] = {}
    speakers: dict[str, tuple[int, str]] = {}
    for path, table in ((files.text, texts), (files.utt2spk, speakers)):
        if path is not None:
            yield from _unique(path, table)
    used: dict[str, set[int | None]] = {}
    stretches = (_whole(files, recordings, texts, legs) if files.segments is None
                 else _segments(files.segments, recordings, legs))
    for entry in stretches:
        if isinstance(entry, Lost):
            texts.pop(entry.key, None)
            yield entry
            continue
        recording, stretch = entry
        used.setdefault(recording, set()).add(stretch.channel)
        line, text = texts.pop(stretch.key, (0, None))
        if text is None and files.segments is not None:
            yield Lost(stretch.file, stretch.line, stretch.key, say("it has no line in text"))
            continue
        speaker = speakers.get(stretch.key, (0, recording))[1]
        yield replace(stretch, text=text, speaker=speaker,
                      **({"file": files.text.name, "line": line} if line else {}))
    for key, (line, _) in texts.items():
        yield Lost(files.text.name, line, key, say("it has no line in segments")
                   if files.segments is not None else
                   say("it has no line in wav.scp that can be used"))
    yield from _unused(files, recordings, used, legs)


def _unused(files: KaldiFiles, recordings: Mapping[str, tuple[int, str]],
            used: Mapping[str, set[int | None]], legs: Sequence[str]) -> Iterator[Lost]:
    """Recordings and legs of which no transcript speaks."""
    for key, (line, _) in recordings.items():
        channels = used.get(key, set())
        if not channels and files.segments is not None:
            yield Lost(files.scp.name, line, key, say("no line of segments speaks of it"))
        for number, leg in enumerate(legs):
            if channels and None not in channels and number not in channels:
                yield Lost(files.scp.name, line, f"{key}-{leg}",
                           say("this leg of the call has no transcript"))


def _recordings(path: Path, recordings: dict[str, tuple[int, str]]) -> Iterator[Lost]:
    """Read wav.scp; paths are looked for from here, then from beside the list."""
    table: dict[str, tuple[int, str]] = {}
    yield from _unique(path, table)
    for key, (line, audio) in table.items():
        if not audio:
            yield Lost(path.name, line, key, say("there is no path behind the key"))
        elif audio.endswith("|"):
            yield Lost(path.name, line, key, say(
                "it is a command, and FunASR opens files alone: write its output to a file"))
        else:
            recordings[key] = line, _from_here(audio, path.parent)


def _from_here(path: str, folder: Path) -> str:
    """A path as it is found from here, or from the folder that it is written down in."""
    try:
        beside = folder / path
        return str(beside) if not Path(path).exists() and beside.exists() else path
    except (OSError, ValueError):
        return path


def _opened(path: Path, mode: str = "r", **how: Any) -> IO:
    try:
        return path.open(mode, **how)
    except OSError as error:
        raise BookError(say("{name} cannot be read ({reason}): check the path.", name=path.name,
                            reason=error.strerror)) from None


def _unique(path: Path, table: dict[str, tuple[int, str]]) -> Iterator[Lost]:
    """Read `key rest` lines; of a key that is there twice the first counts."""
    with _opened(path, "rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                yield Lost(path.name, number, "", say("byte {place} is not UTF-8",
                                                      place=error.start + 1))
                continue
            if not text:
                continue
            key, *rest = text.split(maxsplit=1)
            if key in table:
                yield Lost(path.name, number, key, say("the key is there already, in line {line}",
                                                       line=table[key][0]))
            else:
                table[key] = number, rest[0] if rest else ""


def _located(name: str, recordings: Mapping[str, tuple[int, str]], legs: Sequence[str]
             ) -> tuple[str, int | None] | None:
    """The recording that a name speaks of, and the channel, if it names a leg."""
    if name in recordings:
        return name, None
    for number, leg in enumerate(legs):
        recording = name.removesuffix(leg)
        if recording != name and recording[-1:] in "-_" and recording[:-1] in recordings:
            return recording[:-1], number
    return None


def _whole(files: KaldiFiles, recordings: Mapping[str, tuple[int, str]],
           texts: Mapping[str, tuple[int, str]], legs: Sequence[str]
           ) -> Iterator[tuple[str, Utterance] | Lost]:
    """Each recording, or each leg of it that has a transcript."""
    named: dict[str, list[tuple[str, int | None]]] = {}
    for key in texts:
        located = _located(key, recordings, legs)
        if located is not None:
            named.setdefault(located[0], []).append((key, located[1]))
    for recording, (line, path) in recordings.items():
        for key, channel in named.get(recording, [(recording, None)]):
            yield recording, Utterance(key, path, None, files.scp.name, line, channel=channel)


def _segments(path: Path, recordings: Mapping[str, tuple[int, str]], legs: Sequence[str]
              ) -> Iterator[tuple[str, Utterance] | Lost]:
    table: dict[str, tuple[int, str]] = {}
    yield from _unique(path, table)
    for key, (line, rest) in table.items():
        try:
            name, *times = rest.split()
            start, end = map(float, times)
            if not (math.isfinite(start) and start >= 0 and (start < end < math.inf or end == -1)):
                raise ValueError
        except ValueError:
            yield Lost(path.name, line, key, say(
                "it is not `key recording start end`, with the times in seconds and start < end"))
            continue
        located = _located(name, recordings, legs)
        if located is None:
            yield Lost(path.name, line, key, say("there is no {name} in wav.scp that can be used",
                                                 name=name))
            continue
        yield located[0], Utterance(key, recordings[located[0]][1], None, path.name, line, start,
                                    None if end == -1 else end, located[1])


# Tables and data sets

COLUMNS: dict[str, tuple[str, ...]] = {
    "audio": ("audio", "path", "file", "wav", "audio_path", "audio_filepath", "file_name",
              "filename"),
    "text": ("text", "sentence", "transcript", "transcription"),
    "key": ("key", "id", "utt", "utt_id"),
    "start": ("start", "start_time", "begin"),
    "end": ("end", "end_time"),
    "channel": ("channel", "leg"),
    "speaker": ("speaker", "speaker_id", "spk", "client_id"),
    "hotwords": ("hotwords", "hot_words"),
}
"""What a column may be called."""
_CHANNELS = {"0": 0, "1": 1, "a": 0, "b": 1, "left": 0, "right": 1, "l": 0, "r": 1}


def chosen_columns(there: Sequence[str], named: Mapping[str, str], where: str) -> dict[str, str]:
    """Which column holds what: as named, else by its usual names.

    Raises:
        BookError: a named column is not there, or no column holds audio.
    """
    plain = {name.strip().lower(): name for name in there}
    columns = {}
    for role, names in COLUMNS.items():
        if role in named:
            if named[role] not in there:
                raise BookError(say("{where} has no column {name}: it has {there}.", where=where,
                                    name=named[role], there=", ".join(there)))
            columns[role] = named[role]
        else:
            name = next((plain[usual] for usual in names if usual in plain), None)
            if name is not None:
                columns[role] = name
    if "audio" not in columns:
        raise BookError(say("{where} has no column with audio: name one, as in --columns "
                            "audio=NAME. It has {there}.", where=where, there=", ".join(there)))
    return columns


def from_table(path: Path, named: Mapping[str, str]) -> Read:
    """Utterances of a CSV or TSV with a head; lines are counted as an editor counts them.

    Raises:
        BookError: it cannot be read, or has no column with audio.
    """
    with _opened(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        head = stream.readline()
        stream.seek(0)
        tab, semicolon = path.suffix == ".tsv" or "\t" in head, ";" in head and "," not in head
        rows = csv.reader(stream, delimiter="\t" if tab else ";" if semicolon else ",", strict=True)
        columns: dict[str, int] = {}
        width = 0
        while True:
            line = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                break
            except csv.Error as error:
                yield Lost(path.name, line, "", say("it cannot be read as a row ({error})",
                                                    error=error))
                continue
            if not columns:
                columns = {role: row.index(name) for role, name in
                           chosen_columns(row, named, path.name).items()}
                width = len(row)
            elif row and len(row) != width:
                yield Lost(path.name, line, "", say(
                    "it has {count} cells, and the head has {width}", count=len(row), width=width))
            elif row:
                values = {role: row[index] for role, index in columns.items()}
                yield _utterance(values, path.name, line, path.parent)


def _utterance(values: Mapping[str, Any], file: str, line: int, folder: Path,
               data: bytes | None = None) -> Utterance | Lost:
    """One row, as an utterance or as what is wrong with it."""
    cells = {role: "" if value is None else str(value).strip() for role, value in values.items()}
    audio, key = cells.get("audio", ""), cells.get("key", "")
    if any("\ud800" <= sign <= "\udfff" for cell in cells.values() for sign in cell):
        return Lost(file, line, "", say("it is not UTF-8"))
    if not audio and data is None:
        return Lost(file, line, key, say("there is no audio"))
    channel = cells.get("channel", "").lower()
    if channel and channel not in _CHANNELS:
        return Lost(file, line, key, say("the channel is {channel}: write 0 or 1, A or B",
                                         channel=channel[:20]))
    try:
        start = float(cells.get("start") or 0)
        end = float(cells["end"]) if cells.get("end") else None
        if not (math.isfinite(start) and 0 <= start < (math.inf if end is None else end)) or (
                end == math.inf):
            raise ValueError
    except ValueError:
        return Lost(file, line, key, say("start and end are no times in seconds, start < end"))
    number = _CHANNELS.get(channel)
    if not key:
        key = Path(audio).stem or f"{line:07d}"
        key += "" if number is None else f"-{LEGS[number]}"
        if start or end is not None:
            key += f"-{round(1000 * start):07d}-{round(1000 * (end or 0)):07d}"
    if data is None:
        audio = _from_here(audio, folder)
    words = tuple(word.strip() for word in cells.get("hotwords", "").split(",") if word.strip())
    return Utterance(key, audio, values.get("text") and cells["text"], file, line, start, end,
                     number, cells.get("speaker") or audio or key, words, data)


def from_dataset(path: Path, split: str | None, named: Mapping[str, str]) -> Read:
    """Utterances of a data set of Hugging Face's `datasets` that lies in a local folder.

    A folder that `save_to_disk` wrote, one of Parquet files, or one of audio with a
    `metadata.csv`, which is read as a table. Rows are counted from 1. Nothing is decoded and
    nothing is fetched.

    Raises:
        BookError: `datasets` is not installed, the folder holds none, or the split is not named.
    """
    listed = path / (split or "") / "metadata.csv"
    if listed.is_file():
        yield from from_table(listed, named)
        return
    try:
        import datasets
    except ImportError:
        raise BookError(say("Reading a data set needs the package datasets: pip "
                            "install 'funasr-preflight[datasets]'.")) from None
    saved = any((path / name).is_file() for name in ("dataset_dict.json", "dataset_info.json"))
    try:
        whole = (datasets.load_from_disk(str(path)) if saved
                 else datasets.load_dataset(str(path), streaming=True))
    except Exception as error:  # noqa: BLE001  each builder of the package has errors of its own
        raise _no_dataset(path.name, error) from None
    if isinstance(whole, Mapping):
        names = list(whole)
        if split is None and len(names) == 1:
            split = names[0]
        if split not in names:
            raise BookError(say("{name} has the splits {splits}: choose with --split.",
                                name=path.name, splits=", ".join(names)))
        whole = whole[split]
    features = whole.features or {}
    sounds = [name for name, feature in features.items() if isinstance(feature, datasets.Audio)]
    columns = chosen_columns(list(features), {**({"audio": sounds[0]} if sounds else {}), **named},
                             path.name)
    if columns["audio"] in sounds:
        whole = whole.cast_column(columns["audio"], datasets.Audio(decode=False))
    for number, row in enumerate(_rows(whole, path.name), 1):
        values = {role: row[name] for role, name in columns.items()}
        sound, data = values["audio"], None
        if isinstance(sound, Mapping):
            values["audio"], data = sound.get("path"), sound.get("bytes")
        yield _utterance(values, path.name, number, path, data)


def _rows(whole: Any, name: str) -> Iterator[Mapping[str, Any]]:
    try:
        yield from whole
    except Exception as error:  # noqa: BLE001  each builder of the package has errors of its own
        raise _no_dataset(name, error) from None


def _no_dataset(name: str, error: Exception) -> BookError:
    return BookError(say("{name} cannot be read as a data set ({error}): give a folder with "
                         "wav.scp, a CSV, or what save_to_disk wrote.", name=name,
                         error=str(error).partition("\n")[0][:120]))
