"""What each thing that a call does to speech costs the mini in words.

`python -m helpers.experiments.call_cost --record` measures each stage that
`results/call_cost.json` lacks and this machine can make.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from helpers.errors import BookError
from helpers.evaluation import decoding
from helpers.evaluation.decoding import BRANCHES
from helpers.evaluation.intervals import ErrorRate
from helpers.experiments import runs
from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.experiments.results import Results
from helpers.model import mini
from helpers.paths import RESULTS
from helpers.telephone import speech_codecs
from helpers.telephone.channel import LINE_BAND_HZ, Channel, call_set, filtered_set

RECORDS = RunRecords(RESULTS / "call_cost.json",
                     "python -m helpers.experiments.call_cost --record", ("stage", "seed"))
MINI = "the mini"

STAGES: dict[str, Channel | None] = {
    "wideband": None,
    "8 kHz": Channel(codec=None, band=False),
    "300-3400 Hz": Channel(codec=None),
    "G.711 mu-law": Channel(),
    "G.711 A-law": Channel("A-law"),
    "G.721": Channel("G.721"),
    "GSM full rate": Channel("GSM"),
    "Opus 12 kbit/s": Channel("Opus"),
    "AMR 12.2 kbit/s": Channel("AMR"),
    "noise, 20 dB": Channel(snr_db=20),
    "noise, 10 dB": Channel(snr_db=10),
    "overdriven": Channel(level_dbov=-3),
    "comfort noise": Channel(comfort=True),
    "5 % lost, silence": Channel(loss=0.05, burst=2),
    "5 % lost, repeat": Channel(loss=0.05, burst=2, concealment="repeat"),
    "20 % lost, silence": Channel(loss=0.2, burst=3),
}
"""Each stage is the one above it and a thing more, down to G.711 mu-law; the rest vary that."""
FILTERS: dict[str, tuple[float | None, float | None]] = {
    "300-3400 Hz, at 16 kHz": LINE_BAND_HZ,
    "above 300 Hz, at 16 kHz": (LINE_BAND_HZ[0], None),
    "below 3400 Hz, at 16 kHz": (None, LINE_BAND_HZ[1])}
"""The line's band put on before the rate falls, whole and one edge alone: what the order hides."""


def items_of(stage: str, limit: int | None = None) -> list[dict]:
    """The test set as a stage delivers it.

    Raises:
        BookError: an unknown stage, or a codec that this machine cannot run.
    """
    if stage in FILTERS:
        return filtered_set("test", *FILTERS[stage], limit)
    if stage not in STAGES:
        raise BookError(f"There is no stage {stage!r}: choose one of "
                        f"{', '.join((*STAGES, *FILTERS))}.")
    return call_set("test", STAGES[stage], limit)


def possible() -> list[str]:
    """The stages whose codec this machine can run."""
    codecs = {None, *speech_codecs.available()}
    return [*(stage for stage, channel in STAGES.items() if channel is None
              or channel.codec in codecs), *FILTERS]


def make(name: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """Word errors of the pretrained mini at a stage, on the whole test set."""
    if name in possible():
        errors = decoding.hear(mini.build("pretrained"), {name: items_of(name)}, seed=seed)
        yield {"stage": name, "seed": seed, "errors": runs.written(errors)[name]}
    else:
        print(f"{name}: this machine has no such codec", file=sys.stderr)


def recorded() -> Results:
    """The recorded rows; the only arm is MINI, a band is a stage."""
    return Results(((MINI, row["seed"], {row["stage"]: row["errors"]}) for row in RECORDS.read()),
                   RECORDS.command)


def heard_now(built: mini.Built, stages: Iterable[str], limit: int | None = None,
              branches: Sequence[str] = BRANCHES) -> Results:
    """The same for a model here and now."""
    items = {stage: items_of(stage, limit) for stage in stages}
    return Results([(MINI, 0, decoding.hear(built, items, branches))])


def rates(results: Results) -> dict[str, dict[str, ErrorRate]]:
    """Stage to branch to word error rate."""
    by_stage: dict[str, dict[str, ErrorRate]] = {}
    for stage, branch in results.heard(MINI):
        by_stage.setdefault(stage, {})[branch] = results.rate(MINI, stage, branch)
    return by_stage


def show() -> None:
    """What is recorded, in the terminal."""
    for stage, row in rates(recorded()).items():
        print(stage, *(f"{branch} {rate}" for branch, rate in row.items()), sep=": ")


RECORDING = Recording("helpers.experiments.call_cost", RECORDS,
                      {(stage, 0): [(stage, 0)] for stage in (*STAGES, *FILTERS)}, make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
