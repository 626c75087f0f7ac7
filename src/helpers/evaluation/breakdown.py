"""Where a recogniser fails: error rates by length, level, noise, channel, voice, topic.

Length is in the manifest, level and noise are measured in the audio. Every other factor is a key
of the manifest's lines, under whatever name it has there. A group is compared with all other
utterances, and the intervals of all comparisons hold at once, so that the worst of many groups is
no finding by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from helpers.errors import BookError
from helpers.evaluation import decoding, intervals, normalise
from helpers.evaluation.decoding import Hypothesis
from helpers.evaluation.intervals import Difference, ErrorRate
from helpers.speech import manifests
from helpers.telephone import line_noise, recordings

FEWEST = 5
"""A group of fewer utterances gets its rate and is compared with nothing."""
QUIETEST = 0.1
"""Share of a clip's frames, the quietest, that are taken for its pauses."""
HEAD = ("By", "Group", "Utterances", "Error rate, %", "Against the rest, points")


@dataclass(frozen=True)
class CallGroup:
    """A group of utterances.

    Attributes:
        factor: by what they are grouped. `group`: what these have in common.
        utterances: how many there are with a word in their transcript.
        rate: error rate of normalised texts.
        gap: how much higher it is than that of all others; None where there are too few of either.
    """

    factor: str
    group: str
    utterances: int
    rate: ErrorRate
    gap: Difference | None

    @property
    def cells(self) -> tuple[str, ...]:
        """Cells under HEAD."""
        return (self.factor, self.group, str(self.utterances), str(self.rate),
                "too few" if self.gap is None else str(self.gap))


@dataclass(frozen=True)
class Scale:
    """A measured factor: what it measures of a manifest line, and where its groups begin."""

    measure: Callable[[dict], float]
    unit: str
    edges: tuple[float, ...]

    def group(self, item: dict) -> str:
        """The group of a line, such as "2 to 5 s"."""
        return self.groups[np.searchsorted(self.edges, self.measure(item), side="right")]

    @property
    def groups(self) -> list[str]:
        """All of them, from the least on."""
        middles = (f"{low:g} to {high:g} {self.unit}"
                   for low, high in zip(self.edges, self.edges[1:], strict=False))
        return [f"under {self.edges[0]:g} {self.unit}", *middles,
                f"{self.edges[-1]:g} {self.unit} or more"]


def seconds(item: dict) -> float:
    """Duration that a manifest line states."""
    return item["speech_length"] / FEATURE_FRAMES_A_SECOND


def level_dbfs(item: dict) -> float:
    """Level of the active speech of a line's audio, in dB below full scale."""
    return _decibels(line_noise.active_level(*recordings.read_call(manifests.audio_path(item))))


def speech_over_pauses_db(item: dict) -> float:
    """How far the active speech lies above the quietest tenth of its frames, in dB.

    In a clip with pauses that is about its ratio of signal to noise.
    """
    samples, rate = recordings.read_call(manifests.audio_path(item))
    frame = int(rate * line_noise.LEVEL_FRAME_SECONDS)
    frames = samples[:len(samples) // frame * frame].reshape(-1, frame).astype(float)
    levels = np.sqrt((frames ** 2).mean(1)) if len(frames) else np.zeros(1)
    return (_decibels(line_noise.active_level(samples, rate))
            - _decibels(float(np.quantile(levels, QUIETEST))))


SCALES = {"length": Scale(seconds, "s", (2, 5, 10)),
          "level": Scale(level_dbfs, "dBFS", (-40, -30, -20)),
          "noise": Scale(speech_over_pauses_db, "dB", (10, 20, 30))}
"""Factors that need no key."""


def groups_of(items: Sequence[dict], factor: str) -> list[str]:
    """The group of each line by a factor.

    Raises:
        BookError: no line has a key of that name, or audio that cannot be measured.
    """
    if factor in SCALES:
        return [SCALES[factor].group(item) for item in items]
    if not any(factor in item for item in items):
        raise BookError(f"No line of the manifest has the key {factor}: choose "
                        f"{', '.join(SCALES)}, or a key that the lines have.")
    return [str(item.get(factor, "not named")) for item in items]


def parts(heard: Sequence[Hypothesis], items: Sequence[dict], factors: Sequence[str],
          branch: str = "llm", language: str = "en") -> list[CallGroup]:
    """Error rates by each factor, measured groups in their order and named ones from the worst on.

    Args:
        heard: what was decoded of each of `items`, in their order.

    Raises:
        BookError: as `groups_of`, or no transcript holds a word.
    """
    errors, words = normalise.counts([hypothesis.reference for hypothesis in heard],
                                     decoding.texts_of(heard, branch), language=language)
    spoken = words > 0
    if not spoken.any():
        raise BookError("No reference holds a word: give transcripts of what was said.")
    voices = np.array([hypothesis.voice for hypothesis in heard])
    masks = {}
    for factor in dict.fromkeys(factors):
        groups = np.array(groups_of(items, factor))
        masks |= {(factor, group): spoken & (groups == group) for group in np.unique(groups)}
    masks = {key: mask for key, mask in masks.items() if mask.any()}
    compared = {key: mask[spoken] for key, mask in masks.items()
                if min(mask.sum(), spoken.sum() - mask.sum()) >= FEWEST}
    gaps = {key: intervals.contrast(errors[spoken], words[spoken], voices[spoken], mask,
                                    len(compared)) for key, mask in compared.items()}
    call_groups = [CallGroup(*key, int(mask.sum()),
                             intervals.error_rate(errors[mask], words[mask], voices[mask]),
                             gaps.get(key)) for key, mask in masks.items()]
    return sorted(call_groups, key=lambda group: (list(factors).index(group.factor), _rank(group)))


def worse(groups: Sequence[CallGroup]) -> list[CallGroup]:
    """The groups that are clearly worse than the rest, from the widest gap on."""
    clear = [group for group in groups if group.gap is not None and group.gap.direction > 0]
    return sorted(clear, key=lambda group: -group.gap.value)


def _rank(group: CallGroup) -> float:
    if group.factor in SCALES:
        return SCALES[group.factor].groups.index(group.group)
    return -group.rate.value


def _decibels(level: float) -> float:
    return 20 * float(np.log10(level)) if level > 0 else -120.0
