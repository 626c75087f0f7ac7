"""What the book recommends: every value once, with what stands behind it.

`TABLE` is the source of `configs/recommended_8k.yaml`, of the YAML in every box "What to put in
your config", of the cheat sheet and of what chapters recommend in their cells. After a change of a
row,

    python -m helpers.site.commands.recommended

writes the file and the boxes again; a test compares them, and what the checker advises, with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from funasr_preflight.launch.reading import flatten
from helpers.config import configs
from helpers.config.configs import NOT_SET
from helpers.errors import BookError
from helpers.paths import CONFIGS

CODE, FULL, MINI, GUIDE, UNTESTED = GRADES = (
    "library code", "full size", "mini", "makers' guide", "nobody has tested")
"""What stands behind a value: FunASR's code, counts at full size, runs of the mini, the makers'
guide to fine-tuning, or nothing but judgement."""

SHORT = {CODE: "C", FULL: "F", MINI: "M", GUIDE: "G", UNTESTED: "U"}
"""A grade where there is little room."""

KEEPS_ENCODER = "another part trains and the encoder stays"
CTC_CLASS = "your model class has a CTC loss; FunASR's does not"
NO_TIMESTAMPS = "you need no timestamps"
LLM_LEARNS = "the LLM learns"
COUNTED = "batch_size is meant as a number of samples"
ALONE = "the file is launched alone, not merged"


@dataclass(frozen=True)
class Advice:
    """A key, the value that the book recommends, and why.

    Attributes:
        key: dotted key; several, separated by commas, where they are left out together.
        value: what to set; `configs.NOT_SET` where the key is to be left out.
        grade: one of GRADES.
        chapter: the chapter with the evidence.
        why: a few words.
        when: the situation that the value is for; "" for telephone speech in general.
        in_file: whether `recommended_8k.yaml` sets it. What the pretrained config says already,
            a merge brings along.
    """

    key: str
    value: Any
    grade: str
    chapter: str
    why: str
    when: str = ""
    in_file: bool = True


TABLE = (
    Advice("audio_encoder_conf.freeze", False, MINI, "experiments",
           "where calls are new to the model: adaptor or LoRA alone stay behind it"),
    Advice("llm_conf.freeze", True, MINI, "experiments",
           "where calls are new to the model, LoRA alone stays behind the encoder"),
    Advice("audio_adaptor_conf.freeze", True, MINI, "experiments",
           "alone it stays behind; the makers' guide frees it"),
    Advice("ctc_decoder_conf.freeze", True, CODE, "ctc_strategy",
           "DDP ends without it; Hugging Face's copy has no CTC"),
    Advice("freeze_param", "ctc", CODE, "two_recipes",
           "DDP needs it; freezing more was no better on the mini"),
    Advice("frontend_conf.fs", 16000, MINI, "sample_rate",
           "calls are upsampled, the mel bins stay in place; better on both minis"),
    Advice("train_conf.accum_grad", 1, UNTESTED, "gpu_box", "GPUs times this is the global batch"),
    Advice("train_conf.grad_clip", 5, UNTESTED, "training_settings", "as in every config"),
    Advice("train_conf.max_epoch", 5, UNTESTED, "training_settings",
           "an epoch is one pass over the list"),
    Advice("train_conf.log_interval", 10, CODE, "training_settings",
           "in batches: fewer than an epoch has"),
    Advice("train_conf.validate_interval", 500, UNTESTED, "training_settings",
           "in batches: several times an epoch"),
    Advice("train_conf.save_checkpoint_interval", 500, CODE, "training_settings",
           "with validation: each file has a score"),
    Advice("train_conf.keep_nbest_models", 5, UNTESTED, "training_settings",
           "as many as are averaged"),
    Advice("train_conf.avg_nbest_model", 5, CODE, "training_settings",
           "no more than are kept"),
    Advice("train_conf.effective_save_name_excludes", None, CODE, "training_settings",
           "a checkpoint that decodes by itself"),
    Advice("train_conf.use_bf16", False, UNTESTED, "training_settings",
           "the LLM is bf16 already; measure it"),
    Advice("train_conf.use_deepspeed", False, FULL, "gpu_box",
           "what it could divide among GPUs is small"),
    Advice("optim_conf.lr", 5e-5, MINI, "two_recipes",
           "the main config's; the mini ran at 10 times this rate"),
    Advice("optim_conf.weight_decay", 0.01, MINI, "learning_rate",
           "it does nothing that can be measured"),
    Advice("scheduler_conf.warmup_steps", 1000, UNTESTED, "learning_rate",
           "at most a tenth of your updates: count them"),
    Advice("dataset_conf.batch_size", 6000, UNTESTED, "dataset",
           "10 ms frames + tokens of the longest, times samples"),
    Advice("dataset_conf.batch_size_token_max", 6000, CODE, "dataset",
           "samples are dropped above it"),
    Advice("dataset_conf.batch_size_sample_max", 15, UNTESTED, "dataset",
           "raise it with batch_size, or neither"),
    Advice("dataset_conf.max_token_length", 6000, CODE, "dataset",
           "one minute of speech, and never more than batch_size"),
    Advice("dataset_conf.data_split_num", 1, CODE, "dataset",
           "each split of a single .jsonl is the whole file"),
    Advice("dataset_conf.num_workers", 4, UNTESTED, "dataset", "as pretrained"),
    Advice("dataset_conf.prompt_classes", None, CODE, "dataset",
           "train with the prompt that inference uses"),

    Advice("model, model_conf", NOT_SET, CODE, "configs_side_by_side",
           "they keep the pretrained config from being read"),
    Advice("tokenizer_conf.init_param_path", NOT_SET, CODE, "configs_side_by_side",
           "a merge fills in the right folder"),
    Advice("audio_encoder_conf.output_size", NOT_SET, CODE, "frozen_and_omitted",
           "the architecture comes from the merge"),
    Advice("specaug, specaug_conf", NOT_SET, CODE, "spec_augment",
           "no module of the built model masks anything"),
    Advice("ctc_weight", NOT_SET, CODE, "ctc_strategy", "nothing is multiplied by it"),
    Advice("detach_ctc_decoder", NOT_SET, CODE, "ctc_strategy", "nothing asks for it",
           in_file=False),
    Advice("optim_conf.betas", NOT_SET, CODE, "learning_rate", "they restate AdamW's own"),
    Advice("dataset_conf.retry", NOT_SET, CODE, "dataset",
           "the pretrained value gives up no sample early"),
    Advice("tokenizer_conf.unk_symbol", NOT_SET, CODE, "which_knobs",
           "no code on this path reads it"),
    Advice("dataset_conf.audio_encoder_downsample_rate", NOT_SET, CODE, "which_knobs",
           "no code on this path reads it"),

    Advice("optim", "adamw", CODE, "learning_rate",
           "spelt like this; in no file at all, you get adam", in_file=False),
    Advice("scheduler", "warmuplr", CODE, "learning_rate", "as in every config", in_file=False),
    Advice("dataset_conf.sort_size", 1024, CODE, "gpu_box",
           "of each GPU: FunASR multiplies it by their number", in_file=False),
    Advice("llm_conf.use_lora", False, CODE, "frozen_and_omitted",
           "freeze and freeze_lora do not hold LoRA back", in_file=False),
    Advice("llm_conf.llm_dtype", "bf16", CODE, "frozen_and_omitted", "as pretrained",
           in_file=False),
    Advice("dataset_conf.batch_type", "token", CODE, "dataset", "batch_size then counts frames",
           in_file=False),
    Advice("debug", False, CODE, "which_knobs", "true stops the run in Python's debugger",
           in_file=False),
    Advice("audio_encoder_conf.activation_checkpoint", False, CODE, "encoder_freezing",
           "PyTorch's checkpointing ends the run", in_file=False),
    Advice("llm_conf.activation_checkpoint", False, CODE, "gpu_box",
           "with a frozen LLM it ends the run", in_file=False),

    Advice("audio_encoder_conf.freeze", True, MINI, "encoder_freezing",
           "its tensors stay as they are, to the last bit", KEEPS_ENCODER),
    Advice("audio_encoder_conf.dropout_rate", 0.0, CODE, "encoder_freezing",
           "a frozen encoder is in training mode all the same", KEEPS_ENCODER),
    Advice("audio_encoder_conf.attention_dropout_rate", 0.0, CODE, "encoder_freezing",
           "for the same reason", KEEPS_ENCODER),
    Advice("audio_adaptor_conf.freeze", False, GUIDE, "encoder_freezing",
           "or free the LLM: something must be able to learn", KEEPS_ENCODER),
    Advice("dataset_conf.batch_type", "example", CODE, "which_knobs",
           "batch_size then counts samples, and has to be small", COUNTED),
    Advice("llm_conf.llm_dtype", "fp32", CODE, "training_settings",
           "16 bits round small steps away", LLM_LEARNS),
    Advice("train_conf.use_bf16", True, UNTESTED, "training_settings", "for speed", LLM_LEARNS),
    Advice("detach_ctc_decoder", False, MINI, "ctc_strategy",
           "the encoder then learns from the CTC loss too", CTC_CLASS),
    Advice("ctc_decoder", None, CODE, "ctc_strategy", "decoding in batches", NO_TIMESTAMPS),
)
"""In the order of the file. One row for each key and situation."""

_SIZES = {
    "audio_encoder_conf": ("num_blocks", "tp_blocks", "attention_dropout_rate"),
    "audio_adaptor_conf": ("llm_dim", "encoder_dim", "use_low_frame_rate"),
    "llm_conf": ("llm_dtype",),
    "ctc_decoder_conf": ("llm_dim", "encoder_dim", "n_layer"),
    "dataset_conf": ("ctc_tokenizer",),
    "dataset_conf.ctc_tokenizer_conf": ("is_multilingual", "num_languages"),
}
TABLE += tuple(Advice(f"{section}.{name}", configs.flatten("pretrained")[f"{section}.{name}"], FULL,
                      "frozen_and_omitted", "as pretrained", ALONE)
               for section, names in _SIZES.items() for name in names)

PATH = CONFIGS / "recommended_8k.yaml"
WIDEST = 98
"""A comment that would make a longer line stands above it."""
COMMAND = "python -m helpers.site.commands.recommended"
HEAD = f"""\
# For 8 kHz telephone speech: what the book's chapters support, line by line.
#
# Written by `{COMMAND}` from the table in
# helpers.config.recommended; change a value there.
#
# Launch it merged over the pretrained model's own config, which it leaves in charge of the
# architecture:
#
#   train_ds.py --config-path CONFIGS --config-name recommended_8k ++model=MODEL_DIR \\
#     ++train_data_set_list=train.jsonl ++valid_data_set_list=valid.jsonl ++output_dir=OUT
#
# No override has to remove anything: the file sets neither `model`, `model_conf` nor a path.
#
# For which model: one that hears calls much worse than wideband speech. A mini that had heard calls
# gained nothing that could be measured by training its encoder or its adaptor ([two_kinds]). Let
# the released model hear your calls first ([do_i_need_it]).
#
# Data, which no key decides: if wideband speech must still be heard, make a third of the training
# list wideband. On the mini that keeps words in wideband and may cost some on calls
# ([two_recipes]). The validation list is telephone speech. Epochs, warm-up and intervals are for
# a single .jsonl of some 50 hours.
#
# In brackets, what stands behind the value, and the chapter with the evidence:
# - library code: FunASR's code decides it, and a test of this book shows it;
# - full size: counted on the full-size model, without weights;
# - mini: measured on this book's model of seven million parameters, which has heard synthetic
#   speech only. Error rates and learning rates need not carry over. The mini was trained at ten
#   times the rate of the file, as with every recipe here: a small model takes larger steps, and
#   nobody has tested that this factor is the right one for the released weights;
# - makers' guide: docs/finetune.md of FunAudioLLM/Fun-ASR;
# - nobody has tested: a value to start from.
#
# Left out, though a fine-tuning config sets it:
"""


def advice(key: str, when: str = "") -> Advice:
    """The row of a key.

    Raises:
        BookError: the table has no row for this key in this situation.
    """
    for row in TABLE:
        if row.when == when and key in row.key.split(", "):
            return row
    raise BookError(f"helpers.config.recommended has no row for {key}"
                    f"{f' when {when}' if when else ''}: add one, with its grade.")


def values(*keys: str, when: str = "") -> dict[str, Any]:
    """Keys to what the table recommends, as overrides.

    Raises:
        BookError: as `advice`.
    """
    return {key: advice(key, when).value for key in keys}


def yaml_of(rows: Sequence[Advice], chapters: bool = False) -> str:
    """YAML of the rows that set something, a section for each `_conf`, with grades as comments.

    Args:
        rows: of the table, in the order in which their sections appear.
        chapters: name the chapter behind each reason.
    """
    sections: dict[str, list[str]] = {row.key.partition(".")[0]: [] for row in rows}
    order, opened = list(sections), []
    for row in sorted(rows, key=lambda row: order.index(row.key.partition(".")[0])):
        *parents, name = row.key.split(".")
        lines = sections[row.key.partition(".")[0]]
        same = len(os.path.commonprefix([opened, parents]))
        lines += [f"{'  ' * depth}{parents[depth]}:" for depth in range(same, len(parents))]
        indent = "  " * len(parents)
        comment = f"# [{row.grade}{f', {row.chapter}' if chapters else ''}] {row.why}"
        line = f"{indent}{name}: {_value(row.value)}"
        lines += ([f"{line}  {comment}"] if len(line) + len(comment) < WIDEST else
                  [f"{indent}{comment}", line])
        opened = parents
    blocks = ("\n".join(lines) for lines in sections.values())
    return ("\n\n" if chapters else "\n").join(blocks) + "\n"


def file_text() -> str:
    """What `configs/recommended_8k.yaml` says."""
    rows = [row for row in TABLE if row.in_file and not row.when]
    unset = "".join(f"# - {row.key}: [{row.grade}, {row.chapter}] {row.why}\n"
                    for row in rows if row.value is NOT_SET)
    return f"{HEAD}{unset}\n{yaml_of([row for row in rows if row.value is not NOT_SET], True)}"


@dataclass(frozen=True)
class Fence:
    """A piece of YAML in a chapter's box: its situation, or "", and its dotted keys."""

    when: str
    keys: dict[str, Any]


