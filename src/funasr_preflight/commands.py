"""The commands beside the check itself: `preflight checkpoint ...` and `preflight manifest ...`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import NoReturn

from funasr_preflight.errors import BookError, reason_of
from funasr_preflight.texts import quoted, say, speak

MODULES = {"checkpoint": "funasr_preflight.checkpoint.command",
           "manifest": "funasr_preflight.converting.command"}
LANGUAGES = {"en": "en", "zh": "zh_CN", "zh_CN": "zh_CN"}
"""What `--lang` takes, and the catalogue that it means."""


class Parser(argparse.ArgumentParser):
    """A parser that says in one sentence, in the report's language, what it does not understand."""

    def error(self, message: str) -> NoReturn:
        sentence = say("The command line is not understood: {said}. `{command} --help` lists what "
                       "there is.", said=quoted(message), command=self.prog)
        self.exit(2, f"{sentence}\n")


def run(arguments: Sequence[str]) -> int | None:
    """Run the command that the first word names: its exit code, or None where it names none.

    Raises:
        BookError: what the command raises.
    """
    if not arguments or arguments[0] not in MODULES:
        return None
    module = importlib.import_module(MODULES[arguments[0]])
    options = module.parser().parse_args(arguments[1:])
    with speak(LANGUAGES[options.lang]):
        try:
            return module.main(options)
        except OSError as error:
            raise BookError(say("{path}: {reason}. Give another path, or make room.",
                                path=str(error.filename or "")[-80:], reason=reason_of(error))
                            ) from None


def new_parser(name: str, about: str) -> Parser:
    """A parser with what all of these commands take."""
    parser = Parser(prog=f"preflight {name}", description=about,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", choices=tuple(LANGUAGES), default="en",
                        help="language of what is printed")
    return parser
