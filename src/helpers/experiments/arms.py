"""What decides how well the mini hears calls after fine-tuning: one change at a time, with seeds.

An *experiment* is a question and the arms that answer it. All arms of an experiment take the same
number of optimizer steps; all are heard on the same test sentences, by both branches: in wideband,
as a call delivers them, and as a call that loses packets does.

`python -m helpers.experiments --record --jobs 2` makes the runs that `results/experiments.json`
lacks and stores each the moment it is done. Without `--record` it prints what is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from helpers.evaluation.decoding import BRANCHES
from helpers.experiments import runs
from helpers.experiments.records import Key, Row, RunRecords
from helpers.experiments.results import Results
from helpers.experiments.runs import AT_THE_END, BANDS, LOSSY, SEEDS
from helpers.paths import RESULTS

COMMAND = "python -m helpers.experiments --record"
RECORDS = RunRecords(RESULTS / "experiments.json", COMMAND, ("arm", "seed"))
STEPS = 60
BATCH = 15
"""Utterances in a batch, `dataset_conf.batch_size_sample_max`: the main config's."""
LONGEST = 1400
PACE: dict[str, Any] = {
    **runs.PACE, "dataset_conf.batch_size": 30000, "dataset_conf.batch_size_token_max": 30000,
    "dataset_conf.max_token_length": 4000, **AT_THE_END}
"""The book's short run, and limits so wide that every batch holds BATCH utterances."""
BLOCKS = ("encoders0.0", *(f"encoders.{n}" for n in range(5)),
          *(f"tp_encoders.{n}" for n in range(2)))
"""The blocks of the mini's encoder, from the sound up."""
Arm = partial(runs.Arm, steps=STEPS, pace=PACE)


@dataclass(frozen=True)
class Experiment:
    """A question and the arms that answer it, in the order of the answer.

    Attributes:
        against: the arm that the others are compared with.
        bands: what is worth showing.
        names: other titles that arms have among these.
    """

    name: str
    title: str
    arms: tuple[str, ...]
    against: str
    bands: tuple[str, ...] = BANDS[:2]
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def comparisons(self) -> int:
        """Arms that are compared with `against`."""
        return len(self.arms) - 1

    def title_of(self, arm: str) -> str:
        """What an arm is called among these."""
        return self.names.get(arm, ARMS[arm].title)


def _frozen(encoder: bool, adaptor: bool, llm: bool, **more: Any) -> dict[str, Any]:
    return {"audio_encoder_conf.freeze": encoder, "audio_adaptor_conf.freeze": adaptor,
            "llm_conf.freeze": llm, **more}


LORA = _frozen(True, True, True, **{"llm_conf.use_lora": True})
FASTER = {"optim_conf.lr": 4 * PACE["optim_conf.lr"]}
RATES = (5e-5, 1e-4, 2e-4, 1e-3, 2e-3, 5e-3)
FROZEN_BLOCKS = (2, 4, 6, 7)
ALL_LENGTHS = {"longest": LONGEST, "epochs": 4}
EPOCHS_OF_AMOUNT = (105, 35, 15, 7, 3)
AMOUNT_STEPS = 105
SPEECH_MEAN = 12.0
"""About the mean of a call's features in the bins that a line passes: see spec_augment.md."""


def masks(width: tuple[int, int] | None, bins: int = 0, bands: int = 2, fill: float = 0.0,
          ratio: tuple[float, float] | None = None) -> dict[str, Any]:
    """Keys for two time masks, and frequency masks.

    Args:
        width: of a time mask, in LFR frames; None where `ratio` gives it.
        bins: a frequency mask is narrower than this; without it there is none.
        bands: frequency masks.
        fill: the value under a mask.
        ratio: width of a time mask as a share of the utterance.
    """
    conf = {"apply_time_warp": False, "apply_freq_mask": bins > 0,
            "freq_mask_width_range": [0, bins or 1], "num_freq_mask": bands if bins else 0,
            "apply_time_mask": True, "time_mask_width_range": list(width) if width else None,
            "num_time_mask": 2}
    if ratio:
        conf["time_mask_width_ratio_range"] = list(ratio)
    keys = {f"specaug_conf.{key}": value for key, value in conf.items()}
    return {"specaug": "SpecAugLFR", **keys, **({"specaug_fill": fill} if fill else {})}


