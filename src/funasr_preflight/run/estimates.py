"""Numbers of a run under a config: what trains, at which rate, with which memory and disk.

Parameter counts are those of full size. They come from the audit where the config has the released
dimensions, and from a build without memory where it has others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from funasr_preflight import with_funasr
from funasr_preflight.context import Context
from funasr_preflight.errors import BookError
from funasr_preflight.launch.directory import MODEL_DIR
from funasr_preflight.launch.yaml_file import is_number, local
from funasr_preflight.laws import geometry, memory, schedule
from funasr_preflight.laws.memory import CheckpointSize, FilesLeft, TrainingMemory
from funasr_preflight.laws.names import (
    COMPONENTS,
    EMBEDDING,
    OUTPUT_LAYER,
    frozen_by_name,
    left_out,
    lies_below,
    split_names,
)
from funasr_preflight.manifest.scanning import batches_per_epoch, steps_per_epoch
from funasr_preflight.texts import quoted, say

BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
LORA = ("llm_conf.use_lora", "llm_conf.lora_conf.")
CTC = ("ctc_decoder", "ctc")
STACKS = ("num_blocks", "tp_blocks", "n_layer")
SHAPED = {**{f"audio_encoder_conf.{name}": "audio_encoder" for name in (
    "output_size", "linear_units", "num_blocks", "tp_blocks", "kernel_size")},
    "frontend_conf.n_mels": "audio_encoder", "frontend_conf.lfr_m": "audio_encoder",
    **{f"audio_adaptor_conf.{name}": "audio_adaptor" for name in (
        "downsample_rate", "ffn_dim", "n_layer")},
    **{f"ctc_decoder_conf.{name}": "ctc_decoder" for name in (
        "downsample_rate", "ffn_dim", "llm_dim", "n_layer")},
    "ctc_vocab_size": "ctc_decoder"}
"""Keys that give tensors their shapes, and the part that has them."""
WIDENS_CTC = ("audio_encoder_conf.output_size",)
"""Keys of other parts that shape the CTC branch as well."""
MOST_STEPS, LARGEST_NUMBER, MOST_MASKS, MOST_BLOCKS = 10**12, 10**15, 100, 500
LARGEST_RANK, MOST_STEPS_RUN = 10**6, 200_000
"""Beyond these nothing is meant, and nothing is computed."""
CURVE_STEPS, DRAWS = 400, 40
"""Points of a curve of the rate, and masks that are drawn for each utterance."""


@dataclass(frozen=True)
class Part:
    """A component of the model at full size.

    Attributes:
        name: one of `laws.names.COMPONENTS`.
        parameters: all values; `flagged` may learn, `learning` get a gradient as well.
        saved: values that a checkpoint holds; `tied` of them under two names.
        bytes_each: of one value.
    """

    name: str
    parameters: int
    flagged: int
    learning: int
    saved: int
    tied: int
    bytes_each: int


def parts(context: Context) -> list[Part]:
    """What may learn and what does, component by component; LoRA counts to the LLM."""
    if "parts" not in context.notes:
        context.notes["parts"] = [_part(context, name) for name in COMPONENTS]
    return context.notes["parts"]


def without_ctc(context: Context) -> bool:
    """Whether the model has no CTC branch: the version builds none, or drops it for lack of
    weights."""
    column = context.column
    named = context.get("ctc_decoder")
    return named not in context.audit.classes("ctc_decoder") or (
        column.answer("ctc-decoder-built") is False) or (
        weights_without_ctc(context) and column.answer("ctc-removed-when-missing", True))


@dataclass(frozen=True)
class OtherShape:
    """A dimension that is not the one that the model directory's weights were made with."""

    key: str
    part: str
    usual: int
    own: int

    @property
    def fewer(self) -> bool:
        """Whether it only leaves blocks of the weights out, so that the others fit."""
        return self.key.endswith(STACKS) and self.own < self.usual


def other_shapes(context: Context) -> list[OtherShape]:
    """Dimensions of a merged run in which its model differs from the directory's config."""
    shapes = []
    for key, part in SHAPED.items():
        usual, own = context.base.get(key, context.audit.default(key)), context.get(key)
        if type(usual) is type(own) is int and own != usual:
            shapes.append(OtherShape(key, part, usual, own))
    return shapes


