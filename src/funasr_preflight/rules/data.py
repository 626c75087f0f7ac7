"""Rules on the manifests: what is in them, and what the config makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps

from funasr_preflight.context import Context
from funasr_preflight.findings import Finding, Severity, Table, error, note, problem, warning
from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from funasr_preflight.manifest.scanning import (
    LOST,
    ManifestReport,
    common,
    passes_per_epoch,
    steps_per_epoch,
)
from funasr_preflight.manifest.settings import ESPNET, FilterConf
from funasr_preflight.manifest.transcripts import KINDS
from funasr_preflight.rules.registry import Check, rule
from funasr_preflight.run.estimates import whole
from funasr_preflight.texts import NOTHING, Text, say

LOST_WORTH_A_WARNING = 0.01
PADDING_WORTH_A_NOTE = 0.2
LONELY_SAMPLES = 2
MEANT_AS_SAMPLES, SORTED = 512, 1024
"""A `batch_size` below the one is meant as a number of samples; the other `sort_size` is enough."""
MODEL_RATE = FilterConf.fs
BLAMED_KEYS = {"too_long": "max_source_length", "too_short": "min_source_length",
               "text_too_long": "max_target_length", "over_token_length": "max_token_length",
               "unfilled": "drop_last"}
HARMLESS_KINDS = ("spaces", "several_turns", "too_slow")
FATAL_KINDS = ("no_bang",)
ADVICE = {
    "no_bang": say("Write <|startofspeech|>!PATH<|endofspeech|>: without the exclamation mark the "
                   "path is text, and the run ends or trains on text alone."),
    "prompt": say("Write the prompt that FunASR asks with when it decodes, such as 语音转写：, or "
                  "give that language when you decode.")}
"""What to do about some kinds of lines."""
AS_SAMPLES = say(
    "With `batch_type` token, `batch_size` counts 10 ms frames and tokens, padding included: write "
    "6000 for a minute of speech, or `batch_type: example` to count samples.")
AUDIO_KINDS = {"missing": say("the audio file is missing"),
               "unreadable": say("the audio file cannot be read"),
               "outside": say("the audio path is a folder or a device")}


def manifest_rule(name: str, title: Text, chapter: str = "dataset",
                  which: tuple[str, ...] = ("train", "valid")
                  ) -> Callable[[Callable[[Context, ManifestReport], Iterator[Finding]]], Check]:
    """Register a rule on each manifest that was given; what blames no key blames the manifest."""
    def register(look: Callable[[Context, ManifestReport], Iterator[Finding]]) -> Check:
        @rule(name, title, chapter)
        @wraps(look)
        def check(context: Context) -> Iterator[Finding]:
            for report in (getattr(context, manifest) for manifest in which):
                if report is not None:
                    yield from (finding if finding.key else replace(finding, file=report.name)
                                for finding in look(context, report))
        return check
    return register


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _accum_grad(context: Context) -> int:
    return whole(context.get("train_conf.accum_grad", 1), 1)


@manifest_rule("data-stops-reading", say("A line ends FunASR's reading of the manifest"))
def stops_reading(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.fatal:
        line, reason = report.fatal[0]
        yield error(say("FunASR stops at line {line}: {reason}. {count} lines are such that the "
                        "run ends before it begins.", line=line, reason=reason,
                        count=report.fatal.total),
                    say("Correct or remove these lines."), line=line)


@manifest_rule("data-malformed", say("Lines that cannot be read"))
def malformed(context: Context, report: ManifestReport) -> Iterator[Finding]:
    count = report.malformed.total - report.fatal.total
    known = [fault for fault in report.malformed if fault not in report.fatal]
    if count and known:
        line, reason = known[0]
        yield warning(say("{count} of {lines} lines are left out or are no use, the first of them "
                          "line {line}: {reason}.", count=count, lines=report.lines, line=line,
                          reason=reason), say("Correct or remove these lines."), line=line)


@manifest_rule("data-nothing-left", say("No utterance is left"))
def nothing_left(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.kept_utterances:
        return
    training = report is context.train
    reasons = ", ".join(f"{LOST[reason]}: {count}"
                        for reason, (count, _) in report.lost.items()) or "0"
    yield problem(Severity.ERROR if training else Severity.WARNING,
                  say("None of {lines} lines passes the filters of `dataset_conf` ({reasons}): "
                      "{what} has no batch.", lines=report.lines, reasons=reasons,
                      what=say("training") if training else say("validation")),
                  say("Give a manifest with lines that pass, or move the limits."))


@manifest_rule("data-lost", say("Utterances are left out by a filter"))
def lost(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if not report.kept_utterances:
        return
    for reason, (count, hours) in report.lost.items():
        if reason == "unreadable":
            continue
        worst = max(_share(count, report.utterances), _share(hours, report.hours))
        always_the_same = reason != "unfilled" or context.filters.batch_sampler == ESPNET
        name = BLAMED_KEYS.get(reason, "")
        limit = getattr(context.filters, name, None) if name and reason != "unfilled" else None
        yield problem(Severity.WARNING if worst >= LOST_WORTH_A_WARNING and always_the_same
                      else Severity.NOTE,
                      say("{count} of {utterances} utterances ({hours:.2f} of {all_hours:.2f} h) "
                          "of {manifest} are not used: {reason} {limit}.", count=count,
                          utterances=report.utterances, hours=hours, all_hours=report.hours,
                          manifest=report.name, reason=LOST[reason],
                          limit=NOTHING if limit is None else say("({limit})", limit=limit)),
                      say("Write `drop_last: false`.") if reason == "unfilled" else
                      say("Cut long recordings up, write both lengths into every line, or move "
                          "the limit."), key=f"dataset_conf.{name}" if name else "")


@manifest_rule("data-empty-batch", say("The sampler makes an empty batch"))
def empty_batch(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.plan.empty:
        conf = context.filters
        yield error(say("{count} batches of a pass over {manifest} hold no sample, and the "
                        "collator ends the run at the first: `batch_size` {size} is less than the "
                        "shortest line of a buffer, or `batch_size_sample_max` ({samples}) is "
                        "below 2.", count=report.plan.empty, manifest=report.name,
                        size=conf.batch_size, samples=conf.batch_size_sample_max),
                    AS_SAMPLES if conf.batch_size < MEANT_AS_SAMPLES else
                    say("Let `max_token_length` be no more than `batch_size`, and "
                        "`batch_size_sample_max` at least 2."), key="dataset_conf.batch_size")


@manifest_rule("data-dropped-in-collator", say("The collator drops samples"))
def dropped_in_collator(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.plan.dropped:
        key, conf = "dataset_conf.batch_size_token_max", context.filters
        yield warning(say("About {count} of {served} samples of each pass over {manifest} are "
                          "dropped after their audio was read: samples times tokens of the LLM's "
                          "input is over `batch_size_token_max`, {limit}.",
                          count=report.plan.dropped, served=report.plan.served,
                          manifest=report.name, limit=conf.batch_size_token_max),
                      say("Raise `batch_size_token_max` to `batch_size`, or lower "
                          "`batch_size_sample_max`."), key,
                      edits={key: conf.batch_size}
                      if conf.batch_size > conf.batch_size_token_max else {})


@manifest_rule("data-replaced-in-dataset", say("The dataset serves another sample"))
def replaced_in_dataset(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.plan.left_out:
        yield warning(say("About {count} of {served} samples of {manifest} give the LLM more than "
                          "{limit} tokens, prompt included: each time another sample is drawn "
                          "instead.", count=report.plan.left_out, served=report.plan.served,
                          manifest=report.name, limit=context.filters.dataset_token_length),
                      say("Raise `max_token_length`, or leave `prompt_classes` out."),
                      key="dataset_conf.max_token_length")


@manifest_rule("data-padding", say("Much of a batch is padding"), which=("train",))
def padding(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.plan.padding_share > PADDING_WORTH_A_NOTE:
        yield note(say("{share:.0%} of the speech frames in the batches are padding (`sort_size` "
                       "{sort_size}, batches of {batch:.1f} samples on average).",
                       share=report.plan.padding_share, sort_size=context.filters.sort_size,
                       batch=_share(report.plan.served, report.plan.batches)),
                   say("Set `sort_size` to 1024 or more, so that lines of one length meet.")
                   if context.filters.sort_size < SORTED else
                   say("Smaller batches hold less of it."), key="dataset_conf.sort_size")


@manifest_rule("data-lonely-batches", say("Hardly more than one sample in a batch"),
               which=("train",))
def lonely_batches(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.plan.batches > 1 and report.plan.served < LONELY_SAMPLES * report.plan.batches:
        conf = context.filters
        meant = conf.batch_type != "example" and conf.batch_size < MEANT_AS_SAMPLES
        yield problem(Severity.WARNING if meant else Severity.NOTE,
                      say("A batch holds {mean:.1f} samples on average: `batch_size` is {size} of "
                          "`batch_type` {kind}.", mean=report.plan.served / report.plan.batches,
                          size=conf.batch_size, kind=conf.batch_type),
                      AS_SAMPLES if meant else
                      say("Raise `batch_size`, or `train_conf.accum_grad`."),
                      key="dataset_conf.batch_size")


@manifest_rule("data-read-again", say("An epoch reads the manifest many times"), which=("train",))
def read_again(context: Context, report: ManifestReport) -> Iterator[Finding]:
    passes = passes_per_epoch(report, context.filters)
    if passes > 1:
        steps = steps_per_epoch(report, context.filters, _accum_grad(context))
        yield warning(say("{manifest} is a single file, so each of {passes} splits is all of it: "
                          "an epoch is {passes} passes over {hours:.1f} h, {steps} optimizer "
                          "steps.", manifest=report.name, passes=passes, hours=report.kept_hours,
                          steps=steps), say("Set `data_split_num` to 1, or give a list of files."),
                      edits={"dataset_conf.data_split_num": 1}, decision=True)


@manifest_rule("data-no-step", say("An epoch makes no optimizer step"), which=("train",))
def no_step(context: Context, report: ManifestReport) -> Iterator[Finding]:
    accum = _accum_grad(context)
    if report.plan.batches and not steps_per_epoch(report, context.filters, accum):
        yield error(say("A pass has {batches} batches on {gpus} GPUs, fewer than `accum_grad` "
                        "{accum} on each: gradients are thrown away at its end and nothing is "
                        "ever learnt.", batches=report.plan.batches, gpus=context.gpus,
                        accum=accum),
                    say("Lower `accum_grad`, or give more data."), key="train_conf.accum_grad")


@manifest_rule("data-batches-repeat", say("Fewer batches than GPUs"))
def batches_repeat(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if 0 < report.plan.batches < context.gpus:
        yield warning(say("{manifest} makes {batches} batches for {gpus} GPUs: some are given to "
                          "several.", manifest=report.name, batches=report.plan.batches,
                          gpus=context.gpus), say("Use fewer GPUs, or a smaller `batch_size`."))


@manifest_rule("data-unequal-processes", say("Processes that get unequal numbers of batches"),
               which=("train",))
def unequal_processes(context: Context, report: ManifestReport) -> Iterator[Finding]:
    each = next((each for each in report.plan.passes if len(set(each)) > 1), None)
    if each is not None:
        steps = {batches // _accum_grad(context) for batches in each}
        yield problem(Severity.ERROR if len(steps) > 1 else Severity.WARNING,
                      say("Of one pass over {manifest}, the {gpus} processes get {fewest} to "
                          "{most} batches, and each waits for the others: they fall out of step, "
                          "and the run hangs or ends.", manifest=report.name, gpus=context.gpus,
                          fewest=min(each), most=max(each)),
                      say("Set `batch_type: token` and a `sort_size` above 0: this sampler alone "
                          "gives all processes the same number."), key="dataset_conf.sort_size")


@manifest_rule("data-uneven", say("`drop_last` with lines that do not divide evenly"))
def uneven(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.plan.uneven:
        yield error(say("With `drop_last` and `batch_type: example`, FunASR's sampler ends the "
                        "run unless the lines of {manifest} are a multiple of {together} "
                        "(`batch_size` times processes).", manifest=report.name,
                        together=context.filters.batch_size * context.filters.processes),
                    say("Take `drop_last` out."), edits={"dataset_conf.drop_last": False})


@manifest_rule("data-suspicious", say("Transcripts that may not be what was said"))
def suspicious(context: Context, report: ManifestReport) -> Iterator[Finding]:
    for kind, (count, lines) in report.suspicious.items():
        yield problem(Severity.NOTE if kind in HARMLESS_KINDS else
                      Severity.ERROR if kind in FATAL_KINDS else Severity.WARNING,
                      say("{count} of {utterances} utterances: {what}; the first in line {line}.",
                          count=count, utterances=report.utterances, what=KINDS[kind],
                          line=lines[0]),
                      ADVICE.get(kind, say("Look at these lines: the model learns to write what "
                                           "they say.")), line=lines[0])


@manifest_rule("data-duplicates", say("Audio that is in the manifest more than once"))
def duplicates(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.duplicates:
        yield warning(say("{count} of {utterances} utterances name an audio file that another "
                          "line has already named.", count=report.duplicates,
                          utterances=report.utterances),
                      say("Keep one of them, unless the repeats are meant as a weight."),
                      line=report.duplicate_lines[0])


@manifest_rule("data-overlap", say("Audio that is in training and in validation"),
               which=("valid",))
def shared(context: Context, report: ManifestReport) -> Iterator[Finding]:
    count = common(context.train.audio_hashes, report.audio_hashes) if context.train else 0
    if count:
        yield warning(say("{count} audio files are in {train} and in {valid}: the validation loss "
                          "flatters the run, and so does the choice of the best checkpoint.",
                          count=count, train=context.train.name, valid=report.name),
                      say("Take them out of the training set."))


@manifest_rule("data-same-sentences", say("Most validation sentences are in training too"),
               which=("valid",))
def same_sentences(context: Context, report: ManifestReport) -> Iterator[Finding]:
    count = common(context.train.text_hashes, report.text_hashes) if context.train else 0
    share = _share(count, report.utterances)
    if share > 0.5:
        yield note(say("{share:.0%} of the sentences of {valid} are also in {train}: what is "
                       "measured there says little about new sentences.", share=share,
                       valid=report.name, train=context.train.name))


@manifest_rule("data-audio", say("Audio that is not there or cannot be read"))
def audio_files(context: Context, report: ManifestReport) -> Iterator[Finding]:
    audio = report.audio
    for kind, fault in AUDIO_KINDS.items():
        files = getattr(audio, kind)
        if files:
            line, example = files[0]
            yield problem(Severity.ERROR if files.total == audio.probed else Severity.WARNING,
                          say("{count} of {probed} audio files that were looked at: {what}; the "
                              "first in line {line}: {example}. FunASR serves another sample in "
                              "their place and says so only in its log.", count=files.total,
                              probed=audio.probed, what=fault, line=line, example=example),
                          say("Correct the paths; relative ones begin at the folder that the run "
                              "is started in."), line=line)


@manifest_rule("data-remote-audio", say("Audio that is fetched over the network"))
def remote_audio(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.audio.remote:
        yield note(say("{count} of {probed} audio files that were looked at are URLs, which are "
                       "fetched again for every pass.", count=report.audio.remote,
                       probed=report.audio.probed), say("Download them once."))


@manifest_rule("data-speech-length", say("`speech_length` disagrees with the audio"))
def speech_length(context: Context, report: ManifestReport) -> Iterator[Finding]:
    if report.audio.disagreeing:
        line, stated, true = report.audio.disagreeing[0]
        yield warning(say("`speech_length` disagrees with {count} of {probed} files that were "
                          "looked at, such as line {line}: {said}, and the audio has {true} "
                          "frames of 10 ms. Filters and batches go by `speech_length`.",
                          count=report.audio.disagreeing.total, probed=report.audio.probed,
                          line=line, said=stated, true=true),
                      say("Write the number of 10 ms frames of the audio."), line=line)


@manifest_rule("data-downsampled", say("The frontend's rate cuts the audio's band"), "sample_rate")
def downsampled(context: Context, report: ManifestReport) -> Iterator[Finding]:
    audio = report.audio
    above = {rate: count for rate, count in audio.rates.items() if rate > audio.fs}
    if above and audio.fs < MODEL_RATE:
        yield warning(say("{count} of {probed} files have a rate of up to {rate} Hz and are "
                          "downsampled to `fs` {fs}: everything above {half:.0f} Hz is lost.",
                          count=sum(above.values()), probed=audio.probed, rate=max(above),
                          fs=audio.fs, half=audio.fs / 2),
                      say("Set `frontend_conf.fs` to {rate}, the rate that the model was trained "
                          "at.", rate=MODEL_RATE),
                      edits={"frontend_conf.fs": MODEL_RATE}, decision=True)


@manifest_rule("data-mixed-rates", say("Audio of several sample rates"), "sample_rate")
def mixed_rates(context: Context, report: ManifestReport) -> Iterator[Finding]:
    rates = sorted(report.audio.rates.items())
    if len(rates) > 1:
        yield note(say("The files that were looked at have several sample rates ({rates}). All "
                       "are resampled to {fs} Hz; what was cut off before stays cut off.",
                       rates=", ".join(f"{rate} Hz: {count}" for rate, count in rates),
                       fs=report.audio.fs))


@manifest_rule("data-channels", say("Audio with more than one channel"))
def channels(context: Context, report: ManifestReport) -> Iterator[Finding]:
    several = sum(count for number, count in report.audio.channels.items() if number > 1)
    if several:
        yield warning(say("{count} of {probed} files have more than one channel, and FunASR takes "
                          "their mean: both sides of a call at once.", count=several,
                          probed=report.audio.probed),
                      say("Write each channel into a file of its own, with its own transcript."))


def facts(report: ManifestReport, conf: FilterConf, accum_grad: int = 1,
          training: bool = True) -> Table:
    """What a manifest holds and what becomes of it, as a table of the report."""
    samples, frames = report.plan.longest
    rows = [(say("lines"), report.lines),
            (say("utterances"), report.utterances),
            (say("hours"), round(report.hours, 2))]
    rows += [(say("left out: {reason}", reason=LOST[reason]),
              say("{count} ({hours:.2f} h)", count=count, hours=hours))
             for reason, (count, hours) in report.lost.items()]
    rows += [(say("utterances kept"), report.kept_utterances),
             (say("hours kept"), round(report.kept_hours, 2)),
             (say("batches of a pass, on one GPU"), report.plan.batches),
             (say("samples in a batch, on average"),
              round(_share(report.plan.served, report.plan.batches), 1)),
             (say("padding"), say("{share:.1%}", share=report.plan.padding_share)),
             (say("largest batch"), say("{samples} x {seconds:.1f} s", samples=samples,
                                        seconds=frames / FEATURE_FRAMES_A_SECOND))]
    if training:
        rows += [(say("passes of an epoch"), passes_per_epoch(report, conf)),
                 (say("optimizer steps of an epoch"),
                  steps_per_epoch(report, conf, accum_grad))]
    return Table("train" if training else "valid",
                 say("What {manifest} holds", manifest=report.name),
                 (say("Fact"), say("Value")), tuple(rows))
