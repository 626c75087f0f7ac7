"""Errors of words, counted sentence by sentence, and their rates with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import jiwer
import numpy as np

from helpers.errors import BookError
from helpers.evaluation import intervals
from helpers.evaluation.intervals import ErrorRate


def error_rate(references: Sequence[str], hypotheses: Sequence[str],
               voices: Sequence[str] | None = None) -> ErrorRate:
    """Word error rate over a set, with its 95 % interval.

    The rate is total errors over total reference words, so long utterances weigh more.

    Args:
        voices: who speaks each utterance; without it, each is taken for a voice of its own.

    Raises:
        BookError: no utterances, lists of different lengths, or an empty reference.
    """
    if not references or len(references) != len(hypotheses):
        raise BookError(f"{len(references)} references and {len(hypotheses)} hypotheses: give "
                        "the same number of both, and at least one.")
    if not all(reference.strip() for reference in references):
        raise BookError("A reference is empty: remove that utterance before scoring.")
    speakers = range(len(references)) if voices is None else voices
    return intervals.error_rate(*error_counts(references, hypotheses), speakers)


def error_counts(references: Sequence[str],
                 hypotheses: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Errors and reference words of each utterance: two integer arrays of shape (utterances,)."""
    counts = [jiwer.process_words(*pair) for pair in zip(references, hypotheses, strict=True)]
    return (np.array([edit.substitutions + edit.deletions + edit.insertions for edit in counts]),
            np.array([edit.hits + edit.substitutions + edit.deletions for edit in counts]))
