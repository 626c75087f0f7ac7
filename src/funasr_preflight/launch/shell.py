"""Read a whole training command, or the script that holds it, without running any of it.

A small part of the shell's language is followed: words and quotes, variables and arrays that the
script itself sets, the ways in which a script finds its own folder. No environment is looked at:
where only a shell could know a value a `$` stays, and it is said with its line.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from funasr_preflight.errors import BookError
from funasr_preflight.findings import COMMAND_LINE
from funasr_preflight.launch import windows
from funasr_preflight.launch.reading import Origin
from funasr_preflight.launch.words import DOUBLE, LITERAL, Word, end_of, statements
from funasr_preflight.launch.yaml_file import LARGEST_BYTES, local, read_text
from funasr_preflight.texts import Text, say

PROGRAMS = ("funasr-train-ds", "train_ds.py", "funasr.bin.train_ds")
OLDER_PROGRAMS = ("funasr-train", "train.py", "funasr.bin.train")
"""The library's older trainer; a `train.py` counts where it gets FunASR's overrides."""
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=")
_VARIABLE = re.compile(r"\$(?:\{(?P<name>\w+|[@*#])(?:\[(?P<item>[^\]]*)\])?"
                       r"(?:(?P<how>:?[-=]|%%?|##?)(?P<what>[^}]*))?\}|(?P<bare>\w+|[@*#]))")
_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")
_SETTINGS = re.compile(r"\s(\+\+|--config-name)")
_BEFORE_A_COMMAND = ("export", "local", "declare", "-a", "readonly", "then", "do", "else", "if",
                     "!", "time", "exec", "nohup", "sudo", "env", "{", "set")
_OUTPUT_ONLY = ("echo", "printf", "which", "ls", "cat")
_CONFIG_OPTIONS = {"--config-path": "folder", "-cp": "folder", "--config-dir": "folder",
                   "-cd": "folder", "--config-name": "name", "-cn": "name"}
_PROCESS_OPTIONS = {"--nproc_per_node": "processes", "--nproc-per-node": "processes",
                    "--num_gpus": "processes", "--num_processes": "processes",
                    "--nnodes": "nodes"}
_LONGEST, _MOST_ITEMS, _DEEPEST = 100_000, 10_000, 20


@dataclass(frozen=True)
class Command:
    """What a training command says.

    Attributes:
        config: the YAML; None where the command names none.
        overrides: as they stand on the command line.
        origin: where it stands. Relative paths are looked for where the command runs, then beside
            the script.
        gpus: processes of the run, over all machines.
        assumed: what was taken for granted or could not be followed.
    """

    config: Path | None
    overrides: tuple[str, ...]
    origin: Origin
    gpus: int = 1
    assumed: tuple[Text, ...] = ()


def parse_command(command: str | Path) -> Command:
    """Read a training command.

    Args:
        command: the command line itself, or the path of a script with one: bash, `.bat`, `.ps1`.

    Raises:
        BookError: there is no training command in it, a quote stays open, or it is no text.
    """
    text, name, script = _text_of(command)
    every = list(_training(text, name, _Shell(script)))
    # `pkill -f train_ds.py` and `test -f train_ds.py` name the program and start nothing.
    launches = [launch for launch in every if any(map(_is_setting, launch[0]))] or every[:1]
    if not launches:
        raise BookError(say("{name} holds no training command: give one that starts {one} or "
                            "{other}.", name=name, one=PROGRAMS[0], other=PROGRAMS[1]))
    words, variables, unknown = launches[0]
    assumed = [say("line {line}: `{name}` gets its value outside the script, and stays as it is "
                   "written", name=variable, line=line) if script else
               say("`{name}` gets its value outside the command, and stays as it is written",
                   name=variable) for variable, line in unknown.items()]
    if len(launches) > 1:
        assumed.append(say("the first of {count} training commands is the one that counts",
                           count=len(launches)))
    folders = tuple(dict.fromkeys([Path(str(variables["PWD"])),
                                   *([script.parent] if script else [])]))
    return _command(words, variables, folders, name if script else COMMAND_LINE, assumed)


def _training(text: str, name: str, shell: _Shell, line: int | None = None, depth: int = 0
              ) -> Iterator[tuple[list[tuple[str, int]], dict, dict[str, int]]]:
    """Every training command of a script: its words, the variables then, what is not known.

    What another shell gets as one word (`bash -c '...'` in a container, on a cluster) is a script
    itself.

    Args:
        line: that of the word, where it is one.
    """
    for statement in statements(text, name):
        shell.unknown = {}
        words = [(word, line or own) for word, own in shell.words(statement)]
        plain = [word for word, _ in words]
        if _program(plain) is not None:
            yield words, dict(shell.variables), shell.unknown
        elif plain and plain[0] not in _OUTPUT_ONLY and depth < _DEEPEST:
            for word, own in words[1:]:
                if any(program in word for program in PROGRAMS) and _SETTINGS.search(word):
                    with contextlib.suppress(BookError):  # its quotes are another language's
                        yield from _training(word, name, shell, own, depth + 1)


def _is_setting(word: tuple[str, int]) -> bool:
    """Whether a word with its line is an override, or names the config."""
    return word[0].startswith(("+", "~", *_CONFIG_OPTIONS)) or bool(_OVERRIDE.match(word[0]))


def _text_of(command: str | Path) -> tuple[str, str, Path | None]:
    """The text in bash's words, its name, and the script's path if it is one."""
    if isinstance(command, Path) or "\n" not in command and " " not in command.strip():
        path = Path(command)
        text = read_text(path, say("a script")).replace("\r\n", "\n")
        translate = {".bat": windows.from_batch, ".cmd": windows.from_batch,
                     ".ps1": windows.from_powershell}.get(path.suffix.lower())
        return translate(text, path.parent) if translate else text, path.name, path
    if len(command) > LARGEST_BYTES or "\0" in command:
        raise BookError(say("The command has NUL bytes or is longer than any: give one training "
                            "command."))
    return command.replace("\r\n", "\n"), str(say("The command")), None


class _Shell:
    """Variables of a script, and what they make of its words.

    Attributes:
        variables: name to value, or to the items of an array.
        unknown: what only a real shell could tell, by name, with its line.
        origins: the same of each variable, as it was set.
    """

    def __init__(self, script: Path | None):
        self.variables: dict[str, str | list[str]] = {"PWD": "."}
        if script is not None:
            self.variables |= {"0": script.as_posix(), "BASH_SOURCE": script.as_posix()}
        self.unknown: dict[str, int] = {}
        self.origins: dict[str, dict[str, int]] = {}

    def words(self, statement: Sequence[Word]) -> list[tuple[str, int]]:
        """A command's words with their lines, once the settings before it are noted."""
        words: list[tuple[str, int]] = []
        for word in statement:
            whole = "".join(text for text, _ in word.runs())
            match = None if words else _ASSIGNMENT.match(whole)
            if match:
                self._set(match, word)
            elif words or whole not in _BEFORE_A_COMMAND:
                words += [(filled, word.line) for filled in self._filled(word)]
        if len(words) == 2 and words[0][0] == "cd":
            self.variables["PWD"] = _joined(str(self.variables["PWD"]), words[1][0])
        return words

    def _set(self, match: re.Match, word: Word) -> None:
        name, adds = match[1], bool(match[2])
        outer, self.unknown = self.unknown, dict(self.origins.get(name, {}) if adds else {})
        if word.items is not None:
            value = [filled for item in word.items for filled in self._filled(item)][:_MOST_ITEMS]
        else:
            value = " ".join(self._filled(word, splits=False))[match.end():]
        self.origins[name], self.unknown = self.unknown, outer
        old = self.variables.get(name)
        if adds and isinstance(old, list):
            value = [*old, *(value if isinstance(value, list) else [value])]
        elif adds and old is not None and isinstance(value, str):
            value = old + value
        self.variables[name] = value

    def _filled(self, word: Word, splits: bool = True) -> list[str]:
        """The words that a word becomes: none, one, or several."""
        words, bare = [""], bool(word.text) and not any(quoting for _, quoting in word.runs())
        for text, quoting in word.runs():
            array = self._array(text)
            if array is not None and words == [""]:
                return list(array) if quoting == DOUBLE else " ".join(array).split()
            filled = text if quoting == LITERAL else self.put_in(text, word.line)
            if quoting == 0 and filled != text and splits:
                first, *rest = filled.split() or [""]
                words[-1] += first
                words += rest
            else:
                words[-1] += filled
            if len(words[-1]) > _LONGEST:
                raise BookError(say("The variables of the command make a word without end: write "
                                    "it out."))
        return [] if words == [""] and bare and splits else words

    def _array(self, text: str) -> list[str] | None:
        """The items of `${NAME[@]}`, where the script sets that array; of `$@`, none."""
        if text in ("$@", "$*", "${@}", "${*}"):
            return []
        match = re.fullmatch(r"\$\{(\w+)\[[@*]\]\}", text)
        value = self.variables.get(match[1]) if match else None
        if not isinstance(value, list):
            return None
        self.unknown |= self.origins.get(match[1], {})
        return value

    def put_in(self, text: str, line: int, depth: int = 0) -> str:
        pieces, position = [], 0
        while position < len(text):
            if text.startswith("$(", position) or text[position] == "`":
                end = end_of(text, position) or len(text)
                inner = text[position + (1 if text[position] == "`" else 2):end - 1]
                value = self._answer(inner, depth) if depth < _DEEPEST else None
                value = value or next((program for program in PROGRAMS if program in inner), None)
                if value is None:
                    self.unknown.setdefault(f"$({' '.join(inner.split())[:60]})", line)
                pieces.append("$" if value is None else value)
                position = end
            elif match := _VARIABLE.match(text, position):
                pieces.append(self._value(match, line, depth))
                position = match.end()
            else:
                pieces.append(text[position])
                position += 1
        return "".join(pieces)

    def _value(self, match: re.Match, line: int, depth: int) -> str:
        name, how, operand = match["name"] or match["bare"], match["how"], match["what"]
        self.unknown |= self.origins.get(name, {})
        value = self.variables.get(name)
        if isinstance(value, list):
            item = match["item"] or "0"
            value = " ".join(value) if item in "@*" else (
                value[int(item)] if item.isdigit() and int(item) < len(value) else None)
        if value is None and how and how.strip(":") in "-=" and depth < _DEEPEST:
            return self.put_in(operand, line, depth + 1)
        if value is None:
            self.unknown.setdefault(name, line)
            return f"${name}"
        if how and how[0] in "%#" and operand in ("/*", "*/"):
            cut = value.rpartition("/") if how in ("%", "##") else value.partition("/")
            return (cut[0] if how[0] == "%" else cut[2]) if cut[1] else value
        return value

    def _answer(self, command: str, depth: int) -> str | None:
        """What a substitution stands for, where it takes no shell to tell."""
        devices = self.variables.get("CUDA_VISIBLE_DEVICES")
        if isinstance(devices, str) and "CUDA_VISIBLE_DEVICES" in command and re.search(
                r"\bNF\b|\bwc\b", command):
            return str(_listed(devices))
        inner, answer = _Shell(None), ""
        inner.variables, inner.unknown = dict(self.variables), self.unknown
        inner.origins = self.origins
        for statement in statements(command, "The command"):
            words = ["".join(text if quoting == LITERAL else inner.put_in(
                text, part.line, depth + 1) for text, quoting in part.runs())
                for part in statement]
            program, rest = words[0] if words else "", [arg for arg in words[1:] if arg[:1] != "-"]
            if program == "cd" and len(rest) == 1:
                inner.variables["PWD"] = _joined(str(inner.variables["PWD"]), rest[0])
            elif program == "pwd":
                answer = str(inner.variables["PWD"])
            elif program in ("dirname", "realpath", "readlink") and len(rest) == 1:
                answer = posixpath.dirname(rest[0]) or "." if program == "dirname" else rest[0]
            elif program == "basename" and rest:
                answer = posixpath.basename(rest[0]).removesuffix("".join(rest[1:2]))
            elif program in ("which", "command", "echo") and len(rest) == 1:
                answer = rest[0]
            elif program not in ("exit", ""):
                return None
        return answer if answer and "$" not in answer else None


