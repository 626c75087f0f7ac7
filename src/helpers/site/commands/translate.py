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

import yaml
from babel.messages.catalog import Catalog, Message
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

def messages(folder: Path = PREFLIGHT) -> dict[str, list[str]]:
    """Every template given to `say` but the empty one, with the modules that use it, and the
    sentences of the audit.

    Raises:
        SystemExit: a template is not a literal, so that no catalogue could have it.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        for call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            template = call.args[0] if call.args else None
            if not isinstance(template, ast.Constant) or not isinstance(template.value, str):
                sys.exit(f"{path.name}, line {call.lineno}: say() needs a literal sentence, else "
                         "it cannot be translated.")
            if not template.value:
                continue
            users = found.setdefault(template.value, [])
            if path.name not in users:
                users.append(path.name)
    for note in audit.load().notes():
        found.setdefault(recorded(note).template, []).append(audit.FILE.name)
    return found


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of `say`, in the order of the source."""
    every = (node for node in ast.walk(tree) if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Name) and node.func.id == "say")
    yield from sorted(every, key=lambda call: (call.lineno, call.col_offset))


def template(found: dict[str, list[str]]) -> Catalog:
    """The catalogue that every language is made from."""
    catalog = new_catalog()
    for text, users in found.items():
        catalog.add(text, locations=[(name, None) for name in users])
    return catalog


def new_catalog(language: str | None = None) -> Catalog:
    """An empty catalogue, without a date or an address: they would change in every run."""
    return Catalog(language, domain=DOMAIN, header_comment=HEADER, project="preflight",
                   version="", fuzzy=False)


def read_catalog(language: str) -> Catalog:
    """A language's translations."""
    path = po(language)
    if not path.exists():
        return new_catalog(language)
    with path.open("rb") as file:
        return read_po(file, language)


def po(language: str) -> Path:
    """The file that a translator edits."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def written(catalog: Catalog) -> str:
    """A catalogue as the text of a file, the same each time."""
    out = io.BytesIO()
    write_po(out, catalog, width=98, sort_by_file=False, ignore_obsolete=True,
             include_previous=True, include_lineno=False)
    text = out.getvalue().decode("utf-8")
    return re.sub(r'^"(POT-Creation-Date|PO-Revision-Date|Report-Msgid-Bugs-To|Last-Translator|'
                  r'Language-Team|Generated-By|Project-Id-Version):.*\n', "", text,
                  flags=re.MULTILINE)


def compiled(catalog: Catalog) -> bytes:
    """A catalogue as `gettext` reads it; the same bytes whenever it is made."""
    catalog.creation_date = catalog.revision_date = datetime.datetime(2026, 1, 1,
                                                                      tzinfo=datetime.UTC)
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def update() -> None:
    """Write the template, take its messages into each language, and compile."""
    source = template(messages())
    LOCALE.mkdir(exist_ok=True)
    (LOCALE / f"{DOMAIN}.pot").write_text(written(source), encoding="utf-8")
    for language in LANGUAGES:
        catalog = read_catalog(language)
        catalog.header_comment = HEADER
        catalog.update(source, update_header_comment=False)
        po(language).parent.mkdir(parents=True, exist_ok=True)
        po(language).write_text(written(catalog), encoding="utf-8")
        with po(language).open("rb") as file:
            po(language).with_suffix(".mo").write_bytes(compiled(read_po(file, language)))


def message_faults(language: str) -> list[str]:
    """What is wrong with a language's messages, one sentence each."""
    catalog = read_catalog(language)
    found = []
    for text in messages():
        translation = catalog.get(text)
        if translation is None:
            found.append(f"{language}: not in the catalogue: {text!r}")
        else:
            found += faults_of(translation, language)
    return found


def faults_of(message: Message, language: str) -> list[str]:
    """What is wrong with one translation."""
    if not message.string:
        return [f"{language}: not translated: {message.id!r}"]
    if message.fuzzy:
        return [f"{language}: fuzzy: {message.id!r}"]
    if used(message.string) != used(message.id):
        return [f"{language}: other fields than the original: {message.id!r}"]
    return []


def used(template_: str) -> set[tuple[str, str, str]]:
    """Name, conversion and format of each `{field}`.

    Raises:
        ValueError: the braces do not fit.
    """
    return {(name, conversion or "", form or "")
            for _, name, form, conversion in string.Formatter().parse(template_)
            if name is not None}


def outdated_files() -> list[str]:
    """Catalogues that are not what `python -m helpers.site.commands.translate` would write."""
    wanted = {LOCALE / f"{DOMAIN}.pot": written(template(messages())).encode("utf-8")}
    for language in LANGUAGES:
        wanted[po(language).with_suffix(".mo")] = compiled(read_catalog(language))
    return [f"{path.relative_to(ROOT)} is not current: run "
            "python -m helpers.site.commands.translate"
            for path, content in wanted.items()
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
    found = []
    for page in sorted((ROOT / "book" / folder).glob("*.md")):
        now, then = parts_of(ROOT / "notebooks" / page.name), done.get(page.stem, {})
        found += [f"{page.stem}#{heading} is {'stale' if heading in then else 'not translated'}"
                  for heading in now if then.get(heading) != now[heading]]
        found += [f"{page.stem}#{heading} is gone from the English page"
                  for heading in then if heading not in now]
    return found


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
                done[page] = {one: known[one] for one in now if one in known}
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
    found = outdated_files()
    for language, folder in LANGUAGES.items():
        found += message_faults(language) + translations.faults(folder)
        found += page_faults(folder)
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--check", action="store_true", help="change nothing")
    options.add_argument("--accept", nargs="+", metavar="NAME", default=[],
                         help="claims, or parts of pages, whose translation fits")
    given = options.parse_args()
    if given.accept:
        accept(given.accept)
    if not given.check:
        update()
    if found := faults():
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
