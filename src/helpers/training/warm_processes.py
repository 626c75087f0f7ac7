"""Processes of their own that need not import PyTorch and FunASR again.

The imports take longer than most of what such a process does. A server process makes them once;
each process that is asked for is forked from it, and so begins with nothing but the modules: no
thread, no model, nothing of the caller's.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from helpers.errors import BookError

IMPORTED = ["torch", "torch.nn.parallel", "funasr", "funasr.bin.train_ds", "helpers.model.mini",
            "helpers.training.finetune", "helpers.training.anatomy", "helpers.session"]
"""What the server imports. One that fails to import fails again, and loudly, in the process."""


def run(work: Callable[..., None], *arguments: Any, count: int = 1, seconds: float = 240) -> None:
    """Call `work(number, *arguments)` in `count` processes at once; what they print is dropped.

    Raises:
        BookError: one failed, with the end of what it said, or they did not end in time.
    """
    from torch.multiprocessing.spawn import ProcessException, start_processes

    multiprocessing.set_forkserver_preload(IMPORTED)
    deadline = time.monotonic() + seconds
    context = start_processes(_silently, (work, arguments), nprocs=count, join=False,
                              start_method="forkserver")
    try:
        while not context.join(timeout=max(0.0, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                raise BookError(f"{count} processes did not finish in {seconds:g} s: is the "
                                "machine very busy?")
    except ProcessException as error:
        raise BookError(f"Process {error.error_index} failed: "
                        f"{_what_it_said(str(error))}") from None
    finally:
        for process in context.processes:
            process.kill()


def _what_it_said(traceback: str) -> str:
    """The exception at a traceback's end; its further lines, as OmegaConf's, are indented."""
    lines = traceback.strip().splitlines()
    first = max(number for number, line in enumerate(lines) if line == line.lstrip())
    return " ".join(line.strip() for line in lines[first:])[-300:]


def _silently(number: int, work: Callable[..., None], arguments: tuple) -> None:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        work(number, *arguments)
        sys.stdout.flush()
