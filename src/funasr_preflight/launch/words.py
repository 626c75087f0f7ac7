"""The simple commands of a shell script, word by word, without running any of it.

The shell's quotes decide what is put into a word later, and `shlex` takes them away. So what stands
in quotes is shielded first: moved to private planes of Unicode, letter by letter, where `shlex`
finds nothing to split and every place of the text stays where it was.
"""

from __future__ import annotations

import io
import re
import shlex
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from funasr_preflight.errors import BookError
from funasr_preflight.texts import say

LITERAL, DOUBLE = 0xF0000, 0x100000
"""What stands for itself, and what may hold variables but is one word."""
_FILL = "\ue000"
_SIGNS = "();<>|&\n"
_DEEPEST = 50
_SPECIAL = re.compile(r"\\[\s\S]|['\"`]|\$[({]|(?<![^\s;&|()])#[^\n]*|(?<!\S)\d+(?=[<>])|<<<"
                      r"|<<-?[ \t]*(['\"]?)(\w+)\1")
_BREAK = re.compile(f"[\n{chr(LITERAL + 10)}{chr(DOUBLE + 10)}]|{_FILL}{_FILL}")
_RUNS = re.compile(r"[\U000f0000-\U000fffff]+|[\U00100000-\U0010ffff]+|[^\U000f0000-\U0010ffff]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=$")


@dataclass
class Word:
    """A word as it is written, shielded, and its line from 1; `items` are those of an array."""

    text: str
    line: int
    items: list[Word] | None = field(default=None)

    def runs(self) -> Iterator[tuple[str, int]]:
        """Its text as pieces of one quoting each: LITERAL, DOUBLE, or 0 for none."""
        for run in _RUNS.findall(self.text.replace(_FILL, "")):
            plane = ord(run[0]) & 0x1F0000
            plane = plane if plane in (LITERAL, DOUBLE) else 0
            yield "".join(chr(ord(sign) - plane) for sign in run), plane


def statements(text: str, name: str) -> Iterator[list[Word]]:
    """The simple commands of a script.

    Args:
        name: of the script, for messages.

    Raises:
        BookError: a quote or a bracket stays open.
    """
    words: list[Word] = []
    array: list[Word] | None = None
    redirected = False
    for token, line in _tokens(_shielded(text, name), name):
        if not token or token.strip(_SIGNS):
            if not redirected and (not token or token.strip(_FILL)):
                (words if array is None else array).append(Word(token, line))
            redirected = False
            continue
        redirected = "<" in token or ">" in token
        for sign in "" if redirected and "\n" not in token else token:
            if sign == "(" and words and _ASSIGNMENT.match(words[-1].text):
                array = words[-1].items = []
            elif sign == ")" and array is not None:
                array = None
            elif array is None and words:
                yield words
                words = []
    if words:
        yield words


def end_of(text: str, start: int, depth: int = 0) -> int:
    """Place after the quotes, the `$(...)`, `${...}` or `...` in backticks that begin here; 0 where
    they have no end."""
    closing = {"$(": ")", "${": "}"}.get(text[start:start + 2], text[start])
    position = start + (2 if text[start] == "$" else 1)
    if closing in "'`" or depth > _DEEPEST:
        return text.find(closing, position) + 1
    brackets = 1
    while position < len(text):
        sign = text[position]
        if sign == "\\":
            position += 2
        elif sign == closing:
            brackets -= 1
            position += 1
            if not brackets:
                return position
        elif sign == "`" or text[position:position + 2] in ("$(", "${") or (
                sign in "'\"" and closing == ")"):
            position = end_of(text, position, depth + 1)
            if not position:
                return 0
        else:
            brackets += closing == ")" and sign == "("
            position += 1
    return 0


def _shielded(text: str, name: str) -> str:
    pieces, position, documents = [], 0, []
    while match := _SPECIAL.search(text, position):
        start = match.start()
        between = text[position:start]
        if documents and "\n" in between:
            after = position + between.index("\n") + 1
            pieces.append(text[position:after])
            position = _after_documents(text, after, documents)
            pieces.append(re.sub(r"[^\n]", " ", text[after:position]))
            documents = []
            continue
        pieces.append(between)
        sign, end = match[0], match.end()
        if sign[0] == "\\":
            pieces.append(2 * _FILL if sign == "\\\n" else _moved(sign[1], LITERAL) + _FILL)
        elif sign[0] == "#" or sign[0].isdigit():
            pieces.append(" " * len(sign))
        elif sign.startswith("<<"):
            documents += [match[2]] if match[2] else []
            pieces.append(sign)
        else:
            end = end_of(text, start)
            if not end:
                opened = (say("a quote") if sign in "'\"" else
                          say("a bracket or a command in a command"))
                raise BookError(say("{name}, line {line}: {what} stays open. Close it.",
                                    name=name, line=text.count(chr(10), 0, start) + 1, what=opened))
            inside = text[start:end]
            pieces.append(_quoted(inside) if sign in "'\"" else
                          inside if sign == "${" and not re.search(r"[\s'\"`();<>|&]", inside) else
                          _moved(inside, DOUBLE))
        position = end
    return "".join(pieces) + text[position:]


def _quoted(text: str) -> str:
    """Quotes with what they hold, shielded; of the same length."""
    if text[0] == "'":
        return f"'{_moved(text[1:-1], LITERAL)}'"

    def escaped(match: re.Match) -> str:
        if len(match[0]) == 1:
            return _moved(match[0], DOUBLE)
        if match[0][1] == "\n":
            return 2 * _FILL
        return _FILL + _moved(match[0][1], LITERAL)

    return '"' + re.sub(r'\\["$`\\\n]|[\s\S]', escaped, text[1:-1]) + '"'


def _moved(text: str, plane: int) -> str:
    return "".join(chr(ord(sign) + plane) if ord(sign) < 0x10000 else sign for sign in text)


def _after_documents(text: str, position: int, endings: list[str]) -> int:
    """Where the text goes on after here-documents."""
    for ending in endings:
        match = re.compile(rf"^\s*{ending}\s*$", re.MULTILINE).search(text, position)
        position = match.end() if match else len(text)
    return position


def _tokens(text: str, name: str) -> Iterator[tuple[str, int]]:
    stream = io.StringIO(text)
    lexer = shlex.shlex(stream, posix=True, punctuation_chars=_SIGNS)
    lexer.whitespace, lexer.whitespace_split = " \t\r", True
    lexer.commenters = lexer.escape = ""
    breaks = [match.end() - 1 for match in _BREAK.finditer(text)]
    while (token := lexer.get_token()) is not None:
        yield token, 1 + bisect_left(breaks, stream.tell() - 1)
