"""What one omitted key changes: the merged config, with that key at the code's default instead.

The full-size model is built on the meta device with and without the key's pretrained value, and
what tells the two apart is put into words. Keys that the model does not show are observed where
they act: at the start of a run, in a training prompt, in a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from funasr_preflight.laws.memory import GIBIBYTE
from helpers.config import configs, funasr_source
from helpers.errors import typed_sentence
from helpers.model import launch, mini
from helpers.speech import corpus
from helpers.training import finetune
from helpers.training.finetune import SHORT_RUN, with_overrides

BASE = "config_8k_telephone"


@dataclass(frozen=True)
class Omission:
    """An omitted key, the two readings of its absence, and the difference between them.

    Attributes:
        key: dotted key.
        pretrained: what merging over the pretrained config gives it.
        default: what the code falls back on, as `funasr_source` finds it.
        differs: whether the two readings are different values that something reads.
        effect: what the code's default changes in the full-size model, in words.
    """

    key: str
    pretrained: Any
    default: str
    differs: bool
    effect: str


def omission(key: str) -> Omission:
    """Look up an omitted key's two readings and build the model with each."""
    pretrained = next(row.values["pretrained"] for row in configs.compare() if row.key == key)
    default = funasr_source.code_default(key)
    relation = funasr_source.against(key, pretrained)
    differs = relation in (funasr_source.OTHER_VALUE, funasr_source.REQUIRED)
    if relation == funasr_source.NO_READER:
        effect = "nothing: no code reads the key"
    elif relation == funasr_source.IGNORED:
        effect = "nothing: the code takes the key and never uses it"
    elif not differs:
        effect = "nothing: the same value"
    elif key in _OTHERWISE_OBSERVED:
        effect = _OTHERWISE_OBSERVED[key](key)
    else:
        effect = built_effect({key: default.values[0]})
    return Omission(key, pretrained, default.text, differs, effect)


def built_effect(changes: Mapping[str, Any]) -> str:
    """What these values change in the full-size model of the merged main config, in words."""
    usual = mini.build(BASE, size="full", device="meta").model
    try:
        changed = mini.build(with_overrides(BASE, dict(changes)), size="full", device="meta").model
    except Exception as error:  # whatever FunASR raises is the result
        return f"stops: {typed_sentence(error)}"
    before, after = dict(usual.named_parameters()), dict(changed.named_parameters())
    shared = before.keys() & after.keys()
    reshaped = [name for name in shared if before[name].shape != after[name].shape]
    retyped = {(before[name].dtype, after[name].dtype) for name in shared
               if before[name].dtype != after[name].dtype}
    rates = sum(old != new for old, new in zip(_dropout(usual), _dropout(changed), strict=False))
    millions = (sum(p.numel() for p in after.values())
                - sum(p.numel() for p in before.values())) / 1e6
    counts = [
        (len(before.keys() - after.keys()), "{} tensors are not built"),
        (len(after.keys() - before.keys()), "{} tensors are new"),
        (len(reshaped), "{} tensors have another shape and cannot be loaded"),
        (round(millions), "{:+} million parameters"),
        (rates if before.keys() == after.keys() else 0, "{} dropout layers change their rate")]
    effects = [form.format(number) for number, form in counts if number]
    effects += [f"weights in {_plain(new)} instead of {_plain(old)}" for old, new in retyped]
    if usual.llm_dtype != changed.llm_dtype:
        effects.append(f"the LLM computes in {changed.llm_dtype} instead of {usual.llm_dtype}")
    return "; ".join(effects) or "nothing that the model shows"


def _launch_effect(key: str) -> str:
    """What FunASR does at the start of a merged run without this key."""
    attempt = launch.launch(BASE, (*launch.MERGED, f"++{key}=null"))
    return f"stops: {attempt.outcome}" if not attempt.built else attempt.outcome


def _prompt_effect(key: str) -> str:
    """How many tokens a training example has with and without the key's pretrained value."""
    pretrained = next(row.values["pretrained"] for row in configs.compare() if row.key == key)
    item = corpus.load_set("adapt")[:1]
    usual, without = (finetune.batch(mini.build(with_overrides(BASE, SHORT_RUN, {key: value})),
                                     item)["input_ids"].shape[1] for value in (pretrained, None))
    return f"{usual - without} tokens of context leave every training prompt"


def _checkpoint_effect(_key: str) -> str:
    """What enters every checkpoint when nothing is excluded from it."""
    model = mini.build(BASE, size="full", device="meta").model
    tensors = [t for name, t in model.state_dict().items() if name.startswith("llm.")]
    gibibytes = sum(t.numel() * t.element_size() for t in tensors) / GIBIBYTE
    return f"{len(tensors)} tensors of the LLM, {gibibytes:.1f} GiB, enter every checkpoint"


_OTHERWISE_OBSERVED = {
    "llm_conf.init_param_path": _launch_effect,  # mini.build brings a folder of its own
    "dataset_conf.ctc_tokenizer": _launch_effect,
    "dataset_conf.prompt_classes": _prompt_effect,
    "train_conf.effective_save_name_excludes": _checkpoint_effect}


def _dropout(model: torch.nn.Module) -> list[float]:
    return [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