def _joined(folder: str, path: str) -> str:
    return path if "$" in path else posixpath.normpath(posixpath.join(folder, path))


def _listed(devices: str) -> int:
    return len([device for device in devices.split(",") if device.strip()])


def _program(words: Sequence[str]) -> int | None:
    """Place of the training program among the words."""
    if words and words[0] in _OUTPUT_ONLY:
        return None
    for index, word in enumerate(words):
        name = PurePosixPath(word.replace("\\", "/")).name.removesuffix(".exe")
        if {word, name} & set(PROGRAMS):
            return index
        if {word, name} & set(OLDER_PROGRAMS) and (name != "train.py" or any(
                word.startswith(("++", "--config-name")) for word in words[index:])):
            return index
    return _unnamed_program(words)


def _unnamed_program(words: Sequence[str]) -> int | None:
    """Place of a program that only a shell could name, in a command that has FunASR's lists."""
    lists = next((index for index, word in enumerate(words)
                  if word.lstrip("+").startswith("train_data_set_list=")), 0)
    for index, (before, word) in enumerate(zip(["", *words], words[:lists], strict=False)):
        takes_it = before.startswith("-") and "=" not in before and before != "-m"
        if "$" in word and word[0] not in "+-~" and not takes_it:
            return index
    return None


def _command(words: list[tuple[str, int]], variables: dict, folders: tuple[Path, ...], name: str,
             assumed: list[Text]) -> Command:
    plain = [word for word, _ in words]
    start = _program(plain)
    if PurePosixPath(plain[start].replace("\\", "/")).name in OLDER_PROGRAMS:
        assumed.append(say("{program} is the library's older trainer; what is said of steps and "
                           "checkpoints is true of funasr-train-ds", program=plain[start]))
    processes = _options(plain[:start], _PROCESS_OPTIONS)
    settings = _options(plain[start + 1:], _CONFIG_OPTIONS)
    values = set(settings.values())
    overrides = [(word, line if name != COMMAND_LINE else None) for word, line in words[start + 1:]
                 if not word.startswith("-") and ("=" in word or word.startswith("~"))
                 and word not in values]
    return Command(_config(settings, folders, assumed), tuple(word for word, _ in overrides),
                   Origin(name, tuple(line for _, line in overrides), folders, whole=True),
                   _gpus(processes, variables, assumed), tuple(assumed))


