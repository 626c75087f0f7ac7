"""What was recorded of recognisers on people's speech: rates, differences, floors and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.real_voices.book import RESULTS, STAGES, BookError, Rate, RunRecords, difference

COMMAND = "python -m helpers.real_voices.run --record"
RECORDS = RunRecords(RESULTS / "real_voices.json", COMMAND,
                     ("recogniser", "speech", "stage", "frontend", "seed"))
REFERENCE = "reference"
"""In place of a recogniser: the rows that hold words and speakers of a speech set."""


def packed(numbers: Sequence[int]) -> str:
    """Small numbers as one string, which JSON keeps on one line."""
    return " ".join(map(str, numbers))
