"""What was recorded of recognisers on people's speech: rates, differences, floors and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from helpers.real_voices.book import RESULTS, STAGES, BookError, Rate, RunRecords, difference

COMMAND = "python -m helpers.real_voices.run --record"
RECORDS = RunRecords(RESULTS / "real_voices.json", COMMAND,
                     ("recogniser", "speech", "stage", "frontend", "seed", "part"))
REFERENCE = "reference"
"""In place of a recogniser: the rows that hold words and speakers of a speech set."""
FIRST_STAGE = next(iter(STAGES))
FRONTENDS = ("own", "displaced", "kept")


class Cell(NamedTuple):
    """One condition: who hears which speech at which stage through which frontend."""

    recogniser: str
    speech: str
    stage: str
    frontend: str = "own"


class Recorded:
    """The rows of `helpers.real_voices.run`.

    Args:
        rows: as the file has them. A recogniser may have heard the first parts of a set only.
    """

    def __init__(self, rows: Sequence[dict]):
        self.sets = {row["speech"]: row for row in rows if row["recogniser"] == REFERENCE}
        self.rows: dict[Cell, list[dict]] = {}
        for row in rows:
            if row["recogniser"] != REFERENCE:
                self.rows.setdefault(Cell(*(row[name] for name in Cell._fields)), []).append(row)

    @classmethod
    def read(cls) -> Recorded:
        """The recorded ones.

        Raises:
            BookError: nothing is recorded.
        """
        return cls(RECORDS.read())

    def __contains__(self, cell: Cell) -> bool:
        return cell in self.rows

    def words(self, speech: str, plain: bool = False) -> np.ndarray:
        """Reference words of each clip of a set, shape (clips,)."""
        return unpacked(self.sets[speech]["plain_words" if plain else "words"])

    def speakers(self, speech: str) -> np.ndarray:
        """Speaker of each clip of a set, shape (clips,)."""
        names, times = zip(*self.sets[speech]["speakers"], strict=True)
        return np.repeat(names, times)

    def errors(self, cell: Cell, plain: bool = False) -> np.ndarray:
        """Word errors, shape (seeds, clips), of the clips from the first on that all seeds heard.

        Raises:
            BookError: the condition is not recorded.
        """
        parts: dict[int, dict[int, np.ndarray]] = {}
        for row in self.rows.get(cell, []):
            parts.setdefault(row["seed"], {})[row["part"]] = unpacked(
                row["plain_errors" if plain else "errors"])
        whole = min((_in_sequence(of_seed) for of_seed in parts.values()), default=0)
        if not whole:
            raise BookError(f"There is no record of {', '.join(cell)}: run `{COMMAND}`.")
        return np.array([np.concatenate([of_seed[part] for part in range(whole)])
                         for of_seed in parts.values()])

    def common_clips(self, cells: Iterable[Cell]) -> int:
        """How many clips, from the first on, all of these conditions heard that are recorded."""
        return min((self.errors(cell).shape[1] for cell in cells if cell in self), default=0)

    def rate(self, cell: Cell, speaker: str | None = None, plain: bool = False,
             clips: int | None = None) -> Rate:
        """Word error rate over all seeds, with the book's interval.

        Args:
            speaker: only this one's clips.
            plain: of the texts as they are written, not normalised.
            clips: only so many, from the first on.
        """
        errors = self.errors(cell, plain)[:, :clips]
        return self._interval(cell.speech, errors, np.zeros_like(errors), speaker, plain)

    def difference(self, cell: Cell, other: Cell, speaker: str | None = None,
                   clips: int | None = None) -> Rate:
        """How much higher one error rate is than another, on the clips that both heard.

        Args:
            speaker: only this one's clips.
            clips: only so many, from the first on.

        Raises:
            BookError: a condition is not recorded, or the two are of different speech.
        """
        if len(self.words(cell.speech)) != len(self.words(other.speech)):
            raise BookError(f"{cell.speech} and {other.speech} are different clips: compare rates "
                            "on the same speech.")
        errors, others = self.errors(cell), self.errors(other)
        both = min(errors.shape[1], others.shape[1], clips or errors.shape[1])
        return self._interval(cell.speech, errors[:, :both], others[:, :both], speaker)

    def floor(self, cell: Cell) -> float | None:
        """Unnormalised error rate of the clips without a single normalised error.

        All of it is case, punctuation and the way of writing numbers. None where no clip is heard
        without an error.
        """
        right = self.errors(cell) == 0
        words = np.broadcast_to(self.words(cell.speech, plain=True)[:right.shape[1]], right.shape)
        return float(self.errors(cell, plain=True)[right].sum() / words[right].sum()) \
            if right.any() else None

    def _interval(self, speech: str, errors: np.ndarray, others: np.ndarray, speaker: str | None,
                  plain: bool = False) -> Rate:
        heard = errors.shape[1]
        words, chosen = self.words(speech, plain)[:heard], np.ones(heard, dtype=bool)
        if speaker is not None:
            chosen = self.speakers(speech)[:heard] == speaker
        if not chosen.any():
            raise BookError(f"{speaker} does not speak in {speech}: choose one of "
                            f"{', '.join(dict.fromkeys(self.speakers(speech)))}.")
        return Rate(*difference(errors[:, chosen], others[:, chosen], words[chosen]))


def _in_sequence(parts: dict[int, np.ndarray]) -> int:
    """How many parts there are from the first on, without a gap."""
    return next(part for part in range(len(parts) + 1) if part not in parts)


def packed(numbers: Sequence[int]) -> str:
    """Small numbers as one string, which JSON keeps on one line."""
    return " ".join(map(str, numbers))


def unpacked(text: str) -> np.ndarray:
    """The numbers of `packed`."""
    return np.array(text.split(), dtype=int)


def stage_table(recorded: Recorded, speech: str, recognisers: Sequence[str],
                stages: Sequence[str] = tuple(STAGES)) -> tuple[list[str], list[list[str]]]:
    """A row for each stage: for each recogniser its error rate, and its paired change.

    Rates in percent, changes in points against the first stage of the channel, wideband, both with
    95 % intervals, over the clips that the recogniser heard at every stage of its column. Made for
    `helpers.page.table`.

    Returns:
        Headings, and rows of as many cells; empty where nothing is recorded.
    """
    head, columns = ["Stage"], []
    for name in recognisers:
        cells = [Cell(name, speech, stage) for stage in stages]
        first = Cell(name, speech, FIRST_STAGE)
        clips = recorded.common_clips([*cells, first])
        head += [f"{name}, %, {clips} clips", "change, points"]
        columns.append([_rate_and_change(recorded, cell, first, clips) for cell in cells])
    return head, [[stage, *(text for column in columns for text in column[number])]
                  for number, stage in enumerate(stages)]


def frontend_table(recorded: Recorded, speech: str, recognisers: Sequence[str],
                   stage: str = "8 kHz") -> tuple[list[str], list[list[str]]]:
    """A row for each recogniser and frontend at one stage: clips, rate, change to its own frontend.

    Over the clips that the recogniser heard through all of its frontends.
    """
    rows = []
    for name in recognisers:
        cells = [cell for frontend in FRONTENDS
                 if (cell := Cell(name, speech, stage, frontend)) in recorded]
        clips = recorded.common_clips(cells)
        rows += [[name, cell.frontend, str(clips),
                  *_rate_and_change(recorded, cell, Cell(name, speech, stage), clips)]
                 for cell in cells]
    return ["Recogniser", "Filters", "Clips", "%", "change, points"], rows


def speaker_table(recorded: Recorded, speech: str, recognisers: Sequence[str],
                  stages: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """A row for each speaker of a set: clips, words, and each recogniser's rate at each stage."""
    names, words = recorded.speakers(speech), recorded.words(speech)
    cells = [Cell(name, speech, stage) for name in recognisers for stage in stages]
    head = ["Speaker", "Clips", "Words", *(f"{cell.recogniser}, {cell.stage}" for cell in cells)]
    return head, [[speaker, str((names == speaker).sum()), str(words[names == speaker].sum()),
                   *(str(recorded.rate(cell, speaker)) if cell in recorded else ""
                     for cell in cells)] for speaker in dict.fromkeys(names.tolist())]


def floor_table(recorded: Recorded, speech: str, recognisers: Sequence[str],
                stage: str = FIRST_STAGE) -> tuple[list[str], list[list[str]]]:
    """A row for each recogniser: its rate, the rate of the texts as written, and the floor."""
    def row(cell: Cell) -> Iterator[str]:
        floor = recorded.floor(cell)
        yield from (cell.recogniser, str(recorded.rate(cell)),
                    str(recorded.rate(cell, plain=True)), "" if floor is None else
                    f"{100 * floor:.1f}")
    return (["Recogniser", "normalised, %", "as written, %", "format alone, %"],
            [list(row(cell)) for name in recognisers
             if (cell := Cell(name, speech, stage)) in recorded])


def _rate_and_change(recorded: Recorded, cell: Cell, against: Cell,
                     clips: int) -> tuple[str, str]:
    if cell not in recorded:
        return "", ""
    change = ""
    if cell != against and against in recorded:
        change = recorded.difference(cell, against, clips=clips).signed()
    return str(recorded.rate(cell, clips=clips)), change
