"""Keep the Chinese of the book and of the pre-flight in step with the English.

`python -m helpers.site.commands.translate` extracts the pre-flight's messages, updates and
compiles; `--check` says what is missing or stale and changes nothing; `--accept NAME ...` says that
these translations fit the English of today.

A message of the pre-flight is the literal first argument of `say(...)`. They are gathered in
`src/funasr_preflight/locale/preflight.pot`; each language has a `.po`, which a translator edits,
and a `.mo`, which the program reads. A message that changed comes out as fuzzy: look at its
translation, then take the fuzzy mark away.

A NAME is a claim's id, or `introduction#HEADING` for a part of a page, as `--check` names them.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import io
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import yaml
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from funasr_preflight import audit
from funasr_preflight.texts import recorded
from helpers.ledger import claims, translations
from helpers.paths import ROOT

PREFLIGHT = ROOT / "src" / "funasr_preflight"
LOCALE = PREFLIGHT / "locale"
DOMAIN = "preflight"
LANGUAGES = {"zh_CN": "zh"}
"""Language of the pre-flight, and folder of its pages and claims."""
HEADER = """# The pre-flight's messages. Fields in {braces} are filled in and stay as they are.
# Made by python -m helpers.site.commands.translate."""


# Messages of the pre-flight

def messages(folder: Path = PREFLIGHT) -> Catalog:
    """The catalogue that every language is made from: what `say` is given, the audit's sentences.

    Raises:
        SystemExit: a template is not a literal, so that no catalogue could have it.
    """
    catalog = new_catalog()
    for name, line, text, *_ in extract_from_dir(folder, [("**.py", templates)], {},
                                                 keywords={"say": None}):
        if text == NO_LITERAL:
            sys.exit(f"{name}, line {line}: say() needs a literal sentence, else it cannot be "
                     "translated.")
        catalog.add(text, locations=[(Path(name).name, None)])
    for note in audit.load().notes():
        catalog.add(recorded(note).template, locations=[(audit.FILE.name, None)])
    return catalog


NO_LITERAL = "what say() is given is no literal"


