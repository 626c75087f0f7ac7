"""The one exception that a user is meant to see; the book raises it as well."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any


class BookError(ValueError):
    """Bad input, said in one sentence that names the place and the fix."""


def one_sentence(command: Callable[..., int]) -> Callable[..., int]:
    """Make a command's `main` end a `BookError` with its sentence and exit code 2."""
    @functools.wraps(command)
    def main(*arguments: Any) -> int:
        try:
            return command(*arguments)
        except BookError as error:
            print(error, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            return 130
    return main