ARMS = {arm.name: arm for arm in (
    Arm("none", "nothing", steps=0),
    Arm("encoder", "encoder"),
    Arm("adaptor", "adaptor", _frozen(True, False, True)),
    Arm("adaptor_faster", "adaptor, 4 × the rate", _frozen(True, False, True) | FASTER),
    Arm("encoder_adaptor", "encoder and adaptor", _frozen(False, False, True)),
    Arm("lora", "LLM by LoRA", LORA),
    Arm("lora_faster", "LLM by LoRA, 4 × the rate", LORA | FASTER),
    Arm("all", "encoder, adaptor and LLM", _frozen(False, False, False)),
    *(Arm(f"frozen_{count}", f"{count} of {len(BLOCKS)} blocks frozen",
          {"freeze_param": ",".join(f"audio_encoder.{block}" for block in BLOCKS[:count])})
      for count in FROZEN_BLOCKS),
    *(Arm(f"rate_{rate:g}", f"{rate:g}", {"optim_conf.lr": rate}) for rate in RATES),
    Arm("fs_8000_untrained", "fs 8000, nothing trained", {"frontend_conf.fs": 8000}, steps=0),
    Arm("fs_8000", "fs 8000", {"frontend_conf.fs": 8000}),
    Arm("ctc_term", "with a CTC term", {"detach_ctc_decoder": False}, wrapper="ctc"),
    Arm("ctc_detached", "with a detached CTC term", {"detach_ctc_decoder": True}, wrapper="ctc"),
    Arm("no_specaug", "no specaug key", {"specaug": None}),
    Arm("masks_main", "the main config's masks, applied", wrapper="masks"),
    Arm("masks_gaps", "masks as long as gaps", masks((1, 4)), wrapper="masks"),
    Arm("masks_long", "long masks", masks((4, 12)), wrapper="masks"),
    Arm("masks_both", "masks as long as gaps, and of bins", masks((1, 4), 20), wrapper="masks"),
    Arm("masks_both_filled", "masks as long as gaps, and of bins, filled with speech's mean",
        masks((1, 4), 20, fill=SPEECH_MEAN), wrapper="masks"),
    Arm("masks_box", "short masks and one narrow band", masks((1, 4), 10, 1), wrapper="masks"),
    Arm("masks_ratio", "masks of up to a tenth of the utterance",
        masks(None, ratio=(0.0, 0.1)), wrapper="masks"),
    Arm("trained_lossy", "trained on calls that lose packets", channel=LOSSY),
    Arm("up_to_2s", "up to 2.5 s", longest=250, epochs=4),
    Arm("up_to_4s", "up to 4 s", longest=400, epochs=4),
    Arm("all_lengths", "all, up to 14 s", **ALL_LENGTHS),
    Arm("all_lengths_small", "all, batches of as many seconds",
        {"dataset_conf.batch_size_sample_max": 9}, **ALL_LENGTHS),
    *(Arm(f"amount_{AMOUNT_STEPS // epochs * BATCH - 1}",
          f"{AMOUNT_STEPS // epochs * BATCH - 1} utterances", steps=AMOUNT_STEPS, epochs=epochs,
          longest=600) for epochs in EPOCHS_OF_AMOUNT),
)}
"""Every arm, by name."""

