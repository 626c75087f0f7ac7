"""Measure the mini's word error rates: `make wer`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from helpers.errors import BookError, one_sentence
from helpers.evaluation import decoding, intervals
from helpers.evaluation.intervals import Difference, ErrorRate
from helpers.experiments import runs
from helpers.experiments.provenance import provenance
from helpers.experiments.records import write_record
from helpers.experiments.results import Results
from helpers.model import mini
from helpers.paths import RESULTS
from helpers.session import setup

RECORD = RESULTS / "mini_wer.json"
COMMAND = "python -m helpers.pretraining.wer --record"
BANDS = ("wideband", "telephone")
WHOLE = 240
"""Every sentence of the test set."""
MINI = "the mini"


def table(errors: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, ErrorRate]]:
    """The mini's error rates on the test set.

    Args:
        errors: band to branch to word errors of each sentence, as recorded.

    Returns:
        audio kind to branch to error rate. The kinds are the bands, and wideband once more for the
        voices of each synthesiser.
    """
    results = Results([(MINI, 0, errors)])
    engines = np.array([voice.split(":")[0] for voice in results.voices])
    subsets = {band: (band, np.ones(len(engines), dtype=bool)) for band in errors}
    subsets |= {f"wideband, {engine} voices": ("wideband", engines == engine)
                for engine in dict.fromkeys(sorted(engines))}
    return {kind: {branch: results.rate(MINI, band, branch, mask) for branch in decoding.BRANCHES}
            for kind, (band, mask) in subsets.items()}


def llm_minus_ctc(errors: Mapping[str, Mapping[str, str]], band: str) -> Difference:
    """How much higher the error rate of the LLM branch is than that of the CTC branch."""
    results = Results([(MINI, 0, errors)])
    return intervals.difference(*(results.errors(MINI, band, branch) for branch in ("llm", "ctc")),
                                results.words, results.voices)


def utterances(limit: int = WHOLE) -> dict[str, int]:
    """How many utterances each kind of `table` has."""
    engines = [item["voice"].split(":")[0] for item in runs.test_sets(limit, BANDS)["wideband"]]
    return dict.fromkeys(BANDS, len(engines)) | {
        f"wideband, {engine} voices": engines.count(engine) for engine in sorted(set(engines))}


def recorded(path: Path = RECORD) -> dict:
    """What is stored: `errors` for `table`, and `provenance`.

    Raises:
        BookError: it is not there.
    """
    if not path.is_file():
        raise BookError(f"There is no {path.name}: run `make wer`.")
    return json.loads(path.read_text(encoding="utf-8"))


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.pretraining.wer", description=__doc__)
    parser.add_argument("--limit", type=int, default=WHOLE, help="only the first N test utterances")
    parser.add_argument("--weights", type=Path, help="other weights (safetensors) than the mini's")
    parser.add_argument("--record", action="store_true",
                        help="also write results/mini_wer.json, with where it comes from")
    options = parser.parse_args(arguments)
    from rich.console import Console
    from rich.table import Table

    setup()
    built = mini.build("pretrained")
    if options.weights:
        built.model.load_state_dict(mini.read_weights(options.weights))
    errors = runs.written(decoding.hear(built, runs.test_sets(options.limit, BANDS)))
    counts = utterances(options.limit)
    rates = Table("audio", "LLM: WER in %", "CTC: WER in %", "utterances")
    for kind, row in table(errors).items():
        rates.add_row(kind, str(row["llm"]), str(row["ctc"]), str(counts[kind]))
    Console().print(rates)
    if options.record:
        write_record(RECORD, {"provenance": provenance(COMMAND, seed=0), "errors": errors})
    return 0


if __name__ == "__main__":
    sys.exit(main())
