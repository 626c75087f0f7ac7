"""Run notebooks and store their outputs and widget state: `make execute`.

The text half of a pair (`NAME.md`) is the source. A notebook is run when its source differs from
the stored notebook, when `--all` is given, or when it is named. The stored notebook is replaced
only after a run without errors, and only if no output holds a path of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import jupytext
import nbformat
from jupytext.compare import NotebookDifference, compare_notebooks
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from helpers.paths import ROOT

NOTEBOOKS = ROOT / "notebooks"
TIMEOUT_SECONDS = 600
# These show what the stored outputs of other notebooks found, so they run when those are done.
READ_OTHERS = ("cheat_sheet", "claim_ledger", "introduction", "key_index", "two_recipes")


def in_step(source: Path) -> bool:
    """Whether the stored notebook has the source's cells and some outputs."""
    stored = source.with_suffix(".ipynb")
    if not stored.exists():
        return False
    notebook = jupytext.read(stored)
    if not any(cell.get("outputs") for cell in notebook.cells):
        return False
    try:
        compare_notebooks(jupytext.read(source), notebook, fmt="md:myst", compare_outputs=False,
                          compare_ids=False)
    except NotebookDifference:
        return False
    return True


def execute(source: Path) -> str:
    """Run one notebook; returns one line about it, starting with "failed" if it failed."""
    os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1", HF_HUB_OFFLINE="1")
    notebook = jupytext.read(source)
    started = time.perf_counter()
    client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS, kernel_name="python3",
                            resources={"metadata": {"path": str(source.parent)}},
                            store_widget_state=True, coalesce_streams=True)
    try:
        client.execute()
    except CellExecutionError as error:
        return f"failed {source.stem}: {error.ename}: {error.evalue}\n{error.traceback[-1500:]}"
    except CellTimeoutError:
        return f"failed {source.stem}: a cell ran longer than {TIMEOUT_SECONDS} s"
    except DeadKernelError:
        return f"failed {source.stem}: its Python process died (out of memory?)"
    if complaint := machine_path(notebook):
        return f"failed {source.stem}: {complaint}"
    target = source.with_suffix(".ipynb")
    partial = target.with_suffix(".partial")
    nbformat.write(tidy(notebook), partial)
    partial.replace(target)
    return f"{source.stem}: {time.perf_counter() - started:.0f} s"


def machine_path(notebook) -> str | None:
    """A sentence about the first output that names a folder of this machine, or None."""
    shown = [(f"an output of cell {number}", cell.get("outputs", []))
             for number, cell in enumerate(notebook.cells)]
    shown.append(("a widget", notebook.metadata.get("widgets", {})))
    for place, content in shown:
        text = json.dumps(content)
        for folder in (str(ROOT), str(Path.home()), sys.prefix):
            if len(folder) > 1 and re.search(re.escape(folder) + r"[/\\\"]", text):
                return f"{place} names this machine's folder {folder}"
    return None


def tidy(notebook) -> nbformat.NotebookNode:
    """The notebook without what changes with every run and says nothing.

    Cells and widgets are numbered: their random names would differ after every run.
    """
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("execution", None)
        cell["id"] = f"cell-{number:03d}"
    notebook.metadata.get("language_info", {}).pop("version", None)
    text = nbformat.writes(notebook)
    for number, name in enumerate(widget_names(notebook)):
        text = text.replace(name, f"{number:032x}")
    return nbformat.reads(text, as_version=4)


def widget_names(notebook) -> list[str]:
    """The random names of the notebook's widgets, in the order of their making."""
    states = notebook.metadata.get("widgets", {}).values()
    return [name for state in states for name in state.get("state", {})
            if re.fullmatch(r"[0-9a-f]{32}", name)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="notebook names without suffix")
    parser.add_argument("--all", action="store_true", help="run also those that are in step")
    options = parser.parse_args()
    sources = sorted(path for path in NOTEBOOKS.glob("*.md"))
    unknown = set(options.names) - {path.stem for path in sources}
    if unknown:
        print(f"There is no notebook {', '.join(sorted(unknown))} in notebooks/.")
        return 2
    if options.names:
        sources = [path for path in sources if path.stem in options.names]
    elif not options.all:
        sources = [path for path in sources if not in_step(path)]
    if not sources:
        print("Every notebook is in step; `make execute ALL=1` runs them all the same.")
        return 0
    lines = []
    with ProcessPoolExecutor(max_workers=2) as pool:
        for wave in ([path for path in sources if path.stem not in READ_OTHERS],
                     [path for path in sources if path.stem in READ_OTHERS]):
            for done in as_completed([pool.submit(execute, source) for source in wave]):
                lines.append(done.result())
                print(lines[-1], flush=True)
    return 1 if any(line.startswith("failed") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
