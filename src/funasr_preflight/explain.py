"""`--explain RULE`: what a rule looks at, where FunASR does it, and an example that breaks it."""

from __future__ import annotations

import difflib
import json
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from funasr_preflight import audit
from funasr_preflight.errors import BookError
from funasr_preflight.explanations import EXPLANATIONS, Explanation, Spot
from funasr_preflight.findings import Finding
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.rules.registry import Rule, page_of
from funasr_preflight.texts import Text, say

NAME = "example.yaml"
SOURCE = "https://github.com/modelscope/FunASR/blob/v{version}/{file}#L{line}"
_OPTIONS = {"gpus": "--gpus", "steps": "--steps", "over": "--over", "funasr": "--funasr",
            "probe": "--probe"}


def explained(name: str, width: int | None = None, colour: bool = False) -> str:
    """The explanation of a rule, or the list of all, for a terminal.

    Raises:
        BookError: there is no such rule.
    """
    from rich.text import Text as Line

    from funasr_preflight.checking import all_rules
    from funasr_preflight.terminal import WORDS, recorded, recorder

    rules = all_rules()
    console = recorder(width, colour)
    if name == "all":
        for rule in rules.values():
            console.print(Line(f"{rule.id:28}", "bold"), Line(str(rule.title)), sep="",
                          soft_wrap=True)
        return recorded(console, colour)
    rule = rule_named(name, rules)
    console.print(Line(rule.id, "bold"), Line(f": {rule.title}"), sep="")
    about = EXPLANATIONS[rule.id]
    pieces = [*_facts(rule, about), (say("An example that breaks it"), shown(about).splitlines())]
    finding = broken(rule, about)
    if finding is not None:
        pieces.append((say("What the check says of it"),
                       [f"{WORDS[finding.severity]}: {finding.message}"]))
        if finding.fix:
            pieces.append((say("The fix"), [str(finding.fix)]))
    for head, texts in pieces:
        console.print(Line(f"{head}:", "bold"))
        for text in texts:  # not wrapped: addresses and examples are for copying
            console.print(Line(f"    {text}"), soft_wrap=True)
    return recorded(console, colour)


def rule_named(name: str, rules: dict[str, Rule]) -> Rule:
    """The rule of this name.

    Raises:
        BookError: there is none.
    """
    if name in rules:
        return rules[name]
    near = difflib.get_close_matches(name, rules, 1, 0.4)
    hint = say("Did you mean `{meant}`?", meant=near[0]) if near else say("")
    raise BookError(say("There is no rule `{name}`: `preflight --explain all` lists them. {hint}",
                        name=name[:60], hint=hint))


def _facts(rule: Rule, about: Explanation) -> Iterator[tuple[Text, list[str]]]:
    yield say("It looks at"), [", ".join(map(str, about.looks_at))]
    version = audit.load().version
    if about.places:
        yield say("In FunASR {version}", version=version), [
            f"{spot.file}:{spot.line}  {address(spot, version)}" for spot in about.places]
    yield say("The page that explains it"), [page_of(rule.chapter)]


def address(spot: Spot, version: str) -> str:
    """Where a line of FunASR can be read."""
    return SOURCE.format(version=version, file=spot.file, line=spot.line)


def shown(about: Explanation) -> str:
    """An example as files and a command."""
    arguments = [NAME] if about.yaml else []
    arguments += about.overrides
    for which in ("train", "valid"):
        if getattr(about, which):
            arguments += [f"--{which}", f"{which}.jsonl"]
    for key, value in about.settings.items():
        if key in _OPTIONS:
            arguments += [_OPTIONS[key], str(value)]
        if key == "gpu_bytes":
            arguments += ["--gpu-memory", f"{value / GIBIBYTE:.0f}"]
    command = " ".join(arguments)
    if about.settings.get("whole"):
        command = f"--command 'funasr-train-ds {command}'"
    pieces = [(NAME, about.yaml.rstrip("\n"))] if about.yaml else []
    pieces += [(name, text.rstrip("\n")) for name, text in about.files.items()]
    pieces += [(f"{which}.jsonl", _first(getattr(about, which)))
               for which in ("train", "valid") if getattr(about, which)]
    pieces += [(name, str(say("{seconds:.1f} s at {rate} Hz, channels: {channels}",
                              seconds=seconds, rate=rate, channels=channels)))
               for name, (rate, channels, seconds) in about.sounds.items()]
    blocks = [f"# {name}\n{text}" for name, text in pieces]
    return "\n".join([*blocks, f"$ preflight {command}"])


def _first(lines: tuple[str, ...]) -> str:
    more = say("... {count} lines in all", count=len(lines))
    return "\n".join([*lines[:3], *([str(more)] if len(lines) > 3 else [])])


def broken(rule: Rule, about: Explanation) -> Finding | None:
    """What the rule says of an example; None if it has no word against it."""
    with tempfile.TemporaryDirectory() as folder:
        report = report_of(about, Path(folder))
    return next(iter(report.of(rule.id)), None)


def report_of(about: Explanation, folder: Path) -> Any:
    """Lay an example out in a folder, and check it."""
    from funasr_preflight.checking import check
    from funasr_preflight.launch.reading import Origin

    for name, text in {NAME: about.yaml, **about.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name, (rate, channels, seconds) in about.sounds.items():
        with wave.open(str(folder / name), "wb") as sound:
            sound.setnchannels(channels)
            sound.setsampwidth(2)
            sound.setframerate(rate)
            sound.writeframes(bytes(2 * channels * int(rate * seconds)))
    manifests = {}
    for which in ("train", "valid"):
        lines = [_placed(line, folder) for line in getattr(about, which)]
        if lines:
            manifests[which] = folder / f"{which}.jsonl"
            manifests[which].write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {"probe": None, **about.settings}
    whole = settings.pop("whole", False)
    if "over" in settings:
        settings["over"] = folder / settings["over"]
    return check(folder / NAME if about.yaml else None, overrides=about.overrides,
                 origin=Origin(folders=(folder,), whole=whole), **manifests, **settings)


def _placed(line: str, folder: Path) -> str:
    """A line whose audio lies in the folder, where it is there."""
    try:
        messages = json.loads(line).get("messages")
    except json.JSONDecodeError:
        return line
    for message in messages or ():
        head, mark, rest = message["content"].partition("<|startofspeech|>!")
        name, end, tail = rest.partition("<|endofspeech|>")
        if mark and (folder / name).is_file():
            return line.replace(f"!{name}", f"!{folder / name}")
    return line
