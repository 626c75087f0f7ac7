"""Pre-flight: what a fine-tuning run under a config will do, said before it burns GPU hours.

`preflight CONFIG.yaml --train train.jsonl` on the command line, `check(...)` in a notebook.

A *rule* (`rules`) looks at a `Context` and yields findings. The context holds the config as FunASR
would see it (`reading`), what this version of FunASR does with each key (`audit`), and what the
manifests hold (`manifest`). Nothing here imports torch before it has to.
"""

from __future__ import annotations


def __getattr__(name: str):
    """`check`, imported when it is asked for: importing the package stays quick."""
    if name == "check":
        from funasr_preflight.checking import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
