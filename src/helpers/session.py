"""The first line of every command and chapter: seeds, one thread, and quiet libraries."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import random
import warnings
from collections.abc import Iterator

NOISY_LOGGERS = ("funasr", "modelscope", "transformers", "jieba", "matplotlib", "numba", "torch")


def setup(seed: int = 0, threads: int = 1) -> None:
    """Prepare a command: seed, quieten the libraries.

    Args:
        threads: PyTorch threads. One, because two threads each in two processes on two cores
            are several times slower than one.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    quieten()


def quieten() -> None:
    """Keep the libraries' logs and warnings out of the page; errors still show."""
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger().setLevel(logging.ERROR)  # FunASR logs on the root logger
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


@contextlib.contextmanager
def unlogged(level: int = logging.CRITICAL) -> Iterator[None]:
    """Drop all that is logged up to a level: FunASR logs the traceback of an error it raises."""
    previous = logging.root.manager.disable
    logging.disable(max(previous, level))
    try:
        yield
    finally:
        logging.disable(previous)


@contextlib.contextmanager
def funasr_silenced() -> Iterator[None]:
    """Drop FunASR's prints and its log below errors: they name paths and thousands of tensors."""
    with unlogged(logging.WARNING), contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let PyTorch draw from a seed, and give the caller's random state back."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
