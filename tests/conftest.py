"""The same conditions for every test, however pytest was started.

One thread a process (two processes with two threads each are several times slower on two cores),
and no library may look for a model on a hub. A test that starts Python has to be marked slow: the
quick tier of `make check` would wait for it.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import addresses, browser, site, visitor  # noqa: F401

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")
QUICK: list[pytest.Item] = []
"""The test that runs, if it is of the quick tier."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    marked = item.get_closest_marker("slow") or item.get_closest_marker("site")
    QUICK[:] = [item] if isinstance(item, pytest.Function) and not marked else []
    return (yield)


def _refuse(event: str, arguments: tuple) -> None:
    if QUICK and event == "subprocess.Popen" and Path(str(arguments[0])).name.startswith("python"):
        raise AssertionError(f"{QUICK[0].name} starts Python: mark it slow")


sys.addaudithook(_refuse)
