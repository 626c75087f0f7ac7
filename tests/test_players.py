"""Can a reader hear every stage that the book speaks of, and see what was misheard?"""

from __future__ import annotations

from math import log10

import pytest
import soundfile

from helpers import call_cost, line_noise, players
from helpers.errors import BookError


@pytest.mark.parametrize("stage", call_cost.STAGES)
def test_clips_are_small_and_equally_loud(stage: str) -> None:
    path = players.AUDIO / f"{players.slug(stage)}.ogg"
    if not path.exists():
        assert call_cost.STAGES[stage].codec == "AMR"  # no free encoder where clips were made
        return
    samples, rate = soundfile.read(path, dtype="float32")
    assert path.stat().st_size < 12_000 and path.with_suffix(".mp3").stat().st_size < 16_000
    assert 20 * log10(line_noise.active_level(samples, rate)) == pytest.approx(
        players.LOUDNESS_DBOV, abs=1.5)


def test_errors_are_marked_and_text_is_escaped() -> None:
    assert players.marked("pay the bill", "pay the bill") == "pay the bill"
    assert players.marked("pay the bill", "pay a <bill") == "pay <mark>a &lt;bill</mark>"
    assert "&#8248;" in players.marked("pay the bill", "pay bill")
    assert "(nothing)" in players.marked("pay the bill", "")


def test_a_missing_clip_is_named_with_the_fix() -> None:
    with pytest.raises(BookError, match="python -m helpers.players"):
        players.players({"by carrier pigeon": "hello"}, "hello")


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(BookError, match="no stage 'fax'"):
        call_cost.items_of("fax")
