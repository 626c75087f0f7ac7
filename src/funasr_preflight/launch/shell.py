"""Read a whole training command, or the script that holds it, without running any of it.

A small part of the shell's language is followed: words and quotes, continued lines, comments,
variables that the script itself sets. Nothing is executed and no environment is looked at: where
only a shell could know a value a `$` stays, and it is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from funasr_preflight.errors import BookError
from funasr_preflight.launch.reading import LARGEST_BYTES, read_text
from funasr_preflight.texts import Text, say

PROGRAMS = ("funasr-train-ds", "train_ds.py", "funasr.bin.train_ds")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_@*#]+)(?::?[-=]([^}]*))?\}"
                       r"|([A-Za-z_][A-Za-z0-9_]*|[0-9@*]))")
_BEFORE_A_COMMAND = ("export", "local", "declare", "readonly", "then", "do", "else", "if", "!",
                     "time", "exec", "nohup", "sudo", "env", "{")
_CONFIG_OPTIONS = {"--config-path": "folder", "-cp": "folder", "--config-dir": "folder",
                   "-cd": "folder", "--config-name": "name", "-cn": "name"}
_PROCESS_OPTIONS = {"--nproc_per_node": "processes", "--nproc-per-node": "processes",
                    "--num_gpus": "processes", "--num_processes": "processes",
                    "--nnodes": "nodes"}
_LONGEST = 100_000


@dataclass(frozen=True)
class Command:
    """What a training command says.

    Attributes:
        config: the YAML; None where the command names none.
        overrides: as they stand on the command line.
        gpus: processes of the run, over all machines.
        train, valid: the manifests, as the overrides name them.
        assumed: what was taken for granted.
    """

    config: Path | None
    overrides: tuple[str, ...]
    gpus: int = 1
    train: str | None = None
    valid: str | None = None
    assumed: tuple[Text, ...] = ()


@dataclass
class _Word:
    pieces: list[tuple[str, str]] = field(default_factory=list)
    """Text and how it is quoted: "bare", "double", "single" or "command"."""

    def add(self, text: str, quoting: str) -> None:
        self.pieces.append((text, quoting))


def parse_command(command: str | Path) -> Command:
    """Read a training command.

    Args:
        command: the command line itself, or the path of a shell script with one.

    Raises:
        BookError: there is no training command in it, a quote stays open, or it is no text.
    """
    text, name, folder = _text_of(command)
    variables: dict[str, str] = {}
    unset: dict[str, None] = {}
    found = []
    for statement in _statements(text, name):
        values = _words(statement, variables, unset=None)
        values = _after_settings(values, variables)
        if _program(values) is not None:
            fresh = dict.fromkeys(())
            words = _after_settings(_words(statement, variables, fresh), variables)
            found.append((words, dict(variables)))
            unset.update(fresh)
    if not found:
        raise BookError(f"{name} holds no training command: give one that starts "
                        f"{PROGRAMS[0]} or {PROGRAMS[1]}.")
    words, known = found[0]
    assumed = [say("`{name}` gets its value outside the command, and stays as it is written",
                   name=variable) for variable in unset]
    if len(found) > 1:
        assumed.append(say("the first of {count} training commands is the one that counts",
                           count=len(found)))
    return _command(words, known, folder, name, assumed)


def _text_of(command: str | Path) -> tuple[str, str, Path]:
    if isinstance(command, Path) or "\n" not in command and " " not in command.strip():
        path = Path(command)
        return read_text(path, "a shell script"), path.name, path.parent
    if len(command) > LARGEST_BYTES or "\0" in command:
        raise BookError("The command has NUL bytes or is longer than any: give one training "
                        "command.")
    return command, "The command", Path()


def _statements(text: str, name: str) -> Iterator[list[_Word]]:
    """The simple commands of a script, each a list of words with their quoting."""
    words: list[_Word] = []
    word: _Word | None = None
    documents: list[str] = []
    place, redirected = 0, False
    text = text.replace("\r\n", "\n")

    def finish() -> None:
        nonlocal word, redirected
        if word is not None:
            if redirected:
                redirected = False
            else:
                words.append(word)
        word = None

    while place < len(text):
        sign = text[place]
        if sign == "\\":
            if text[place + 1:place + 2] != "\n":
                word = word or _Word()
                word.add(text[place + 1:place + 2], "single")
            place += 2
        elif sign in "'\"":
            word = word or _Word()
            end, inner = _quoted(text, place, name)
            word.add(inner, "single" if sign == "'" else "double")
            place = end
        elif sign == "`" or text.startswith("$(", place):
            word = word or _Word()
            end, inner = _substitution(text, place, name)
            word.add(inner, "command")
            place = end
        elif text.startswith("${", place):
            end = text.find("}", place) + 1
            if not end:
                raise BookError(f"{_at(text, place, name)}: a ${{ has no end. Add the }}.")
            word = word or _Word()
            word.add(text[place:end], "bare")
            place = end
        elif sign == "#" and word is None:
            end = text.find("\n", place)
            place = len(text) if end < 0 else end
        elif sign in "<>":
            if word is not None and "".join(piece for piece, _ in word.pieces).isdigit():
                word = None
            finish()
            here = text.startswith("<<", place) and not text.startswith("<<<", place)
            while place < len(text) and text[place] in "<>&|-":
                place += 1
            if here:
                ending = re.compile(r"\s*['\"]?(\w*)['\"]?").match(text, place)
                documents.append(ending[1])
                place = ending.end()
            else:
                redirected = True
        elif sign in ";&|()\n":
            finish()
            redirected = False
            if words:
                yield words
            words = []
            place += 1
            if sign == "\n" and documents:
                place = _after_documents(text, place, documents)
                documents = []
        elif sign in " \t":
            finish()
            place += 1
        else:
            end = place + 1
            while end < len(text) and text[end] not in " \t\n\\'\"`$<>;&|()#":
                end += 1
            while end < len(text) and text[end] == "#":
                end += 1
            word = word or _Word()
            word.add(text[place:end], "bare")
            place = end
    finish()
    if words:
        yield words


def _quoted(text: str, start: int, name: str) -> tuple[int, str]:
    quote, place = text[start], start + 1
    if quote == "'":
        end = text.find("'", place)
        if end >= 0:
            return end + 1, text[place:end]
    else:
        inner = []
        while place < len(text):
            sign = text[place]
            if sign == '"':
                return place + 1, "".join(inner)
            if sign == "\\" and text[place + 1:place + 2] in ('"', "\\", "`", "\n"):
                inner.append("" if text[place + 1] == "\n" else text[place + 1])
                place += 2
                continue
            inner.append(sign)
            place += 1
    raise BookError(f"{_at(text, start, name)}: a quote stays open. Close it.")


def _substitution(text: str, start: int, name: str) -> tuple[int, str]:
    if text[start] == "`":
        end = text.find("`", start + 1)
        if end >= 0:
            return end + 1, text[start + 1:end]
    else:
        depth, place = 0, start + 1
        while place < len(text):
            depth += (text[place] == "(") - (text[place] == ")")
            place += 1
            if not depth:
                return place, text[start + 2:place - 1]
    raise BookError(f"{_at(text, start, name)}: a command in a command has no end. Close it.")


def _after_documents(text: str, place: int, endings: list[str]) -> int:
    """Where the text goes on after here-documents."""
    for ending in endings:
        while place < len(text):
            end = text.find("\n", place)
            end = len(text) if end < 0 else end
            line = text[place:end].strip()
            place = end + 1
            if line == ending:
                break
    return place


def _at(text: str, place: int, name: str) -> str:
    return f"{name}, line {text.count(chr(10), 0, place) + 1}"


def _words(statement: list[_Word], variables: dict[str, str],
           unset: dict[str, None] | None) -> list[str]:
    """The words as the command gets them: variables put in, bare ones split at spaces."""
    found = []
    for word in statement:
        whole, splits = "", False
        for text, quoting in word.pieces:
            if quoting == "command":
                value = _known_answer(text, variables)
                if value is None and unset is not None:
                    unset[f"$({text[:40]})"] = None
                whole += "$" if value is None else value
            elif quoting == "single":
                whole += text
            else:
                filled = _filled(text, variables, unset)
                splits |= quoting == "bare" and filled != text
                whole += filled
        if len(whole) > _LONGEST:
            raise BookError("The variables of the command make a word without end: write it out.")
        setting = not found and _ASSIGNMENT.match(whole)
        found += whole.split() if splits and not setting else [whole]
    return found


def _filled(text: str, variables: dict[str, str], unset: dict[str, None] | None) -> str:
    def value(match: re.Match) -> str:
        name, otherwise = match[1] or match[3], match[2]
        if name in variables:
            return variables[name]
        if otherwise is not None:
            return otherwise
        if name == "PWD":
            return "."
        if unset is not None:
            unset[name] = None
        return f"${name}"

    return _VARIABLE.sub(value, text)


def _known_answer(command: str, variables: dict[str, str]) -> str | None:
    """What a substitution stands for, where it takes no shell to tell."""
    words = command.split()
    if words == ["pwd"]:
        return "."
    if len(words) == 2 and words[0] == "which":
        return words[1]
    devices = variables.get("CUDA_VISIBLE_DEVICES")
    if devices is not None and "CUDA_VISIBLE_DEVICES" in command and (
            "NF" in command or "wc" in words):
        return str(_listed(devices))
    return None


def _listed(devices: str) -> int:
    return len([one for one in devices.split(",") if one.strip()])


def _after_settings(words: list[str], variables: dict[str, str]) -> list[str]:
    """Take note of the assignments before a command; the words of the command itself."""
    place = 0
    while place < len(words):
        match = _ASSIGNMENT.match(words[place])
        if match:
            variables[match[1]] = words[place][match.end():]
        elif words[place] not in _BEFORE_A_COMMAND:
            break
        place += 1
    return words[place:]


def _program(words: list[str]) -> int | None:
    """Place of the training program among the words."""
    if words and words[0] in ("echo", "printf", "which", "ls", "cat"):
        return None
    for place, word in enumerate(words):
        if word in PROGRAMS or PurePosixPath(word).name in PROGRAMS[:2]:
            return place
    return None


def _command(words: list[str], variables: dict[str, str], folder: Path, name: str,
             assumed: list[Text]) -> Command:
    start = _program(words)
    processes = _options(words[:start], _PROCESS_OPTIONS)[0]
    settings, rest = _options(words[start + 1:], _CONFIG_OPTIONS)
    overrides = tuple(word for word in rest
                      if not word.startswith("-") and ("=" in word or word.startswith("~")))
    lists = {which: _override(overrides, f"{which}_data_set_list") for which in ("train", "valid")}
    for which, manifest in lists.items():
        if manifest is not None and "$" in manifest:
            assumed.append(say("{manifest} is not looked at, since only the shell knows its name",
                               manifest=manifest))
            lists[which] = None
    return Command(_config(settings, folder, assumed), overrides,
                   _gpus(processes, variables, assumed), lists["train"], lists["valid"],
                   tuple(assumed))


def _options(words: list[str], names: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Values of options, written `--name value` or `--name=value`, and the other words."""
    found, rest, place = {}, [], 0
    while place < len(words):
        option, equals, value = words[place].partition("=")
        if option in names and equals:
            found[names[option]] = value
        elif option in names and place + 1 < len(words):
            place += 1
            found[names[option]] = words[place]
        else:
            rest.append(words[place])
        place += 1
    return found, rest


