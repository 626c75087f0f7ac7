"""`preflight manifest`: before the run, make FunASR's `.jsonl` from what there is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from funasr_preflight.commands import new_parser
from funasr_preflight.converting import pauses
from funasr_preflight.converting.convert import Conversion, Settings, convert
from funasr_preflight.converting.lines import hotword_finder, token_counter
from funasr_preflight.converting.sources import (
    COLUMNS,
    LEGS,
    KaldiFiles,
    Read,
    from_dataset,
    from_kaldi,
    from_table,
)
from funasr_preflight.errors import BookError
from funasr_preflight.findings import Table, note, warning
from funasr_preflight.launch.yaml_file import read_text
from funasr_preflight.terminal import printed, show
from funasr_preflight.texts import say

ABOUT = """Before the run: make FunASR's ChatML .jsonl from what you have.

    preflight manifest data/train --out train.jsonl --tokenizer models/Fun-ASR-Nano-2512
    preflight manifest calls.csv --out train.jsonl --valid valid.jsonl --tokenizer MODEL_DIR
    preflight manifest calls.csv --columns audio=wav,text=said --legs --tokenizer MODEL_DIR \\
        --out train.jsonl
    preflight manifest data/raw/wav.scp --cut 30 --legs --out pieces.jsonl --tokenizer MODEL_DIR
    preflight manifest my_dataset --split train --out train.jsonl --tokenizer MODEL_DIR

SOURCE is a Kaldi folder or its wav.scp (text, segments and utt2spk beside it), a CSV or TSV with a
head, or a folder with a data set of Hugging Face's `datasets`.

What is written: lines with the turns that FunASR's decoding uses, the ! before each path,
speech_length in frames of 10 ms and text_length in tokens; WAV files for legs, segments and pieces;
and OUT.report.tsv, which names each line that is left out or to be looked at. Existing files stay.

Recordings without a transcript are cut at pauses with --cut, and listed in OUT.to_transcribe.scp,
which FunASR's AutoModel decodes as it is. A long recording with one transcript cannot be cut: give
segments, or start and end in the table.

FunASR has a converter of its own, funasr/models/fun_asr_nano/tools/scp2jsonl.py, for wav.scp and
text in the same order, and writes the same lines of such lists. It pairs by line and not by key,
stops at the end of the shorter file, and loses what has no transcript without a word.

Exit codes: 0 every line was used, 1 some were left out, 2 could not run."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cli = new_parser("manifest", ABOUT)
    cli.add_argument("source", metavar="SOURCE", help="what there is")
    cli.add_argument("--out", required=True, metavar="JSONL", help="the manifest to write")
    cli.add_argument("--tokenizer", required=True, metavar="DIR",
                     help="the model's folder, or its Qwen3-0.6B, to count tokens with")
    cli.add_argument("--valid", metavar="JSONL",
                     help="a validation set of other speakers (by recording, where speakers are "
                     "not named)")
    cli.add_argument("--valid-share", type=float, default=0.05, metavar="SHARE",
                     help="of the speech, for validation (0.05)")
    cli.add_argument("--seed", type=int, default=0, help="of the draw of speakers (0)")
    for name in ("text", "segments", "utt2spk"):
        cli.add_argument(f"--{name}", metavar="FILE", help=f"instead of {name} beside wav.scp")
    cli.add_argument("--columns", default="", metavar="WHAT=NAME,...",
                     help=f"columns of a table or data set: {', '.join(COLUMNS)}")
    cli.add_argument("--split", metavar="NAME", help="split of a data set")
    cli.add_argument("--legs", nargs="?", const=",".join(LEGS), metavar="A,B",
                     help="calls have a speaker on each channel: CALL-A is the first, CALL-B the "
                     "second, and each gets a file of its own")
    cli.add_argument("--cut", type=float, metavar="SECONDS",
                     help="cut recordings without a transcript at pauses, into pieces of at most "
                     "so many seconds")
    cli.add_argument("--audio", metavar="DIR", help="for the files that are cut (OUT_audio)")
    cli.add_argument("--relative-to", metavar="DIR",
                     help="write paths as seen from there, where the training is started")
    cli.add_argument("--no-itn", action="store_true",
                     help="the transcripts are spoken words, numbers too: the prompt of itn=False")
    cli.add_argument("--language", metavar="NAME", help="in the prompt, such as 英文")
    cli.add_argument("--hotwords", metavar="FILE",
                     help="one word a line; a transcript's own go into the key hotwords, which "
                     "MultiContextPrompt reads")
    cli.add_argument("--hotwords-in-prompt", action="store_true",
                     help="put them before the audio as decoding does, instead")
    cli.add_argument("--speakers", action="store_true",
                     help="lines name their speaker, or recording, in the key speaker, which "
                     "FunASR ignores and error rates by speaker need")
    cli.add_argument("--jobs", type=int, default=4, help="threads that open audio (4)")
    return cli


def main(options: argparse.Namespace) -> int:
    """Convert, and print what became of it."""
    settings = _settings(options)
    if settings.cut is not None:
        pauses.require()
    from tqdm import tqdm

    source, shown = _source(options, settings), sys.stderr.isatty()
    with tqdm(desc=str(say("utterances")), unit="", disable=not shown, delay=0.5,
              total=_expected(options) if shown else None) as bar:
        outcome = convert(source, settings, bar)
    show(_told(outcome, settings))
    if not sum(outcome.written) and not outcome.pieces:
        raise BookError(say("No line could be used: {report} says why of each.",
                            report=settings.report.name))
    return int(bool(outcome.left_out))


