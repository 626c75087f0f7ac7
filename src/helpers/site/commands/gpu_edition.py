"""The reader's own edition: `make gpu`.

    BOOK_MODEL=MODEL_DIR BOOK_DATA=calls.jsonl python -m helpers.site.commands.gpu_edition

looks at the machine first, then lets the model hear the calls, measures what a training step costs,
runs every cell marked "your GPU", and builds the book with these results in place. All this happens
in a copy of the book in `_build/gpu`; the files of this folder stay as they are. A run that was
stopped goes on where it stopped, as long as model, data, device and the book itself are the same.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from packaging.requirements import Requirement

from funasr_preflight import check
from funasr_preflight.commands import Parser
from funasr_preflight.findings import Severity
from funasr_preflight.laws.memory import GIBIBYTE
from helpers.config import configs
from helpers.errors import BookError, first_sentence, one_sentence
from helpers.experiments.provenance import provenance
from helpers.experiments.records import write_record
from helpers.gpu import first_question, step_cost, workbench
from helpers.gpu.workbench import Workbench
from helpers.model import mini
from helpers.paths import CACHE, ROOT
from helpers.site.commands import build, gpu_cells

COMMAND = "make gpu"
RELEASED = "FunAudioLLM/Fun-ASR-Nano-2512"
FOLDER = build.BUILD / "gpu"
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "_build", ".cache", ".*_cache", ".hypothesis",
                                  "__pycache__", "*.egg-info")
DISK_GIB = {"hub": 8, "folder": 2}
"""What a download of the weights takes besides the copy of the book, and the copy alone."""
RECORD, COSTS = Path("results/gpu_edition.json"), Path("results/gpu_cost.json")
PAGE = Path("book/your_gpu.md")
LAST_LINES = 12
"""How much of a failed program's words is shown."""
QUICK_COSTS = ("--config", configs.FINE_TUNING[0], "--change", "use_bf16", "--change",
               "fused AdamW", "--steps", "2", "--warm-up", "1")
"""One config and two changes, to try the way."""


@dataclass(frozen=True)
class EditionStep:
    """One part of the edition: its name, what it is for, and what it does in the copy."""

    name: str
    purpose: str
    act: Callable[[], str]


# Before anything is started

def stop_where_unfit(bench: Workbench, disk: Path) -> str:
    """Look at packages, GPU, driver, memory, disk and data; returns what was found.

    Raises:
        BookError: what has to be mended first.
    """
    if bench.is_mini:
        raise BookError(f"{workbench.MODEL_SETTING}=mini needs no GPU, and the book shows it as it "
                        f"is: set {workbench.MODEL_SETTING} to a Fun-ASR-Nano folder, to a hub "
                        "name, or to full.")
    if wrong := list(unmet_packages()):
        raise BookError(f"The environment lacks {', '.join(wrong)}: run `make environment`.")
    device = device_of(bench)
    need = DISK_GIB["folder" if Path(bench.model).expanduser().is_dir() else "hub"]
    free = shutil.disk_usage(disk).free / GIBIBYTE
    if free < need:
        raise BookError(f"Only {free:.1f} GiB are free on the disk of {disk.name}, and {need} are "
                        "needed: make room, or give --out a folder on a larger disk.")
    return f"{device}, {free:.0f} GiB of disk, {len(bench.calls())} calls to hear"


def unmet_packages() -> Iterator[str]:
    """The book's requirements that this environment does not meet."""
    for text in requires("funasr-telephone-book") or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        with contextlib.suppress(PackageNotFoundError):
            if requirement.specifier.contains(version(requirement.name), prereleases=True):
                continue
        yield f"{requirement.name}{requirement.specifier}"


