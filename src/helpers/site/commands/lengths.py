"""Count what a reader of a chapter has to read: words of prose, and lines of code in plain sight.

    python -m helpers.site.commands.lengths

What is folded (a cell's code under `hide-input`, a dropdown) is not counted, nor are outputs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import jupytext
import yaml

from helpers.paths import ROOT

FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
"""Tags of cells whose code a page does not show at once."""
READ = re.compile(r"admonition|note|tip|warning|important|seealso|hint|list-table|glossary")
FENCE = re.compile(r"^\s*(`{3,}|:{3,})\s*(?:\{([\w-]+)\})?(.*)$")
ROLE = re.compile(r"\{[\w:-]+\}`+([^`]*)`+")


def chapters() -> list[str]:
    """Names of the numbered chapters, in the order of the book."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [Path(entry["file"]).name for entry in contents["parts"][0]["chapters"]]


def source(name: str) -> Any:
    """A chapter's edited half as a notebook."""
    return jupytext.read(ROOT / "notebooks" / f"{name}.md")


def shows_code(cell: Any) -> bool:
    """Whether a page shows a cell's code without being asked."""
    return cell.cell_type == "code" and not FOLDED & set(cell.metadata.get("tags", []))


def words(markdown: str) -> int:
    """Words in plain sight: code, options and boxes that are folded left out.

    A role is one word where it shows a value, and its own words where it shows text.
    """
    read: list[str] = []
    closed_by = ""
    lines = re.sub(r"<!--.*?-->", "", markdown, flags=re.DOTALL).splitlines()
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if closed_by:
            if fence and line.strip() == closed_by:
                closed_by = ""
        elif fence and (fence[2] or fence[3].strip()):
            following = lines[number + 1] if number + 1 < len(lines) else ""
            if not READ.fullmatch(fence[2] or "") or ":class: dropdown" in following:
                closed_by = fence[1]
            else:
                read.append(fence[3])
        elif not fence and not re.match(r"^\s*:[\w-]+:|^\s*\([\w-]+\)=$", line):
            read.append(line)
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"<[^>]*>", "", ROLE.sub(r"\1", "\n".join(read))))
    return len(re.findall(r"[^\W_][^\s|]*", text))


def length(name: str) -> tuple[int, int]:
    """What is to be read of one chapter: words of prose, and lines of code that is not folded."""
    cells = source(name).cells
    return (sum(words(cell.source) for cell in cells if cell.cell_type == "markdown"),
            sum(bool(line.strip()) for cell in cells if shows_code(cell)
                for line in cell.source.splitlines()))


def median_length(lengths: Iterable[tuple[int, int]]) -> tuple[float, float]:
    """Median words and median lines of code."""
    return tuple(map(median, zip(*lengths, strict=True)))


def main() -> None:
    """Print a line for each chapter, and the medians."""
    lengths = {name: length(name) for name in chapters()}
    for name, (prose, code) in {**lengths, "median": median_length(lengths.values())}.items():
        print(f"{name:22s}{prose:6.0f} words{code:5.0f} lines of code")


if __name__ == "__main__":
    main()
