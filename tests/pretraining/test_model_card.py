"""Does the model card say what is recorded?"""

from helpers.paths import MINI
from helpers.pretraining import model_card


def test_the_card_is_that_of_the_records() -> None:
    assert (MINI / "MODEL_CARD.md").read_text(encoding="utf-8") == model_card.current(), (
        "run python -m helpers.pretraining.model_card")


def test_it_has_rows_for_a_human_voice_and_for_the_second_mini() -> None:
    card = model_card.current()
    assert "one human voice" in card and "## The second mini" in card
