"""Draw the stored notebooks' figures for phones, without storing anything else.

`python -m helpers.site.commands.phone_drawings NAMES`; without names, all notebooks that lack one.
`make execute` does it too, for what it runs. Here only those cells run that a notebook's figures
need, found by the names that they make and use. A drawing is kept where its figure comes out as it
is stored; drawings that no stored figure has are deleted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

from helpers.pages import phone_drawing, translated_drawing
from helpers.site import gpu_cells
from helpers.site.commands.execute import (
    NOTEBOOKS,
    PHONE_DRAWINGS,
    SVG,
    drop_left_over_drawings,
    shown_figures,
)


def stored(source: Path) -> list[tuple[str, list[str]]]:
    """Code of every cell of a stored notebook, and the fingerprints of the figures it shows."""
    cells = nbformat.read(source, as_version=4).cells
    return [(cell.source, [phone_drawing.fingerprint(output.data[SVG]) for output in cell.outputs
                           if SVG in output.get("data", {})])
            for cell in cells if cell.cell_type == "code"]


def draw(source: Path) -> list[str]:
    """Draw one notebook's figures; returns a line about each that did not come out as stored."""
    from IPython.core.pylabtools import print_figure
    from matplotlib import pyplot as plt

    plt.switch_backend("agg")
    os.chdir(source.parent)
    cells = stored(source)
    last = max(number for number, (_, prints) in enumerate(cells) if prints)
    needed = [number for number, (code, prints) in enumerate(cells[:last])
              if prints or "setup(" in code]
    scope: dict[str, Any] = {"display": lambda *shown, **options: None}
    faults = []
    names = [gpu_cells.names_of(code) for code, _ in cells]
    for number in gpu_cells.with_grounds(names, [*needed, last]):
        code, prints = cells[number]
        exec(compile(code, f"{source.stem}, cell {number}", "exec"), scope)
        for figure, known in zip(map(plt.figure, plt.get_fignums()), prints, strict=False):
            wide = print_figure(figure, fmt="svg", metadata={"Date": None})
            if phone_drawing.fingerprint(wide) == known:
                phone_drawing.keep(figure, wide)
            else:
                faults.append(f"{source.stem}: a figure of cell {number} is not as it is stored; "
                              f"make execute NAMES={source.stem}")
        plt.close("all")
    return faults


def main() -> int:
    sources = [NOTEBOOKS / f"{name}.ipynb" for name in sys.argv[1:]]
    if os.environ.get(phone_drawing.FOLDER):
        faults = draw(sources[0])
        print("\n".join(faults))
        return len(faults)
    PHONE_DRAWINGS.mkdir(exist_ok=True)
    drop_left_over_drawings()
    drawn = {path.stem for path in PHONE_DRAWINGS.glob("*.svg")}
    lacking = [source for source, prints in shown_figures().items() if prints - drawn]
    own = {**os.environ, phone_drawing.FOLDER: str(PHONE_DRAWINGS), "OMP_NUM_THREADS": "1"}
    codes = [subprocess.run(
        [sys.executable, "-m", __spec__.name, source.stem], check=False, env={
            **own, translated_drawing.LANGUAGES: " ".join(translated_drawing.shown_by(source.stem))}
    ).returncode for source in sources or lacking]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
