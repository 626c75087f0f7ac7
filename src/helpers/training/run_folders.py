"""Folders of training runs, which leave the disk with the run.

A run of the mini writes some 300 MB of checkpoints, and a chapter makes a dozen runs. Each process
has a folder of its own in the cache, so that two runs of one name never meet. A run's folder is
removed when nobody holds the `Run` any more, the process's when it ends, and what a killed process
could not remove goes with the next one's first run.
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
_removals: dict[Path, weakref.finalize] = {}


def folder_for(name: str, keep: bool = False) -> Path:
    """The folder of this process's run of that name, empty unless `keep` is asked for."""
    own = PLACE / str(os.getpid())
    if not own.is_dir():
        remove_left_behind()
        atexit.register(_remove_own, own)
    folder = own / name
    if folder in _removals:  # an earlier run of this name must not take the files of the next
        _removals.pop(folder).detach()
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_with(run: Any, folder: Path) -> None:
    """Remove the folder when `run` is no longer referred to."""
    _removals[folder] = weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    _removals[folder].atexit = False  # the process's folder goes as a whole


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


def _remove_own(own: Path) -> None:
    if own.name == str(os.getpid()):  # a forked child ends with its parent's list of duties
        shutil.rmtree(own, ignore_errors=True)