def _settings(options: argparse.Namespace) -> Settings:
    out = Path(options.out)
    valid = Path(options.valid) if options.valid else None
    for path in filter(None, (out, valid)):
        if path.suffix != ".jsonl":
            raise BookError(say("FunASR takes {name} for a list of files: let the manifest's name "
                                "end in .jsonl.", name=path.name))
    if valid and valid.resolve() == out.resolve():
        raise BookError(say("--out and --valid are one file: name two."))
    if not 0 < options.valid_share < 1:
        raise BookError(say("--valid-share is a share of the whole: give a number between 0 and "
                            "1."))
    if options.cut is not None and not 1 <= options.cut < 86400:
        raise BookError(say("--cut takes seconds, 1 or more: 30 suits FunASR's defaults."))
    if not 1 <= options.jobs <= 256:
        raise BookError(say("--jobs takes a number from 1 to 256."))
    legs = tuple(filter(None, (options.legs or "").split(",")))
    if options.legs is not None and (len(legs) != 2 or legs[0] == legs[1]):
        raise BookError(say("--legs takes the names of two channels, as in --legs A,B."))
    words = [] if not options.hotwords else [line.strip() for line in read_text(
        Path(options.hotwords), say("a list of words")).splitlines() if line.strip()]
    return Settings(
        out=out, audio=Path(options.audio) if options.audio else out.with_name(
            f"{out.stem}_audio"), tokens=token_counter(Path(options.tokenizer)), valid=valid,
        valid_share=options.valid_share, seed=options.seed, hotwords_in=hotword_finder(words),
        cut=options.cut,
        relative_to=Path(options.relative_to) if options.relative_to else None,
        language=options.language, normalised=not options.no_itn,
        hotwords_in_prompt=options.hotwords_in_prompt, legs=legs, speakers=options.speakers,
        jobs=options.jobs)


def _source(options: argparse.Namespace, settings: Settings) -> Read:
    """The source, by what it is."""
    path = Path(options.source)
    named = dict(part.split("=", 1) for part in options.columns.split(",") if "=" in part)
    if set(named) - set(COLUMNS):
        raise BookError(say("--columns takes {names}, as in text=sentence.",
                            names=", ".join(COLUMNS)))
    if not path.exists():
        raise BookError(say("{name} does not exist: check the path {path}.", name=path.name,
                            path=options.source))
    if path.is_dir() and not (path / "wav.scp").is_file():
        return from_dataset(path, options.split, named)
    if path.is_dir() or path.suffix == ".scp":
        files = KaldiFiles.beside(path, text=options.text, segments=options.segments,
                                  utt2spk=options.utt2spk)
        if files.text is None and settings.cut is None:
            raise BookError(say("There is no text beside {name}: name it with --text, or cut the "
                                "recordings for transcription with --cut 30.", name=files.scp.name))
        return from_kaldi(files, settings.legs)
    if path.suffix in (".csv", ".tsv"):
        return from_table(path, named)
    raise BookError(say("{name} is no source: give a Kaldi folder or wav.scp, a .csv or .tsv, or "
                        "a data set's folder.", name=path.name))


def _expected(options: argparse.Namespace) -> int | None:
    """About how many utterances there will be: the lines of the list; None for a data set."""
    path = Path(options.source)
    folder = path if path.is_dir() else path.parent
    named = Path(options.segments) if options.segments else folder / "segments"
    lists = [named, folder / "wav.scp"] if path.is_dir() or path.suffix == ".scp" else [path]
    file = next((listed for listed in lists if listed.is_file()), None)
    if file is None:
        return None
    with file.open("rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


def _told(outcome: Conversion, settings: Settings) -> str:
    names = [settings.out.name, *([settings.valid.name] if settings.valid else [])]
    rows = [(name, count, f"{hours:.2f}", speakers) for name, count, hours, speakers in
            zip(names, outcome.written, outcome.hours, outcome.speakers, strict=True)]
    tables = [Table("written", say("What was written"), (
        say("Manifest"), say("Utterances"), say("Hours"), say("Speakers")), tuple(rows))]
    reasons = [(became, outcome.examples[template], count)
               for became, counted in ((say("left out"), outcome.left_out),
                                       (say("kept"), outcome.remarked))
               for template, count in counted.most_common()]
    if reasons:
        tables.append(Table("reasons", say("Lines to look at"), (
            say("Became"), say("Why, for example"), say("Lines")), tuple(reasons)))
    remarks = []
    lost = sum(outcome.left_out.values())
    if lost:
        remarks.append(warning(say("{count} lines are left out.", count=lost),
                               say("{report} names each of them.", report=settings.report.name)))
    if outcome.pieces:
        remarks.append(note(say("{count} pieces of recordings without a transcript are listed in "
                                "{scp}.", count=outcome.pieces, scp=settings.untranscribed.name),
                            say("Transcribe them, write `key words` lines into text, and convert "
                                "again.")))
    head = say("{count} utterances", count=sum(outcome.written))
    return printed(settings.out.name, head, remarks, tables)
