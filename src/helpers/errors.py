"""The one exception that a reader of this book is meant to see: the checker's."""

from funasr_preflight.errors import BookError, one_sentence

__all__ = ["BookError", "one_sentence"]
