"""Many synthetic voices from two free synthesisers, eSpeak NG and Flite.

A voice is a name such as `espeak:en-gb+f3` or `flite:slt`. eSpeak NG is a formant synthesiser;
its accents, speaker variants, pitch and speed give several hundred audibly different talkers.
Flite's voices are cut or modelled from recorded people. Both write wideband audio, which is
resampled to 16 kHz.
"""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio.functional as F

from funasr_preflight.laws.geometry import FRONTEND_RATE
from helpers.errors import BookError

SAMPLE_RATE = FRONTEND_RATE
ACTIVE_LEVEL_DBFS = -30.0

ACCENTS = ["en-us", "en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-gb-x-gbclan",
           "en-us-nyc"]
TRAINING_VARIANTS = """
Alex Alicia Andrea Andy Denis Diogo Gene Henrique Hugo Jacky Lee Marco Mario Mike Nguyen
RicishayMax RicishayMax2 adam anika announcer antonio aunty belinda boris caleb david ed edward2
f1 f3 f5 grandma gustave iven iven2 iven4 john m1 m2 m3 m5 m7 m8 marcelo max miguel norbert pablo
paul pedro quincy robert sandro shelby steph2 steph3 travis victor
""".split()
TEST_VARIANTS = "Annie Michael f2 f4 linda m4 m6 edward michel rob benjamin steph".split()
TRAINING_FLITE = ["slt", "awb", "kal16"]
TEST_FLITE = ["rms"]
FLITE_SHARE = 0.2


@dataclass(frozen=True)
class Voice:
    """One talker: synthesiser voice, base pitch (0 to 99) and speed (words a minute)."""

    name: str
    pitch: int = 50
    speed: int = 165


def draw_voice(rng: random.Random, held_out: bool) -> Voice:
    """Draw a talker from the training voices, or from those kept for testing."""
    if rng.random() < FLITE_SHARE:
        name = f"flite:{rng.choice(TEST_FLITE if held_out else TRAINING_FLITE)}"
    else:
        variant = rng.choice(TEST_VARIANTS if held_out else TRAINING_VARIANTS)
        name = f"espeak:{rng.choice(ACCENTS)}+{variant}"
    return Voice(name, pitch=rng.randint(30, 70), speed=rng.randint(140, 185))


def synthesise(text: str, voice: Voice) -> np.ndarray:
    """Speak one sentence.

    Returns:
        Mono samples, float32 in [-1, 1], at 16 kHz, silence trimmed to 0.1 s at both ends and
        scaled to a root mean square of -30 dB full scale.

    Raises:
        BookError: the synthesiser is not installed or made no sound.
    """
    engine, name = voice.name.split(":", 1)
    if engine == "espeak":
        command = ["espeak-ng", "-v", name, "-p", str(voice.pitch), "-s", str(voice.speed),
                   "--stdout", text]
        samples, rate = _read_wav(_run(command).stdout)
    else:
        stretch = 165 / voice.speed
        with tempfile.TemporaryDirectory() as folder:
            wav = Path(folder) / "speech.wav"
            _run(["flite", "-voice", name, "--setf", f"duration_stretch={stretch:.3f}",
                  "-t", text, "-o", str(wav)])
            samples, rate = _read_wav(wav.read_bytes())
    samples = F.resample(torch.from_numpy(samples), rate, SAMPLE_RATE).numpy()
    return scale_to_level(trim_silence(samples), ACTIVE_LEVEL_DBFS)


def trim_silence(samples: np.ndarray) -> np.ndarray:
    """Cut leading and trailing silence (below -50 dB of the peak), keeping 0.1 s of it."""
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (-50 / 20))
    margin = int(0.1 * SAMPLE_RATE)
    return samples[max(0, loud[0] - margin): loud[-1] + margin]


def scale_to_level(samples: np.ndarray, level_dbfs: float) -> np.ndarray:
    """Scale to a root-mean-square level in dB full scale, never above full scale."""
    gain = 10 ** (level_dbfs / 20) / np.sqrt(np.mean(samples**2))
    return (samples * min(gain, 1 / np.abs(samples).max())).astype(np.float32)


def _run(command: list[str]) -> subprocess.CompletedProcess:
    if shutil.which(command[0]) is None:
        raise BookError(f"{command[0]} is not installed: install Debian's package `{command[0]}`.")
    process = subprocess.run(command, capture_output=True, check=False)
    if process.returncode != 0:
        raise BookError(f"{command[0]} failed: {process.stderr.decode(errors='replace').strip()}")
    return process


def _read_wav(wav: bytes) -> tuple[np.ndarray, int]:
    """Read a WAV, also one streamed to a pipe whose header cannot know the length."""
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    if samples.size == 0 or not np.any(samples):
        raise BookError("The synthesiser made no sound for this text.")
    return samples, rate
