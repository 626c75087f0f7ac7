"""Title, description and picture of a page for those who share a link to it (Open Graph).

The picture needs a whole address, so it is named where `html_baseurl` says where the book will be.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

PICTURE = "_static/social_card.png"
LONGEST = 200


def add_tags(app: Sphinx, page: str, template: str, context: dict[str, Any],
             doctree: nodes.document | None) -> None:
    """Add the tags to one page's head; the description is the page's first paragraph."""
    if doctree is None:
        return
    tags = {"og:type": "article", "og:site_name": app.config.html_title,
            "og:title": re.sub("<[^>]+>", "", context.get("title", ""))}
    text = next((paragraph.astext() for paragraph in doctree.findall(nodes.paragraph)
                 if len(paragraph.astext()) > LONGEST // 3), "")
    words = " ".join(text.split())
    tags["og:description"] = words if len(words) <= LONGEST else words[:LONGEST - 1] + "…"
    if base := app.config.html_baseurl.rstrip("/"):
        tags |= {"og:url": f"{base}/{page}.html", "og:image": f"{base}/{PICTURE}",
                 "twitter:card": "summary_large_image"}
    lines = [f'<meta property="{name}" content="{escape(value)}" />'
             for name, value in tags.items()]
    lines.append(f'<meta name="description" content="{escape(tags["og:description"])}" />')
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("html-page-context", add_tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