EXPERIMENTS = {experiment.name: experiment for experiment in (
    Experiment("parts", "Which part trains", (
        "none", "adaptor", "adaptor_faster", "lora", "lora_faster", "encoder",
        "encoder_adaptor", "all"), "encoder"),
    Experiment("frozen", "Encoder blocks frozen from below", (
        "encoder", *(f"frozen_{count}" for count in FROZEN_BLOCKS), "none"), "encoder",
        names={"encoder": "none frozen", "none": "nothing trained"}),
    Experiment("rate", "Peak learning rate", (
        *(f"rate_{rate:g}" for rate in RATES if rate < PACE["optim_conf.lr"]), "encoder",
        *(f"rate_{rate:g}" for rate in RATES if rate > PACE["optim_conf.lr"])), "encoder",
        names={"encoder": f"{PACE['optim_conf.lr']:g}"}),
    Experiment("sample_rate", "Rate of the frontend", (
        "none", "fs_8000_untrained", "encoder", "fs_8000"), "encoder",
        names={"none": "fs 16000, nothing trained", "encoder": "fs 16000"}),
    Experiment("ctc", "A CTC term", ("encoder", "ctc_detached", "ctc_term"), "encoder",
               names={"encoder": "no CTC term"}),
    Experiment("specaug", "SpecAug", (
        "no_specaug", "encoder", "masks_main", "masks_gaps", "masks_both", "masks_box",
        "masks_ratio", "masks_both_filled", "masks_long", "trained_lossy"), "no_specaug", BANDS,
        names={"encoder": "as configured"}),
    Experiment("lengths", "Lengths of the training utterances", (
        "up_to_2s", "up_to_4s", "all_lengths", "all_lengths_small"), "all_lengths"),
    Experiment("amount", "Amount of telephone speech", (
        "none", *(name for name in ARMS if name.startswith("amount_"))),
        f"amount_{AMOUNT_STEPS // EPOCHS_OF_AMOUNT[-1] * BATCH - 1}"),
)}


def shortened(arm: runs.Arm, steps: int) -> runs.Arm:
    """The same arm with fewer steps, in one epoch."""
    return replace(arm, steps=min(steps, arm.steps), epochs=1)


def run(arm: runs.Arm, seed: int, limit: int = runs.TEST_SENTENCES,
        branches: Sequence[str] = BRANCHES, bands: Sequence[str] = BANDS) -> Row:
    """Train and hear one arm: its row, without where it comes from."""
    heard = runs.train_and_hear(arm, seed, runs.test_sets(limit, tuple(bands)), branches)
    learning = [parameter.numel() for parameter in heard.built.model.parameters()
                if parameter.requires_grad]
    training = heard.training
    frames = sum(item["speech_length"] for item in runs.training_list(arm, seed)) if training else 0
    return {"arm": arm.name, "seed": seed, "steps": arm.steps, "may_learn": sum(learning),
            "training_minutes": round(frames / (60 * FEATURE_FRAMES_A_SECOND), 2),
            "keys": dict(arm.keys),
            "training_loss": round(float(np.mean([step.loss for step in training.steps[-10:]])), 4)
            if training else None,
            "validation_loss": round(training.validations[-1].loss, 4) if training else None,
            "errors": runs.written(heard.errors), "seconds": heard.seconds}


def make(name: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """The row that a recording stores."""
    yield run(ARMS[name], seed)


RUNS = {(name, seed): [(name, seed)] for seed in SEEDS for name in ARMS
        if ARMS[name].steps or seed == SEEDS[0]}
"""Every run, seed after seed; an arm that trains nothing needs one."""


class Recorded(Results):
    """Rows of `run`, recorded or made just now."""

    def __init__(self, rows: Sequence[Row]):
        self.rows = {(row["arm"], row["seed"]): row for row in rows}
        super().__init__(((*key, row["errors"]) for key, row in self.rows.items()), COMMAND)

    @classmethod
    def read(cls) -> Recorded:
        """The recorded ones."""
        return cls(RECORDS.read())

    def row(self, arm: str, seed: int | None = None) -> Row:
        """One run; the first seed's where none is named."""
        return self.rows[arm, self.seeds(arm)[0] if seed is None else seed]

    def minutes(self, arm: str) -> float:
        """Minutes of speech that an arm trains on, averaged over seeds."""
        return float(np.mean([self.row(arm, seed)["training_minutes"]
                              for seed in self.seeds(arm)]))
