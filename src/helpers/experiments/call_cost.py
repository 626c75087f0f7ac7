"""What each thing that a call does to speech costs the mini in words: `--record` measures it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from helpers.errors import BookError, one_sentence
from helpers.evaluation import decoding
from helpers.evaluation.error_rates import ErrorRate
from helpers.paths import RESULTS
from helpers.speech import corpus
from helpers.telephone import speech_codecs
from helpers.telephone.channel import Channel, call_set

RECORD = RESULTS / "call_cost.json"
COMMAND = "python -m helpers.experiments.call_cost --record"

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


def items_of(stage: str, limit: int | None = None) -> list[dict]:
    """The test set as a stage delivers it.

    Raises:
        BookError: an unknown stage, or a codec that this machine cannot run.
    """
    if stage not in STAGES:
        raise BookError(f"There is no stage {stage!r}: choose one of {', '.join(STAGES)}.")
    channel = STAGES[stage]
    return corpus.load_set("test")[:limit] if channel is None else call_set("test", channel, limit)


def possible() -> list[str]:
    """The stages whose codec this machine can run."""
    codecs = {None, *speech_codecs.available()}
    return [stage for stage, channel in STAGES.items() if channel is None
            or channel.codec in codecs]


def cost(built, stages: Iterable[str], limit: int | None = None,
         branches: Sequence[str] = ("llm", "ctc")) -> dict[str, dict[str, ErrorRate]]:
    """Stage to branch to word error rate of a model on the test set."""
    return {stage: {branch: decoding.score(decoding.decode(built, items_of(stage, limit), branch),
                                           branch) for branch in branches} for stage in stages}


def recorded(path: Path = RECORD) -> dict[str, dict[str, ErrorRate]]:
    """The stored measurement.

    Raises:
        BookError: it is not there.
    """
    if not path.is_file():
        raise BookError(f"There is no {path.name}: run `{COMMAND}`.")
    rates = json.loads(path.read_text())["rates"]
    return {stage: {branch: ErrorRate(**rate) for branch, rate in row.items()}
            for stage, row in rates.items()}


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments.call_cost",
                                     description=__doc__)
    parser.add_argument("--limit", type=int, help="only the first N test utterances")
    parser.add_argument("--record", action="store_true", help=f"also write results/{RECORD.name}")
    options = parser.parse_args(arguments)
    from tqdm.auto import tqdm

    from helpers.experiments.provenance import provenance
    from helpers.model import mini
    from helpers.session import setup

    setup()
    built = mini.build("pretrained")
    rates = {}
    for stage in tqdm(possible(), desc="stages", disable=not sys.stderr.isatty()):
        rates |= cost(built, [stage], options.limit)
        print(stage, *(f"{branch} {rate}" for branch, rate in rates[stage].items()), sep=": ")
    if options.record:
        plain = {stage: {branch: asdict(rate) for branch, rate in row.items()}
                 for stage, row in rates.items()}
        RECORD.write_text(json.dumps({"provenance": provenance(COMMAND, seed=0), "rates": plain},
                                     indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
