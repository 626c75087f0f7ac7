"""Every config key, and where the book speaks of it: its row, chapter, claims and rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from operator import attrgetter

from helpers.config import configs
from helpers.config.values import SHORT_NAMES, shown
from helpers.knobs import record
from helpers.ledger import chapters
from helpers.ledger.claims import Claim, load, verdict_words
from helpers.ledger.translations import chapter_title
from helpers.pages import rule_index
from helpers.pages.filter_table import Choice, Column, Row, english, filter_table, links, same
from helpers.pages.tables import breakable

COMPARISON, KNOBS, LEDGER = "configs_side_by_side", "which_knobs", "claim_ledger"
PREFLIGHT = "preflight"
NOT_SET_ANYWHERE = "in none of the three"
UNSET = {
    "freeze_param": ("encoder_freezing", "parameters by name, with commas and no blanks, that do "
                     "not learn; applied after the freeze keys"),
    "init_param": ("configs_side_by_side", "the checkpoint that a run starts from; null takes away "
                   "the one of the model directory"),
    "hub": ("configs_side_by_side", "where a model's name is looked up: ms or hf"),
    "train_conf.find_unused_parameters": ("ctc_strategy", "true lets DDP look for parameters "
                                          "without a gradient in every step"),
    "train_conf.early_stopping_patience": ("training_settings", "epochs without a lower validation "
                                           "loss after which the run ends; 0 means never"),
}
"""Keys that FunASR reads and none of the three configs sets: the chapter, and what they do."""


@dataclass(frozen=True)
class KeyEntry:
    """A key of the three configs, or of UNSET.

    Attributes:
        key: dotted.
        values: config to what it sets, in YAML notation; none for UNSET.
        verdict: the knob test's, or NOT_SET_ANYWHERE.
        chapters: notebooks that take the key up, the one with its rows of the knob test first.
        claims: what the document states about it.
        rules: of pre-flight that are about it.
    """

    key: str
    values: dict[str, str]
    verdict: str
    chapters: tuple[str, ...]
    claims: tuple[Claim, ...]
    rules: tuple[str, ...]


def entries() -> list[KeyEntry]:
    """Every key of the three configs and those of UNSET, by name."""
    verdicts = {knob.key: knob.verdict for knob in record.load()}
    ledger = load().values()
    index = []
    for row in configs.compare():
        about = tuple(claim for claim in ledger if row.key in claim.keys)
        chapters = dict.fromkeys([*_chapters_with(row.key), *(claim.chapter for claim in about)])
        index.append(KeyEntry(row.key, {name: shown(value) for name, value in row.values.items()},
                              verdicts[row.key], tuple(chapters) or (KNOBS,), about,
                              rule_index.rules_about(row.key)))
    for key, (chapter, _) in UNSET.items():
        pages = tuple(dict.fromkeys([chapter, *_chapters_with(key)]))
        index.append(KeyEntry(key, {}, NOT_SET_ANYWHERE, pages, (), ()))
    return sorted(index, key=attrgetter("key"))


def index_table(index: Sequence[KeyEntry]) -> str:
    """HTML of the index, for a page beside the notebooks' pages."""
    columns = (Column("Key", "27%"), Column("Turned", "14%", "Turned"),
               Column("Chapters", "18%", "Chapters"), Column("Claims", label="Claims"),
               Column("Pre-flight", "17%", "Pre-flight"))
    choices = (
        Choice("verdict", "Turning it", "any", same((*record.VERDICTS, NOT_SET_ANYWHERE))),
        Choice("section", "Section", "all", same(map(_section, index))))
    caption = "Every key of the three configs, and some more, with links."
    return filter_table("key-index", caption, columns, list(map(_row, index)), choices,
                        english("keys"))


def _section(entry: KeyEntry) -> str:
    return entry.key.partition(".")[0] if "." in entry.key else "top level"


def _row(entry: KeyEntry) -> Row:
    unset = entry.key in UNSET
    values = UNSET[entry.key][1] if unset else "; ".join(
        f"{SHORT_NAMES.get(name, name)} {value}" for name, value in entry.values.items())
    code, verdict = f"<code>{breakable(entry.key)}</code>", escape(entry.verdict)
    if not unset:
        code = f'<a href="{COMPARISON}.html#key-{escape(entry.key)}">{code}</a>'
        verdict = f'<a href="{KNOBS}.html#knob-{escape(entry.key)}">{verdict}</a>'
    about = "".join(
        f'<small><a href="{LEDGER}.html#ledger-{claim.id}">{escape(claim.id)}</a>: '
        f"{escape(verdict_words(claim))}</small>" for claim in entry.claims)
    cells = (
        f"{code}<small>{escape(values)}</small>", verdict,
        links([f'<a href="{name}.html">{escape(chapter_title(name))}</a>'
               for name in entry.chapters]),
        about or "none",
        links([f'<a href="{PREFLIGHT}.html#rule-{rule}">{breakable(rule)}</a>'
               for rule in entry.rules]))
    text = " ".join([entry.key, entry.verdict, values, *entry.chapters, *entry.rules,
                     *(claim.text for claim in entry.claims)])
    return Row(f"index-{entry.key}", cells, text,
               {"verdict": [entry.verdict], "section": [_section(entry)]})


def _chapters_with(key: str) -> list[str]:
    """Notebooks that show the key's row of the knob test, then those that name it in full."""
    shown = [name for name, keys in _keys_shown().items() if key in keys]
    return shown + [name for name, chapter in chapters.load().items()
                    if name not in (LEDGER, "key_index") and key in chapter.keys]


@cache
def _keys_shown() -> dict[str, frozenset[str]]:
    """Notebook to the keys whose rows of the knob test it shows."""
    return {name: frozenset(knob.key for knob in record.rows(*chapter.tables))
            for name, chapter in chapters.load().items() if chapter.tables}
