"""What the mini hears at either sampling rate of the frontend, and after adapting at one of them.

A `Case` is a version of the test sentences and the frontend that reads them. The model is the same
in all of them; only its frontend is exchanged.

`python -m helpers.experiments.sample_rate --record` hears every case with both branches, adapts
minis at each rate, and writes `results/sample_rate.json`, row by row. A row that is there is not
repeated.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any
from unittest import mock

import numpy as np
import soxr
import torch
from funasr.frontends.wav_frontend import WavFrontend

from helpers.config import configs
from helpers.errors import BookError
from helpers.evaluation import decoding
from helpers.evaluation.decoding import BRANCHES
from helpers.evaluation.intervals import ErrorRate
from helpers.experiments import runs
from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.experiments.results import Results
from helpers.experiments.runs import SEEDS
from helpers.model import mel, mini
from helpers.paths import CACHE, RESULTS
from helpers.session import funasr_silenced
from helpers.telephone.channel import Change, Channel, call_set, changed_set, telephone, to_8khz

RECORDS = RunRecords(RESULTS / "sample_rate.json",
                     "python -m helpers.experiments.sample_rate --record",
                     ("model", "branch", "case"))
RATES = (16000, 8000)
SENTENCES = 96
LEVEL_SENTENCES = 24
PRETRAINED = "pretrained"
Arm = partial(runs.Arm, pace=runs.PACE, utterances=200)
ARMS = {arm.name: arm for arm in (
    *(Arm(f"adapted at {fs}", keys={"frontend_conf.fs": fs}) for fs in RATES),
    Arm("adapted at 8000, 9 epochs", keys={"frontend_conf.fs": 8000}, epochs=9))}
"""The short run of the chapter on freezing, at either rate."""


@dataclass(frozen=True)
class Case:
    """A version of the sentences, and the frontend that reads them.

    Attributes:
        sound: `wideband`; `narrowband`, the same at 8 kHz and nothing else; `decimated`, every
            second sample and no filter; `telephone`; or `upsampled`, telephone speech brought to
            16 kHz by a better resampler than FunASR's, so that FunASR has nothing to resample.
        bins: "" for the frontend as it is; "kept" for the filters of 16 kHz on the spectrum of
            8 kHz; "moved" for the features of 8 kHz interpolated to the places of 16 kHz;
            "filled" for wideband's mean level in each bin above 4 kHz.
    """

    sound: str
    fs: int = 16000
    bins: str = ""
    dither: float = 1.0

    @property
    def name(self) -> str:
        extra = [f"bins {self.bins}"] if self.bins else []
        extra += [f"dither {self.dither:g}"] if self.dither != 1 else []
        return ", ".join([self.sound, f"fs {self.fs}", *extra])


MAIN_CASES = tuple(Case(sound, fs) for sound in ("wideband", "narrowband", "telephone")
                   for fs in RATES)
ALL_CASES = (*MAIN_CASES, Case("decimated"), Case("decimated", 8000), Case("upsampled"),
             Case("telephone", 8000, "kept"), Case("telephone", 8000, "moved"),
             Case("telephone", 16000, "filled"), Case("narrowband", 16000, "filled"),
             Case("wideband", 16000, dither=0.0), Case("telephone", 16000, dither=0.0))


def sound_set(sound: str, name: str = "test", limit: int | None = None) -> list[dict]:
    """A committed set as one of the sounds of `Case`: manifest lines with audio that exists.

    Raises:
        BookError: there is no such sound.
    """
    if sound in ("wideband", "telephone"):
        return call_set(name, Channel() if sound == "telephone" else None, limit)
    changes: dict[str, Change] = {
        "narrowband": lambda samples, rate, _: (to_8khz(samples, rate), 8000),
        "decimated": lambda samples, rate, _: (samples[::rate // 8000], 8000),
        "upsampled": lambda samples, rate, _: (
            soxr.resample(telephone(samples, rate), 8000, 16000, quality="VHQ"), 16000)}
    if sound not in changes:
        raise BookError(f"There is no sound `{sound}`: choose wideband, telephone, "
                        f"{', '.join(changes)}.")
    return changed_set(name, CACHE / sound / name, limit, changes[sound])


def frontend_of(case: Case, stacked: bool = True) -> WavFrontend:
    """The frontend of a case; the constants of changed bins come from other sentences' features."""
    conf = {**configs.resolve("pretrained")["frontend_conf"], **({} if stacked else mel.SINGLE),
            "dither": case.dither}
    if not case.bins:
        return WavFrontend(**{**conf, "fs": case.fs})
    if case.bins == "filled":
        return mel.filled(mean_levels("wideband"), mel.bank_of(mel.frontend()).centres, **conf)
    changed = {"kept": mel.KeptBins, "moved": mel.MovedBins}
    if case.bins not in changed:
        raise BookError(f"There is no frontend with bins {case.bins!r}: choose kept, moved or "
                        "filled.")
    return changed[case.bins](mean_levels("telephone"), **conf)


