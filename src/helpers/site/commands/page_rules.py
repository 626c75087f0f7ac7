"""Write what the checker on the page knows: `python -m helpers.site.commands.page_rules`.

`--check` says whether `book/_assets/preflight_rules.js` is what the checker gives today.
"""

from __future__ import annotations

import argparse
import re
import sys

from funasr_preflight import audit, page_rules
from funasr_preflight.texts import speak
from helpers.paths import ROOT
from helpers.site.commands import translate

ASSETS = ROOT / "book" / "_assets"
FILE, CODE = ASSETS / "preflight_rules.js", ASSETS / "preflight_page.js"
WORDS = ("error", "warning", "note")


def templates() -> list[str]:
    """English sentences that the page says, in order.

    Raises:
        SystemExit: the page says something that the checker's catalogue does not have.
    """
    code = CODE.read_text(encoding="utf-8")
    catalog = {message.id for message in translate.messages() if message.id}
    literals = {text.replace('\\"', '"') for text in re.findall(r'say\("((?:[^"\\]|\\.)*)"', code)}
    if strange := literals - catalog:
        sys.exit(f"{CODE.name} says what the checker does not: {min(strange)!r}.")
    used = {text for text in catalog if '"' + text.replace('"', '\\"') + '"' in code}
    return sorted({*used, *WORDS, *(str(label) for label in page_rules.LABELS.values())})


def content() -> str:
    """The file as it should be."""
    chinese = {message.id: message.string for message in translate.read_catalog("zh_CN")
               if message.id}
    notes = [audit.load().note(key) for key in audit.load().content["keys"]]
    with speak("zh_CN"):
        translated = [str(note) for note in notes]
    return page_rules.script({text: chinese[text] for text in templates() if chinese.get(text)},
                             {str(note): text for note, text in zip(notes, translated, strict=True)
                              if note})


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args(arguments).check:
        same = FILE.is_file() and FILE.read_text(encoding="utf-8") == content()
        print("It is up to date." if same else "It is not what the checker gives.")
        return int(not same)
    FILE.write_text(content(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
