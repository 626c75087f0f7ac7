"""Scoring what a recogniser writes as words, whatever its case, punctuation and numbers.

OpenAI's rules for English, as transformers keeps them. A prompt that says "press 1" and a
recogniser that writes "Press one." agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from helpers.evaluation.error_rates import error_counts


def normalised(text: str) -> str:
    """Lower case, no punctuation and fillers, numbers in figures; "" where no word is left."""
    return _normaliser()(text.replace("...", " ")).strip()


def counts(references: Sequence[str], hypotheses: Sequence[str],
           normalise: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Word errors and reference words of each text, two integer arrays of shape (texts,).

    Args:
        normalise: without it, the texts are compared as they are written.
    """
    if normalise:
        references, hypotheses = ([normalised(text) for text in texts]
                                  for texts in (references, hypotheses))
    return error_counts(references, hypotheses)


@lru_cache(maxsize=1)
def _normaliser():
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    return EnglishTextNormalizer({})
