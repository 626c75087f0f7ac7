"""Run notebooks and store their outputs and widget state: `make execute`.

The text half of a pair (`NAME.md`) is the source. A notebook is run when its source differs from
the stored notebook, when `--all` is given, or when it is named. The stored notebook is replaced
only after a run without errors, and only if no output holds a path of this machine.

How long a chapter ran goes to `helpers.site.run_times`; with `--times`, nothing else is stored.

What a chapter says that other pages show goes to `helpers.ledger.chapters.FILE`. A notebook that
shows it says so in its head (`book: {quotes_chapters: true}`): it runs after the others, and
whenever that file changes.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupytext.compare import NotebookDifference, compare_notebooks
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from helpers.config import configs
from helpers.experiments.records import write_record
from helpers.ledger import chapters
from helpers.pages import phone_drawing, translated_drawing
from helpers.paths import ROOT
from helpers.site import run_times

NOTEBOOKS = ROOT / "notebooks"
SVG = "image/svg+xml"
PHONE_DRAWINGS = ROOT / "book" / "phone"
TIMEOUT_SECONDS = 600


def in_step(source: Path) -> bool:
    """Whether the stored notebook has the source's cells and some outputs."""
    try:
        notebook = jupytext.read(source.with_suffix(".ipynb"))
        compare_notebooks(jupytext.read(source), notebook, fmt="md:myst", compare_outputs=False,
                          compare_ids=False)
    except (FileNotFoundError, NotebookDifference):
        return False
    return any(cell.get("outputs") for cell in notebook.cells)


def execute(source: Path, only_time: bool = False) -> str:
    """Run one notebook; returns one line about it, starting with "failed" if it failed.

    Args:
        only_time: store nothing but how long it ran.
    """
    os.environ.update(OMP_NUM_THREADS="1", TQDM_DISABLE="1", HF_HUB_OFFLINE="1")
    languages = [] if only_time else translated_drawing.shown_by(source.stem)
    os.environ[translated_drawing.LANGUAGES] = " ".join(languages)
    notebook = jupytext.read(source)
    os.environ.pop(chapters.CLOSED, None)
    if not quotes_chapters(notebook):
        os.environ[chapters.CLOSED] = "yes"
    started, used = time.perf_counter(), processor_seconds()
    with tempfile.TemporaryDirectory() as thrown_away:
        os.environ[phone_drawing.FOLDER] = thrown_away if only_time else str(PHONE_DRAWINGS)
        complaint = complaint_of_run(notebook, source.parent) or machine_path(notebook)
    if complaint:
        return f"failed {source.stem}: {complaint}"
    seconds = time.perf_counter() - started
    if not only_time:
        store(tidy(notebook), source.with_suffix(".ipynb"))
    if source.parent == NOTEBOOKS:
        run_times.record(source.stem, min(seconds, processor_seconds() - used))
    return f"{source.stem}: {seconds:.0f} s"


def processor_seconds() -> float:
    """Processor time of the notebooks that ran: beside other work, less than the clock says."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def store(notebook, target: Path) -> None:
    """Write a notebook; the file appears whole, or the one that was there stays."""
    partial = target.with_suffix(".partial")
    nbformat.write(notebook, partial)
    partial.replace(target)


def complaint_of_run(notebook, folder: Path, timeout: int = TIMEOUT_SECONDS) -> str | None:
    """Run a notebook's cells in a folder, each so many seconds at most; what ended it, or None."""
    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3",
                            resources={"metadata": {"path": str(folder)}},
                            store_widget_state=True, coalesce_streams=True)
    try:
        client.execute()
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}\n{error.traceback[-1500:]}"
    except CellTimeoutError:
        return f"a cell ran longer than {timeout} s"
    except DeadKernelError:
        return "its Python process died (out of memory?)"
    return None


def machine_path(notebook) -> str | None:
    """A sentence about the first output that names a folder of this machine, or None."""
    shown = [(f"an output of cell {number}", cell.get("outputs", []))
             for number, cell in enumerate(notebook.cells)]
    shown.append(("a widget", notebook.metadata.get("widgets", {})))
    for where, content in shown:
        text = json.dumps(content)
        for folder in (str(ROOT), str(Path.home()), sys.prefix):
            if len(folder) > 1 and re.search(re.escape(folder) + r"[/\\\"]", text):
                return f"{where} names this machine's folder {folder}"
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


def quotes_chapters(notebook) -> bool:
    """Whether a notebook says that it shows what others found."""
    return notebook.metadata.get("book", {}).get("quotes_chapters", False)


# What other pages may quote

