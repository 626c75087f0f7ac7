"""`python -m funasr_preflight`, and the command `preflight`."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command; a key that stops it while Python is still importing gets no traceback."""
    sys.unraisablehook = _stop_if_interrupted
    try:
        from funasr_preflight.command import main as command

        return command()
    except KeyboardInterrupt:
        return 130


def _stop_if_interrupted(unraisable) -> None:
    """Python drops an interrupt that comes within one of its callbacks, as importing has many."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    sys.exit(main())