def device_of(bench: Workbench) -> str:
    """The device in words.

    Raises:
        BookError: there is none, or its memory does not hold the model that is trained.
    """
    if not bench.device.startswith("cuda"):
        return f"device {bench.device}"
    if torch.version.cuda is None:
        raise BookError("This PyTorch was built without CUDA: install the wheel of the same "
                        "version for your driver, as pytorch.org says, into .venv.")
    if not torch.cuda.is_available():
        raise BookError("PyTorch finds no CUDA GPU: see whether `nvidia-smi` names one, and "
                        f"whether its driver is new enough for CUDA {torch.version.cuda}.")
    about = torch.cuda.get_device_properties(bench.device)
    report = check(configs.path_of(configs.FINE_TUNING[0]), gpu_bytes=about.total_memory,
                   probe=None)
    for finding in report.at_least(Severity.ERROR):
        if finding.rule == "cost-gpu-memory":
            raise BookError(f"{about.name}: {finding.message}")
    return (f"{about.name} with {about.total_memory / GIBIBYTE:.0f} GiB, "
            f"CUDA {torch.version.cuda}")


# The copy, and what is done in it

def copy_of_the_book(target: Path) -> None:
    """The book's files without what it builds, so that a page of the copy shows its own results."""
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(ROOT, partial, ignore=LEFT_OUT, symlinks=True)
    (partial / COSTS).unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)


