"""The command line of the checker: `preflight`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from funasr_preflight import commands
from funasr_preflight.commands import LANGUAGES, Parser
from funasr_preflight.errors import BookError, one_sentence
from funasr_preflight.terminal import colour, show, width
from funasr_preflight.texts import Text, say, speak

SCRIPTS = (".sh", ".bash", ".bat", ".cmd", ".ps1")
LONGEST_SCRIPT = 1_000_000  # bytes
FORMATS = ("text", "json", "sarif", "html")
SEVERITIES = ("note", "warning", "error")
_ABOUT = say("""Check a fine-tuning config of Fun-ASR-Nano before it burns GPU hours.

    preflight CONFIG.yaml [key=value ...] --train train.jsonl [--valid val.jsonl]
    preflight ONE.yaml OTHER.yaml ...     several configs, one report each
    preflight run.sh                      a script with a training command (.bat, .ps1 too)
    preflight ++model=NAME ++key=value    a launch without a YAML
    preflight --command 'torchrun ...'    a whole training command
    preflight manifest --help             before the run: make the .jsonl from what you have
    preflight checkpoint --help           after the run: which file, and how to decode it
    preflight --explain RULE              what a rule looks at, and an example that breaks it

Exit codes: 0 nothing as bad as --fail-on, 1 findings at or above it, 2 could not run.""")


class _Usage(argparse.RawDescriptionHelpFormatter):
    def add_usage(self, usage, actions, groups, prefix=None) -> None:
        super().add_usage(usage, actions, groups, str(say("usage: ")))


def parser() -> argparse.ArgumentParser:
    """The command line, in the language that is spoken."""
    cli = Parser(prog="preflight", description=str(_ABOUT), formatter_class=_Usage,
                 add_help=False)
    checked, data, shown, actions = (cli.add_argument_group(str(title)) for title in (
        say("what is checked"), say("the run"), say("what is shown"), say("and what else")))

    def option(group, *names: str, about: Text, **settings: Any) -> None:
        group.add_argument(*names, help=str(about), **settings)

    option(checked, "config", nargs="?",
           about=say("the YAML, or a script (.sh, .bat, .ps1) that trains with one or none"))
    option(checked, "overrides", nargs="*", metavar="key=value",
           about=say("as on FunASR's command line"))
    option(checked, "--command", about=say("a whole training command, or a script"))
    option(checked, "--over", metavar="DIR|YAML", about=say("the model directory, or its config"))
    option(data, "--train", metavar="JSONL", about=say("the training manifest"))
    option(data, "--valid", metavar="JSONL", about=say("the validation manifest"))
    option(data, "--gpus", metavar="N", about=say("processes of the run"))
    option(data, "--gpu-memory", metavar="GIB|CARD",
           about=say("memory of one GPU: GiB, or a card such as 4090, A100-80, H100, V100-32"))
    option(data, "--steps", metavar="N", about=say("optimizer steps of the run"))
    option(data, "--seconds-per-step", metavar="SECONDS",
           about=say("a measured rate, for the time"))
    option(data, "--funasr", metavar="VERSION",
           about=say("the version that will run, where it is not the one installed here"))
    option(data, "--probe", default="200", metavar="N|all|none",
           about=say("audio files of each manifest to look at (200)"))
    option(shown, "--show", choices=SEVERITIES,
           about=say("findings of this severity and worse; text shows warnings and errors"))
    option(shown, "--notes", action="store_true", about=say("show the notes too"))
    option(shown, "--facts", action="store_true",
           about=say("show the tables that the findings rest on"))
    option(shown, "--format", choices=FORMATS, default="text", about=say("form of the report"))
    option(shown, "--lang", choices=LANGUAGES, default="en", about=say("language of the report"))
    option(actions, "--fail-on", choices=SEVERITIES, default="error",
           about=say("the exit code is 1 from this severity on"))
    option(actions, "--fix", metavar="OUT.yaml", about=say("write a corrected copy of the config"))
    option(actions, "--fix-unsafe", metavar="OUT.yaml",
           about=say("the same with the decisions that --fix leaves to you"))
    option(actions, "--explain", metavar="RULE", about=say("explain a rule; `all` lists them"))
    option(actions, "-h", "--help", action="help", about=say("show this"))
    return cli


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print, and say by the exit code how bad it is."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with speak(_language(arguments)):
        try:
            done = commands.run(arguments)
            return _run(arguments) if done is None else done
        except BookError as error:
            raise BookError(str(error)) from None  # in the language that is spoken here
        except KeyboardInterrupt:
            show(str(say("Stopped.")), sys.stderr)
            return 130


def _language(arguments: Sequence[str]) -> str:
    """The language, before anything can be said in it; a wrong one is the parser's business."""
    only = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    only.add_argument("--lang", nargs="?", default="en")
    return LANGUAGES.get(only.parse_known_args(arguments)[0].lang, "en")


def _run(arguments: Sequence[str]) -> int:
    options = parser().parse_intermixed_args(arguments)
    if options.explain:
        from funasr_preflight.explain import explained

        show(explained(options.explain, width=width(), colour=colour()))
        return 0
    options.gpus = _number("--gpus", options.gpus, int)
    options.steps = _number("--steps", options.steps, int)
    options.seconds_per_step = _number("--seconds-per-step", options.seconds_per_step, float)
    others = [word for word in options.overrides if word.endswith((".yaml", ".yml"))
              and "=" not in word]
    if others and (options.fix or options.fix_unsafe or options.format != "text"):
        raise BookError(say("--fix and --format are for one config: give one at a time."))
    options.overrides = [word for word in options.overrides if word not in others]
    return max(_checked(options, config) for config in [options.config, *others])


