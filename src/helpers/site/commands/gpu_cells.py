"""Run the cells marked "your GPU" of some chapters, and store their outputs in the notebooks.

    python -m helpers.site.commands.gpu_cells learning_rate sample_rate

BOOK_MODEL, BOOK_DATA and BOOK_DEVICE choose model, data and device. The other cells keep what they
show, and so do the values that prose quotes. `make gpu` calls this in a copy of the book; in a
clone, git shows what has changed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import jupytext
import nbformat

from helpers.errors import BookError, one_sentence
from helpers.pages import phone_drawing
from helpers.site import gpu_cells
from helpers.site.commands import execute

LONGEST_CELL_SECONDS = 3600
OWN_RESULT = ("*From your machine, with your model and your calls. The sentences and captions "
              "around it are those of the public edition.*")


def chapters(folder: Path = execute.NOTEBOOKS) -> list[str]:
    """Names of the notebooks that have such cells."""
    return [path.stem for path in sorted(folder.glob("*.md"))
            if any(map(gpu_cells.is_marked, jupytext.read(path).cells))]


def run(path: Path) -> int:
    """Run a stored notebook's cells that want the GPU; returns how many cells that were.

    Raises:
        BookError: a cell failed. The notebook is then as it was.
    """
    whole = nbformat.read(path, as_version=4)
    numbers = gpu_cells.to_run(whole.cells)
    part = nbformat.v4.new_notebook(cells=[deepcopy(whole.cells[number]) for number in numbers],
                                    metadata={"kernelspec": whole.metadata["kernelspec"]})
    if complaint := execute.complaint_of_run(part, path.parent, LONGEST_CELL_SECONDS):
        raise BookError(f"{path.name}: {complaint.splitlines()[0]}")
    for number, cell in reversed(list(zip(numbers, part.cells, strict=True))):
        before = whole.cells[number]
        cell.outputs = [*(output for output in cell.outputs if not is_named(output)),
                        *filter(is_named, before.outputs)]
        is_headed = number and whole.cells[number - 1].source == OWN_RESULT
        whole.cells[number:number + 1] = [cell] if is_headed or not is_visible(cell) else [
            nbformat.v4.new_markdown_cell(OWN_RESULT), cell]
    for mime, state in part.metadata.get("widgets", {}).items():
        stored = whole.metadata.setdefault("widgets", {}).setdefault(mime, {**state, "state": {}})
        stored["state"].update(state["state"])
    execute.store(whole, path)
    return len(numbers)


def is_visible(cell) -> bool:
    """Whether a reader of the page sees what the cell shows."""
    return not all(map(is_named, cell.outputs)) and not (
        {"hide-cell", "remove-cell"} & set(cell.metadata.get("tags", [])))


def is_named(output) -> bool:
    """Whether an output is a value that prose quotes by its name.

    These stay as in the public edition: its sentences are about them.
    """
    return "scrapbook" in output.get("metadata", {})


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m helpers.site.commands.gpu_cells",
                                     description=__doc__.partition("\n")[0])
    known = chapters()
    parser.add_argument("names", nargs="+", choices=known, metavar="NAME",
                        help=f"one of {', '.join(known)}")
    os.environ.update(TQDM_DISABLE="1")
    os.environ[phone_drawing.FOLDER] = str(execute.PHONE_DRAWINGS)
    for name in parser.parse_args(arguments).names:
        print(f"{name}: {run(execute.NOTEBOOKS / f'{name}.ipynb')} cells", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
