"""Record what recognisers make of people's speech at every stage of the book's channel.

`python -m helpers.real_voices.run --record` fetches speech and recognisers at its first run, and
adds what `results/real_voices.json` lacks, row by row. Stopped, it goes on where it was.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile
import soxr

from helpers.evaluation.normalise import counts
from helpers.experiments.call_cost import STAGES
from helpers.experiments.records import Key, Recording, Row
from helpers.experiments.results import packed
from helpers.real_voices import recognisers, speech
from helpers.real_voices.results import DECIDING, RECORDS, REFERENCE, RecordedVoices
from helpers.telephone.channel import TELEPHONE_RATE, call

NOISY = tuple(stage for stage, channel in STAGES.items()
              if channel and (channel.snr_db is not None or channel.loss))
REST = tuple(stage for stage in STAGES if stage not in DECIDING)
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
    def run(self) -> tuple[str, int]:
        """Name and seed of the run that it belongs to: one recogniser on one part of a set."""
        return (REFERENCE if self.recogniser == REFERENCE
                else f"{self.recogniser}, {self.speech}, part {self.part}"), self.seed


def plan() -> list[Job]:
    """Every row that is wanted; what is asked first, of a part of the clips, comes first."""
    tiny, base, sphinx, *minis = recognisers.RECOGNISERS
    main, apart = "joined prompts", "several speakers"
    every = (tiny, *minis[::-1], sphinx)  # the slowest last

    def through(stages: Sequence[str], name: str, voices: str, part: int = 0,
                seed: int = 0) -> list[Job]:
        return [Job(name, voices, stage, "own", seed, part) for stage in stages]

    def moved(name: str, voices: str, stage: str = "8 kHz") -> list[Job]:
        return [Job(name, voices, stage, frontend) for frontend in recognisers.frontends_of(name)
                if frontend != "own"]

    jobs = [Job(REFERENCE, voices, "", "") for voices in speech.SETS]
    for name in every:
        jobs += [*through(DECIDING, name, main), *moved(name, main), *through(REST, name, main),
                 *moved(name, main, "G.711 mu-law")]
    for name in every:
        jobs += [*through(DECIDING, name, apart), *through(REST, name, apart), *moved(name, apart)]
    jobs += [job for name in every for job in through(DECIDING, name, "book")]
    main_stages = ("wideband", "8 kHz", "G.711 mu-law")
    jobs += [*through(DECIDING, base, main), *moved(base, main)]
    jobs += through(["8 kHz"], tiny, "joined prompts, recorded at 8 kHz")
    jobs += [job for seed in SEEDS[1:] for job in through(NOISY, tiny, main, seed=seed)]
    for part in range(4):
        jobs += [*through(main_stages, tiny, "prompts", part),
                 Job(tiny, "prompts", "8 kHz", "displaced", part=part)]
    return jobs + [job for part in (1, 2) for name in every
                   for job in through((*DECIDING, *REST), name, main, part)]


def stage_files(clips: Sequence[speech.Clip], stage: str, seed: int, folder: Path,
                upsampled: bool = False) -> list[Path]:
    """Clips as a stage delivers them, as 16-bit WAV files: at 16 kHz if wideband or upsampled."""
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


def make(_name: str, _seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """Hear what is lacking of a run, row by row."""
    for job in (Job(*key) for key in lacking):
        clips = _clips(job.speech)
        if job.recogniser == REFERENCE:
            yield asdict(job) | _reference(clips)
            continue
        clips = clips[PART * job.part:PART * (job.part + 1)]
        references, hypotheses = [clip.text for clip in clips], heard(job, clips)
        yield asdict(job) | word_errors(references, hypotheses)


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> Row:
    """What a row holds of the clips that were heard: errors of the texts, normalised and plain."""
    return {"errors": packed(counts(references, hypotheses)[0]),
            "plain_errors": packed(counts(references, hypotheses, normalise=False)[0])}


@lru_cache(maxsize=2)
def _clips(name: str) -> list[speech.Clip]:
    return speech.SETS[name]()


def _reference(clips: Sequence[speech.Clip]) -> Row:
    texts = [clip.text for clip in clips]
    return {"words": packed(counts(texts, texts)[1]),
            "plain_words": packed(counts(texts, texts, normalise=False)[1]),
            "speakers": [[name, len(list(group))]
                         for name, group in groupby(clip.speaker for clip in clips)],
            "minutes": round(sum(clip.seconds for clip in clips) / 60, 1),
            "archives": {archive.file: archive.sha256 for archive in speech.ARCHIVES},
            "licences": {archive.file: archive.licence for archive in speech.ARCHIVES},
            "recognisers": {name: files if len(files) < 3 else []
                            for name, files in recognisers.pinned().items()}}


def show() -> None:
    """What is recorded, in the terminal."""
    recorded = RecordedVoices.read()
    for cell in recorded.rows:
        print(*cell, recorded.rate(cell), sep=", ")


def _by_run(jobs: Sequence[Job]) -> dict[tuple[str, int], list[Key]]:
    runs: dict[tuple[str, int], list[Key]] = {}
    for job in jobs:
        runs.setdefault(job.run, []).append(astuple(job))
    return runs


RECORDING = Recording("helpers.real_voices.run", RECORDS, _by_run(plan()), make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