def loads_weights(context: Context) -> bool:
    """Whether a merged run loads anything: its `init_param` names a file that may be there."""
    path = context.launch.paths.get("init_param")
    if not context.launch.paths or not isinstance(path, str) or "$" in path:
        return bool(path) or not context.launch.paths
    return path.startswith(MODEL_DIR) or bool(path) and "\0" not in path and local(
        path, context.launch.folders).exists()


def weights_without_ctc(context: Context) -> bool:
    """Whether the weights that the run starts from lack the CTC branch, or a part that fits."""
    held = context.launch.weights
    if context.mode == "alone" or not loads_weights(context):
        return False
    if any(shape.part == "ctc_decoder" and not shape.fewer or shape.key in WIDENS_CTC
           for shape in other_shapes(context)):
        return True
    if held is None:
        return context.launch.without_ctc
    if other_dimensions(context):
        return not all(any(name.startswith(f"{part}.") for name in held) for part in CTC)
    return any(name not in held for part in CTC for name in context.audit.parameters(part))


def _part(context: Context, component: str) -> Part:
    if component in CTC and without_ctc(context):
        return Part(component, 0, 0, 0, 0, 0, 4)
    sizes = _sizes(context, component)
    excludes = context.get("train_conf.effective_save_name_excludes")
    if context.on("lora_only"):  # the last word: no freeze key holds against it
        flagged = sum(size for name, size in sizes.items()
                      if context.get("lora_bias") == "all" and "bias" in name)
    else:
        flagged = sum(size for name, size in sizes.items() if not frozen(context, component)
                      and not frozen_by_name(name, context.get("freeze_param")))
    saved = sum(size for name, size in sizes.items() if not left_out(name, excludes))
    second = 0 if left_out(OUTPUT_LAYER, excludes) else sizes.get(EMBEDDING, 0)
    tied = 0 if left_out(EMBEDDING, excludes) else second
    saved += second - tied
    total = sum(sizes.values())
    if component == "llm" and context.on("llm_conf.use_lora"):
        lora = lora_parameters(context)
        total, flagged = total + lora, flagged + lora
        saved += 0 if left_out("llm.", excludes) else lora
    learning = 0 if context.audit.without_gradient(component) else flagged
    return Part(component, total, flagged, learning, saved, tied, bytes_of(context, component))


def frozen(context: Context, component: str) -> bool:
    """Whether the component's own freeze key is on; the CTC output layer has none."""
    if component == "ctc":
        return False
    key = f"{component}_conf.freeze"
    default = context.audit.default(key)
    return bool(context.get(key, True if default is None else default))


def lora_parameters(context: Context) -> int:
    """Values in the LoRA matrices that the config asks for."""
    conf = context.get("llm_conf.lora_conf")
    conf = conf if isinstance(conf, dict) else {}
    targets = conf.get("target_modules", ["q_proj", "v_proj"])
    rank = conf.get("r", 16)
    targets = list(targets) if isinstance(targets, str) else targets  # FunASR takes its letters
    if not isinstance(rank, int) or not isinstance(targets, list) or not 0 < rank <= LARGEST_RANK:
        return 0
    return context.audit.lora_parameters([str(target) for target in targets], rank)


def bytes_of(context: Context, component: str) -> int:
    """Bytes of one weight: the LLM's come in `llm_dtype`, the others in float32."""
    if component != "llm":
        return 4
    return BYTES.get(str(context.get("llm_conf.llm_dtype", "fp32")), 4)


def other_dimensions(context: Context) -> list[str]:
    """Keys in which the model's shape differs from the audited one."""
    return [key for key, value in context.audit.architecture.items()
            if not key.startswith(LORA) and key not in ("llm_conf.llm_dtype",
                                                        "llm_conf.init_param_path")
            and context.get(key, value) != value]


def _sizes(context: Context, component: str) -> dict[str, int]:
    if not other_dimensions(context):
        return context.audit.parameters(component)
    if "sizes" not in context.notes:
        context.notes["sizes"] = _built_sizes(context)
    return context.notes["sizes"][component]


