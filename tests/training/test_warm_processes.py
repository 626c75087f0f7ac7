"""Is a process that shares the imports still a process of its own, and heard when it fails?"""

from __future__ import annotations

import os
import sys
import time

import pytest

from helpers.errors import BookError
from helpers.training import warm_processes

pytestmark = pytest.mark.slow


def note(number, folder):
    print("not on the reader's page")
    imported = {"torch", "funasr"} <= set(sys.modules)
    (folder / f"{number}").write_text(f"{os.getpid()} {imported}")


def test_each_has_its_number_and_the_imports_and_says_nothing(tmp_path, capfd):
    warm_processes.run(note, tmp_path, count=2)
    told = [(tmp_path / name).read_text().split() for name in ("0", "1")]
    assert len({process for process, _ in told} | {str(os.getpid())}) == 3
    assert {imported for _, imported in told} == {"True"} and capfd.readouterr().out == ""


def fail(number, how):
    if how == "raises":
        raise ValueError("no such thing")
    os._exit(7)


@pytest.mark.parametrize(("how", "said"), [("raises", "no such thing"), ("exits", "exit code 7")])
def test_a_failure_is_told(how, said):
    with pytest.raises(BookError, match=said):
        warm_processes.run(fail, how)


def wait(number, folder):
    (folder / "started").write_text(str(os.getpid()))
    time.sleep(600)


def test_one_that_does_not_end_is_ended(tmp_path):
    with pytest.raises(BookError, match="did not finish in 0"):
        warm_processes.run(wait, tmp_path, seconds=0)
