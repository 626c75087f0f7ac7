"""Memory of one GPU in a run: what is exact, what is estimated, and whether it fits."""

from __future__ import annotations

from dataclasses import dataclass

from funasr_preflight.context import Context
from funasr_preflight.laws import geometry, memory
from funasr_preflight.laws.memory import GIBIBYTE, TrainingMemory
from funasr_preflight.manifest import batch_plan
from funasr_preflight.run import estimates

OVERHEAD = GIBIBYTE
"""What CUDA's context, kernels and the allocator's gaps take: allowed for, not measured here."""
ASSUMED_TURN = 1000
"""Feature frames of the turns that a batch is thought to hold where no manifest says."""


@dataclass(frozen=True)
class Batch:
    """The largest batch: samples, feature frames of its longest, and whether a manifest says so."""

    samples: int
    frames: int
    known: bool


@dataclass(frozen=True)
class Need:
    """Bytes that one GPU has to hold at a time.

    Attributes:
        model: weights, gradients and moments, which are exact.
        buckets: DDP's copy of every gradient, on several GPUs.
        scratch: what AdamW makes and drops in a step, when no activation is there any more.
        activations: what the backward pass keeps of the largest batch, an estimate.
    """

    model: TrainingMemory
    buckets: int
    scratch: int
    activations: int
    batch: Batch

    @property
    def fixed(self) -> int:
        """What no batch size changes."""
        return self.model.total + self.buckets + OVERHEAD

    @property
    def total(self) -> int:
        return self.fixed + max(self.activations, self.scratch)


def need(context: Context) -> Need:
    """What a run needs of each GPU, without DeepSpeed, which divides it."""
    if "gpu_need" not in context.notes:
        flagged = sum(part.flagged * part.bytes_each for part in estimates.parts(context))
        learning = estimates.training_memory(context)
        batch = largest_batch(context)
        context.notes["gpu_need"] = Need(
            learning, flagged if context.gpus > 1 else 0, learning.gradients,
            activation_bytes(context, batch.samples, batch.frames), batch)
    return context.notes["gpu_need"]


def largest_batch(context: Context) -> Batch:
    """Of the training manifest; without one, as many turns of ten seconds as `batch_size` takes."""
    if context.train is not None and context.train.plan.batches:
        samples, frames = context.train.plan.longest
        return Batch(samples, frames, True)
    conf = context.filters
    frames = max(1, min(ASSUMED_TURN, conf.max_source_length,
                        conf.max_token_length or ASSUMED_TURN))
    samples = conf.batch_size if conf.batch_type == "example" else conf.batch_size // frames
    return Batch(max(1, min(samples, conf.batch_size_sample_max)), frames, False)


def llm_tokens(context: Context, frames: int) -> float:
    """Tokens that the LLM gets of so many feature frames: prompt, speech and, about, text."""
    text = geometry.TEXT_TOKENS_A_SECOND * frames / geometry.FEATURE_FRAMES_A_SECOND
    return float(batch_plan.llm_tokens(frames, text, context.filters))


def activation_bytes(context: Context, samples: int, frames: int) -> int:
    """What the backward pass keeps of a batch: an estimate, by what trains and by precision.

    The audit counted it on a CPU at full size, and fitted bytes for each frame or token and for
    each pair of them. A part keeps nothing where nothing in it and below it learns. An audit that
    was not counted part by part has one law, of a learning encoder in float32 under a frozen LLM in
    16 bits; that stands for every case then, and `counted_by_part` says so.
    """
    learns = {part.name: part.learning > 0 for part in estimates.parts(context)}
    below = learns["audio_encoder"] or learns["audio_adaptor"]
    length, tokens = geometry.encoder_frames(frames), llm_tokens(context, frames)
    if not any(learns.values()):
        return 0
    if not counted_by_part(context):
        frame, pair, token = context.audit.content["activations"]["bytes"]
        return int(below * memory.activation_bytes(samples, length, (frame, pair))
                   + memory.activation_bytes(samples, tokens, (token, 0)))
    laws = context.audit.content["activations"]["laws"]
    usual = "amp" if context.on("train_conf.use_bf16") else "fp32"
    half = estimates.bytes_of(context, "llm") == 2
    mode = ("lora" if context.on("llm_conf.use_lora") and estimates.frozen(context, "llm")
            else "full" if learns["llm"] else "frozen")
    total = memory.activation_bytes(samples, tokens,
                                    laws[f"llm {mode} {'bf16' if half else usual}"])
    for part, counts in (("audio_encoder", learns["audio_encoder"]), ("audio_adaptor", below)):
        if counts:
            total += memory.activation_bytes(samples, length, laws[f"{part} {usual}"])
    return total


def counted_by_part(context: Context) -> bool:
    """Whether the audit has a law for each part, mode and precision."""
    return "laws" in context.audit.content["activations"]


def error_share(context: Context) -> float:
    """By how much the estimate of activations missed what was counted, at most."""
    return context.audit.content["activations"]["largest_error"]


def fitting_batch_size(context: Context, budget: int) -> int | None:
    """The largest `batch_size` whose largest batch keeps no more than a budget; None for none.

    Its samples are as long as the longest of today's largest batch.
    """
    conf, batch = context.filters, largest_batch(context)
    bytes_each = activation_bytes(context, 1, batch.frames)
    samples = budget // bytes_each if bytes_each else batch.samples
    if samples < 1:
        return None
    return samples if conf.batch_type == "example" else samples * batch.frames


def fitting_frames(context: Context, budget: int) -> int:
    """The longest single sample, in feature frames, that keeps no more than a budget."""
    low, high = 0, largest_batch(context).frames
    while low < high:
        middle = (low + high + 1) // 2
        low, high = ((middle, high) if activation_bytes(context, 1, middle) <= budget
                     else (low, middle - 1))
    return low