def _built_sizes(context: Context) -> dict[str, dict[str, int]]:
    """Parameter counts of other dimensions than the released ones.

    Raises:
        BookError: a dimension that no model can have.
    """
    for key in other_dimensions(context):
        size = context.get(key)
        if isinstance(size, int) and size > (MOST_BLOCKS if key.endswith(("blocks", "n_layer"))
                                             else 10**6):
            raise BookError(say("{file}: `{key}: {size}` is more than a model can have. Correct "
                                "it.", file=context.own.name, key=key, size=str(size)[:20]))
    if not with_funasr.available():
        return {name: context.audit.parameters(name) for name in COMPONENTS}
    try:
        sizes = with_funasr.parameter_sizes(context.config)
    except Exception as error:  # FunASR's classes raise their own kinds on a shape they cannot have
        raise BookError(say("{file}: FunASR cannot build a model of these dimensions ({error}: "
                            "{said}). Correct {keys}.", file=context.own.name,
                            error=type(error).__name__, said=quoted(str(error)[:120]),
                            keys=", ".join(other_dimensions(context)))) from None
    return {name: sizes.get(name, {}) for name in COMPONENTS}


def freeze_names_nothing(context: Context) -> list[str]:
    """Names in `freeze_param` that no parameter has."""
    every = [name for component in COMPONENTS for name in _sizes(context, component)]
    return [name for name in split_names(context.get("freeze_param"))
            if name and not any(lies_below(parameter, name) for parameter in every)]


def steps_an_epoch(context: Context, epochs: int = 1) -> int | None:
    """Optimizer steps of one epoch or several, from the training manifest."""
    if context.train is None:
        return None
    return epochs * steps_per_epoch(context.train, context.filters,
                                    whole(context.get("train_conf.accum_grad"), 1))


def batches_an_epoch(context: Context) -> int:
    """Batches that the first process gets in an epoch; 0 without a manifest."""
    return 0 if context.train is None else batches_per_epoch(context.train, context.filters)


def save_and_validate(context: Context) -> tuple[int, int] | None:
    """Batches from save to save and from validation to validation; None unless both are whole
    and positive."""
    intervals = [context.get(key, context.audit.default(key)) for key in (
        "train_conf.save_checkpoint_interval", "train_conf.validate_interval")]
    usable = all(isinstance(count, int) and is_number(count) and count > 0 for count in intervals)
    return tuple(intervals) if usable else None


def total_steps(context: Context) -> int | None:
    """Optimizer steps of the run: those the user gave, or epochs of the manifest."""
    if context.steps is not None:
        return context.steps
    default = context.audit.default("train_conf.max_epoch")
    total = steps_an_epoch(context, whole(context.get("train_conf.max_epoch", default), 0))
    return total if total and total < MOST_STEPS else None


def whole(value: Any, otherwise: int) -> int:
    """A positive whole number, 2.0 among them, or something else where the config has none."""
    return int(value) if _positive(value) and value == int(value) else otherwise


def rates(context: Context, steps: Sequence[int]) -> np.ndarray | None:
    """Learning rate of these steps, counted from 1; None where it cannot be told.

    A scheduler of FunASR's that is not WarmupLR is run step by step, which imports torch, and not
    for more than MOST_STEPS_RUN steps.
    """
    if not follows_warmup(context):
        return _rates_run(context, steps)
    peak, warmup = context.get("optim_conf.lr"), warmup_steps(context)
    if not _positive(peak) or warmup is None:
        return None
    return schedule.warmup_rates(steps, peak, warmup)


def _rates_run(context: Context, steps: Sequence[int]) -> np.ndarray | None:
    """Rates of a scheduler that is not WarmupLR; None where it cannot be run."""
    last = int(max(steps))
    if last > MOST_STEPS_RUN or not with_funasr.available():
        return None
    if len(context.notes.get("rates", ())) < last:
        try:
            context.notes["rates"] = np.array(with_funasr.scheduled_rates(context.config, last))
        except Exception:  # each scheduler raises its own kinds on keys that it cannot take
            return None
    return context.notes["rates"][np.asarray(steps, dtype=int) - 1]


def follows_warmup(context: Context) -> bool:
    """Whether the scheduler is WarmupLR, whose law is known here."""
    return context.get("scheduler", "warmuplr") == "warmuplr"


def warmup_steps(context: Context) -> float | None:
    """Steps of WarmupLR's warm-up; None where the config has no usable number."""
    default = context.audit.default("scheduler_conf.warmup_steps")
    steps = context.get("scheduler_conf.warmup_steps", default)
    return steps if _positive(steps) else None


