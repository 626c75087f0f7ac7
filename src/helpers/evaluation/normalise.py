"""Scoring what a real recogniser writes as words, whatever its case, punctuation and numbers.

OpenAI's rules, as transformers keeps them: those for English, with numbers in figures, and the
plain ones for other languages. A prompt that says "press 1" and a recogniser that writes "Press
one." agree. In Chinese and Japanese cn2an writes numbers in figures, and characters and figures
count as words, so that for those two languages the rate is one of characters. Numbers of other
languages stay as they are written.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from helpers.errors import BookError
from helpers.evaluation import intervals
from helpers.evaluation.error_rates import error_counts
from helpers.evaluation.intervals import ErrorRate

_CHARACTER = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
"""Kana and Han characters, which are written without blanks between words."""


def normalised(text: str, language: str = "en") -> str:
    """Lower case, no punctuation and fillers, numbers in figures; "" where no word is left.

    Args:
        language: its code, such as "en" or "zh-CN". A text with Chinese or Japanese characters is
            never read as English.
    """
    english = language.lower().startswith("en") and not _CHARACTER.search(text)
    plain = _normaliser(english)(_in_figures(text).replace("...", " "))
    if _CHARACTER.search(plain):
        plain = re.sub(r"(\d)", r" \1 ", _CHARACTER.sub(r" \1 ", plain))
    return " ".join(plain.split())


def _in_figures(text: str) -> str:
    """Chinese numerals as figures. Where one is part of a word it is changed too, on both sides.

    A point is one sign, whether it parts a whole from its fraction or an hour from its minutes.
    """
    if not _CHARACTER.search(text):
        return text
    import cn2an

    with warnings.catch_warnings(action="ignore"):  # of words that only begin like a number
        figures = cn2an.transform(text, "cn2an").replace("两", "2")
    return re.sub(r"(?<=\d)点(?=\d)", ".", figures)


def counts(references: Sequence[str], hypotheses: Sequence[str], normalise: bool = True,
           language: str = "en") -> tuple[np.ndarray, np.ndarray]:
    """Word errors and reference words of each text, two integer arrays of shape (texts,).

    Args:
        normalise: without it, the texts are compared as they are written.
        language: as for `normalised`.
    """
    if normalise:
        references, hypotheses = ([normalised(text, language) for text in texts]
                                  for texts in (references, hypotheses))
    return error_counts(references, hypotheses)


def error_rate(references: Sequence[str], hypotheses: Sequence[str], voices: Sequence[str],
               language: str = "en") -> ErrorRate:
    """Error rate of normalised words, or characters, with its 95 % interval.

    A text of which nothing is left, such as one of punctuation alone, is not counted.

    Raises:
        BookError: no text is left.
    """
    errors, words = counts(references, hypotheses, language=language)
    with_words = words > 0
    if not with_words.any():
        raise BookError("No reference holds a word: give transcripts of what was said.")
    return intervals.error_rate(errors[with_words], words[with_words], np.array(voices)[with_words])


def in_released_style(text: str) -> str:
    """A right transcript as Fun-ASR-Nano writes it: a capital, figures for numbers, a full stop."""
    if _CHARACTER.search(text):
        return _in_figures(text.rstrip("。.")) + "。"
    sentence = _numbers()(text).strip().rstrip(".")
    return f"{sentence[:1].upper()}{sentence[1:]}."


@lru_cache(maxsize=2)
def _normaliser(english: bool):
    from transformers.models.whisper import english_normalizer as rules

    return rules.EnglishTextNormalizer({}) if english else rules.BasicTextNormalizer()


@lru_cache(maxsize=1)
def _numbers():
    from transformers.models.whisper.english_normalizer import EnglishNumberNormalizer

    return EnglishNumberNormalizer()
