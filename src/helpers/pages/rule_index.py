"""Pre-flight's rules as a table, and which keys each of them is about."""

from __future__ import annotations

import ast
import inspect
import tempfile
import textwrap
from functools import cache
from html import escape
from pathlib import Path

from funasr_preflight import check
from funasr_preflight.checking import all_rules
from funasr_preflight.rules.registry import Rule
from helpers.config import configs
from helpers.ledger.translations import chapter_title
from helpers.pages.filter_table import Choice, Column, Row, english, filter_table, links
from helpers.pages.tables import breakable, with_code
from helpers.paths import CONFIGS
from helpers.speech import manifests
from helpers.speech.turns import telephone_manifest

LINES = 300
"""Lines of the made-up manifest that the book's configs are checked with."""


@cache
def keys_of_rules() -> dict[str, tuple[str, ...]]:
    """Rule to keys of the book's configs, by name.

    A key belongs to a rule that names it in its own code, or that speaks of it in a report on one
    of the configs, each with a manifest of telephone turns on two GPUs.
    """
    known = {row.key for row in configs.compare()}
    dotted = {key for key in known if "." in key}  # another literal may be any word
    about = {name: dotted & _literals(rule) for name, rule in all_rules().items()}
    with tempfile.TemporaryDirectory() as folder:
        lines = [manifests.with_audio(item, Path(folder) / f"{item['key']}.wav")
                 for item in telephone_manifest(LINES)]
        train = manifests.write_manifest(lines, Path(folder) / "train.jsonl")
        for name in configs.CONFIG_NAMES:
            for finding in check(CONFIGS / f"{name}.yaml", train, gpus=2, probe=None).findings:
                about[finding.rule] |= known & {finding.key}
                if finding.key == "specaug":  # one finding speaks for all of its settings
                    about[finding.rule] |= {key for key in known if key.startswith("specaug_conf.")}
    return {name: tuple(sorted(keys)) for name, keys in about.items()}


def rules_about(key: str) -> tuple[str, ...]:
    """Rules that are about a key, in the order of a report."""
    return tuple(name for name, keys in keys_of_rules().items() if key in keys)


def rule_table() -> str:
    """HTML of every rule, with links, for a page beside the notebooks' pages."""
    columns = (Column("Rule", "30%"), Column("Keys", "48%", "Keys"),
               Column("Chapter", label="Chapter"))
    rules = all_rules().values()
    choice = Choice("chapter", "Chapter", "all",
                    {page: chapter_title(page) for page in map(_page, rules)})
    caption = "Every rule, the keys it is about, and where the book explains it."
    return filter_table("rules", caption, columns, list(map(_row, rules)), [choice],
                        english("rules"))


def _row(rule: Rule) -> Row:
    keys = keys_of_rules()[rule.id]
    entries = [f'<a href="key_index.html#index-{escape(key)}"><code>{breakable(key)}</code></a>'
               for key in keys]
    cells = (f"{with_code(str(rule.title))}<small><code>{breakable(rule.id)}</code></small>",
             links(entries, "none in particular"),
             f'<a href="{_page(rule)}.html">{escape(chapter_title(_page(rule)))}</a>')
    return Row(f"rule-{rule.id}", cells, " ".join([rule.id, str(rule.title), *keys]),
               {"chapter": [_page(rule)]})


def _page(rule: Rule) -> str:
    return rule.chapter.partition("#")[0]


def _literals(rule: Rule) -> set[str]:
    """Texts that the rule's function holds, its decorator's aside."""
    function = ast.parse(textwrap.dedent(inspect.getsource(rule.check))).body[0]
    return {node.value for statement in function.body for node in ast.walk(statement)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)}
