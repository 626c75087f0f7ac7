"""`python -m funasr_preflight`, and the command `preflight`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command; a key that stops it while Python is still importing gets no traceback."""
    try:
        from funasr_preflight.command import main as command

        return command()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
