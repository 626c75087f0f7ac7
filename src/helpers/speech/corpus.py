"""The book's speech corpus: made here, from a grammar and two free synthesisers.

Committed: `data/corpus/{test,adapt,valid}` with FunASR ChatML manifests. Not committed, because a
seed makes it again: the pretraining speech. No sentence and no test voice occurs in two sets,
except that `adapt` and `valid` share talkers with the pretraining speech.

Run `python -m helpers.speech.corpus sets` to make the committed sets again, and `python -m
helpers.speech.corpus training` to make the features that `helpers.pretraining.pretrain` reads.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from tqdm import tqdm

from funasr_preflight.laws.geometry import speech_frames
from helpers.errors import BookError, one_sentence
from helpers.paths import CACHE, CORPUS, ROOT
from helpers.speech import manifests
from helpers.speech.sentences import sentences
from helpers.speech.synthesis import SAMPLE_RATE, draw_voice, scale_to_level, synthesise


@dataclass(frozen=True)
class SetRecipe:
    """How one committed set is made."""

    name: str
    size: int
    seed: int
    held_out_voices: bool
    audio: str  # soundfile's format and subtype, and so the file's ending


SETS = (
    SetRecipe("test", 240, seed=11, held_out_voices=True, audio="flac"),
    SetRecipe("valid", 60, seed=12, held_out_voices=False, audio="opus"),
    SetRecipe("adapt", 600, seed=13, held_out_voices=False, audio="opus"),
)
TRAINING_SEED = 1000
UTTERANCES_PER_SHARD = 1000


def held_out_sentences() -> dict[str, list[str]]:
    """The distinct sentences of every committed set, drawn so that no two sets share one."""
    taken: set[str] = set()
    drawn = {}
    for recipe in SETS:
        texts: dict[str, None] = {}
        for text in sentences(recipe.seed, exclude=frozenset(taken)):
            texts.setdefault(text)
            if len(texts) == recipe.size:
                break
        drawn[recipe.name] = list(texts)
        taken.update(texts)
    return drawn


def load_set(name: str) -> list[dict]:
    """One committed set (`test`, `valid` or `adapt`), audio paths made absolute."""
    known = [recipe.name for recipe in SETS]
    if name not in known:
        raise BookError(f"There is no set `{name}`: choose one of {', '.join(known)}.")
    return [manifests.with_audio(item, ROOT / manifests.audio_path(item))
            for item in manifests.read_manifest(CORPUS / f"{name}.jsonl")]


def make_set(recipe: SetRecipe, tokenizer, limit: int | None = None,
             folder: Path = CORPUS) -> list[dict]:
    """Speak a committed set (or its first `limit` sentences) and write audio and manifest."""
    rng, items = random.Random(recipe.seed), []
    texts = held_out_sentences()[recipe.name]
    voices = [draw_voice(rng, recipe.held_out_voices) for _ in texts]
    (folder / recipe.name).mkdir(parents=True, exist_ok=True)
    pairs = list(zip(texts, voices, strict=True))[:limit]
    for number, (text, voice) in enumerate(tqdm(pairs, desc=recipe.name, disable=None)):
        samples = synthesise(text, voice)
        key = f"{recipe.name}_{number:04d}"
        audio = folder / recipe.name / f"{key}.{recipe.audio}"
        encoding = {"format": "OGG", "subtype": "OPUS"} if recipe.audio == "opus" else {
            "subtype": "PCM_16"}
        soundfile.write(audio, samples, SAMPLE_RATE, **encoding)
        samples, _ = soundfile.read(audio, dtype="float32")
        name = audio.relative_to(ROOT) if audio.is_relative_to(ROOT) else audio
        items.append(manifests.chatml(key, name.as_posix(), text, speech_frames(len(samples)),
                                      len(tokenizer.encode(text)), voice=voice.name))
    manifests.write_manifest(items, folder / f"{recipe.name}.jsonl")
    return items


def training_texts(count: int) -> list[str]:
    """The first `count` pretraining sentences, none of them from a committed set."""
    held_out = frozenset(itertools.chain.from_iterable(held_out_sentences().values()))
    return list(itertools.islice(sentences(TRAINING_SEED, held_out, shuffled_words=0.15), count))


def roughen(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vary the level, and add faint white noise to half of the clips. No filtering."""
    samples = scale_to_level(samples, rng.uniform(-36, -20))
    if rng.random() < 0.5:
        noise_dbfs = rng.uniform(-85, -55)
        samples = samples + rng.normal(0, 10 ** (noise_dbfs / 20), samples.shape)
    return samples.astype(np.float32)


Delivery = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""What stands between a talker and the model: 16 kHz samples in, 16 kHz samples out."""


def synthesise_shard(shard: int, folder: Path, deliver: Delivery | None = None) -> Path:
    """Speak one shard of pretraining sentences and store its features.

    The stored features come from FunASR's own `WavFrontend` with the released settings
    (80 mel bins, 7 frames stacked every 6, dither on): float16, shape (sum of lengths, 560).
    The same shard has the same sentences and talkers, whatever delivers them.
    """
    from funasr.frontends.wav_frontend import WavFrontend

    torch.set_num_threads(1)
    path = folder / f"shard_{shard:03d}.npz"
    if path.exists():
        return path
    texts = training_texts((shard + 1) * UTTERANCES_PER_SHARD)[shard * UTTERANCES_PER_SHARD:]
    voices = random.Random(TRAINING_SEED + shard)
    noise = np.random.default_rng(TRAINING_SEED + shard)
    torch.manual_seed(TRAINING_SEED + shard)
    frontend = WavFrontend(fs=SAMPLE_RATE, n_mels=80, lfr_m=7, lfr_n=6, dither=1.0)
    features, chance = [], np.random.default_rng(TRAINING_SEED + shard)
    for text in texts:
        samples = roughen(synthesise(text, draw_voice(voices, held_out=False)), noise)
        if deliver:
            samples = deliver(samples, chance)
        feature, _ = frontend(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        features.append(feature[0].numpy().astype(np.float16))
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, features=np.concatenate(features),
             lengths=np.array([len(f) for f in features], dtype=np.int32), texts=np.array(texts))
    return partial.replace(path)


def synthesise_training(utterances: int, folder: Path = CACHE / "pretraining",
                        processes: int = 2, deliver: Delivery | None = None) -> list[Path]:
    """Make all pretraining shards; those already there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(-(-utterances // UTTERANCES_PER_SHARD))
    with ProcessPoolExecutor(processes) as pool:
        jobs = pool.map(synthesise_shard, shards, itertools.repeat(folder),
                        itertools.repeat(deliver))
        return list(tqdm(jobs, total=len(shards), desc="shards", disable=None))


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.speech.corpus", description=__doc__)
    parser.add_argument("what", choices=["tokenizer", "sets", "training"])
    parser.add_argument("--utterances", type=int, default=40_000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    if options.what == "training":
        synthesise_training(options.utterances, processes=options.processes)
        return 0
    from helpers.speech import mini_tokenizer

    if options.what == "tokenizer":
        mini_tokenizer.train(training_texts(20_000))
        return 0
    tokenizer = mini_tokenizer.load()
    for recipe in SETS:
        make_set(recipe, tokenizer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
