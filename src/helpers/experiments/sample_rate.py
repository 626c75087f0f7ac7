"""What the mini hears at either sampling rate of the frontend, and after adapting at one of them.

A `Case` is a version of the test sentences and the frontend that reads them. The model is the same
in all of them; only its frontend is exchanged.

`python -m helpers.experiments.sample_rate --record` hears every case with both branches, adapts one
mini at each rate, and writes `results/sample_rate.json`, row by row. A row that is there is not
repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import soundfile
import soxr
import torch
from filelock import FileLock
from funasr.frontends.wav_frontend import WavFrontend

from helpers.config import configs
from helpers.errors import BookError
from helpers.evaluation import decoding, error_rates
from helpers.experiments.provenance import provenance
from helpers.model import mel, mini
from helpers.paths import CACHE, RESULTS
from helpers.session import funasr_silenced
from helpers.speech import corpus, manifests
from helpers.telephone.channel import telephone, telephone_set, to_8khz
from helpers.training import finetune

MAIN = configs.FINE_TUNING[0]
FILE = RESULTS / "sample_rate.json"
RATES = (16000, 8000)
BRANCHES = ("llm", "ctc")
SENTENCES = 96
LEVEL_SENTENCES = 24
PACE = {"optim_conf.lr": 5e-4, "scheduler_conf.warmup_steps": 20, "train_conf.max_epoch": 3}
"""The short run of the chapter on freezing."""
SEEDS = (0, 1, 2)
MODELS = ("pretrained", *(f"adapted at {fs}, seed {seed}" for seed in SEEDS for fs in RATES),
          "adapted at 8000, seed 0, 9 epochs")
TRAIN_UTTERANCES, VALID_UTTERANCES, LONGEST_FRAMES = 200, 20, 300


@dataclass(frozen=True)
class Case:
    """A version of the sentences, and the frontend that reads them.

    Attributes:
        sound: `wideband`; `narrowband`, the same at 8 kHz and nothing else; `decimated`, every
            second sample and no filter; `telephone`; or `upsampled`, telephone speech brought to
            16 kHz by a better resampler than FunASR's, so that FunASR has nothing to resample.
        fs: the frontend's rate.
        bins: "" for the frontend as it is; "kept" for the filters of 16 kHz on the spectrum of
            8 kHz; "moved" for the features of 8 kHz interpolated to the places of 16 kHz;
            "filled" for wideband's mean level in each bin above 4 kHz.
        dither: `frontend_conf.dither`.
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
    if sound == "wideband":
        return corpus.load_set(name)[:limit]
    if sound == "telephone":
        return telephone_set(name, limit)
    made = {"narrowband": to_8khz, "decimated": lambda samples, rate: samples[::rate // 8000],
            "upsampled": lambda samples, rate: soxr.resample(telephone(samples, rate), 8000, 16000,
                                                             quality="VHQ")}
    if sound not in made:
        raise BookError(f"There is no sound `{sound}`: choose wideband, telephone, "
                        f"{', '.join(made)}.")
    folder = CACHE / sound / name
    folder.mkdir(parents=True, exist_ok=True)
    return [manifests.with_audio(item, _written(item, folder, sound, made[sound]))
            for item in corpus.load_set(name)[:limit]]


def frontend_of(case: Case, stacked: bool = True) -> WavFrontend:
    """The frontend of a case; the constants of changed bins come from other sentences' features."""
    single = {} if stacked else {"lfr_m": 1, "lfr_n": 1}
    conf = {**configs.resolve("pretrained")["frontend_conf"], **single, "dither": case.dither}
    if not case.bins:
        return WavFrontend(**{**conf, "fs": case.fs})
    wide = mel.bank_of(mel.frontend())
    if case.bins == "filled":
        return mel.filled(mean_levels("wideband"), wide.centres, **conf)
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


def hear_all(built: mini.Built, cases: Sequence[Case], limit: int,
             branches: Sequence[str] = BRANCHES) -> dict[tuple[str, Case], error_rates.ErrorRate]:
    """Error rates of each branch in each case."""
    return {(branch, case): decoding.score(hear(built, case, limit, branch), branch)
            for branch in branches for case in cases}


def samples_at_inference(built: mini.Built, sound: Any, **options: Any) -> int:
    """How many samples FunASR's inference hands to the frontend for one utterance.

    Args:
        built: the model; its frontend decides the rate.
        sound: a path, or samples.
        options: what a caller of `AutoModel.generate` adds, such as `audio_fs`.

    Raises:
        BookError: FunASR could not load the sound and went on without; its log is quoted.
    """
    arguments = {key: value for key, value in built.kwargs.items()
                 if key not in ("tokenizer", "frontend", "model", "token_list")}
    chat = built.model.generate_chatml(built.model.get_prompt([]), sound)
    try:
        with (mock.patch("logging.error") as said, torch.no_grad(), funasr_silenced(),
              torch.random.fork_rng(devices=[]), mel.frontend_inputs() as sizes):
            built.model.inference_prepare([chat], None, ["one"], built.tokenizer, built.frontend,
                                          **arguments, **options)
    except UnboundLocalError:
        reason = said.call_args.args[0].partition(", Traceback")[0]
        raise BookError(reason) from None
    return sizes[-1]


def adapted(fs: int, utterances: int = TRAIN_UTTERANCES, seed: int = 0,
            **changes: Any) -> finetune.Run:
    """Fine-tune a fresh mini on telephone speech with the main config and this frontend rate.

    Args:
        fs: `frontend_conf.fs` of the run.
        utterances: how many short ones to train on.
        seed: of dropout, dither and order.
        changes: other keys to replace, with `__` for the dot.
    """
    keys = {key.replace("__", "."): value for key, value in changes.items()}
    built = mini.build(finetune.with_overrides(MAIN, finetune.SHORT_RUN, PACE,
                                               {"frontend_conf.fs": fs}, keys))
    short = [item for item in telephone_set("adapt") if item["speech_length"] <= LONGEST_FRAMES]
    return finetune.run(built, short[:utterances], telephone_set("valid", VALID_UTTERANCES),
                        f"sample_rate_{fs}_{seed}", seed, checkpoints=False)


def recorded() -> tuple[dict[str, Any], dict[tuple[str, str, str], np.ndarray], np.ndarray]:
    """What `--record` found.

    Returns:
        Provenance; (model, branch, case's name) to word errors in each sentence, where the model
        is one of MODELS; and words in each sentence.

    Raises:
        BookError: nothing is recorded.
    """
    if not FILE.exists():
        raise BookError(f"{FILE.name} is not there: run "
                        "`python -m helpers.experiments.sample_rate --record`.")
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    rows = {(row["model"], row["branch"], row["case"]): np.array(row["errors"])
            for row in stored["rows"]}
    return stored["provenance"], rows, np.array(stored["words"])


def _written(item: Mapping, folder: Path, sound: str, make) -> Path:
    target = folder / f"{item['key']}.wav"
    if not target.exists():
        samples, rate = soundfile.read(manifests.audio_path(item), dtype="float32")
        partial = target.with_suffix(f".{os.getpid()}")
        soundfile.write(partial, make(samples, rate), 16000 if sound == "upsampled" else 8000,
                        format="WAV", subtype="PCM_16")
        partial.replace(target)
    return target


def _store(model: str, branch: str, case: Case, built: mini.Built) -> None:
    stored = json.loads(FILE.read_text()) if FILE.exists() else {"provenance": {}, "rows": []}
    key = {"model": model, "branch": branch, "case": case.name}
    heard = hear(built, case, SENTENCES, branch)
    errors, words = error_rates.error_counts([one.reference for one in heard],
                                          [getattr(one, branch) for one in heard])
    stored["provenance"] = provenance("python -m helpers.experiments.sample_rate --record", seed=0)
    stored["words"] = words.tolist()
    stored["rows"].append({**key, "errors": errors.tolist()})
    FILE.write_text(json.dumps(stored) + "\n", encoding="utf-8")
    rate = error_rates.rate_of_counts(errors, words)
    print(f"{model}, {branch}, {case.name}: {rate}", flush=True)


def _missing(model: str, cases: Sequence[Case]) -> list[tuple[str, Case]]:
    done = set(recorded()[1]) if FILE.exists() else set()
    return [(branch, case) for branch in BRANCHES for case in cases
            if (model, branch, case.name) not in done]


def record(model: str) -> None:
    """Hear what is still missing for one model and add it to the file."""
    cases = ALL_CASES if model == "pretrained" else tuple(
        case for case in MAIN_CASES if case.sound != "narrowband")
    wanted = _missing(model, cases)
    if not wanted:
        return
    numbers = [int(number) for number in re.findall(r"\d+", model)]
    longer = {"train_conf__max_epoch": numbers[2]} if len(numbers) > 2 else {}
    built = (adapted(numbers[0], seed=numbers[1], **longer).built if numbers
             else mini.build("pretrained"))
    for branch, case in wanted:
        _store(model, branch, case, built)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.experiments.sample_rate",
                                     description=__doc__)
    parser.add_argument("--record", action="store_true", required=True)
    parser.add_argument("--model", choices=MODELS, help="only this one")
    options = parser.parse_args(arguments)
    from helpers.session import setup

    setup()
    torch.set_num_threads(1)
    with FileLock(CACHE / "sample_rate.lock"):
        for model in [options.model] if options.model else MODELS:
            record(model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
