"""The arms of the experiments: the main config with a few keys replaced, and their settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from helpers.config import configs
from helpers.errors import BookError
from helpers.experiments.records import RunRecords
from helpers.paths import RESULTS
from helpers.telephone.channel import Channel

MAIN = configs.FINE_TUNING[0]
COMMAND = "python -m helpers.experiments --record"
RECORDS = RunRecords(RESULTS / "experiments.json", COMMAND, ("arm", "seed"))
SEEDS = (0, 1, 2)
BRANCHES = ("llm", "ctc")
LOSSY = Channel(loss=0.1, burst=2.0)
BANDS = ("telephone", "wideband", "lossy calls")
STEPS = 60
BATCH = 15
"""Utterances in a batch, `dataset_conf.batch_size_sample_max`: the main config's."""
SHORT = 300
"""Longest utterance of most arms, in 10 ms frames."""
LONGEST, FRAMES_A_MINUTE = 1400, 6000
PACE: dict[str, Any] = {
    "optim_conf.lr": 5e-4, "scheduler_conf.warmup_steps": 20,
    "dataset_conf.batch_size": 30000, "dataset_conf.batch_size_token_max": 30000,
    "dataset_conf.max_token_length": 4000,
    "train_conf.validate_interval": 10**6, "train_conf.save_checkpoint_interval": 10**6}
"""The book's short run, and limits so wide that every batch holds BATCH utterances."""
BLOCKS = ("encoders0.0", *(f"encoders.{n}" for n in range(5)),
          *(f"tp_encoders.{n}" for n in range(2)))
"""The blocks of the mini's encoder, from the sound up."""


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        name: its name in the recorded file, unique.
        title: its name for the reader.
        keys: dotted keys to replace in the main config at the mini's pace.
        steps: optimizer steps.
        epochs: passes over the training utterances; steps / epochs batches make one.
        longest: longest training utterance, in 10 ms frames.
        channel: what the training speech went through.
        wrapper: "ctc" trains FunASR's class with a CTC term, "masks" with a live `specaug`.
    """

    name: str
    title: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    steps: int = STEPS
    epochs: int = 3
    longest: int = SHORT
    channel: Channel = Channel()
    wrapper: str = ""


@dataclass(frozen=True)
class Experiment:
    """A question and the arms that answer it.

    Attributes:
        name: as in the recorded file's order.
        title: for the reader.
        arms: names, in the order of the answer.
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
MASKS = {"specaug": "SpecAugLFR"}


def masks(width: tuple[int, int], number: int, bins: int = 0) -> dict[str, Any]:
    """Keys for time masks of these widths in LFR frames, and frequency masks of up to `bins`."""
    conf = {"apply_time_warp": False, "apply_freq_mask": bins > 0,
            "freq_mask_width_range": [0, bins or 1], "num_freq_mask": 2 if bins else 0,
            "apply_time_mask": True, "time_mask_width_range": list(width),
            "num_time_mask": number}
    return {**MASKS, **{f"specaug_conf.{key}": value for key, value in conf.items()}}


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
    Arm("masks_gaps", "masks as long as gaps", masks((1, 4), 2), wrapper="masks"),
    Arm("masks_long", "long masks", masks((4, 12), 2), wrapper="masks"),
    Arm("masks_both", "masks as long as gaps, and of bins", masks((1, 4), 2, 20),
        wrapper="masks"),
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

EXPERIMENTS = {one.name: one for one in (
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
        "no_specaug", "encoder", "masks_main", "masks_gaps", "masks_both", "masks_long",
        "trained_lossy"), "no_specaug", BANDS,
        names={"encoder": "as configured"}),
    Experiment("lengths", "Lengths of the training utterances", (
        "up_to_2s", "up_to_4s", "all_lengths", "all_lengths_small"), "all_lengths"),
    Experiment("amount", "Amount of telephone speech", (
        "none", *(name for name in ARMS if name.startswith("amount_"))),
        f"amount_{AMOUNT_STEPS // EPOCHS_OF_AMOUNT[-1] * BATCH - 1}"),
)}


def shortened(arm: Arm, steps: int, epochs: int = 1) -> Arm:
    """The same arm with fewer steps."""
    return replace(arm, steps=min(steps, arm.steps), epochs=epochs)


def wanted(names: Sequence[str] | None = None,
           seeds: Sequence[int] | None = None) -> list[tuple[str, int]]:
    """Arms and seeds, seed after seed; an arm that trains nothing needs one seed.

    Raises:
        BookError: there is no such arm.
    """
    unknown = set(names or ()) - set(ARMS)
    if unknown:
        raise BookError(f"There is no arm {', '.join(sorted(unknown))}: choose from "
                        f"{', '.join(ARMS)}.")
    return [(name, seed) for seed in seeds or SEEDS for name in names or ARMS
            if ARMS[name].steps or seed == (seeds or SEEDS)[0]]
