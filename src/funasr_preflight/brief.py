"""A run in four lines, which stand below the count of findings."""

from __future__ import annotations

from funasr_preflight.context import Context
from funasr_preflight.laws.geometry import FEATURE_FRAMES_AN_HOUR
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.run import estimates, gpu_memory
from funasr_preflight.texts import Text, say

MILLION = 1e6


def lines(context: Context) -> tuple[Text, ...]:
    """What learns, on what, how long, at which cost."""
    return _learns(context), _data(context), _run(context), _cost(context)


def _learns(context: Context) -> Text:
    parts = estimates.parts(context)
    count = sum(part.parameters for part in parts) / MILLION
    names = ", ".join(part.name for part in parts if part.learning)
    if not names:
        return say("learns: nothing of {count:,.0f} M parameters", count=count)
    return say("learns: {learning:,.1f} of {count:,.0f} M parameters ({names})", names=names,
               learning=sum(part.learning for part in parts) / MILLION, count=count)


def _data(context: Context) -> Text:
    report = context.train
    if report is None:
        return say("data: not looked at; --train names the manifest")
    samples, frames = report.plan.longest
    return say("data: {kept:,} of {count:,} utterances kept, {hours:,.1f} of {all_hours:,.1f} h; "
               "largest batch {samples} x {seconds:.1f} s", kept=report.kept_utterances,
               count=report.utterances, hours=report.kept_hours, all_hours=report.hours,
               samples=samples, seconds=frames * 3600 / FEATURE_FRAMES_AN_HOUR)


def _run(context: Context) -> Text:
    steps = estimates.total_steps(context)
    if not steps:
        return say("run: its length is not known; --train or --steps gives it")
    mean = estimates.mean_rate(context, steps)
    if mean is None:
        return say("run: {steps:,} optimizer steps", steps=steps)
    peak = estimates.rates(context, estimates.curve_steps(context, steps)).max()
    return say("run: {steps:,} optimizer steps, learning rate up to {peak:.1e}, {mean:.1e} on "
               "average", steps=steps, peak=float(peak), mean=mean)


def _cost(context: Context) -> Text:
    need, disk = gpu_memory.need(context), estimates.disk(context)
    return say("cost: about {total:.0f} GiB{card} on each GPU{assumed}, {disk:.0f} GiB of disk",
               total=need.total / GIBIBYTE, disk=disk.total / GIBIBYTE,
               card=say(" of {card:.0f}", card=context.gpu_bytes / GIBIBYTE)
               if context.gpu_bytes else say(""),
               assumed=say("") if need.batch.known else
               say(" (turns of ten seconds)"))
