"""A resolved page of Sphinx as markdown that any notebook program shows.

Values, numbers of figures, titles and citations are words there already. What is left are the few
kinds of node that the chapters have; another kind is an error of the build.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from textwrap import indent

from docutils import nodes
from sphinx import addnodes

from helpers.errors import BookError

Address = Callable[[nodes.Element], str]
"""Where a link goes; an empty string where a notebook cannot follow it."""

LEFT_OUT = (nodes.target, nodes.comment, addnodes.toctree, addnodes.index)
CODE = {"ipython3": "python"}
"""Lexers of Sphinx by the names that notebooks know."""

_SPECIAL = re.compile(r"[\\`*\[\]<$]|(?<![^\W_])_|_(?![^\W_])")
_LIKE_A_BLOCK = re.compile(r"\A(\d+(?=[.)](?:\s|\Z))|(?=(?:[-+>=~]|#+)(?:\s|\Z)))")


def block(node: nodes.Element, address: Address) -> str:
    """The markdown of one block, without a heading's level."""
    if isinstance(node, LEFT_OUT):
        return ""
    if isinstance(node, nodes.paragraph | nodes.term | nodes.caption):
        return _LIKE_A_BLOCK.sub(r"\1\\", inline(node, address))
    if isinstance(node, nodes.rubric):
        return f"**{inline(node, address)}**"
    if isinstance(node, nodes.literal_block):
        text, language = node.astext().rstrip("\n"), node.get("language", "")
        fence = _longer_than("`", text, 3)
        return f"{fence}{CODE.get(language, language)}\n{text}\n{fence}"
    if isinstance(node, nodes.math_block):
        return f"$$\n{node.astext().strip()}\n$$"
    if isinstance(node, nodes.bullet_list | nodes.enumerated_list | nodes.definition_list):
        numbered, first = isinstance(node, nodes.enumerated_list), node.get("start", 1)
        return "\n".join(_item(f"{number}. " if numbered else "- ", blocks(item.children, address))
                         for number, item in enumerate(node.children, first))
    if isinstance(node, nodes.table):
        return _table(node, address)
    if isinstance(node, nodes.Admonition):
        return _box(node, address)
    if isinstance(node, nodes.container | nodes.compound | nodes.definition):
        return blocks(node.children, address)
    raise BookError(f"A downloaded notebook has no markdown for the node {node.tagname}: teach "
                    "helpers.site.plain_markdown.")


def blocks(parts: Iterable[nodes.Element], address: Address) -> str:
    """Blocks with an empty line between them."""
    return "\n\n".join(filter(None, (block(part, address) for part in parts)))


def inline(node: nodes.Element, address: Address) -> str:
    """The words of a node, on one line."""
    return "".join(_word(part, address) for part in node.children).strip()


def _word(node: nodes.Node, address: Address) -> str:
    if isinstance(node, nodes.Text):
        return _SPECIAL.sub(r"\\\g<0>", node.astext().replace("\n", " "))
    if isinstance(node, nodes.literal):
        return _code(node.astext().replace("\n", " "))
    if isinstance(node, nodes.math):
        return f"${node.astext()}$"
    text = "".join(_word(part, address) for part in node.children)
    if isinstance(node, nodes.emphasis):
        return f"*{text}*"
    if isinstance(node, nodes.strong):
        return f"**{text}**"
    if "sd-badge" in node["classes"]:
        return f"**\\[{text}\\]**"
    if isinstance(node, addnodes.download_reference):
        text, file = node.astext(), node["reftarget"].removeprefix("../")
        return f"[{text}]({target})" if (target := address(node)) else f"{text} (`{file}`)"
    if isinstance(node, nodes.reference):
        return f"[{text}]({target})" if (target := address(node)) else text
    if isinstance(node, nodes.inline):
        return text
    if isinstance(node, LEFT_OUT):
        return ""
    raise BookError(f"A downloaded notebook has no markdown for the node {node.tagname} in a line: "
                    "teach helpers.site.plain_markdown.")


def _code(text: str) -> str:
    ticks = _longer_than("`", text, 1)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{room}{text}{room}{ticks}"


def _longer_than(letter: str, text: str, least: int) -> str:
    """A run of a letter that the text does not have."""
    return letter * max([least, *(len(run) + 1 for run in re.findall(rf"{letter}+", text)
                                  if len(run) >= least)])


def _item(mark: str, content: str) -> str:
    return mark + indent(content, " " * len(mark))[len(mark):]


def _box(node: nodes.Element, address: Address) -> str:
    """A quote under its title; what the page folds is folded here."""
    titled = isinstance(node.children[0], nodes.title)
    title = inline(node.children[0], address) if titled else node.tagname.capitalize()
    content = blocks(node.children[titled:], address)
    if "dropdown" in node["classes"]:
        return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
    return indent(f"**{title}**\n\n{content}", "> ", lambda _: True)


def _table(node: nodes.Element, address: Address) -> str:
    rows = [[" ".join(inline(part, address) for part in cell.children).replace("|", r"\|")
             for cell in row.children] for row in node.findall(nodes.row)]
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
