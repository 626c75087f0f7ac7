"""Training and validation set without a speaker in common."""

from __future__ import annotations

import random
from collections.abc import Mapping

from funasr_preflight.errors import BookError
from funasr_preflight.texts import say


def for_validation(lengths: Mapping[str, int], share: float, seed: int) -> set[str]:
    """Speakers for the validation set: drawn, and taken while they stay within the share.

    Args:
        lengths: how much there is of each speaker, in any unit.
        share: of the whole, that is aimed at.

    Raises:
        BookError: there is one speaker only.
    """
    if len(lengths) < 2:
        raise BookError(say("There is one speaker only, so that no split without a speaker in "
                            "common can be made: name the speakers in utt2spk or a column "
                            "speaker, or leave --valid out."))
    room = share * sum(lengths.values())
    chosen: set[str] = set()
    names = sorted(lengths)
    random.Random(seed).shuffle(names)
    for name in names:
        if lengths[name] <= room and len(chosen) + 1 < len(names):
            chosen.add(name)
            room -= lengths[name]
    return chosen or {min(names, key=lambda name: (lengths[name], names.index(name)))}
