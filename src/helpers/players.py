"""A/B players: the same clip at each stage of a call, equally loud, with what the mini heard.

`python -m helpers.players` writes the clips as small Opus files, with MP3 for browsers that do not
play Opus, beside the pages. A page loads a clip only when it is played.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path

import jiwer
import soundfile

from helpers import call_audio, call_cost, corpus, line_noise
from helpers.errors import BookError
from helpers.paths import ROOT

AUDIO = ROOT / "book" / "audio"
PLACE = "../book/audio"
"""Where a notebook finds the clips, and a built page too: the build copies the folder."""

LOUDNESS_DBOV = -26.0
"""Level of the active speech of every clip, in dB below full scale."""

CLIP = 2
"""Which test utterance is played."""


def slug(stage: str) -> str:
    """A file name for a stage: lower case, words joined by hyphens."""
    kept = "".join(letter if letter.isalnum() else " " for letter in stage.lower())
    return "-".join(kept.split())


def write_clips(folder: Path = AUDIO) -> list[Path]:
    """Write the clip of every stage that this machine can run, as Opus and MP3."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for stage in call_cost.possible():
        item = call_cost.items_of(stage, CLIP + 1)[CLIP]
        samples, rate = call_audio.read_call(corpus.audio_path(item))
        samples = line_noise.set_level(samples, LOUDNESS_DBOV)
        for suffix, container, subtype in ((".ogg", "OGG", "OPUS"),
                                           (".mp3", "MP3", "MPEG_LAYER_III")):
            path = folder / f"{slug(stage)}{suffix}"
            soundfile.write(path, samples, rate, format=container, subtype=subtype)
            written.append(path)
    return written


def players(heard: Mapping[str, str], reference: str) -> str:
    """HTML of one player for each stage, with the transcript below it and errors marked.

    Args:
        heard: stage to what was recognised there.
        reference: what was said.

    Raises:
        BookError: a stage's clip is not there.
    """
    rows = []
    for stage, text in heard.items():
        if not (AUDIO / f"{slug(stage)}.ogg").is_file():
            raise BookError(f"There is no clip of {stage!r}: run `python -m helpers.players`.")
        sources = "".join(f'<source src="{PLACE}/{slug(stage)}.{suffix}" type="audio/{kind}">'
                          for suffix, kind in (("ogg", "ogg; codecs=opus"), ("mp3", "mpeg")))
        rows.append(f'<li><span class="player-name">{escape(stage)}</span>'
                    f'<audio controls preload="none" aria-label="The clip, {escape(stage)}">'
                    f"{sources}</audio><span>{marked(reference, text)}</span></li>")
    return f'<ul class="players tex2jax_ignore">{"".join(rows)}</ul>'


def marked(reference: str, text: str) -> str:
    """HTML of a transcript with wrong words marked, and a caret where words are missing."""
    words, pieces = text.split(), []
    alignment = jiwer.process_words(reference, text).alignments[0] if words else []
    for chunk in alignment:
        said = escape(" ".join(words[chunk.hyp_start_idx:chunk.hyp_end_idx]))
        if chunk.type == "equal":
            pieces.append(said)
        elif chunk.type == "delete":
            pieces.append('<mark title="words missing">&#8248;</mark>')
        else:
            pieces.append(f"<mark>{said}</mark>")
    return " ".join(pieces) or "<mark>(nothing)</mark>"


if __name__ == "__main__":
    try:
        print(*(path.name for path in write_clips()), sep="\n")
    except BookError as error:
        sys.exit(str(error))
