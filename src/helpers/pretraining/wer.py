"""Measure the mini's word error rates: `make wer`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from helpers.errors import one_sentence
from helpers.evaluation.decoding import mini_table, record


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