def _positive(value: Any) -> bool:
    """Whether a value is a positive number that a computation can carry."""
    return is_number(value) and 0 < value < LARGEST_NUMBER


def curve_steps(context: Context, total: int) -> list[int]:
    """Steps at which a curve of the rate is drawn: more of the beginning, and the peak."""
    even = np.linspace(1, total, min(total, CURVE_STEPS))
    steps = {*even.round().astype(int), *np.geomspace(1, total, CURVE_STEPS).round().astype(int)}
    warmup = warmup_steps(context)
    if warmup and 1 <= warmup <= total:
        steps.add(int(warmup))
    return sorted(map(int, steps))


def mean_rate(context: Context, total: int) -> float | None:
    """Mean learning rate of a run."""
    if rates(context, [total]) is None:
        return None
    return schedule.sum_over_run(total, lambda steps: rates(context, steps)) / total


def _bytes(context: Context, values: str) -> int:
    """Bytes of all parts' values of a kind, an attribute of `Part`."""
    return sum(getattr(part, values) * part.bytes_each for part in parts(context))


def training_memory(context: Context) -> TrainingMemory:
    """Memory of one GPU, without what PyTorch and CUDA take for themselves."""
    return memory.training_memory(_bytes(context, "parameters"), _bytes(context, "learning"))


@dataclass(frozen=True)
class Disk:
    """Bytes of checkpoints.

    Attributes:
        checkpoint: size of one, with optimizer state.
        files: how many lie there at the end.
        averaging: memory that averaging needs at the end.
        without_llm: whether `effective_save_name_excludes` leaves any of the LLM out.
    """

    checkpoint: CheckpointSize
    files: FilesLeft
    averaging: int
    without_llm: bool

    @property
    def count(self) -> int:
        return self.files.whole + bool(self.files.averaged)

    @property
    def total(self) -> int:
        averaged = self.checkpoint.weights + self.checkpoint.tied if self.files.averaged else 0
        return self.checkpoint.total * self.files.whole + averaged


def disk(context: Context) -> Disk:
    """What the trainer leaves of a run that goes to its end."""
    size = memory.checkpoint_size(_bytes(context, "saved"), _bytes(context, "learning"),
                                  tied=_bytes(context, "tied"))
    keep = context.get("train_conf.keep_nbest_models")
    files = memory.files_left(
        whole(context.get("train_conf.max_epoch"), 100), batches_an_epoch(context),
        whole(context.get("train_conf.save_checkpoint_interval"), 5000),
        whole(context.get("train_conf.validate_interval"), 5000),
        keep if isinstance(keep, int) and is_number(keep) else 500,
        whole(context.get("train_conf.avg_nbest_model"), 10))
    llm = next(part for part in parts(context) if part.name == "llm")
    return Disk(size, files, memory.averaging_memory(size, files.averaged),
                llm.saved < llm.parameters)


def masked_share(conf: dict[str, Any], seconds: np.ndarray) -> float:
    """Share of the speech that SpecAugLFR's time masks would cover, if it were applied.

    Each mask has a width drawn from `time_mask_width_range`, its upper end left out, and a place
    drawn so that the widest fits.

    Args:
        seconds: lengths of utterances, in seconds, shape (utterances,).
    """
    width = conf.get("time_mask_width_range") or (0, 100)
    low, high = (0, width) if isinstance(width, int) else width
    number = min(whole(conf.get("num_time_mask"), 2), MOST_MASKS)
    generator = np.random.default_rng(0)
    covered = total = 0
    feature_frames = np.round(seconds * geometry.FEATURE_FRAMES_A_SECOND).astype(int)
    for frames in np.maximum(1, geometry.encoder_frames(feature_frames)):
        widths = generator.integers(low, max(high, low + 1), (DRAWS, number))
        starts = generator.integers(0, np.maximum(1, frames - widths.max(1, keepdims=True)),
                                    (DRAWS, number))
        edges = np.arange(frames)
        hit = ((edges >= starts[..., None]) & (edges < (starts + widths)[..., None])).any(1)
        covered += hit.sum()
        total += hit.size
    return float(covered / max(1, total))
