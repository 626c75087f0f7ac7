"""Short quotes of the source document, held to its words without a copy of it.

The document is its makers' and is not in this repository. What is committed of its text is a list
of fingerprints, one for each three words that follow each other, in alphabetical order: enough to
see that a quote occurs, too little to read the document. A quote is compared word by word; line
breaks, signs, brackets and marks of code do not count.

`python -m helpers.ledger.quotes DOCUMENT` writes the list from a copy of the document, and stops
if a quote of the ledger does not stand in it as one piece.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from functools import cache
from pathlib import Path

from helpers.errors import BookError
from helpers.paths import DATA

FILE = DATA / "reference" / "document_words.txt"
WORDS_TOGETHER = 3
LONGEST = 25
"""Words that a quote may have at most."""

_WORD = re.compile(r"\w[\w.'/%-]*")


def words(text: str) -> list[str]:
    """The words of a text in lower case: letters, digits, and what keys and values hold."""
    return [word.rstrip(".").lower() for word in _WORD.findall(text)]


def fingerprints(text: str) -> list[str]:
    """Eight hexadecimal digits for each three words that follow each other."""
    together = words(text)
    return [hashlib.sha256(" ".join(together[start:start + WORDS_TOGETHER]).encode())
            .hexdigest()[:8] for start in range(len(together) - WORDS_TOGETHER + 1)]


@cache
def known() -> frozenset[str]:
    """The fingerprints of the document."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def fault(quote: str) -> str:
    """What is wrong with a quote, or nothing."""
    number = len(words(quote))
    if not WORDS_TOGETHER <= number <= LONGEST:
        return f"has {number} words; a quote has {WORDS_TOGETHER} to {LONGEST}"
    if not known().issuperset(fingerprints(quote)):
        return "does not stand in the document"
    return ""


def write(document: Path) -> None:
    """Write the fingerprints of a copy of the document.

    Raises:
        BookError: a quote of the ledger is not one piece of it.
    """
    from helpers.ledger import claims

    text = document.read_text(encoding="utf-8")
    whole = f" {' '.join(words(text))} "
    wrong = [claim.id for claim in claims.load().values()
             if f" {' '.join(words(claim.quote))} " not in whole]
    if wrong:
        raise BookError(f"{document.name} does not have the quotes of {', '.join(wrong)}: quote it "
                        "word by word in book/claims.")
    head = (f"# Fingerprints of each {WORDS_TOGETHER} words of the document that follow each "
            f"other, see helpers.ledger.quotes.\n# The document: sha256 "
            f"{hashlib.sha256(document.read_bytes()).hexdigest()}\n")
    FILE.write_text(head + "".join(f"{digest}\n" for digest in sorted(set(fingerprints(text)))),
                    encoding="utf-8")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("document", type=Path, help="a copy of the source document, in Markdown")
    try:
        write(options.parse_args().document)
    except (BookError, OSError) as error:
        sys.exit(str(error))
