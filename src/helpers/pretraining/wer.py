"""Measure the mini's word error rates: `make wer`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from helpers.errors import one_sentence
from helpers.evaluation.decoding import decode, score
from helpers.evaluation.error_rates import ErrorRate
from helpers.experiments.provenance import provenance
from helpers.model.mini import Built
from helpers.paths import RESULTS
from helpers.speech import corpus
from helpers.telephone.channel import telephone_set


def mini_table(built: Built, limit: int | None = None, progress: bool = True) -> dict:
    """The mini's error rates on the test set.

    Returns:
        audio kind to branch to ErrorRate. The kinds are `wideband`, `telephone`, and wideband
        once more for the voices of each synthesiser.
    """
    audio = {"wideband": corpus.load_set("test")[:limit], "telephone": telephone_set("test", limit)}
    heard = {kind: {branch: decode(built, items, branch, f"{kind}, {branch}" if progress else None)
                    for branch in ("llm", "ctc")} for kind, items in audio.items()}
    engine_of = {item["key"]: item["voice"].split(":")[0] for item in audio["wideband"]}
    for engine in sorted(set(engine_of.values())):
        heard[f"wideband, {engine} voices"] = {
            branch: [h for h in hypotheses if engine_of[h.key] == engine]
            for branch, hypotheses in heard["wideband"].items()}
    return {kind: {branch: score(hypotheses, branch) for branch, hypotheses in row.items()}
            for kind, row in heard.items()}


def record(rates: dict[str, dict[str, ErrorRate]]) -> Path:
    """Store the mini's table as `results/mini_wer.json`."""
    plain = {kind: {branch: asdict(rate) for branch, rate in row.items()}
             for kind, row in rates.items()}
    made = provenance("python -m helpers.pretraining.wer --record", seed=0)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "mini_wer.json"
    path.write_text(json.dumps({"provenance": made, "rates": plain}, indent=1) + "\n")
    return path


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.pretraining.wer", description=__doc__)
    parser.add_argument("--limit", type=int, help="only the first N test utterances")
    parser.add_argument("--weights", type=Path, help="other weights (safetensors) than the mini's")
    parser.add_argument("--record", action="store_true",
                        help="also write results/mini_wer.json, with where it comes from")
    options = parser.parse_args(arguments)
    from rich.console import Console
    from rich.table import Table

    from helpers.model import mini
    from helpers.session import setup

    setup()
    torch.set_num_threads(1)
    built = mini.build("pretrained")
    if options.weights:
        built.model.load_state_dict(mini.read_weights(options.weights))
    rates = mini_table(built, options.limit)
    table = Table("audio", "LLM: WER [95 % interval]", "CTC: WER [95 % interval]", "utterances")
    for kind, row in rates.items():
        table.add_row(kind, str(row["llm"]), str(row["ctc"]), str(row["llm"].utterances))
    Console().print(table)
    if options.record:
        record(rates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
