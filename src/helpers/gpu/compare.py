"""After fine-tuning: does the new model hear your calls better than the one it started from?

    python -m helpers.gpu.compare --model models/my_model --against FunAudioLLM/Fun-ASR-Nano-2512 \\
        --data calls.jsonl

decodes the same lines with both, normalises what they write, and prints each rate and their
difference with its interval. Run it once with calls and once with wideband speech: the second says
what was forgotten.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from funasr_preflight.commands import Parser
from helpers.errors import BookError, one_sentence
from helpers.evaluation import decoding, intervals, normalise
from helpers.evaluation.decoding import Hypothesis
from helpers.evaluation.intervals import Difference
from helpers.gpu import workbench
from helpers.session import setup

HEAD = ("Branch", "Utterances", "Before, %", "After, %", "Difference, points")


def difference(before: Sequence[Hypothesis], after: Sequence[Hypothesis], branch: str,
               language: str = "en") -> Difference:
    """How much higher the normalised error rate is after than before, utterance by utterance.

    Raises:
        BookError: the two are not of the same utterances, or no transcript holds a word.
    """
    if [hypothesis.key for hypothesis in before] != [hypothesis.key for hypothesis in after]:
        raise BookError("The two models heard other utterances: give both the same list.")
    references = [hypothesis.reference for hypothesis in before]
    (less, words), (more, _) = (
        normalise.counts(references, decoding.texts_of(heard, branch), language=language)
        for heard in (before, after))
    if not words.sum():
        raise BookError("No reference holds a word: give transcripts of what was said.")
    return intervals.difference(more, less, words, [hypothesis.voice for hypothesis in before])


def rows(before: Mapping[str, Sequence[Hypothesis]], after: Mapping[str, Sequence[Hypothesis]],
         language: str = "en") -> list[list[str]]:
    """Cells under HEAD, a row for each branch that both models have."""
    return [[branch.upper(), str(len(after[branch])),
             *(str(decoding.score(heard[branch], branch, language=language))
               for heard in (before, after)),
             str(difference(before[branch], after[branch], branch, language))]
            for branch in before if branch in after]


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and return 0; 2, and one sentence, where that cannot be."""
    parser = Parser(prog="python -m helpers.gpu.compare", description=__doc__.partition("\n")[0])
    workbench.add_options(parser, required=True, help="the folder that was exported after the run")
    parser.add_argument("--against", required=True, help="folder or hub name of the model before")
    options = parser.parse_args(arguments)
    after = workbench.from_options(options)
    before = replace(after, model=options.against)
    setup()
    items = after.some_calls(options.sentences)
    workbench.print_rows(HEAD)
    workbench.print_rows(*rows(before.heard(items), after.heard(items), after.language))
    return 0


if __name__ == "__main__":
    sys.exit(main())
