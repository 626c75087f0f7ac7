"""`preflight`: check a fine-tuning config before it burns GPU hours.

    preflight CONFIG.yaml [key=value ...] --train train.jsonl [--valid val.jsonl]
    preflight ONE.yaml OTHER.yaml ...     several configs, one report each
    preflight run.sh                      a script with a training command
    preflight --command 'torchrun ...'    a whole training command

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

from funasr_preflight.errors import BookError, one_sentence
from funasr_preflight.findings import Severity
from funasr_preflight.report import FORMATS, rendered, worst
from funasr_preflight.texts import Text, speak

LANGUAGES = ("en", "zh_CN")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="preflight", description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("config", nargs="?", help="the YAML, or a .sh script that trains with it")
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
    made.add_argument("--lang", choices=LANGUAGES, default="en")
    return made


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print, and say by the exit code how bad it is."""
    options = parser().parse_intermixed_args(arguments)
    others = [one for one in options.overrides if one.endswith((".yaml", ".yml"))
              and "=" not in one]
    if others and (options.fix or options.format != "text"):
        raise BookError("--fix and --format are for one config: give one at a time.")
    options.overrides = [one for one in options.overrides if one not in others]
    return max(_checked(options, config) for config in [options.config, *others])


def _checked(options: argparse.Namespace, name: str | None) -> int:
    """Check one config and print its report: the exit code."""
    from funasr_preflight.checking import check, mend

    config, settings = _settings(options, name)
    with speak(options.lang):
        report = check(config, **settings, progress=sys.stderr.isatty())
        _show(rendered(report, options.format, colour=sys.stdout.isatty(),
                       addresses=_addresses(config, settings)))
        if options.fix:
            changed = mend(config, options.fix, report, **settings)
            print(f"{Path(options.fix).name}: {len(changed)} keys changed or removed",
                  file=sys.stderr)
    bad = worst(report.findings)
    return int(bad is not None and bad >= Severity[options.fail_on.upper()])


def _settings(options: argparse.Namespace, name: str | None) -> tuple[Path, dict]:
    """The config, and what `check` takes beside it.

    Raises:
        BookError: no config, or a manifest, a number or an override that is none.
    """
    command = options.command or (
        name if name and name.endswith(".sh") else None)
    overrides: list[str] = list(options.overrides)
    config, train, valid, gpus = name, options.train, options.valid, options.gpus
    assumed: tuple[Text, ...] = ()
    if command:
        from funasr_preflight.launch.shell import parse_command

        parsed = parse_command(command)
        if options.command and config:
            overrides.insert(0, config)
        config = parsed.config
        overrides = [*parsed.overrides, *overrides]
        train, valid = train or parsed.train, valid or parsed.valid
        gpus, assumed = gpus or parsed.gpus, parsed.assumed
    if not config:
        raise BookError("Name a YAML config, a script, or a --command: `preflight CONFIG.yaml`.")
    return Path(config), {
        "train": train, "valid": valid, "overrides": overrides, "over": options.over,
        "gpus": gpus or 1, "steps": options.steps, "seconds_per_step": options.seconds_per_step,
        "probe": _probe(options.probe), "assumed": assumed}


def _addresses(config: Path, settings: dict) -> dict[str, str]:
    """Name of each file to its address in a repository that is checked out here."""
    here = Path.cwd()
    paths = [Path(one) for one in (config, settings["train"], settings["valid"]) if one]
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