def stored_chapters(folder: Path = NOTEBOOKS) -> dict[str, dict[str, Any]]:
    """The fields of `helpers.ledger.chapters.Chapter` for every stored notebook, by its name."""
    return {name: quotable(folder / f"{name}.md") for name in run_times.chapters()
            if (folder / f"{name}.ipynb").exists()}


def quotable(source: Path) -> dict[str, Any]:
    """What one chapter says: values from the stored notebook, the rest from its source."""
    text = source.read_text(encoding="utf-8")
    boxes = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.DOTALL)
    tables = re.findall(r"section_table\(([^)]*)\)", text)
    return {
        "values": glued(nbformat.read(source.with_suffix(".ipynb"), as_version=4)),
        "keys": sorted(row.key for row in configs.compare() if "." in row.key and row.key in text),
        "tables": [prefix for table in tables for prefix in re.findall(r'"([\w.]+)"', table)],
        "commands": [" ".join(line.split()) for box in boxes
                     for line in box.replace("\\\n", " ").splitlines() if line.strip()]}


def glued(notebook) -> dict[str, Any]:
    """Name to value of everything that a notebook's cells made known, by name."""
    named = {output.metadata["scrapbook"]["name"]: output.data
             for cell in notebook.cells for output in cell.get("outputs", [])
             if "scrapbook" in output.get("metadata", {})}
    return {name: python_value(named[name]) for name in sorted(named)}


def python_value(data: Mapping[str, str]) -> Any:
    """A stored output as the Python value that it shows; its text, where it shows none."""
    text = next(data[mime] for mime in data if mime.endswith("text/plain"))
    try:
        return ast.literal_eval(re.sub(r"^np\.\w+\((.*)\)$", r"\1", text))
    except (SyntaxError, ValueError):
        return text


def as_text(stored: Mapping[str, Any]) -> str:
    """The chapters as the text of their file."""
    return json.dumps(stored, indent=1, ensure_ascii=False) + "\n"


def store_chapters() -> bool:
    """Write what the stored notebooks say; returns whether that has changed."""
    stored = stored_chapters()
    if chapters.FILE.exists() and chapters.FILE.read_text(encoding="utf-8") == as_text(stored):
        return False
    write_record(chapters.FILE, stored)
    return True


def shown_figures() -> dict[Path, set[str]]:
    """Every stored notebook, and the fingerprints of the figures that it shows."""
    return {source: {phone_drawing.fingerprint(output.data[SVG])
                     for cell in nbformat.read(source, as_version=4).cells
                     for output in cell.get("outputs", []) if SVG in output.get("data", {})}
            for source in sorted(NOTEBOOKS.glob("*.ipynb"))}


def drop_left_over_drawings() -> None:
    """Delete drawings, for phones or in other languages, of figures that nothing shows any more."""
    shown = set().union(*shown_figures().values())
    for folder in (PHONE_DRAWINGS, *map(translated_drawing.folder, translated_drawing.FONTS)):
        for path in folder.glob("*.svg"):
            if path.stem.partition("-")[0] not in shown:
                path.unlink()


def run(sources: Sequence[Path], only_time: bool = False) -> list[str]:
    """Run notebooks, two beside each other if not for time; prints and returns a line of each."""
    lines = []
    with ProcessPoolExecutor(max_workers=1 if only_time else 2) as pool:
        for future in as_completed([pool.submit(execute, source, only_time) for source in sources]):
            lines.append(future.result())
            print(lines[-1], flush=True)
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="notebook names without suffix")
    parser.add_argument("--all", action="store_true", help="run also those that are in step")
    parser.add_argument("--times", action="store_true",
                        help="run all, or those named, one at a time, and store only how long "
                             "they took")
    options = parser.parse_args()
    sources = sorted(NOTEBOOKS.glob("*.md"))
    if unknown := set(options.names) - {path.stem for path in sources}:
        print(f"There is no notebook {', '.join(sorted(unknown))} in notebooks/.")
        return 2
    quoting = [path for path in sources if quotes_chapters(jupytext.read(path))]
    if options.names:
        chosen = [path for path in sources if path.stem in options.names]
    else:
        everything = options.all or options.times
        chosen = [path for path in sources if everything or not in_step(path)]
    if options.times:
        return status(run(chosen, only_time=True))
    lines = run([path for path in chosen if path not in quoting])
    if store_chapters():
        chosen += quoting
    lines += run([path for path in quoting if path in chosen])
    store_chapters()
    drop_left_over_drawings()
    if not lines:
        print("Every notebook is in step; `make execute ALL=1` runs them all the same.")
    return status(lines)


def status(lines: Sequence[str]) -> int:
    """Exit status for what `run` said."""
    return 1 if any(line.startswith("failed") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
