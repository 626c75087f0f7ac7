"""Sentences for the reader, kept as a template and its values so that they can be translated.

Every sentence that a report shows is made by `say` with a literal template. `str()` of it gives it
in the language that `speak` chose; the catalogues lie in `locale/`.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOCALE = Path(__file__).parent / "locale"
DOMAIN = "preflight"
_language: ContextVar[str] = ContextVar("language", default="en")


@dataclass(frozen=True)
class Text:
    """A template with named fields, and the values to put in."""

    template: str
    values: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        language = _language.get()
        template = self.template
        if language != "en" and template:
            template = gettext.translation(DOMAIN, LOCALE, [language],
                                           fallback=True).gettext(template)
        return template.format(**self.values)

    def filled(self, **values: Any) -> Text:
        """The same sentence with these values put in."""
        return Text(self.template, {**self.values, **values})

    def __bool__(self) -> bool:
        return bool(self.template)


NOTHING = Text("")


def say(template: str, **values: Any) -> Text:
    """A sentence for the reader. The template must be a literal: the catalogue is made from it."""
    return Text(template, values)


def quoted(text: str) -> Text:
    """Words of a library or of the system, which stay as they are and are marked as theirs."""
    return Text("“{text}”", {"text": text})


def recorded(sentence: str) -> Text:
    """A sentence of `audit.json`, which the catalogue has as it has those of `say`."""
    return Text(sentence.replace("{", "{{").replace("}", "}}"))


@contextmanager
def speak(language: str) -> Iterator[None]:
    """While this lasts, sentences come out in a language: "en" or "zh_CN"."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)
