"""Before any fine-tuning: does the released model already hear your calls?

    python -m helpers.gpu.first_question --model FunAudioLLM/Fun-ASR-Nano-2512 --data calls.jsonl

decodes lines of the manifest with the weights as they are. It prints the error rate of normalised
texts with its interval, the rate as written, what a right transcript in the released style would
score by its format alone, and the calls that were heard worst. With --by it says where the errors
are: by length, level and noise, and by every key of the lines that is named. Without options,
BOOK_MODEL, BOOK_DATA and BOOK_DEVICE choose.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from funasr_preflight.commands import Parser
from helpers.errors import one_sentence
from helpers.evaluation import breakdown, decoding, normalise
from helpers.evaluation.decoding import Hypothesis
from helpers.gpu import workbench
from helpers.session import setup

HEAD = ("Branch", "Utterances", "Error rate, %", "As written, %", "Format alone, %")
WORST = 3


def rows(heard: dict[str, list[Hypothesis]], items: Sequence[dict],
         language: str) -> list[list[str]]:
    """Cells under HEAD, a row for each branch: rates with 95 % intervals."""
    floor = str(workbench.format_alone(items))
    return [[branch.upper(), str(len(decoded)),
             str(decoding.score(decoded, branch, language=language)),
             str(decoding.score(decoded, branch)), floor] for branch, decoded in heard.items()]


def worst(heard: Sequence[Hypothesis], branch: str, language: str) -> list[Hypothesis]:
    """The utterances with the most errors for each word of their transcript."""
    errors, words = normalise.counts([hypothesis.reference for hypothesis in heard],
                                     decoding.texts_of(heard, branch), language=language)
    order = sorted(range(len(heard)), key=lambda n: -errors[n] / max(1, words[n]))
    return [heard[n] for n in order[:WORST] if errors[n]]


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the question and return 0; 2, and one sentence, where it cannot be asked."""
    parser = Parser(prog="python -m helpers.gpu.first_question",
                    description=__doc__.partition("\n")[0])
    workbench.add_options(parser, help="folder or hub name of the model (BOOK_MODEL)")
    parser.add_argument("--by", default="", metavar="WHAT,...",
                        help=f"where the errors are: {', '.join(breakdown.SCALES)}, or a key of "
                             "the lines, such as voice")
    options = parser.parse_args(arguments)
    bench = workbench.from_options(options)
    setup()
    items = bench.some_calls(options.sentences)
    factors = [name.strip() for name in options.by.split(",") if name.strip()]
    for name in factors:  # refused before the model is built and heard
        breakdown.groups_of(items, name)
    heard = bench.heard(items)
    workbench.print_rows(HEAD, *rows(heard, items, bench.language))
    for hypothesis in worst(heard["llm"], "llm", bench.language):
        print(f"{hypothesis.key}\n  said:  {hypothesis.reference}\n  heard: {hypothesis.llm}")
    if factors:
        print_parts(breakdown.parts(heard["llm"], items, factors, "llm", bench.language))
    return 0


def print_parts(groups: Sequence[breakdown.CallGroup]) -> None:
    """The groups of the LLM branch, and which of them are clearly worse than the rest."""
    workbench.print_rows(breakdown.HEAD, *(group.cells for group in groups))
    worse = [f"{group.factor} {group.group}" for group in breakdown.worse(groups)]
    print(f"Clearly worse than the rest: {', '.join(worse) or 'none'}.")


if __name__ == "__main__":
    sys.exit(main())
