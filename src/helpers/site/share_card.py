"""Title, description and picture of a page for those who share a link to it (Open Graph).

The picture has a whole address where `html_baseurl` or the repository says where the book will be;
elsewhere its address is relative, which some of those who show links can follow.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

PICTURE = "_static/social_card.png"
LONGEST, SHORTEST = 200, 60
_PART = "[^.?!。？！]"
SENTENCE = re.compile(rf"(?!\s){_PART}+(?:[.](?=\w){_PART}*)*(?:[.?!](?=\s|$)|[。？！])")


def add_tags(app: Sphinx, page: str, template: str, context: dict[str, Any],
             doctree: nodes.document | None) -> None:
    """Add the tags to one page's head; the description is its first sentences."""
    if doctree is None:
        return
    tags = {"og:type": "article", "og:site_name": app.config.html_title,
            "og:title": re.sub("<[^>]+>", "", context.get("title", ""))}
    tags["og:description"] = description(doctree)
    base = base_address(app)
    if base:
        tags["og:url"] = f"{base}/{page}.html"
    tags |= {"og:image": f"{base or '../' * page.count('/') + '.'}/{PICTURE}",
             "twitter:card": "summary_large_image"}
    lines = [f'<meta property="{name}" content="{escape(value)}" />'
             for name, value in tags.items()]
    lines.append(f'<meta name="description" content="{escape(tags["og:description"])}" />')
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(lines)


def description(doctree: nodes.document) -> str:
    """The first whole sentences of a page, as many as fit."""
    summary = ""
    for paragraph in doctree.findall(nodes.paragraph):
        for sentence in SENTENCE.findall(" ".join(paragraph.astext().split())):
            if len(summary) + 1 + len(sentence) <= LONGEST:
                summary = f"{summary} {sentence}".strip()
            elif len(summary) >= SHORTEST:
                return summary
    return summary


def base_address(app: Sphinx) -> str:
    """Where the book will be: as the settings say, or at GitHub's pages of the repository."""
    hosted = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?",
                          app.config.html_theme_options.get("repository_url") or "")
    named = app.config.html_baseurl.rstrip("/")
    return named or (f"https://{hosted[1].lower()}.github.io/{hosted[2]}" if hosted else "")