def _options(words: list[str], names: dict[str, str]) -> dict[str, str]:
    """Values of options, written `--name value` or `--name=value`."""
    values = {}
    for word, following in zip(words, [*words, ""][1:], strict=True):
        option, equals, value = word.partition("=")
        if option in names:
            values[names[option]] = value if equals else following
    return values


def _config(settings: dict[str, str], folders: tuple[Path, ...], assumed: list[Text]
            ) -> Path | None:
    if not settings.get("name"):
        return None
    name = settings["name"]
    file = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
    path = Path(settings.get("folder", ".").replace("\\", "/")) / file
    if not path.is_absolute():
        assumed.append(say("{path} lies where the command is started; Hydra itself looks from the "
                           "folder of train_ds.py unless --config-path is absolute",
                           path=path.as_posix()))
        return local(path.as_posix(), folders)
    return path


def _gpus(settings: dict[str, str], variables: dict, assumed: list[Text]) -> int:
    nodes = _whole(settings.get("nodes", "1").partition(":")[0])
    processes = _whole(settings.get("processes", "1"))
    devices = variables.get("CUDA_VISIBLE_DEVICES")
    if processes is None and isinstance(devices, str) and "$" not in devices:
        processes = _listed(devices)
    if processes is None or nodes is None:
        assumed.append(say("one GPU, since the command does not say how many"))
    return max(1, (nodes or 1) * (processes or 1))


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
