"""Model directories of the two public copies: real names and shapes, no values.

The names are recorded once with the installed FunASR, so that an older version is launched on the
file that is really public, not on what it would build itself.
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

from helpers.errors import BookError
from helpers.versions import book, weights

FILE = book.CACHE / "versions" / "released.json"


def write() -> Path:
    """Record names and shapes from the FunASR of this process."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(weights.shapes()), encoding="utf-8")
    return FILE


def names(copy: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a public copy.

    Raises:
        BookError: they are not recorded yet.
    """
    if not FILE.is_file():
        raise BookError(f"{FILE.name} is missing: run `python -m helpers.versions --record`, which "
                        "starts by writing it.")
    shapes = json.loads(FILE.read_text(encoding="utf-8"))
    return weights.of_copy(copy, {name: tuple(shape) for name, shape in shapes.items()})


@cache
def directory(copy: str) -> Path:
    """A model directory with a `model.pt` of these names, for launches on the meta device."""
    import torch

    source = book.module("mini").model_directory("full")
    made = book.scratch(f"released-{copy.replace(' ', '-').lower()}")
    shutil.rmtree(made)
    made.mkdir()
    for entry in source.iterdir():
        if entry.name != "model.pt":
            (made / entry.name).symlink_to(entry.resolve(), entry.is_dir())
    torch.save({name: torch.empty(shape, device="meta") for name, shape in names(copy).items()},
               made / "model.pt")
    return made.resolve()
