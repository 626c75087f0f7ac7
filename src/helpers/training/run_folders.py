"""Folders of training runs, which leave the disk with the run.

A run of the mini writes some 300 MB of checkpoints, and a chapter makes a dozen runs. Each process
has a folder of its own in the cache, so that two runs of one name never meet. When nobody holds a
`Run` any more, the process's next run removes its folder, unless it goes on in it. The process's
folder goes when it ends, and what a killed process could not remove with the next one's first run.
"""

from __future__ import annotations

import atexit
import os
import shutil
import weakref
from pathlib import Path
from typing import Any

from helpers.paths import CACHE

PLACE = CACHE / "finetune"
_held: dict[Path, weakref.finalize] = {}
_dropped: set[Path] = set()


def folder_for(name: str, keep: bool = False) -> Path:
    """The folder of this process's run of that name, empty unless `keep` is asked for."""
    process_folder = PLACE / str(os.getpid())
    if not process_folder.is_dir():
        remove_left_behind()
        atexit.register(_remove_own, process_folder)
    folder = process_folder / name
    if folder in _held:  # an earlier run of this name must not take the files of the next
        _held.pop(folder).detach()
    for dropped in _dropped - {folder}:
        shutil.rmtree(dropped, ignore_errors=True)
    _dropped.clear()
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_after(run: Any, folder: Path) -> None:
    """Have the folder removed once `run` is no longer referred to and another run begins."""
    _held[folder] = weakref.finalize(run, _dropped.add, folder)


def remove_left_behind() -> None:
    """Remove the folders of processes that have ended."""
    for folder in PLACE.glob("*"):
        if folder.name.isdecimal() and not _is_running(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True


def _remove_own(folder: Path) -> None:
    if folder.name == str(os.getpid()):  # a forked child ends with its parent's list of duties
        shutil.rmtree(folder, ignore_errors=True)
