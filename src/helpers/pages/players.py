"""A/B players: the same clip at each stage of a call, equally loud, with what the mini heard.

`python -m helpers.pages.players` writes the clips as small Opus files, with MP3 for browsers that
do not play Opus, and their spectrograms, beside the pages. A page loads a clip only when it is
played, and a picture when it comes near. A script (`assets/players.js`) moves the cursors and
changes from one player to another; without it they play all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path

import jiwer
import matplotlib
import numpy as np
import soundfile
from PIL import Image

from helpers.errors import BookError
from helpers.experiments import call_cost
from helpers.pages.palette import ASSETS
from helpers.paths import ROOT
from helpers.speech import manifests
from helpers.telephone import line_noise, recordings

AUDIO = ROOT / "book" / "audio"
PLACE = "../book/audio"
"""Where a notebook finds the clips, and a built page too: the build copies the folder."""

LOUDNESS_DBOV = -26.0
"""Level of the active speech of every clip, in dB below full scale."""

CLIP = 2
"""Which test utterance is played."""

HIGHEST_HZ = 8000
"""Upper end of every picture, so that one sees what a stage cuts off."""

PICTURE = (560, 160)
"""Width and height of a picture in pixels; pages show it at half of that or less."""

WINDOW_SECONDS, RANGE_DB = 0.02, 60.0


def slug(stage: str) -> str:
    """A file name for a stage: lower case, words joined by hyphens."""
    words = "".join(letter if letter.isalnum() else " " for letter in stage.lower())
    return "-".join(words.split())


def write_clips(folder: Path = AUDIO) -> list[Path]:
    """Write the clip of every stage that this machine can run, as Opus and MP3, and its picture."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for stage in call_cost.possible():
        item = call_cost.items_of(stage, CLIP + 1)[CLIP]
        samples, rate = recordings.read_call(manifests.audio_path(item))
        samples = line_noise.set_level(samples, LOUDNESS_DBOV)
        for suffix, container, subtype in ((".ogg", "OGG", "OPUS"),
                                           (".mp3", "MP3", "MPEG_LAYER_III")):
            path = folder / f"{slug(stage)}{suffix}"
            soundfile.write(path, samples, rate, format=container, subtype=subtype)
            written.append(path)
        written.append(folder / f"{slug(stage)}.webp")
        spectrogram(samples, rate).save(written[-1], quality=60, method=6)
    return written


def spectrogram(samples: np.ndarray, rate: int) -> Image.Image:
    """Picture of a clip: time to the right, 0 to `HIGHEST_HZ` upwards, `RANGE_DB` in colours.

    Args:
        samples: one channel, shape (samples,).
        rate: in Hz; what lies above half of it is drawn as silence.
    """
    width, height = PICTURE
    length = round(WINDOW_SECONDS * rate)
    starts = np.linspace(0, len(samples) - length, width).astype(int)
    frames = samples[starts[:, None] + np.arange(length)] * np.hanning(length)
    decibels = 20 * np.log10(np.abs(np.fft.rfft(frames, 1024)) / length + 1e-9)
    levels = np.clip((decibels - decibels.max()) / RANGE_DB + 1, 0, 1)
    pitches = np.linspace(HIGHEST_HZ, 0, height)
    at = np.rint(pitches * 1024 / rate).astype(int)
    heard = at < levels.shape[1]
    shown = np.where(heard, levels[:, np.minimum(at, levels.shape[1] - 1)], 0).T
    return Image.fromarray((matplotlib.colormaps["cividis"](shown)[..., :3] * 255).astype(np.uint8))


def players(heard: Mapping[str, str], reference: str) -> str:
    """HTML of one player for each stage, with the transcript below it and errors marked.

    Raises:
        BookError: a stage's clip is not there.
    """
    width, height = PICTURE
    rows = []
    for stage, text in heard.items():
        if not (AUDIO / f"{slug(stage)}.ogg").is_file():
            raise BookError(f"There is no clip of {stage!r}: run "
                            "`python -m helpers.pages.players`.")
        name, address = escape(stage), f"{PLACE}/{slug(stage)}"
        sources = "".join(f'<source src="{address}.{suffix}" type="audio/{mime}">'
                          for suffix, mime in (("ogg", "ogg; codecs=opus"), ("mp3", "mpeg")))
        seconds = soundfile.info(AUDIO / f"{slug(stage)}.ogg").duration
        rows.append(f'<li data-seconds="{seconds:.3f}"><span class="player-name">{name}</span>'
                    f'<span class="player-picture">'
                    f'<img src="{address}.webp" alt="Spectrogram of the clip, {name}" '
                    f'width="{width // 2}" height="{height // 2}" loading="lazy">'
                    f'<span class="player-cursor"></span></span>'
                    f'<audio controls preload="none" aria-label="The clip, {name}">'
                    f"{sources}</audio><span>{marked(reference, text)}</span></li>")
    style, script = ((ASSETS / f"players.{suffix}").read_text(encoding="utf-8")
                     for suffix in ("css", "js"))
    return f"""<style>{style}</style><div class="players tex2jax_ignore" id="players">
<p class="player-note">Each picture shows {seconds:.1f} s from left to right and 0 to
{HIGHEST_HZ / 1000:.0f} kHz upwards. Press a picture to hear the clip from there.</p>
<ul>{"".join(rows)}</ul></div><script>{script.replace("PLAYERS_ID", "players")}</script>"""


def marked(reference: str, text: str) -> str:
    """HTML of a transcript with wrong words marked, and a caret where words are missing."""
    words, pieces = text.split(), []
    alignment = jiwer.process_words(reference, text).alignments[0] if words else []
    for chunk in alignment:
        heard = escape(" ".join(words[chunk.hyp_start_idx:chunk.hyp_end_idx]))
        if chunk.type == "equal":
            pieces.append(heard)
        elif chunk.type == "delete":
            pieces.append('<mark title="words missing">&#8248;</mark>')
        else:
            pieces.append(f"<mark>{heard}</mark>")
    return " ".join(pieces) or "<mark>(nothing)</mark>"


if __name__ == "__main__":
    try:
        print(*(path.name for path in write_clips()), sep="\n")
    except BookError as error:
        sys.exit(str(error))