BOX = re.compile(r"^(`{3,}|:{3,})\{admonition\}[^\n]*\n:class: config-box\n(.*?)^\1[ ]*$",
                 re.DOTALL | re.MULTILINE)
FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WHEN = "# Where "


def boxes(chapter: str) -> list[str]:
    """The text of each box "What to put in your config" of a chapter's markdown."""
    return [match[2] for match in BOX.finditer(chapter)]


def fence(text: str) -> Fence:
    """Read a piece of YAML of a box."""
    first = text.partition("\n")[0]
    when = first.removeprefix(WHEN).rstrip(":") if first.startswith(WHEN) else ""
    return Fence(when, dict(flatten(yaml.safe_load(text))))


def rendered(box: Fence) -> str:
    """The same keys as the table has them.

    Raises:
        BookError: the table has no row for one of them.
    """
    head = f"{WHEN}{box.when}:\n" if box.when else ""
    return head + yaml_of([advice(key, box.when) for key in box.keys])


def with_boxes(chapter: str) -> str:
    """A chapter's markdown with the YAML of its boxes as the table has it."""
    def written(box: re.Match) -> str:
        return FENCE.sub(lambda match: f"```yaml\n{rendered(fence(match[1]))}```", box[0])

    return BOX.sub(written, chapter)


def _value(value: Any) -> str:
    """As PyYAML and OmegaConf read it alike: `1.0e-4` and not `1e-4`."""
    if isinstance(value, float) and value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa)}e{int(exponent)}"
    return yaml.safe_dump(value, default_flow_style=True).partition("\n")[0]
