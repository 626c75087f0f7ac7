"""The picture that stands beside a link to the book: its title, and what was found.

`python -m helpers.pages.social_card` draws it again. The numbers are written into the file as well,
so that a test sees when the ledger has moved on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from matplotlib import pyplot as plt

from helpers.errors import BookError
from helpers.knobs import record
from helpers.ledger import claims
from helpers.pages.claim_table import found_bars, summary
from helpers.pages.notebook import style_figures
from helpers.paths import ROOT

CARD = ROOT / "book" / "_assets" / "social_card.png"
SIZE = (1200, 630)
"""Pixels, as Open Graph's readers expect."""

TITLE = "Fine-tuning Fun-ASR-Nano\nfor the telephone"
SUBTITLE = "A public recipe, FunASR's own classes, and what each key really does"


def verdict_counts() -> dict[str, int]:
    """What the card shows: claims and keys by verdict."""
    verdicts = [knob.verdict for knob in record.load()]
    return {**summary(claims.load().values()),
            **{f"keys: {verdict}": verdicts.count(verdict) for verdict in record.VERDICTS}}


def draw(path: Path = CARD) -> Path:
    """Write the card."""
    style_figures()
    with plt.rc_context({"font.size": 15, "legend.fontsize": 14, "ytick.labelsize": 17}):
        figure = found_bars(claims.load().values(), [knob.verdict for knob in record.load()])
        figure.set_size_inches(SIZE[0] / 100, SIZE[1] / 100)
        figure.set_layout_engine("none")
        axes = figure.axes[0]
        axes.set_position((0.27, 0.2, 0.68, 0.3))
        figure.legends[0].set_loc("lower left")
        figure.legends[0].set_bbox_to_anchor((0.05, 0.02))
        figure.text(0.055, 0.92, TITLE, fontsize=40, fontweight="bold", va="top", linespacing=1.25)
        figure.text(0.055, 0.62, SUBTITLE, fontsize=20, va="top", color="#515c67")
        figure.savefig(path, dpi=100, metadata={"Description": json.dumps(verdict_counts())},
                       bbox_inches=None)
        plt.close(figure)
    return path


if __name__ == "__main__":
    try:
        print(draw())
    except BookError as error:
        sys.exit(str(error))
