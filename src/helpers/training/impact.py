"""What the document's table says of a run's impact, beside what a config really does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from funasr_preflight.laws.names import COMPONENTS
from helpers.config import configs
from helpers.config.values import shown
from helpers.model import mini
from helpers.model.funasr_private import distributed
from helpers.training import anatomy


@dataclass(frozen=True)
class Impact:
    """What a run under one config does, for the document's impact summary.

    Attributes:
        may: components with a parameter that may learn.
        learns: components that get a gradient.
        passes: how many times a run reads a single `.jsonl`, over all its epochs.
        deepspeed: whether FunASR's launcher would use DeepSpeed.
    """

    may: frozenset[str]
    learns: frozenset[str]
    passes: int
    deepspeed: bool

    def of(self, component: str) -> str:
        """What happens to a component."""
        if component in self.learns:
            return "learns"
        return "may learn, no gradient" if component in self.may else "frozen"


def impact(name: str, built: mini.Built, items: Sequence[dict]) -> Impact:
    """Look at one of the three configs, through the mini and FunASR's launcher."""
    merged = configs.resolve(configs.merge_over("pretrained", name))
    return Impact(
        frozenset(map(anatomy.component_of, anatomy.flagged(built.model))),
        frozenset(map(anatomy.component_of, anatomy.reached(built, items).names)),
        merged["train_conf"]["max_epoch"] * merged["dataset_conf"]["data_split_num"],
        bool(distributed(merged, processes=2).deepspeed))


IMPACT_TABLE = (
    ("Encoder trainable", "frozen", "active", "audio_encoder",
     ("impact-encoder-pretrained", "impact-encoder-fine-tuning")),
    ("CTC decoder trainable", "active", "varies", "ctc_decoder",
     ("impact-ctc-pretrained", "impact-ctc-fine-tuning")),
    ("Learning rate", "5e-6", "50-200x higher", "optim_conf.lr",
     ("impact-pretrained-lr", "lr-impact-50-to-200")),
    ("Epochs", "2", "10-20", "train_conf.max_epoch", ("impact-epochs",)),
    ("Gradient accumulation", "1", "1", "train_conf.accum_grad", ("impact-gradient-accumulation",)),
    ("Weight decay", "0", "0.01", "optim_conf.weight_decay", ("decay-impact",)),
    ("DeepSpeed", "enabled", "disabled", "train_conf.use_deepspeed", ("impact-deepspeed",)),
    ("Batch size", "6000 tokens", "6000 tokens", "dataset_conf.batch_size",
     ("impact-batch-size",)),
    ("Max sequence length", "3500", "1024 (memory)", "dataset_conf.max_token_length",
     ("impact-max-length",)),
)
"""The document's closing table: aspect, its two cells, component or key, claims of the ledger."""


def impact_rows(impacts: Mapping[str, Impact]) -> list[list[str]]:
    """The document's table beside what is so: aspect, then each stated cell and what was found."""
    merged = {name: configs.flatten(configs.merge_over("pretrained", name)) for name in impacts}
    pretrained, *tuned = impacts
    rows = []
    for aspect, before, after, subject, _ in IMPACT_TABLE:
        cells = {name: _impact_cell(subject, merged[name], merged[pretrained], impacts[name])
                 for name in impacts}
        rows.append([aspect, before, cells[pretrained], after,
                     "; ".join(dict.fromkeys(cells[name] for name in tuned))])
    return rows


def _impact_cell(subject: str, config: Mapping[str, Any], base: Mapping[str, Any],
                 observed: Impact) -> str:
    if subject in COMPONENTS:
        return observed.of(subject)
    value = shown(config[subject])
    if subject == "optim_conf.lr" and config is not base:
        return f"{value}, {config[subject] / base[subject]:.0f}x"
    if subject == "train_conf.max_epoch":
        return f"{value}, {observed.passes:,} passes"
    if subject == "train_conf.use_deepspeed":
        return "enabled" if observed.deepspeed else "disabled"
    return value
