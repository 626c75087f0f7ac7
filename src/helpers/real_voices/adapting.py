"""Fine-tune Whisper tiny.en on noisy and lossy calls with parts frozen, and hear what it gains.

`python -m helpers.real_voices.adapting --record` trains each part of the model alone, and all of
them, on calls with noise or lost packets, from prompts of one human voice. It hears other prompts
of that voice, and other people. The words and speakers of the clips stand in the record of
`helpers.real_voices.run`.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import torch

from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.paths import RESULTS
from helpers.real_voices import speech, whisper
from helpers.real_voices.recognisers import tiny_whisper_folder
from helpers.real_voices.results import RECORDS as HEARD
from helpers.real_voices.results import REFERENCE, Cell, RecordedVoices, VoiceTable
from helpers.real_voices.run import PART, stage_files, word_errors

COMMAND = "python -m helpers.real_voices.adapting --record"
RECORDS = RunRecords(RESULTS / "adapted_whisper.json", COMMAND,
                     ("recogniser", "speech", "stage", "seed"))
NOTHING, ENCODER, BRIDGE, DECODER, ALL = ("nothing", "encoder", "bridge", "decoder",
                                          "encoder, bridge and decoder")
_MODULES = {
    ENCODER: r"encoder\.(conv|layers\.|layer_norm)", BRIDGE: r"decoder\.layers\.\d\.encoder_attn",
    DECODER: r"decoder\.(layers\.\d\.(self_attn|fc|final)|layer_norm)"}
_MODULES[ALL] = "|".join(_MODULES.values())
PARTS = tuple(_MODULES)
"""What is trained. The bridge is the decoder's attention to the encoder's output, which stands
where Fun-ASR-Nano has its adaptor. Embeddings of tokens and positions stay as they are."""
TRAINED_ON = NOISE, LOSS = "noise, 10 dB", "20 % lost, silence"
ONE_VOICE, MANY_VOICES = "joined prompts", "several speakers"
HEARD_AS = ((ONE_VOICE, "wideband"), (ONE_VOICE, NOISE), (ONE_VOICE, LOSS),
            (MANY_VOICES, "wideband"), (MANY_VOICES, NOISE))
SEEDS = (0, 1, 2)
STEPS, WARMUP_STEPS, BATCH, PEAK_RATE, LARGEST_NORM = 40, 6, 8, 1e-4, 1.0
TRAINING_SECONDS = 10
"""Training clips are shorter than this; hearing takes Whisper's own 30 s."""


def trained_weights(model: torch.nn.Module, part: str) -> list[torch.nn.Parameter]:
    """The weights of a part; all others are frozen."""
    model.requires_grad_(False)
    return [weight.requires_grad_() for name, weight in model.named_parameters()
            if part != NOTHING and re.match(rf"model\.({_MODULES[part]})", name)]


def training_clips() -> list[speech.Clip]:
    """Prompts that are not among those which are heard afterwards, two in a row."""
    tested = {key for clip in clips(ONE_VOICE) for key in clip.key.split("+")}
    pairs = speech.joined([clip for clip in speech.prompts() if clip.key not in tested], together=2)
    return [clip for clip in pairs if clip.seconds < TRAINING_SECONDS - 0.5]


@lru_cache(maxsize=2)
def clips(name: str) -> list[speech.Clip]:
    """The first clips of a speech set, which the model hears afterwards."""
    return speech.SETS[name]()[:PART]


def sounds(selected: Sequence[speech.Clip], stage: str, seed: int) -> list[np.ndarray]:
    """Clips as a stage delivers them, at 16,000 samples a second."""
    with tempfile.TemporaryDirectory() as folder:
        paths = stage_files(selected, stage, seed, Path(folder), upsampled=True)
        return [soundfile.read(path, dtype="float32")[0] for path in paths]


def train(ears: whisper.Whisper, part: str, seed: int, steps: int = STEPS) -> None:
    """Train a part in place: every clip with noise or loss of its own, AdamW, one peak rate."""
    weights = trained_weights(ears.model, part)
    if not weights:
        return
    examples, rng = training_clips(), random.Random(seed)
    ears.take(TRAINING_SECONDS)
    optimizer = torch.optim.AdamW(weights, lr=PEAK_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / WARMUP_STEPS) * (1 - step / steps))
    order: list[speech.Clip] = []
    for _ in range(steps):
        if len(order) < BATCH:
            order += rng.sample(examples, len(examples))
        batch, order = order[:BATCH], order[BATCH:]
        calls = [sounds([clip], rng.choice(TRAINED_ON), rng.randrange(1, 10**6))[0]
                 for clip in batch]
        ears.loss(calls, [clip.text for clip in batch]).backward()
        torch.nn.utils.clip_grad_norm_(weights, LARGEST_NORM)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    ears.take(whisper.HEARD_SECONDS)


def make(part: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """Train, and hear what is lacking. The same noise is heard after every training."""
    ears = whisper.load(tiny_whisper_folder())
    train(ears, part, seed)
    for key in lacking:
        _, name, stage, _ = key
        texts = [clip.text for clip in clips(name)]
        hypotheses = ears.write(sounds(clips(name), stage, seed=0))
        yield {**dict(zip(RECORDS.key, key, strict=True)), "frontend": "own", "part": 0,
               **word_errors(texts, hypotheses)}


def recorded() -> RecordedVoices:
    """The finished runs; the recogniser of a `Cell` is the part that was trained.

    Raises:
        BookError: nothing is recorded.
    """
    words, rows = [row for row in HEARD.read() if row["recogniser"] == REFERENCE], RECORDS.read()
    row_counts = Counter((row["recogniser"], row["seed"]) for row in rows)
    return RecordedVoices([*words, *(row for row in rows if row_counts[
        row["recogniser"], row["seed"]] == len(HEARD_AS))], COMMAND)


def gains(voices: RecordedVoices, parts: Sequence[str] = PARTS) -> VoiceTable:
    """A row for each part: seeds, and how its error rates differ from those of the untrained."""
    rows = [[part, str(len(voices.errors(Cell(part, *HEARD_AS[0])))),
             *(str(voices.difference(Cell(part, *test), Cell(NOTHING, *test),
                                     among=len(parts))) for test in HEARD_AS)] for part in parts]
    untrained = [NOTHING, "", *(str(voices.rate(Cell(NOTHING, *test))) for test in HEARD_AS)]
    return VoiceTable(["Trained", "seeds", *(f"{name}: {stage}" for name, stage in HEARD_AS)],
                      [untrained, *rows],
                      f"Whisper tiny.en after {STEPS} steps of {BATCH} calls with noise or lost "
                      f"packets, peak learning rate {PEAK_RATE:g}. "
                      "First row: word error rate in %; below it differences from that row in "
                      f"points. {ONE_VOICE.capitalize()}: {voices.scope(ONE_VOICE, PART)} "
                      f"{MANY_VOICES.capitalize()}: {voices.scope(MANY_VOICES, PART)}")


def show() -> None:
    """What is recorded, in the terminal."""
    voices = recorded()
    for cell in voices.rows:
        print(*cell, voices.rate(cell), sep=", ")


RUNS = {(NOTHING, 0): [(NOTHING, *test, 0) for test in HEARD_AS],
        **{(part, seed): [(part, *test, seed) for test in HEARD_AS]
           for seed in SEEDS for part in PARTS}}
RECORDING = Recording("helpers.real_voices.adapting", RECORDS, RUNS, make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
