"""`preflight`: check a fine-tuning config before it burns GPU hours.

    preflight CONFIG.yaml [key=value ...] --train train.jsonl [--valid val.jsonl]
    preflight ONE.yaml OTHER.yaml ...     several configs, one report each
    preflight run.sh                      a script with a training command (.bat, .ps1 too)
    preflight ++model=NAME ++key=value    a launch without a YAML
    preflight --command 'torchrun ...'    a whole training command
    preflight manifest --help             before the run: make the .jsonl from what you have
    preflight checkpoint --help           after the run: which file, and how to decode it

Exit codes: 0 nothing as bad as --fail-on, 1 findings at or above it, 2 could not run.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from funasr_preflight import commands
from funasr_preflight.errors import BookError, one_sentence
from funasr_preflight.findings import Report, Severity
from funasr_preflight.report import FORMATS, rendered, worst
from funasr_preflight.texts import Text, say, speak

LANGUAGES = ("en", "zh_CN")
SCRIPTS = (".sh", ".bash", ".bat", ".cmd", ".ps1")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="preflight", description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("config", nargs="?",
                      help="the YAML, or a script (.sh, .bat, .ps1) that trains with one or none")
    made.add_argument("overrides", nargs="*", metavar="key=value",
                      help="as on FunASR's command line")
    made.add_argument("--command", help="a whole training command, or a script")
    made.add_argument("--over", metavar="DIR_OR_YAML", help="the model directory, or its config")
    made.add_argument("--train", metavar="JSONL", help="the training manifest")
    made.add_argument("--valid", metavar="JSONL", help="the validation manifest")
    made.add_argument("--gpus", type=_positive, help="processes of the run")
    made.add_argument("--steps", type=_positive, help="optimizer steps of the run")
    made.add_argument("--seconds-per-step", type=_rate, help="a measured rate, for the time")
    made.add_argument("--probe", default="200", metavar="N|all|none",
                      help="audio files of each manifest to look at (200)")
    made.add_argument("--format", choices=FORMATS, default="text")
    made.add_argument("--fail-on", choices=[one.name.lower() for one in Severity],
                      default="error")
    made.add_argument("--fix", metavar="OUT.yaml", help="write a corrected copy of the config")
    made.add_argument("--fix-unsafe", metavar="OUT.yaml",
                      help="the same with the decisions that --fix leaves to you")
    made.add_argument("--lang", choices=LANGUAGES, default="en")
    return made


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print, and say by the exit code how bad it is."""
    done = commands.run(sys.argv[1:] if arguments is None else arguments)
    if done is not None:
        return done
    options = parser().parse_intermixed_args(arguments)
    others = [one for one in options.overrides if one.endswith((".yaml", ".yml"))
              and "=" not in one]
    if others and (options.fix or options.fix_unsafe or options.format != "text"):
        raise BookError("--fix and --format are for one config: give one at a time.")
    options.overrides = [one for one in options.overrides if one not in others]
    return max(_checked(options, config) for config in [options.config, *others])


def _checked(options: argparse.Namespace, name: str | None) -> int:
    """Check one config and print its report: the exit code."""
    from funasr_preflight.checking import check

    config, settings = _settings(options, name)
    with speak(options.lang):
        report = check(config, **settings, progress=sys.stderr.isatty())
        _show(rendered(report, options.format, colour=sys.stdout.isatty(),
                       addresses=_addresses([config or name, settings["train"],
                                             settings["valid"]])))
        if options.fix or options.fix_unsafe:
            _mended(config, options, report, settings)
    bad = worst(report.findings)
    return int(bad is not None and bad >= Severity[options.fail_on.upper()])


def _mended(config: Path | None, options: argparse.Namespace, report: Report, settings: dict
            ) -> None:
    """Write the corrected copy, and say on the other channel what was changed and what was not."""
    from funasr_preflight.checking import mend

    if config is None:
        raise BookError("--fix is for a YAML, and this launch has none: change the overrides.")
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
    """The config, and what `check` takes beside it.

    Raises:
        BookError: no config, or a manifest, a number or an override that is none.
    """
    from funasr_preflight.launch.reading import Given

    overrides: list[str] = list(options.overrides)
    command = options.command
    if not command and name and Path(name).suffix.lower() in SCRIPTS:
        command = name
    elif name and "=" in name and not Path(name).suffix:
        name, overrides = None, [name, *overrides]
    config, gpus, given = Path(name) if name else None, options.gpus, Given()
    assumed: tuple[Text, ...] = ()
    if command:
        from funasr_preflight.launch.shell import parse_command

        parsed = parse_command(command)
        if options.command and name:
            overrides.insert(0, name)
        config = parsed.config
        overrides = [*parsed.overrides, *overrides]
        gpus, assumed = gpus or parsed.gpus, parsed.assumed
        given = Given(parsed.name, parsed.lines, parsed.folders, True)
    if config is None and not command and not overrides:
        raise BookError("Name a YAML config, a script, or a --command: `preflight CONFIG.yaml`.")
    return config, {
        "train": options.train, "valid": options.valid, "overrides": overrides,
        "over": options.over, "gpus": gpus or 1, "steps": options.steps,
        "seconds_per_step": options.seconds_per_step, "probe": _probe(options.probe),
        "assumed": assumed, "given": given}


def _addresses(names: Sequence[str | Path | None]) -> dict[str, str]:
    """Name of each file to its address in a repository that is checked out here."""
    here = Path.cwd()
    paths = [Path(one) for one in names if one]
    return {path.name: quote((path.resolve().relative_to(here) if path.resolve().is_relative_to(
        here) else path).as_posix()) for path in paths}


def _show(text: str) -> None:
    """Print, whatever the terminal's encoding, and into a pipe that closes early.

    Raises:
        BookError: the report cannot be written.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(text, flush=True)
    except BrokenPipeError:  # the reader has seen enough; keep Python from saying so at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise BookError(f"The report cannot be written ({error.strerror}): give it another place."
                        ) from None


def _probe(text: str) -> int | None:
    from funasr_preflight.manifest.scanning import ALL

    if text in ("all", "none"):
        return ALL if text == "all" else None
    if not text.isascii() or not text.isdigit():
        raise BookError(f"--probe {text[:20]}: give a number of files, all or none.")
    return int(text)


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value < 10**12:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no positive whole number that can be "
                                         "meant")
    return value


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no positive number")
    return value


if __name__ == "__main__":
    sys.exit(main())
