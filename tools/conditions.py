"""Run tests in a fresh clone under a condition that other machines have: `make conditions`.

`python tools/conditions.py arithmetic _build/travelling tests` clones the last commit, runs pytest
there with this environment's programs, the site and the notebooks that were built in this folder,
and removes the clone.
Standard library only, but for what the tests import.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIES = ROOT / "_build" / "travelling"
CONDITIONS = {
    "plain": "a fresh clone and nothing else",
    "arithmetic": "the sums of a processor without vector units",
    "threads": "two PyTorch threads in each process",
    "busy": "eight busy processes beside the tests",
    "fonts": "no fonts but those in the folders of --fonts",
    "bare": "no browser, no synthesiser and no ffmpeg on the PATH",
    "blanks": "a path with blanks in it",
    "shallow": "a clone without history",
}
SETTINGS = {
    "arithmetic": {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE",
                   "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "threads": {"OMP_NUM_THREADS": "2"},
}
"""On a processor with bfloat16 units, PyTorch's attention fails where oneDNN still sees them and
ATen does not, so both are held back."""
BUSY_PROCESSES = 8
HIDDEN = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
          "espeak-ng", "flite", "ffmpeg", "apt-get")
NBVAL = ("--nbval", "--nbval-cell-timeout", "600", "--nbval-sanitize-with",
         "tests/nbval_sanitize.cfg")


def clone(condition: str, folder: Path) -> Path:
    """A clone of this repository's last commit below the folder, with the built notebooks."""
    target = folder / ("a path with blanks" if condition == "blanks" else "clone")
    depth = ["--depth", "1"] if condition == "shallow" else []
    subprocess.run(["git", "clone", "--quiet", *depth, ROOT.as_uri(), str(target)], check=True)
    shutil.copytree(COPIES, target / COPIES.relative_to(ROOT))
    return target


def settings(condition: str, checkout: Path, fonts: list[Path]) -> dict[str, str]:
    """The environment of the tests: the usual one, the clone's code, and the condition's own."""
    usual = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0",
             "TQDM_DISABLE": "1", "BOOK_SITE": str(ROOT / "_build" / "html"),
             "PYTHONPATH": str(checkout / "src"),
             "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    own = dict(SETTINGS.get(condition, {}))
    if condition == "fonts":
        own["FONTCONFIG_FILE"] = str(font_list(fonts, checkout.parent))
    if condition == "bare":
        own["PATH"] = str(programs_but(HIDDEN, usual["PATH"], checkout.parent / "programs"))
    return {**os.environ, **usual, **own}


def font_list(folders: list[Path], target: Path) -> Path:
    """A configuration of fontconfig that knows the fonts of these folders and no others."""
    listed = "".join(f"<dir>{folder.resolve()}</dir>" for folder in folders)
    path = target / "fonts.conf"
    path.write_text(f'<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
                    f"{listed}<cachedir>{target / 'fonts'}</cachedir></fontconfig>\n")
    return path


def programs_but(hidden: tuple[str, ...], path: str, folder: Path) -> Path:
    """A folder with a link to every program on the path but these."""
    folder.mkdir()
    for source in map(Path, path.split(os.pathsep)):
        for program in source.iterdir() if source.is_dir() else ():
            link = folder / program.name
            if program.name not in hidden and not link.is_symlink():
                link.symlink_to(program)
    return folder


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep this many processes computing."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                 for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="conditions:\n" + "\n".join(f"  {name:11} {meaning}"
                                           for name, meaning in CONDITIONS.items()))
    parser.add_argument("condition", choices=[*CONDITIONS, "all"], metavar="CONDITION",
                        help="one of those below, or all of them, one after the other")
    parser.add_argument("tests", nargs="*", default=["_build/travelling", "tests"],
                        help="what pytest runs (default: everything)")
    parser.add_argument("--fonts", nargs="+", type=Path,
                        help="folders with fonts, for the condition of that name (default: "
                             "matplotlib's own)")
    options = parser.parse_args()
    if not COPIES.is_dir():
        parser.error("the notebooks are not there: run make book first")
    chosen = list(CONDITIONS) if options.condition == "all" else [options.condition]
    codes = {name: run(name, options.tests, options.fonts or own_fonts()) for name in chosen}
    print(*(f"{name:11} {'passed' if code == 0 else f'failed ({code})'}"
            for name, code in codes.items()), sep="\n")
    return max(codes.values())


def run(condition: str, tests: list[str], fonts: list[Path]) -> int:
    """Run pytest in a clone under one condition, and give its exit code."""
    with tempfile.TemporaryDirectory(prefix="book_") as folder:
        checkout = clone(condition, Path(folder))
        command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile",
                   "--no-loadscope-reorder", *NBVAL, *tests]
        with busy(BUSY_PROCESSES if condition == "busy" else 0):
            return subprocess.run(command, cwd=checkout, check=False, env=settings(
                condition, checkout, fonts)).returncode


def own_fonts() -> list[Path]:
    """Fonts that are on every machine which has the book's environment."""
    import matplotlib

    return [Path(matplotlib.get_data_path()) / "fonts" / "ttf"]


if __name__ == "__main__":
    sys.exit(main())
