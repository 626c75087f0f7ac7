"""The exception that a reader is meant to see, and other people's errors in one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from funasr_preflight.errors import BookError, one_sentence

__all__ = ["BookError", "first_sentence", "one_sentence", "typed_sentence"]

_QUOTED = re.compile(r"""(['"])([^'"]*)\1""")
_FOLDERS = re.compile(r"(?<![\w:/])(?:/[\w.\-]+)+/(?=[\w.\-])")


def first_sentence(error: BaseException,
                   folders: Mapping[str, str] = MappingProxyType({})) -> str:
    """What an error says, up to the end of its first sentence or line, without its final full stop.

    Names of files lose their folders, which differ from one machine to another. An error that says
    nothing is called by its type.

    Args:
        folders: path of a folder to a name that stands for it.
    """
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    quoted = _QUOTED.fullmatch(text)  # a KeyError says the key as Python would write it
    text = quoted[2] if quoted else text
    for folder, name in folders.items():
        text = text.replace(folder, name)
    return _FOLDERS.sub("", text).partition(". ")[0].rstrip(".")


def typed_sentence(error: BaseException) -> str:
    """Type and first sentence of an error: "ValueError: no such layer"."""
    name, sentence = type(error).__name__, first_sentence(error)
    return name if sentence == name else f"{name}: {sentence}"
