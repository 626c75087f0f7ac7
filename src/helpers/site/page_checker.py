"""The scripts of the checker on the page, where a page has its field and nowhere else."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

SCRIPTS = ("checker/js-yaml.min.js", "preflight_rules.js", "preflight_page.js")
FIELD = 'class="preflight preflight-page'


def add_scripts(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any],
                doctree: object) -> None:
    """Load the scripts on a page that has the field."""
    if FIELD in str(context.get("body", "")):
        for name in SCRIPTS:
            app.add_js_file(name, loading_method="defer")