def _override(overrides: tuple[str, ...], key: str) -> str | None:
    for one in reversed(overrides):
        name, _, value = one.lstrip("+").partition("=")
        if name == key:
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            return value[1:-1] if quoted else value
    return None


def _config(settings: dict[str, str], script_folder: Path, assumed: list[Text]) -> Path | None:
    if not settings.get("name"):
        return None
    name = settings["name"]
    file = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
    path = Path(settings.get("folder", ".")) / file
    if not path.is_absolute():
        assumed.append(say("{path} lies where the command is started; Hydra itself looks from the "
                           "folder of train_ds.py unless --config-path is absolute",
                           path=path.as_posix()))
        if not _is_file(path) and _is_file(script_folder / path):
            path = script_folder / path
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _gpus(settings: dict[str, str], variables: dict[str, str], assumed: list[Text]) -> int:
    nodes = _whole(settings.get("nodes", "1").partition(":")[0])
    processes = _whole(settings.get("processes", "1"))
    devices = variables.get("CUDA_VISIBLE_DEVICES")
    if processes is None and devices is not None and "$" not in devices:
        processes = _listed(devices)
    if processes is None or nodes is None:
        assumed.append(say("one GPU, since the command does not say how many"))
    return max(1, (nodes or 1) * (processes or 1))


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