def _checked(options: argparse.Namespace, name: str | None) -> int:
    """Check one config and print its report: the exit code."""
    from funasr_preflight.checking import check
    from funasr_preflight.findings import Severity
    from funasr_preflight.report import rendered

    config, settings = _settings(options, name)
    report = check(config, **settings, progress=sys.stderr.isatty())
    chosen = "note" if options.notes else options.show or (
        "warning" if options.format == "text" else "note")
    show(rendered(report, options.format, width=width(), colour=colour(),
                   least=Severity[chosen.upper()], facts=options.facts,
                   addresses=_addresses([config or name, settings["train"],
                                         settings["valid"]])))
    if options.fix or options.fix_unsafe:
        _mended(config, options, report, settings)
    return int(bool(report.at_least(Severity[options.fail_on.upper()])))


def _mended(config: Path | None, options: argparse.Namespace, report: Any, settings: dict
            ) -> None:
    """Write the corrected copy, and say on the other channel what was changed and what was not."""
    from funasr_preflight.checking import mend

    if config is None:
        raise BookError(say("--fix is for a YAML, and this launch has none: change the "
                            "overrides."))
    mended = mend(config, options.fix_unsafe or options.fix, report,
                  decide=bool(options.fix_unsafe), **settings)
    print(mended.diff, end="", file=sys.stderr)
    print(say("{file}: {count} keys changed or removed",
              file=Path(options.fix_unsafe or options.fix).name, count=len(mended.keys)),
          file=sys.stderr)
    for key, value in mended.left:
        print(say("left for you to decide, or for --fix-unsafe: {key}: {value}", key=key,
                  value=value), file=sys.stderr)


def _settings(options: argparse.Namespace, name: str | None) -> tuple[Path | None, dict]:
    """The config, and what `check` takes beside it."""
    from funasr_preflight.launch.reading import Origin
    from funasr_preflight.run.cards import gpu_bytes

    overrides: list[str] = list(options.overrides)
    command = options.command
    if not command and name and _is_script(Path(name)):
        command = name
    elif name and "=" in name and not Path(name).suffix:
        name, overrides = None, [name, *overrides]
    config, gpus, origin = Path(name) if name else None, options.gpus, Origin()
    assumed: tuple[Text, ...] = ()
    if command:
        from funasr_preflight.launch.shell import parse_command

        parsed = parse_command(command)
        if options.command and name:
            overrides.insert(0, name)
        config = parsed.config
        overrides = [*parsed.overrides, *overrides]
        gpus, assumed, origin = gpus or parsed.gpus, parsed.assumed, parsed.origin
    if config is None and not command and not overrides:
        raise BookError(say("Name a YAML config, a script, or a --command: `preflight "
                            "CONFIG.yaml`."))
    return config, {
        "train": options.train, "valid": options.valid, "overrides": overrides,
        "over": options.over, "gpus": gpus or 1, "steps": options.steps,
        "seconds_per_step": options.seconds_per_step, "probe": _probe(options.probe),
        "gpu_bytes": gpu_bytes(options.gpu_memory) if options.gpu_memory else None,
        "funasr": options.funasr, "assumed": assumed, "origin": origin}


def _is_script(path: Path) -> bool:
    """Whether a file is a script that can be read, by its ending or its first line."""
    from funasr_preflight.launch.shell import PROGRAMS

    if path.suffix.lower() in SCRIPTS:
        return True
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_SCRIPT).decode("utf-8", "replace")
    except (OSError, ValueError):
        return False  # who reads the config says what is wrong with it
    first = text.partition("\n")[0]
    if first.startswith("#!") and re.search(r"\b(ba|da|k|z|)sh\b", first):
        return True
    if any(program in text for program in PROGRAMS) and not _sets_keys(text):
        raise BookError(say("{file} is neither a config nor a shell script: give the training "
                            "command that it starts, as in `preflight --command 'torchrun ...'`.",
                            file=path.name))
    return False


def _sets_keys(text: str) -> bool:
    """Whether a text is YAML that sets a key which FunASR knows."""
    import yaml

    from funasr_preflight import audit
    from funasr_preflight.launch.yaml_file import composed

    try:
        node = composed(text, "")
    except BookError:
        return False
    if not isinstance(node, yaml.MappingNode):
        return False
    tops = {name.partition(".")[0] for name in audit.load().names()}
    return any(key.value in tops for key, _ in node.value)


def _addresses(names: Sequence[str | Path | None]) -> dict[str, str]:
    """Name of each file to its address in a repository that is checked out here."""
    from urllib.parse import quote

    here = Path.cwd()
    paths = [Path(name) for name in names if name]
    return {path.name: quote((path.resolve().relative_to(here) if path.resolve().is_relative_to(
        here) else path).as_posix()) for path in paths}


def _probe(text: str) -> int | None:
    from funasr_preflight.manifest.scanning import ALL

    if text in ("all", "none"):
        return ALL if text == "all" else None
    if not text.isascii() or not text.isdigit():
        raise BookError(say("--probe {given}: give a number of files, all or none.",
                            given=text[:20]))
    return int(text)


def _number(option: str, text: str | None, number: Callable[[str], float]) -> Any:
    """A positive number of the command line."""
    if text is None:
        return None
    try:
        value = number(text)
    except ValueError:
        value = 0
    if not 0 < value < 10**12:
        raise BookError(say("{option} {given}: give a positive number that can be meant.",
                            option=option, given=text[:20]) if number is float else
                        say("{option} {given}: give a positive whole number that can be meant.",
                            option=option, given=text[:20]))
    return value
