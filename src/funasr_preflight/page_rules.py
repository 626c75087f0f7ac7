"""What the book's page needs to check a YAML in the reader's browser: `preflight_rules.js`.

The rules that need the audit alone are written a second time in `preflight_page.js`, some two
hundred lines; everything that they know comes from here. A test holds page and command to the same
findings. `python -m helpers.site.commands.page_rules` writes the file.
"""

from __future__ import annotations

import json
from typing import Any

from funasr_preflight import audit
from funasr_preflight.context import SWITCHES
from funasr_preflight.launch import directory, reading
from funasr_preflight.launch.yaml_file import flatten, read_yaml
from funasr_preflight.rules import keys
from funasr_preflight.texts import say

RULES = ("keys-unknown", "keys-never-read", "keys-no-effect", "keys-otherwise", "keys-type",
         "keys-section", "keys-null", "keys-range", "keys-class", "keys-deprecated", "keys-debug",
         "keys-crash", "keys-conflict", "launch-alone", "specaug-not-applied",
         "run-activation-checkpoint")
"""Rules that the page applies."""
LABELS = {
    "paste": say("Paste a YAML, or drop a file on the field"), "file": say("or choose a file"),
    "language": say("language of the report"),
    "about": say("Nothing leaves this page, and it needs no network.")}
"""What the page's own elements say."""
SENTENCES = (
    *LABELS.values(), say("line {line}"), say("line {line}: “{problem}”. Correct the YAML there."),
    say("It holds no keys: give a config with `key: value` lines."),
    say("Its `defaults` name other files, which a page cannot read: give it to the command."),
    say("It is for {model}: pre-flight knows {own} (Fun-ASR-Nano) only, and would say wrong things "
        "of any other."),
    say("Checked on this page alone, for FunASR {version}: {count} rules that need no data. The "
        "command knows more."))
"""What the page says besides, so that the catalogue has it."""


def content() -> dict[str, Any]:
    """Everything that `preflight_page.js` knows, its sentences aside."""
    audited = audit.load()
    base = read_yaml(directory.PRETRAINED).values
    every = list(dict.fromkeys([*audited.names(), *dict(flatten(base))]))
    sections = {section: sorted(names) for section, names in audited.content["sections"].items()}
    return {
        "version": audited.version, "rules": RULES, "base": base,
        "names": every[:len(audited.names())],
        "keys": {key: [audited.verdict(key), audited.type_of(key)]
                 for key in audited.content["keys"]},
        "notes": {key: str(audited.note(key)) for key in audited.content["keys"]
                  if audited.note(key)},
        "defaults": {key: audited.defaults(key) for section, names in sections.items()
                     for name in names if audited.defaults(key := f"{section}.{name}".lstrip("."))},
        "sections": sections, "refuses": audited.content["refuses"],
        "registers": {**audited.content["registers"],
                      **{key: audited.classes(other) for key, other in keys.REGISTERED_AS.items()}},
        "deprecated": audited.content["deprecated"],
        "freezeDefaults": {key: audited.default(key) for key in ("llm_conf.freeze",)},
        "launcherKeys": sorted(keys.LAUNCHER_KEYS), "freeSections": keys.FREE_SECTIONS,
        "choosers": keys.CHOOSERS, "neverNull": sorted(keys.NEVER_NULL),
        "oneValue": sorted(keys.ONE_VALUE),
        "neverNullOfLora": keys.NEVER_NULL_OF_LORA, "trulyWhole": keys.TRULY_WHOLE,
        "switches": SWITCHES, "mayBeNull": keys.MAY_BE_NULL, "runsBelow": keys.RUNS_BELOW,
        "endsAtZero": keys.ENDS_AT_ZERO,
        "atLeastOne": keys.AT_LEAST_ONE, "notNegative": keys.NOT_NEGATIVE, "pairs": keys.PAIRS,
        "scores": keys.SCORES, "preprocessors": keys.PREPROCESSORS,
        "saveExcludes": keys.SAVE_EXCLUDES, "pieces": reading.PIECES,
        "ctcPieces": reading.CTC_PIECES, "ownClass": directory.OWN_CLASS,
        "ownName": directory.OWN_NAME.pattern, "others": directory.OTHERS.pattern,
        "ownParts": sorted(directory.OWN_PARTS), "otherParts": sorted(directory.OTHER_PARTS)}


def script(sentences: dict[str, str], notes: dict[str, str]) -> str:
    """The file that the page loads.

    Args:
        sentences: English template to Chinese, of all that the page says.
        notes: the same of the audit's sentences.
    """
    data = json.dumps({**content(), "zh": sentences, "notesZh": notes}, ensure_ascii=False,
                      sort_keys=True, separators=(",", ":"))
    return ("// Made by python -m helpers.site.commands.page_rules.\n"
            f"window.preflightRules={data};\n")