def called(book: Path, bench: Workbench, module: str, *arguments: str) -> str:
    """Run a module of the copy; returns what it printed.

    Raises:
        BookError: it failed, with the last sentence that it said.
    """
    settings = {workbench.MODEL_SETTING: bench.model, workbench.DATA_SETTING: bench.data,
                workbench.DEVICE_SETTING: bench.device, "PYTHONPATH": str(book / "src"),
                "BOOK_CACHE": str(CACHE), "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
    completed = subprocess.run([sys.executable, "-m", module, *arguments], cwd=book, check=False,
                               env=os.environ | settings, capture_output=True, text=True,
                               stdin=subprocess.DEVNULL)
    if completed.returncode:
        lines = (completed.stdout + completed.stderr).strip().splitlines()
        print(*lines[-LAST_LINES:], sep="\n", file=sys.stderr)
        raise BookError(lines[-1] if lines else f"{module} ended with code {completed.returncode}")
    return completed.stdout.strip()


def steps_of(book: Path, bench: Workbench, quick: bool) -> list[EditionStep]:
    """Everything between the look at the machine and the book, in order."""
    def run(module: str, *arguments: str) -> Callable[[], str]:
        return lambda: called(book, bench, module, *arguments)

    return [
        EditionStep("hearing", "what the model makes of the calls as it is",
             run(first_question.__name__)),
        EditionStep("costs", "time and memory of a training step",
             run(step_cost.__name__, "--into", str(COSTS), "--device", bench.device,
                 *(QUICK_COSTS if quick else ()))),
        *(EditionStep(name, f"the cells of {name} marked \"your GPU\"",
                      run(gpu_cells.__name__, name))
          for name in gpu_cells.chapters(book / "notebooks"))]


def page(record: Mapping[str, Any]) -> str:
    """The edition's own page: machine, settings, what was heard, and what failed."""
    rows = [("Device", record["device"]), ("Machine", record["machine"]),
            ("Model", record["model"]), ("Data", record["data"]), ("Date", record["date"]),
            *record["versions"].items()]
    steps = [f"| {name} | {step['seconds']:.0f} | {step.get('failed') or 'done'} |"
             for name, step in record["steps"].items()]
    links = [f"- {{doc}}`../notebooks/{name}`" for name, step in record["steps"].items()
             if name not in ("hearing", "costs") and "said" in step]
    heard = record["steps"].get("hearing", {}).get("said", "nothing: see the table of steps")
    return "\n".join([
        "# This edition, on your GPU", "",
        "These are the results of your machine, with your model and your calls. The chapters below "
        "show them in the cells marked {bdg-warning}`your GPU`; all else is as in the public "
        "edition.", "",
        "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), "",
        "## What the model hears as it is", "", "```text", heard, "```", "",
        "## Steps", "", "| Step | Seconds | Result |", "|---|---|---|", *steps, "",
        "## Chapters with results of your own", "",
        *links, ""])


def into_the_contents(book: Path) -> None:
    """Put the edition's page first."""
    contents = OmegaConf.load(book / "_toc.yml")
    name = str(PAGE.with_suffix(""))
    if all(chapter.file != name for part in contents.parts for chapter in part.chapters):
        contents.parts.insert(0, {"caption": "Your edition", "chapters": [{"file": name}]})
        OmegaConf.save(contents, book / "_toc.yml")


# Progress

def fingerprint(bench: Workbench, quick: bool) -> str:
    """Of the settings and of the book's code, text and outputs: whether a stopped run goes on."""
    digest = hashlib.sha256(repr((bench, quick)).encode())
    for folder, pattern in (("src", "*.py"), ("notebooks", "*.ipynb"), ("configs", "*.yaml")):
        for path in sorted((ROOT / folder).rglob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def do_steps(steps: Sequence[EditionStep], done: dict[str, Any],
             save: Callable[[], object]) -> list[str]:
    """Do the steps that are not done, whatever became of those before; returns which failed."""
    for number, step in enumerate(steps, start=1):
        print(f"{number}/{len(steps)} {step.name}: {step.purpose}", flush=True)
        if "said" in done.get(step.name, {}):
            print("    done before")
            continue
        started = time.perf_counter()
        try:
            outcome = {"said": step.act()}
        except BookError as error:
            outcome = {"failed": first_sentence(error)}
            print(f"    failed: {error}", flush=True)
        done[step.name] = {"seconds": round(time.perf_counter() - started, 1), **outcome}
        save()
        print(f"    {done[step.name]['seconds']:.0f} s", flush=True)
    return [step.name for step in steps if "failed" in done[step.name]]


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 1 where the book was built with a step that failed."""
    parser = Parser(
        prog=f"python -m {gpu_cells.__name__.rpartition('.')[0]}.gpu_edition", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the edition")
    parser.add_argument("--quick", action="store_true",
                        help="time few steps only, to see in minutes whether everything works")
    parser.add_argument("--fresh", action="store_true", help="begin again")
    options = parser.parse_args(arguments)
    bench = workbench.from_environment(
        {**os.environ, workbench.MODEL_SETTING: os.environ.get(workbench.MODEL_SETTING)
         or RELEASED})
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    machine = stop_where_unfit(bench, out)
    print(f"{machine}; model {bench.model}, data {bench.data}", flush=True)
    if bench.model != "full":
        folder = mini.complete_directory(workbench.model_folder(bench.model).resolve())
        bench = replace(bench, model=str(folder))
    if bench.data.endswith(".jsonl"):
        bench = replace(bench, data=str(Path(bench.data).resolve()))

    book, state = out / "book", out / "progress.json"
    mark = fingerprint(bench, options.quick)
    progress = json.loads(state.read_text()) if state.exists() else {}
    if options.fresh or progress.get("of") != mark or not book.is_dir():
        state.unlink(missing_ok=True)
        copy_of_the_book(book)
        progress = {"of": mark, "steps": {}}
    done = progress["steps"]
    failed = do_steps(steps_of(book, bench, options.quick), done,
                      lambda: write_record(state, progress))

    device = step_cost.Place(device=bench.device).name
    record = provenance(COMMAND, 0, device) | {"machine": machine, "model": Path(bench.model).name,
                                               "data": Path(bench.data).name, "steps": done}
    write_record(book / RECORD, record)
    (book / PAGE).write_text(page(record), encoding="utf-8")
    into_the_contents(book)
    called(book, bench, build.__name__)
    print(f"Your edition is at {book / '_build' / 'html' / PAGE.with_suffix('.html')}")
    if failed:
        print(f"Not in it: {', '.join(failed)}. Run the command again to try these alone.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
