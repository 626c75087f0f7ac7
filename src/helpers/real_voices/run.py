"""Record what recognisers make of people's speech at every stage of the book's channel.

`python -m helpers.real_voices.run --record` fetches speech and recognisers at its first run, and
adds what `results/real_voices.json` lacks, row by row. Stopped, it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from helpers.real_voices import recognisers, speech
from helpers.real_voices.book import (
    STAGES,
    TELEPHONE_RATE,
    call,
    one_sentence,
    provenance,
    setup,
)
from helpers.real_voices.normalise import counts
from helpers.real_voices.results import COMMAND, RECORDS, REFERENCE, packed

NOISY = tuple(stage for stage, channel in STAGES.items()
              if channel and (channel.snr_db is not None or channel.loss))
DECIDING = ("wideband", "8 kHz", "300-3400 Hz", "G.711 mu-law", "noise, 10 dB")
SEEDS = (0, 1, 2)
PART = 35
"""Clips in a row. What recognisers have heard of a set is compared on the parts that both heard."""


@dataclass(frozen=True)
class Job:
    """One row: a recogniser on a part of a speech set, at a stage, with a frontend and a seed.

    Attributes:
        part: which PART of the set's clips in a row, from 0.
    """

    recogniser: str
    speech: str
    stage: str
    frontend: str = "own"
    seed: int = 0
    part: int = 0

    @property
    def key(self) -> tuple:
        return self.recogniser, self.speech, self.stage, self.frontend, self.seed, self.part


def plan() -> list[Job]:
    """Every row that is wanted; what is asked first, of a part of the clips, comes first."""
    tiny, base, sphinx, *minis = recognisers.RECOGNISERS
    main, apart = "joined prompts", "several speakers"
    quick = (tiny, *minis[::-1])
    every = (*quick, sphinx)
    rest = [stage for stage in STAGES if stage not in DECIDING]
    jobs = [Job(name, main, stage) for name in quick for stage in DECIDING]
    jobs += [Job(name, main, "8 kHz", frontend) for name in quick for frontend in _other(name)]
    jobs += [Job(sphinx, main, stage) for stage in ("wideband", "8 kHz")]
    jobs += [Job(name, place, stage) for place in (apart, "book") for name in quick
             for stage in DECIDING]
    jobs += [Job(name, main, stage) for name in quick for stage in rest]
    jobs += [Job(sphinx, main, stage) for stage in DECIDING[2:]]
    jobs += [Job(sphinx, main, "8 kHz", "displaced")]
    jobs += [Job(base, main, stage) for stage in ("wideband", "8 kHz", "G.711 mu-law")]
    jobs += [Job(base, main, "8 kHz", frontend) for frontend in _other(base)]
    jobs += [Job(sphinx, place, stage) for place in (apart, "book") for stage in DECIDING]
    jobs += [Job(sphinx, main, stage) for stage in rest]
    jobs += [Job(tiny, main, stage, part=part) for part in (1, 2) for stage in DECIDING]
    jobs += [Job(name, apart, stage) for name in every for stage in rest]
    jobs += [Job(name, apart, "8 kHz", frontend) for name in every for frontend in _other(name)]
    jobs += [Job(tiny, "joined prompts, recorded at 8 kHz", "8 kHz")]
    jobs += [Job(name, main, "G.711 mu-law", frontend) for name in every
             for frontend in _other(name)]
    jobs += [Job(tiny, main, stage, seed=seed) for seed in SEEDS[1:] for stage in NOISY]
    jobs += [Job(base, main, "noise, 10 dB")]
    jobs += [Job(tiny, "prompts", stage, part=part) for part in range(4)
             for stage in ("wideband", "8 kHz", "G.711 mu-law")]
    jobs += [Job(tiny, "prompts", "8 kHz", "displaced", part=part) for part in range(4)]
    jobs += [Job(name, main, stage, part=part) for part in (1, 2) for stage in STAGES
             for name in every if name != tiny or stage not in DECIDING]
    return jobs


def _other(recogniser: str) -> list[str]:
    """The frontends of a recogniser that are compared with its own."""
    return [frontend for frontend in recognisers.frontends_of(recogniser) if frontend != "own"]


def stage_files(clips: Sequence[speech.Clip], stage: str, seed: int, folder: Path,
                upsampled: bool = False) -> list[Path]:
    """Clips as a stage delivers them, as 16-bit WAV files: wideband at 16 kHz, else at 8 kHz.

    Args:
        upsampled: bring 8 kHz to 16 kHz.
    """
    paths = []
    for number, clip in enumerate(clips):
        channel, rate = STAGES[stage], speech.RATE
        if channel is None:
            samples = soxr.resample(clip.samples, clip.rate, rate, quality="HQ")
        else:
            own_seed = zlib.crc32(f"{seed} {clip.key}".encode())  # each clip has its own noise
            samples, rate = call(clip.samples, clip.rate, channel, own_seed), TELEPHONE_RATE
            if upsampled:
                samples, rate = soxr.resample(samples, rate, speech.RATE, quality="HQ"), speech.RATE
        paths.append(folder / f"{number:04d}.wav")
        soundfile.write(paths[-1], np.clip(samples, -1, 1), rate, subtype="PCM_16")
    return paths


def heard(job: Job, clips: Sequence[speech.Clip]) -> list[str]:
    """What the recogniser of a job writes for each clip."""
    with tempfile.TemporaryDirectory() as folder:
        paths = stage_files(clips, job.stage, job.seed, Path(folder),
                            recognisers.upsampled_for(job.recogniser, job.frontend))
        return recognisers.hear(job.recogniser, paths, [clip.text for clip in clips], job.frontend)


def record(jobs: Sequence[Job]) -> None:
    """Add the rows that the file lacks."""
    clips_of = {name: speech.SETS[name]() for name in dict.fromkeys(job.speech for job in jobs)}
    for name, clips in clips_of.items():
        _record_reference(name, clips)
    for job in jobs:
        if job.key in RECORDS.keys():
            continue
        clips = clips_of[job.speech][PART * job.part:PART * (job.part + 1)]
        references, written = [clip.text for clip in clips], heard(job, clips)
        errors, words = counts(references, written)
        plain, _ = counts(references, written, normalise=False)
        RECORDS.add({"recogniser": job.recogniser, "speech": job.speech, "stage": job.stage,
                     "frontend": job.frontend, "seed": job.seed, "part": job.part,
                     "errors": packed(errors), "plain_errors": packed(plain),
                     "provenance": _provenance(job.seed)},
                    order=_order)
        print(f"{', '.join(map(str, job.key))}: {errors.sum() / words.sum():.1%} of {words.sum()} "
              f"words; unnormalised {plain.sum() / words.sum():.1%}", flush=True)


def _record_reference(name: str, clips: Sequence[speech.Clip]) -> None:
    texts = [clip.text for clip in clips]
    _, words = counts(texts, texts)
    _, plain = counts(texts, texts, normalise=False)
    RECORDS.add({"recogniser": REFERENCE, "speech": name, "stage": "", "frontend": "", "seed": 0,
                 "part": 0, "words": packed(words), "plain_words": packed(plain),
                 "speakers": _runs([clip.speaker for clip in clips]),
                 "minutes": round(sum(clip.seconds for clip in clips) / 60, 1),
                 "archives": {archive.file: archive.sha256 for archive in speech.ARCHIVES},
                 "licences": {archive.file: archive.licence for archive in speech.ARCHIVES},
                 "recognisers": {name: files if len(files) < 3 else []
                                 for name, files in recognisers.pinned().items()}}, order=_order)


def _runs(names: Sequence[str]) -> list[list]:
    """Names in a row and how often each comes in a row: `a a b` is [[a, 2], [b, 1]]."""
    runs: list[list] = []
    for name in names:
        if runs and runs[-1][0] == name:
            runs[-1][1] += 1
        else:
            runs.append([name, 1])
    return runs


def _provenance(seed: int) -> dict:
    made = provenance(COMMAND, seed=seed)
    return {key: made[key] for key in ("command", "date", "commit", "python", "versions")}


def _order(row: dict) -> tuple:
    names = (REFERENCE, *recognisers.RECOGNISERS)
    stages = ("", *STAGES)
    return (list(speech.SETS).index(row["speech"]), names.index(row["recogniser"]),
            row["frontend"] != "own", row["frontend"], stages.index(row["stage"]), row["seed"],
            row["part"])


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.real_voices.run", description=__doc__)
    parser.add_argument("--record", action="store_true", required=True)
    parser.add_argument("--only", choices=recognisers.RECOGNISERS, help="only this recogniser")
    options = parser.parse_args(arguments)
    setup()
    record([job for job in plan() if options.only in (None, job.recogniser)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
