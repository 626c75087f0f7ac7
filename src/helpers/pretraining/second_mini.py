"""A second mini, which has heard calls: `python -m helpers.pretraining.second_mini`.

The first mini heard wideband speech only. The second goes on from its weights for one more round,
in which half of the sentences come through a call: any codec, noise, lost packets. A control goes
on for the same round with the same sentences in wideband, so that what the round itself brings is
not taken for what the calls bring. Sentences and talkers are those of the pretraining speech; none
of them is in a test set.

The weights of both are written under the cache; `--keep` puts the second mini's beside the first's.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace

import numpy as np
import soundfile

from helpers.errors import one_sentence
from helpers.paths import CACHE, MINI
from helpers.pretraining.pretrain import Round, pretrain
from helpers.speech import corpus
from helpers.telephone.channel import Channel, call
from helpers.telephone.recordings import TELEPHONE_RATE
from helpers.telephone.speech_codecs import CODECS

FOLDER = CACHE / "second_mini"
WEIGHTS = MINI / "heard_calls.safetensors"
UTTERANCES = 12_000
SHARE_OF_CALLS = 0.5
ROUND = Round(seed=11, steps=900, learning_rate=5e-4, last_share=0.03, bf16=False)


def drawn_channel(chance: np.random.Generator) -> Channel:
    """A call: any codec that needs no other program, band, noise and losses."""
    codecs = [None, *(name for name, maker in CODECS.items() if maker != "ffmpeg")]
    return Channel(codec=codecs[chance.integers(len(codecs))], band=bool(chance.random() < 0.9),
                   snr_db=chance.uniform(5, 30) if chance.random() < 0.4 else None,
                   loss=chance.uniform(0.02, 0.2) if chance.random() < 0.3 else 0.0,
                   burst=chance.uniform(1, 3), comfort=bool(chance.random() < 0.1),
                   concealment=("silence", "repeat")[chance.integers(2)])


def half_as_calls(samples: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """A clip as it is, or through a drawn call and FunASR's own way back up to 16 kHz."""
    if chance.random() >= SHARE_OF_CALLS:
        return samples
    from funasr.utils.load_utils import load_audio_text_image_video

    through = call(samples, corpus.SAMPLE_RATE, drawn_channel(chance), int(chance.integers(2**31)))
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        soundfile.write(file.name, through, TELEPHONE_RATE)
        return load_audio_text_image_video(file.name, fs=corpus.SAMPLE_RATE).numpy()


DELIVERIES = {"calls": half_as_calls, "control": None}


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.pretraining.second_mini",
                                     description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="?", choices=DELIVERIES, help="only this one")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--utterances", type=int, default=UTTERANCES)
    parser.add_argument("--steps", type=int, default=ROUND.steps)
    parser.add_argument("--keep", action="store_true", help="keep the second mini's weights")
    options = parser.parse_args(arguments)
    for name in [options.which] if options.which else DELIVERIES:
        shards, output = FOLDER / f"shards_{name}", FOLDER / name
        corpus.synthesise_training(options.utterances, shards, options.processes,
                                   DELIVERIES[name])
        pretrain(replace(ROUND, steps=options.steps), shards, output,
                 start_from=MINI / "model.safetensors", save_every=100)
    if options.keep:
        shutil.copy(FOLDER / "calls" / "model.safetensors", WEIGHTS)
        shutil.copy(FOLDER / "calls" / "pretraining_log.jsonl", MINI / "heard_calls_log.jsonl")
    return 0


if __name__ == "__main__":
    sys.exit(main())
