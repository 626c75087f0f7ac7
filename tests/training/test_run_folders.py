"""Would a reader's disk fill up? A run leaves nothing, however its process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from helpers.training import run_folders

pytestmark = pytest.mark.slow


class Held:
    """Something that can be referred to weakly, as a run is."""


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setattr(run_folders, "PLACE", tmp_path)
    return tmp_path


def a_run(name, keep=False):
    folder = run_folders.folder_for(name, keep)
    (folder / "model.pt").write_text(name)
    run = Held()
    run_folders.remove_after(run, folder)
    return run, folder


def test_a_folder_goes_when_the_run_is_gone_and_another_begins():
    run, folder = a_run("one")
    assert (folder / "model.pt").exists()
    del run
    a_run("two")
    assert not folder.exists()


def test_the_last_run_can_be_resumed_though_nobody_holds_it():
    a_run("one")
    assert (run_folders.folder_for("one", keep=True) / "model.pt").exists()


def test_a_second_run_of_a_name_keeps_its_files_when_the_first_is_dropped():
    first, _ = a_run("same")
    second, folder = a_run("same")
    del first
    a_run("other")
    assert (folder / "model.pt").exists()
    del second
    a_run("other")
    assert not folder.exists()


def test_a_run_that_is_to_be_resumed_finds_what_an_interrupted_one_wrote():
    folder = run_folders.folder_for("cut")
    (folder / "model.pt").write_text("half")
    assert (run_folders.folder_for("cut", keep=True) / "model.pt").read_text() == "half"
    assert not list(run_folders.folder_for("cut").iterdir())


def in_a_process(place, end: str) -> SimpleNamespace:
    code = (f"import os, pathlib; from helpers.training import run_folders as r; "
            f"r.PLACE = pathlib.Path({str(place)!r}); "
            f"(r.folder_for('x') / 'model.pt').write_text('x'); {end}")
    done = subprocess.run([sys.executable, "-c", code], check=False)
    return SimpleNamespace(code=done.returncode, left=[path for path in place.rglob("model.pt")])


def test_a_process_that_ends_leaves_nothing(place):
    assert in_a_process(place, "raise SystemExit(3)") == SimpleNamespace(code=3, left=[])


def test_what_a_killed_process_left_goes_with_the_next_run(place):
    killed = in_a_process(place, "os.kill(os.getpid(), 9)")
    assert killed.code == -signal.SIGKILL and len(killed.left) == 1
    mine = run_folders.folder_for("mine")
    assert [path.name for path in place.iterdir()] == [str(os.getpid())] and mine.is_dir()


def test_a_running_process_keeps_its_folder(place):
    others = place / str(os.getppid())
    others.mkdir()
    run_folders.remove_left_behind()
    assert others.is_dir()
