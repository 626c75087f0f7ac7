"""Keep the live-kernel scripts out of the pages.

Jupyter Book always loads sphinx-thebe, which writes its configuration twice into every page (a
JavaScript error) and names a host from which a kernel client could be fetched. This book has no
live kernel, so both script tags go.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the filter after every extension that adds scripts to a page."""
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def drop_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Take sphinx-thebe's scripts out of one page's list."""
    context["script_files"] = [
        script for script in context["script_files"] if not _is_thebe(script)
    ]


def _is_thebe(script: Any) -> bool:
    body = getattr(script, "attributes", {}).get("body") or ""
    return "THEBE_JS_URL" in body or "thebe" in str(getattr(script, "filename", ""))
