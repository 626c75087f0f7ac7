"""The rule on GPU memory: does the run fit, and with which `batch_size`?"""

from __future__ import annotations

from collections.abc import Iterator

from funasr_preflight.context import Context
from funasr_preflight.findings import Finding, Severity, error, note, problem, warning
from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.rules.registry import rule
from funasr_preflight.run import gpu_memory
from funasr_preflight.run.cards import CARDS, MEBIBYTE
from funasr_preflight.texts import Text, say

COMMON_CARD = CARDS["A100-80"] * MEBIBYTE
"""What is warned about where no card is named."""
TIGHT = 0.9
KEY = "dataset_conf.batch_size"


@rule("cost-gpu-memory", say("The run against the memory of one GPU"), "gpu_box")
def fits(context: Context) -> Iterator[Finding]:
    need = gpu_memory.need(context)
    named = context.gpu_bytes is not None
    if context.shared("use_deepspeed"):
        if named:
            yield note(say("With DeepSpeed its JSON decides how much of the memory each GPU "
                           "takes: that is not computed here."), key=KEY)
        return
    card = context.gpu_bytes or COMMON_CARD
    parts = say("weights, gradients and moments {model:.1f} GiB, {buckets}activations {kept:.1f} "
                "GiB, {overhead:.0f} GiB for CUDA", model=need.model.total / GIBIBYTE,
                buckets=say("DDP's buckets {size:.1f} GiB, ", size=need.buckets / GIBIBYTE)
                if need.buckets else say(""), kept=need.activations / GIBIBYTE,
                overhead=gpu_memory.OVERHEAD / GIBIBYTE)
    if need.fixed + need.scratch > card:
        if named:
            yield error(say("Before any batch the run takes {fixed:.1f} GiB ({parts}), and the "
                            "card has {card:.1f}: it ends with out of memory, whatever the "
                            "`batch_size`.", fixed=(need.fixed + need.scratch) / GIBIBYTE,
                            parts=parts, card=card / GIBIBYTE),
                        say("Train fewer parts, use LoRA for the LLM, or shard with DeepSpeed."),
                        KEY)
        return
    if need.total <= card * TIGHT and not named:
        return
    budget = int(card * TIGHT) - need.fixed
    size = gpu_memory.fitting_batch_size(context, budget)
    advice = _advice(context, size, budget)
    about = say("The largest batch, {samples} x {seconds:.1f} s{assumed}, needs {total:.1f} GiB "
                "({parts}); activations are an estimate, which missed what was counted by at most "
                "{error:.1%}{case}, and nothing of it was measured on a GPU.",
                samples=need.batch.samples,
                seconds=need.batch.frames / FEATURE_FRAMES_A_SECOND,
                assumed=say("") if need.batch.known else
                say(" as long as no manifest is given"), total=need.total / GIBIBYTE, parts=parts,
                case=say("") if gpu_memory.counted_by_part(context) else
                say(" where the encoder learns in float32 and the LLM is frozen in 16 bits"),
                error=gpu_memory.error_share(context))
    if need.total > card:
        yield problem(Severity.ERROR if named and need.batch.known else Severity.WARNING,
                      say("{about} The card has {card:.1f} GiB: out of memory.", about=about,
                          card=card / GIBIBYTE) if named else
                      say("{about} No common card has that.", about=about), advice, KEY)
    elif need.total > card * TIGHT:
        yield warning(say("{about} The card has {card:.1f} GiB, which is too close to be sure.",
                          about=about, card=card / GIBIBYTE), advice, KEY)
    else:
        yield note(say("It fits. {about} The card has {card:.1f} GiB.", about=about,
                       card=card / GIBIBYTE), advice, KEY)


def _advice(context: Context, size: int | None, budget: int) -> Text:
    if size is not None:
        return say("With lines as long as these, a batch_size of up to {size:,} leaves a tenth of "
                   "the card free.", size=size)
    frames = gpu_memory.fitting_frames(context, budget)
    return say("Not even one such line fits: with max_source_length {frames:,} lines of up to "
               "{seconds:.0f} s would.", frames=frames, seconds=frames / FEATURE_FRAMES_A_SECOND)
