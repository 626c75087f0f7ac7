"""Write the recommended config and the YAML of every box from the table of recommended values.

    python -m helpers.site.commands.recommended

The table is `helpers.config.recommended.TABLE`.
"""

from __future__ import annotations

import sys

from helpers.config import recommended
from helpers.paths import ROOT

NOTEBOOKS = ROOT / "notebooks"


def chapter_fences(name: str) -> list[str]:
    """The pieces of YAML in a chapter's boxes."""
    text = (NOTEBOOKS / f"{name}.md").read_text(encoding="utf-8")
    return [match[1] for box in recommended.boxes(text)
            for match in recommended.FENCE.finditer(box)]


def main() -> int:
    """Write the file and the boxes; say what changed."""
    texts = {recommended.PATH: recommended.file_text()}
    for path in sorted(NOTEBOOKS.glob("*.md")):
        texts[path] = recommended.with_boxes(path.read_text(encoding="utf-8"))
    changed = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")
    if any(path.suffix == ".md" for path in changed):
        print("Then: make execute, which runs the chapters that changed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
