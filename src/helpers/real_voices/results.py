"""What was recorded of recognisers on people's speech: rates, differences and tables.

An interval says what other speakers would have given, each drawn with all clips. Where a set has
one speaker, clips are drawn, and the interval says nothing of other voices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from helpers.errors import BookError
from helpers.evaluation import intervals
from helpers.evaluation.intervals import Difference, ErrorRate
from helpers.experiments.call_cost import STAGES
from helpers.experiments.records import RunRecords
from helpers.experiments.results import unpacked
from helpers.paths import RESULTS

COMMAND = "python -m helpers.real_voices.run --record"
RECORDS = RunRecords(RESULTS / "real_voices.json", COMMAND,
                     ("recogniser", "speech", "stage", "frontend", "seed", "part"))
REFERENCE = "reference"
"""In place of a recogniser: the rows that hold words and speakers of a speech set."""
FIRST_STAGE = next(iter(STAGES))
FRONTENDS = ("own", "displaced", "kept")
DECIDING = ("wideband", "8 kHz", "300-3400 Hz", "G.711 mu-law", "noise, 10 dB")
"""The stages that say most."""


class Cell(NamedTuple):
    """One condition: who hears which speech at which stage through which frontend."""

    recogniser: str
    speech: str
    stage: str
    frontend: str = "own"


class RecordedVoices:
    """The rows of `helpers.real_voices.run`.

    Args:
        rows: as the file has them. A recogniser may have heard the first parts of a set only.
        command: what records them.
    """

    def __init__(self, rows: Sequence[dict], command: str = COMMAND):
        self.command = command
        self.sets = {row["speech"]: row for row in rows if row["recogniser"] == REFERENCE}
        self.rows: dict[Cell, list[dict]] = {}
        for row in rows:
            if row["recogniser"] != REFERENCE:
                self.rows.setdefault(Cell(row["recogniser"], row["speech"], row["stage"],
                                          row["frontend"]), []).append(row)

    @classmethod
    def read(cls) -> RecordedVoices:
        """The recorded ones.

        Raises:
            BookError: nothing is recorded.
        """
        return cls(RECORDS.read())

    def __contains__(self, cell: Cell) -> bool:
        return cell in self.rows

    def words(self, speech: str) -> np.ndarray:
        """Reference words of each clip of a set, shape (clips,)."""
        return unpacked(self._set(speech)["words"])

    def speakers(self, speech: str) -> np.ndarray:
        """Speaker of each clip of a set, shape (clips,)."""
        names, times = zip(*self._set(speech)["speakers"], strict=True)
        return np.repeat(names, times)

    def errors(self, cell: Cell) -> np.ndarray:
        """Word errors, shape (seeds, clips), of the clips from the first on that all seeds heard.

        Raises:
            BookError: the condition is not recorded.
        """
        parts: dict[int, dict[int, np.ndarray]] = {}
        for row in self.rows.get(cell, []):
            parts.setdefault(row["seed"], {})[row["part"]] = unpacked(row["errors"])
        part_count = min((_in_sequence(of_seed) for of_seed in parts.values()), default=0)
        if not part_count:
            raise BookError(f"There is no record of {', '.join(cell)}: run "
                            f"`{self.command}`.")
        return np.array([np.concatenate([of_seed[part] for part in range(part_count)])
                         for of_seed in parts.values()])

    def common_clips(self, cells: Iterable[Cell]) -> int:
        """How many clips, from the first on, all of these conditions heard that are recorded."""
        return min((self.errors(cell).shape[1] for cell in cells if cell in self), default=0)

    def rate(self, cell: Cell, clips: int | None = None) -> ErrorRate:
        """Word error rate over all seeds."""
        errors = self.errors(cell)[:, :clips]
        return intervals.error_rate(errors, *self._drawn(cell.speech, errors.shape[1]))

    def difference(self, cell: Cell, other: Cell, clips: int | None = None,
                   among: int = 1) -> Difference:
        """How much higher one error rate is than another, on the clips that both heard.

        Args:
            among: how many comparisons are read together.

        Raises:
            BookError: a condition is not recorded, or the two are of different speech.
        """
        if cell.speech != other.speech:
            raise BookError(f"{cell.speech} and {other.speech} are different clips: compare rates "
                            "on the same speech.")
        errors, others = self.errors(cell)[:, :clips], self.errors(other)[:, :clips]
        shared = min(errors.shape[1], others.shape[1])
        return intervals.difference(errors[:, :shared], others[:, :shared],
                                    *self._drawn(cell.speech, shared), among)

    def change(self, recogniser: str, speech: str, stage: str, than: str = FIRST_STAGE,
               clips: int | None = None) -> Difference:
        """How much higher a recogniser's error rate is at one stage than at another.

        Raises:
            BookError: one of the two is not recorded.
        """
        return self.difference(Cell(recogniser, speech, stage), Cell(recogniser, speech, than),
                               clips=clips)

    def scope(self, speech: str, clips: int) -> str:
        """What the first clips of a set are, and of what their intervals speak: for a caption."""
        words, names = self.words(speech)[:clips], set(self.speakers(speech)[:clips])
        counted = f"{len(words)} clips, {words.sum():,} words"
        return (f"{counted}, {len(names)} speakers; 95 % intervals over speakers." if len(names) > 1
                else f"{counted}, one speaker; 95 % intervals over clips, which say nothing of "
                     "other voices.")

    def _set(self, speech: str) -> dict:
        if speech not in self.sets:
            raise BookError(f"There is no record of what is said in {speech}: run "
                            f"`{COMMAND} --only {REFERENCE}`.")
        return self.sets[speech]

    def _drawn(self, speech: str, clips: int) -> tuple[np.ndarray, np.ndarray]:
        """Words of the first clips, and what is drawn again: speakers, or clips of one."""
        names = self.speakers(speech)[:clips]
        return self.words(speech)[:clips], names if len(set(names)) > 1 else np.arange(clips)


def _in_sequence(parts: dict[int, np.ndarray]) -> int:
    """How many parts there are from the first on, without a gap."""
    return next(part for part in range(len(parts) + 1) if part not in parts)


class VoiceTable(NamedTuple):
    """Made for `helpers.pages.page.table(*table)`."""

    headings: list[str]
    rows: list[list[str]]
    caption: str


def stage_table(recorded: RecordedVoices, speech: str, recognisers: Sequence[str],
                stages: Sequence[str] = tuple(STAGES)) -> VoiceTable:
    """A row for each stage: for each recogniser its error rate, and its paired change.

    Changes are against the first stage of the channel, wideband. All over the clips that all of
    them heard; cells are empty where nothing is recorded.
    """
    clips = recorded.common_clips(Cell(name, speech, stage) for name in recognisers
                                  for stage in (FIRST_STAGE, *stages))
    return VoiceTable(["Stage", *(head for name in recognisers for head in (name, "change"))],
                 [[stage, *(text for name in recognisers for text in _rate_and_change(
                     recorded, Cell(name, speech, stage), Cell(name, speech, FIRST_STAGE), clips))]
                  for stage in stages],
                 "Word error rate in %; change against wideband in points, clip by clip. "
                 + recorded.scope(speech, clips))


def frontend_table(recorded: RecordedVoices, speech: str,
                   recognisers: Sequence[str]) -> VoiceTable:
    """A row for each recogniser and frontend at 8 kHz: rate, and change to its own frontend.

    Over the clips that all of them heard.
    """
    stage = "8 kHz"
    cells = [cell for name in recognisers for frontend in FRONTENDS
             if (cell := Cell(name, speech, stage, frontend)) in recorded]
    clips = recorded.common_clips(cells)
    return VoiceTable(["Recogniser", "filters", "word error rate, %", "change, points"],
                 [[cell.recogniser, cell.frontend, *_rate_and_change(
                     recorded, cell, Cell(cell.recogniser, speech, stage), clips)]
                  for cell in cells],
                 f"At the stage {stage}; change against its own frontend, clip by clip. "
                 + recorded.scope(speech, clips))


def _rate_and_change(recorded: RecordedVoices, cell: Cell, against: Cell,
                     clips: int) -> tuple[str, str]:
    if cell not in recorded:
        return "", ""
    change = ""
    if cell != against and against in recorded:
        change = str(recorded.difference(cell, against, clips=clips))
    return str(recorded.rate(cell, clips=clips)), change
