"""Let the book's search find config keys, whole or in part, and words in tables.

Every key of the configs becomes a named object of the index of keys, so that a search for it, or
for its last part, leads to its row. And the cells of HTML tables are parted by a line break:
Sphinx joins them into one word otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains import Domain, ObjType

from helpers.config.configs import compare

INDEX = "notebooks/key_index"
_PARTED = re.compile(r"(</(?:td|th|li|p|small|caption|option|a)>)(?=<)")


class ConfigKeys(Domain):
    """Keys of the configs, as Sphinx's search knows objects."""

    name, label = "config", "Config"
    object_types = {"key": ObjType("config key")}

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        """Each key with the place of its row."""
        if INDEX in self.env.found_docs:
            for row in compare():
                yield row.key, row.key, "key", INDEX, f"index-{row.key}", 1

    def merge_domaindata(self, docnames: object, otherdata: object) -> None:
        """Nothing is collected while pages are read, so nothing is to be merged."""


def part_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Put a line break after every cell of a page's HTML outputs."""
    for raw in doctree.findall(nodes.raw):
        if "html" in raw.get("format", "").split():
            raw[:] = [nodes.Text(_PARTED.sub(r"\1\n", raw.astext()))]


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.add_domain(ConfigKeys)
    app.connect("doctree-read", part_cells)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
