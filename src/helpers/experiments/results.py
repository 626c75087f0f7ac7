"""Runs read as error rates with intervals, whatever experiment they belong to."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from helpers.errors import BookError
from helpers.evaluation import intervals
from helpers.evaluation.intervals import Difference, ErrorRate
from helpers.speech import corpus, manifests

Errors = Mapping[str, Mapping[str, str | Sequence[int]]]
"""Band to branch to word errors of the test sentences in their order, `packed` or not."""


def packed(numbers: Sequence[int]) -> str:
    """Small numbers as one string, which JSON keeps on one line."""
    return " ".join(map(str, numbers))


def unpacked(numbers: str | Sequence[int]) -> np.ndarray:
    """The numbers of `packed`; those that are not packed too."""
    return np.array(numbers.split() if isinstance(numbers, str) else numbers, dtype=int)


class Results:
    """Runs of arms, each heard on the same first sentences of the test set.

    Attributes:
        words: reference words of each sentence.
        voices: who speaks it.
    """

    def __init__(self, runs: Iterable[tuple[Hashable, int, Errors]], command: str = ""):
        """From arm, seed and word errors of each run, and the command that records them.

        Raises:
            BookError: the runs were heard on different sentences, or there are none.
        """
        self.command = command
        self._errors: dict[Hashable, dict[int, dict[tuple[str, str], np.ndarray]]] = {}
        for arm, seed, errors in runs:
            self._errors.setdefault(arm, {}).setdefault(seed, {}).update({
                (band, branch): unpacked(counts)
                for band, row in errors.items() for branch, counts in row.items()})
        counts = {len(errors_heard) for seeds in self._errors.values() for run in seeds.values()
                  for errors_heard in run.values()}
        if len(counts) != 1:
            raise BookError(f"The runs were heard on {sorted(counts)} sentences: compare runs that "
                            "were heard on the same.")
        items = corpus.load_set("test")[:counts.pop()]
        self.words = np.array([len(manifests.transcript(item).split()) for item in items])
        self.voices = np.array([item["voice"] for item in items])

    @property
    def arms(self) -> list[Hashable]:
        """Every arm, in the order of the runs."""
        return list(self._errors)

    def seeds(self, arm: Hashable) -> list[int]:
        """Seeds with which an arm was run.

        Raises:
            BookError: none.
        """
        if arm not in self._errors:
            raise BookError(f"No run of {arm} is recorded: make it with `{self.command}`.")
        return sorted(self._errors[arm])

    def heard(self, arm: Hashable) -> list[tuple[str, str]]:
        """Bands and branches in which an arm was heard."""
        return list(self._errors[arm][self.seeds(arm)[0]])

    def errors(self, arm: Hashable, band: str, branch: str) -> np.ndarray:
        """Word errors, shape (seeds, sentences)."""
        return np.array([self._errors[arm][seed][band, branch] for seed in self.seeds(arm)])

    def by_seed(self, arm: Hashable, band: str, branch: str) -> np.ndarray:
        """Error rate of each seed, shape (seeds,)."""
        return self.errors(arm, band, branch).sum(1) / self.words.sum()

    def rate(self, arm: Hashable, band: str, branch: str,
             subset: Sequence[bool] | None = None) -> ErrorRate:
        """Error rate over all seeds."""
        chosen = self._chosen(subset)
        return intervals.error_rate(self.errors(arm, band, branch)[:, chosen], self.words[chosen],
                                    self.voices[chosen])

    def difference(self, arm: Hashable, other: Hashable, band: str, branch: str,
                   subset: Sequence[bool] | None = None, other_band: str | None = None,
                   among: int = 1) -> Difference:
        """How much higher the error rate of one arm is than another's, on the same sentences.

        Arms with several seeds each are compared seed by seed, with the seeds that both have.

        Args:
            other_band: what the other arm heard; the same band without it.
            among: how many comparisons are read together.

        Raises:
            BookError: the two have several seeds each and none in common.
        """
        chosen = self._chosen(subset)
        first, second = (self._errors[name] for name in (arm, other)
                         if self.seeds(name))
        shared = first.keys() & second.keys()
        pair = [np.array([seeds[seed][heard, branch] for seed in sorted(seeds)
                          if seed in shared or min(len(first), len(second)) == 1])
                for seeds, heard in ((first, band), (second, other_band or band))]
        return intervals.difference(*(errors[:, chosen] for errors in pair), self.words[chosen],
                                    self.voices[chosen], among)

    def _chosen(self, subset: Sequence[bool] | None) -> np.ndarray:
        return np.ones(len(self.words), dtype=bool) if subset is None else np.array(subset)


def contradictions(recorded: Results, live: Results,
                   pairs: Sequence[tuple[Hashable, Hashable]]) -> list[str]:
    """Where live runs are clearly on the other side of what was recorded.

    Args:
        pairs: arms to compare. A pair counts, in each band and branch that the live runs have,
            where the recorded interval of its difference leaves zero out.
    """
    contrary = []
    for arm, other in pairs:
        for band, branch in live.heard(arm):
            then, now = (runs.difference(arm, other, band, branch) for runs in (recorded, live))
            if then.direction * now.direction < 0:
                contrary.append(f"{arm} against {other}, {band}, {branch}: {then} recorded, "
                                f"{now} live")
    return contrary
