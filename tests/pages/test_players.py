"""Can a reader hear every stage that the book speaks of, and see what was misheard?"""

from __future__ import annotations

from math import log10

import numpy as np
import pytest
import soundfile
from browsing import Visitor
from PIL import Image

from helpers.errors import BookError
from helpers.experiments import call_cost
from helpers.pages import players
from helpers.telephone import line_noise


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
    with pytest.raises(BookError, match="python -m helpers.pages.players"):
        players.players({"by carrier pigeon": "hello"}, "hello")


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(BookError, match="no stage 'fax'"):
        call_cost.items_of("fax")


def test_pictures_are_small_and_alike_and_show_what_a_call_loses() -> None:
    """Every picture has one scale, so the eye may compare them; a call is empty above 4 kHz."""
    pictures = {path.stem: Image.open(path) for path in players.AUDIO.glob("*.webp")}
    assert set(pictures) == {path.stem for path in players.AUDIO.glob("*.ogg")}
    assert all(picture.size == players.PICTURE for picture in pictures.values())
    assert all((players.AUDIO / f"{name}.webp").stat().st_size < 15_000 for name in pictures)
    upper = {name: np.asarray(pictures[name].convert("L"), dtype=float)[:players.PICTURE[1] // 3]
             for name in ("wideband", "g-711-mu-law")}
    assert upper["wideband"].std() > 5 * upper["g-711-mu-law"].std()


PLAYING = "notebooks/telephone_channel"


@pytest.mark.parametrize("way", ["http", "file"])
def test_one_plays_at_a_time_and_the_next_goes_on_where_it_stopped(
    way: str, visitor: Visitor
) -> None:
    visit = visitor.open(PLAYING, way, fresh=True)
    page, sounds = visit.page, visit.page.locator(".players audio")
    first, second = sounds.nth(0), sounds.nth(1)
    first.evaluate("(sound) => { sound.muted = true; return sound.play(); }")
    page.wait_for_function("""() => {
        const cursor = document.querySelector(".players li .player-cursor");
        return Number(cursor.dataset.at) > 0.4 && parseFloat(cursor.style.left) > 5;
    }""")
    second.evaluate("(sound) => { sound.muted = true; return sound.play(); }")
    page.wait_for_function("""() => {
        const [first, second] = document.querySelectorAll(".players audio");
        return first.paused && !second.paused && second.currentTime > 0.4;
    }""")
    assert not visit.errors and not visit.missing


def test_a_press_on_a_picture_plays_from_there(visitor: Visitor) -> None:
    page = visitor.open(PLAYING, fresh=True).page
    page.locator(".players audio").evaluate_all(
        "(sounds) => sounds.forEach((sound) => { sound.muted = true; })")
    picture = page.locator(".players .player-picture").nth(2)
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    picture.click(position={"x": 0.5 * box["width"], "y": 10})
    page.wait_for_function("""() => {
        const sound = document.querySelectorAll(".players audio")[2];
        return !sound.paused && sound.currentTime > 0.4 * sound.closest("li").dataset.seconds;
    }""")


def test_nothing_is_heard_or_loaded_before_it_is_asked_for(visitor: Visitor) -> None:
    page = visitor.open(PLAYING, fresh=True).page
    loaded = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert not [name for name in loaded if name.endswith((".ogg", ".mp3"))]
