"""A probe: one small question that FunASR's own code answers by running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = bool | int | float | str | list | dict | None


class NotThereError(Exception):
    """This version lacks what the question is about; the message says what, in a clause."""


@dataclass(frozen=True)
class Probe:
    """A question.

    Attributes:
        name: as the record has it, such as "dither-default".
        ask: answers, or raises NotThereError.
        slow: takes more than some seconds.
    """

    name: str
    question: str
    ask: Callable[[], Answer]
    slow: bool = False


PROBES: dict[str, Probe] = {}


def probe(question: str, slow: bool = False) -> Callable[[Callable[[], Answer]], Any]:
    """Register a function as the probe of its own name."""
    def register(ask: Callable[[], Answer]) -> Callable[[], Answer]:
        name = ask.__name__.replace("_", "-")
        PROBES[name] = Probe(name, question, ask, slow)
        return ask
    return register


def answered(question: Probe, described: Callable[[BaseException], str]) -> dict[str, Any]:
    """A probe's row: `answer`, or `not_there` with the reason."""
    try:
        return {"answer": question.ask()}
    except NotThereError as reason:
        return {"not_there": str(reason)}
    except Exception as error:  # noqa: BLE001  a version that fails in a new way is a finding
        return {"not_there": f"the probe ends in {described(error)}"}