def templates(file: BinaryIO, keywords: object, comment_tags: object,
              options: object) -> Iterator[tuple[int, str, str, list[str]]]:
    """Babel's view of one module: line, function and first argument of each call of `say`.

    Babel's own reader of Python passes over what is no literal.
    """
    calls = [node for node in ast.walk(ast.parse(file.read()))
             if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say"]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        text = getattr(call.args[0], "value", None) if call.args else None
        if text != "":
            yield call.lineno, "say", text if isinstance(text, str) else NO_LITERAL, []


def new_catalog(language: str | None = None) -> Catalog:
    """An empty catalogue, with a date that does not change with every run."""
    then = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return Catalog(language, domain=DOMAIN, header_comment=HEADER, project="preflight",
                   version="", fuzzy=False, creation_date=then, revision_date=then)


def po(language: str) -> Path:
    """The file that a translator edits."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read_catalog(language: str) -> Catalog:
    """A language's translations, with the messages of today."""
    catalog = new_catalog(language)
    if po(language).exists():
        for message in read_po(io.BytesIO(po(language).read_bytes()), language):
            if message.id:
                catalog[message.id] = message
    catalog.update(messages(), update_header_comment=False)
    return catalog


def files() -> dict[Path, bytes]:
    """Every catalogue as its file should be; today's messages, with a language's translations."""
    contents = {LOCALE / f"{DOMAIN}.pot": written(messages())}
    for language in LANGUAGES:
        catalog, out = read_catalog(language), io.BytesIO()
        write_mo(out, catalog)
        contents |= {po(language): written(catalog),
                     po(language).with_suffix(".mo"): out.getvalue()}
    return contents


def written(catalog: Catalog) -> bytes:
    """A catalogue as the text of a file, with the one header that a reader of it needs."""
    out = io.BytesIO()
    write_po(out, catalog, width=98, ignore_obsolete=True, include_previous=True,
             include_lineno=False)
    return re.sub(rb'^"(POT-Creation-Date|PO-Revision-Date|Report-Msgid-Bugs-To|Last-Translator|'
                  rb'Language-Team|Generated-By|Project-Id-Version):.*\n', b"", out.getvalue(),
                  flags=re.MULTILINE)


def faults_of(message: Message, language: str) -> list[str]:
    """What is wrong with one translation."""
    if not message.string:
        return [f"{language}: not translated: {message.id!r}"]
    if message.fuzzy:
        return [f"{language}: fuzzy: {message.id!r}"]
    if used(message.string) != used(message.id):
        return [f"{language}: other fields than the original: {message.id!r}"]
    return []


def used(template: str) -> set[tuple[str, str, str]]:
    """Name, conversion and format of each `{field}`.

    Raises:
        ValueError: the braces do not fit.
    """
    return {(name, conversion or "", form or "")
            for _, name, form, conversion in string.Formatter().parse(template)
            if name is not None}


def outdated_files() -> list[str]:
    """Catalogues that are not what `python -m helpers.site.commands.translate` would write."""
    return [f"{path.relative_to(ROOT)} is not current: run "
            "python -m helpers.site.commands.translate"
            for path, content in files().items()
            if not path.exists() or path.read_bytes() != content]


# Pages

def parts_of(page: Path) -> dict[str, str]:
    """Heading to fingerprint of the prose under it; code cells do not count."""
    text = re.sub(r"\A---\n.*?\n---\n", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^```\{code-cell\}.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    pieces = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {heading: translations.fingerprint(f"{heading}\n{prose}")
            for heading, prose in zip(pieces[1::2], pieces[2::2], strict=True)}


def stamps(folder: str) -> Path:
    """The file with the fingerprints of the English that a language's pages translate."""
    return ROOT / "book" / folder / "translated.yml"


def accepted(folder: str) -> dict[str, dict[str, str]]:
    """Page to heading to the fingerprint that was translated."""
    path = stamps(folder)
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def page_faults(folder: str) -> list[str]:
    """Parts of English pages that changed since they were translated, were added or are gone."""
    done = accepted(folder)
    complaints = []
    for page in sorted((ROOT / "book" / folder).glob("*.md")):
        now, then = parts_of(ROOT / "notebooks" / page.name), done.get(page.stem, {})
        complaints += [
            f"{page.stem}#{heading} is {'stale' if heading in then else 'not translated'}"
            for heading in now if then.get(heading) != now[heading]]
        complaints += [f"{page.stem}#{heading} is gone from the English page"
                       for heading in then if heading not in now]
    return complaints


def accept(names: list[str]) -> None:
    """Take down that these translations fit the English of today."""
    for folder in LANGUAGES.values():
        done = accepted(folder)
        for name in names:
            page, _, heading = name.partition("#")
            if heading:
                now = parts_of(ROOT / "notebooks" / f"{page}.md")
                known = done.setdefault(page, {})
                known.pop(heading, None)
                if heading in now:
                    known[heading] = now[heading]
                done[page] = {part: known[part] for part in now if part in known}
            else:
                accept_claim(name, folder)
        head = "# English headings and fingerprints of the prose that the pages here translate.\n"
        stamps(folder).write_text(head + yaml.safe_dump(done, allow_unicode=True, sort_keys=False),
                                  encoding="utf-8")


def accept_claim(name: str, folder: str) -> None:
    """Write a claim's new fingerprint into its entry."""
    claim, entry = claims.load().get(name), translations.load(folder).get(name)
    if claim is None or entry is None:
        sys.exit(f"{name} is no claim with a translation in book/claims/{folder}.")
    path = claims.FOLDER / folder / f"{entry.chapter}.yml"
    text = re.sub(rf"(^- id: {re.escape(name)}\n(?:  .*\n)*?  english: )\S+",
                  rf"\g<1>{translations.of_claim(claim)}",
                  path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")


# All

def faults() -> list[str]:
    """Everything that is missing or stale, one sentence each."""
    complaints = outdated_files()
    for language, folder in LANGUAGES.items():
        for message in read_catalog(language):
            complaints += faults_of(message, language) if message.id else []
        complaints += translations.faults(folder) + page_faults(folder)
    return complaints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--accept", nargs="+", metavar="NAME", default=[],
                        help="claims, or parts of pages, whose translation fits")
    options = parser.parse_args()
    if options.accept:
        accept(options.accept)
    for path, content in {} if options.check else files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if complaints := faults():
        sys.exit("\n".join(complaints))


if __name__ == "__main__":
    main()
