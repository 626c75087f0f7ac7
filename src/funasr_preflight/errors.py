"""The one exception that a user is meant to see; the book raises it as well."""

from __future__ import annotations

import errno
import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from funasr_preflight.texts import Text, quoted, say

_REASONS = {
    errno.ENOENT: say("there is no such file or folder"), errno.EACCES: say("access is denied"),
    errno.EPERM: say("access is denied"), errno.EISDIR: say("it is a folder"),
    errno.ENOTDIR: say("a part of the path is no folder"), errno.ENOSPC: say("the disk is full"),
    errno.ENAMETOOLONG: say("the name is too long"), errno.EROFS: say("the disk is read-only"),
    errno.ELOOP: say("its links go round in circles")}
"""What a system says of a file, in the report's language."""


class BookError(ValueError):
    """Bad input, said in one sentence that names the place and the fix.

    The sentence is a string, or a `Text`, which comes out in the language that is spoken.
    """


def reason_of(error: BaseException) -> Text:
    """Why a file cannot be read or written; a system's words that have no translation, quoted."""
    if not isinstance(error, OSError):
        return say("this is no file name")
    known = _REASONS.get(error.errno or 0)
    return known or quoted(error.strerror or type(error).__name__)


def read_carried(path: Path, command: str, *keys: str) -> dict[str, Any]:
    """The JSON of a file that the package carries.

    Args:
        command: what makes it, in the book's repository.
        keys: that it has to have.

    Raises:
        BookError: it is missing or broken.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: content[key] for key in keys or content}
    except (OSError, json.JSONDecodeError, KeyError, TypeError):
        raise BookError(say("{file} is missing or broken: install the checker again, or make it "
                            "with `{command}` where the book is.", file=path.name,
                            command=command)) from None


def write_nowhere(stream: TextIO) -> None:
    """Drop what a stream still holds, of which Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def one_sentence(command: Callable[..., int]) -> Callable[..., int]:
    """Make a command's `main` end a `BookError` with its sentence and exit code 2.

    A pipe whose reader has seen enough, as `head` has, ends it in silence.
    """
    @functools.wraps(command)
    def main(*arguments: Any) -> int:
        try:
            code = command(*arguments)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            write_nowhere(sys.stdout)
            return 0
        except BookError as error:
            print(error, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            return 130
    return main