@lru_cache(maxsize=4)
def mean_levels(sound: str) -> np.ndarray:
    """Mean feature of each bin at 16 kHz over a few validation sentences, shape (bins,)."""
    front = mel.frontend()
    return np.concatenate([mel.frames(item, front)
                           for item in sound_set(sound, "valid", LEVEL_SENTENCES)]).mean(axis=0)


def with_frontend(built: mini.Built, front: WavFrontend) -> mini.Built:
    """The same model, object and weights, reading through another frontend."""
    return replace(built, kwargs=built.kwargs | {"frontend": front})


def hear(built: mini.Built, case: Case, limit: int, branch: str,
         seed: int = 0) -> list[decoding.Hypothesis]:
    """Transcribe the first sentences of the test set in one case."""
    return decoding.decode(with_frontend(built, frontend_of(case)),
                           sound_set(case.sound, limit=limit), branch, seed=seed)


def hear_all(built: mini.Built, cases: Sequence[Case],
             limit: int) -> dict[tuple[str, Case], ErrorRate]:
    """Error rates of each branch in each case."""
    return {(branch, case): decoding.score(hear(built, case, limit, branch), branch)
            for branch in BRANCHES for case in cases}


def samples_at_inference(built: mini.Built, sound: Any, **options: Any) -> int:
    """How many samples FunASR's inference hands to the frontend for one utterance.

    Args:
        built: the model; its frontend decides the rate.
        sound: a path, or samples.
        options: what a caller of `AutoModel.generate` adds, such as `audio_fs`.

    Raises:
        BookError: FunASR could not load the sound and went on without; its log is quoted.
    """
    chat = built.model.generate_chatml(built.model.get_prompt([]), sound)
    try:
        with (mock.patch("logging.error") as logged, torch.no_grad(), funasr_silenced(),
              torch.random.fork_rng(devices=[]), mel.frontend_inputs() as sizes):
            built.model.inference_prepare([chat], None, ["one"], built.tokenizer, built.frontend,
                                          **built.plain_kwargs, **options)
    except UnboundLocalError:
        raise BookError(logged.call_args.args[0].partition(", Traceback")[0]) from None
    return sizes[-1]


def model_of(name: str, seed: int) -> str:
    """What a recorded row calls an arm with a seed."""
    if name == PRETRAINED:
        return name
    first, *rest = name.split(", ")
    return ", ".join([first, f"seed {seed}", *rest])


def make(name: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """Hear what is lacking of one model, case by case."""
    built = (mini.build("pretrained") if name == PRETRAINED
             else runs.train(ARMS[name], seed).built)
    cases = {case.name: case for case in ALL_CASES}
    for model, branch, case in lacking:
        fitted = with_frontend(built, frontend_of(cases[case]))
        sounds = {case: sound_set(cases[case].sound, limit=SENTENCES)}
        errors = decoding.hear(fitted, sounds, (branch,))[case][branch]
        yield {"model": model, "branch": branch, "case": case, "errors": errors.tolist()}


def results() -> Results:
    """The recorded rows as error rates; an arm is PRETRAINED or a name of ARMS."""
    arms = {model_of(name, seed): (name, seed) for name, seed in RUNS}
    return Results(((*arms[row["model"]], {row["case"]: {row["branch"]: row["errors"]}})
                    for row in RECORDS.read()), RECORDS.command)


def show() -> None:
    """What is recorded, in the terminal."""
    recorded = results()
    for name in recorded.arms:
        for case, branch in recorded.heard(name):
            print(f"{name}, {branch}, {case}: {recorded.rate(name, case, branch)}")


def _keys(name: str, seed: int) -> list[Key]:
    cases = ALL_CASES if name == PRETRAINED else [
        case for case in MAIN_CASES if case.sound != "narrowband"]
    return [(model_of(name, seed), branch, case.name) for branch in BRANCHES for case in cases]


RUNS = {run: _keys(*run) for run in (
    (PRETRAINED, 0), *((f"adapted at {fs}", seed) for seed in SEEDS for fs in RATES),
    ("adapted at 8000, 9 epochs", 0))}
RECORDING = Recording("helpers.experiments.sample_rate", RECORDS, RUNS, make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
