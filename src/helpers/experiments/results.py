"""The recorded experiments, read as error rates with intervals: tables and figures.

An interval says what other test sentences and other seeds would have given: both are drawn again,
2000 times, and the middle 95 % is kept. Differences are taken on the same sentences and, where
both arms have them, on the same seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.errors import BookError
from helpers.evaluation.error_rates import RESAMPLES, Rate
from helpers.experiments.arms import ARMS, BRANCHES, EXPERIMENTS, RECORDS, Experiment
from helpers.speech import corpus, manifests


class Results:
    """Rows of `helpers.experiments.runs.run`, recorded or made just now."""

    def __init__(self, rows: Sequence[dict[str, Any]]):
        self.rows = {(row["arm"], row["seed"]): row for row in rows}
        counts = {len(text.split()) for row in rows for branches in row["errors"].values()
                  for text in branches.values()}
        if len(counts) != 1:
            raise BookError(f"The runs were heard on {sorted(counts)} sentences: compare runs that "
                            "were heard on the same.")
        self.words = np.array([len(manifests.transcript(item).split())
                               for item in corpus.load_set("test")[:counts.pop()]])

    @classmethod
    def read(cls) -> Results:
        """The recorded ones."""
        return cls(RECORDS.read())

    def seeds(self, arm: str) -> list[int]:
        """Seeds with which an arm was run.

        Raises:
            BookError: none.
        """
        found = sorted(seed for name, seed in self.rows if name == arm)
        if not found:
            raise BookError(f"No run of {arm} is recorded: make it with `{RECORDS.command} "
                            f"--only {arm}`.")
        return found

    def row(self, arm: str, seed: int | None = None) -> dict[str, Any]:
        """One run; the first seed's where none is named."""
        return self.rows[arm, self.seeds(arm)[0] if seed is None else seed]

    def errors(self, arm: str, band: str, branch: str) -> np.ndarray:
        """Word errors, shape (seeds, sentences)."""
        return np.array([[int(one) for one in self.rows[arm, seed]["errors"][band][branch].split()]
                         for seed in self.seeds(arm)])

    def by_seed(self, arm: str, band: str, branch: str) -> np.ndarray:
        """Error rate of each seed, shape (seeds,)."""
        return self.errors(arm, band, branch).sum(1) / self.words.sum()

    def rate(self, arm: str, band: str, branch: str,
             some: Sequence[bool] | None = None) -> Rate:
        """Error rate over all seeds.

        Args:
            some: which sentences count; all without it.
        """
        return self._resampled(self.errors(arm, band, branch), some)

    def difference(self, arm: str, other: str, band: str, branch: str,
                   some: Sequence[bool] | None = None) -> Rate:
        """How much higher the error rate of one arm is than another's."""
        first, second = self.errors(arm, band, branch), self.errors(other, band, branch)
        if self.seeds(arm) != self.seeds(other):  # an arm without training has one
            first, second = first.mean(0, keepdims=True), second.mean(0, keepdims=True)
        return self._resampled(first - second, some)

    def _resampled(self, errors: np.ndarray, some: Sequence[bool] | None) -> Rate:
        chosen = np.ones(len(self.words), dtype=bool) if some is None else np.array(some)
        errors, words = errors[:, chosen], self.words[chosen]
        draw = np.random.default_rng(0)
        seeds = draw.integers(0, len(errors), (RESAMPLES, len(errors)))
        sentences = draw.integers(0, len(words), (RESAMPLES, len(words)))
        means = errors[seeds].mean(1)  # (resamples, sentences)
        drawn = np.take_along_axis(means, sentences, 1).sum(1) / words[sentences].sum(1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        return Rate(float(errors.mean(0).sum() / words.sum()), float(low), float(high))


def rows_of(results: Results, experiment: Experiment) -> list[list[str]]:
    """A row for each arm: title, minutes of speech, then for each band and branch the rate.

    The last cell is the difference to the arm that the experiment compares with, on the telephone,
    CTC branch.
    """
    found = []
    for arm in experiment.arms:
        against = "" if arm == experiment.against else results.difference(
            arm, experiment.against, "telephone", "ctc").signed()
        found.append([experiment.title_of(arm), f"{results.row(arm)['training_minutes']:.1f}",
                      *(str(results.rate(arm, band, branch)) for band in experiment.bands
                        for branch in BRANCHES), against])
    return found


def heads_of(experiment: Experiment) -> list[str]:
    """Heads of the columns of `rows_of`."""
    return [experiment.title, "Minutes",
            *(f"{band}, {branch.upper()}" for band in experiment.bands for branch in BRANCHES),
            f"telephone, CTC, against “{experiment.title_of(experiment.against)}”"]


def compact_rows(results: Results, experiment: Experiment, branch: str = "ctc") -> list[list[str]]:
    """A row for each arm: title, then for each band the rate and its difference to the base."""
    return [[experiment.title_of(arm), *(cell for band in experiment.bands for cell in (
        str(results.rate(arm, band, branch)), "" if arm == experiment.against else
        results.difference(arm, experiment.against, band, branch).signed()))]
        for arm in experiment.arms]


def compact_heads(experiment: Experiment) -> list[str]:
    """Heads of the columns of `compact_rows`."""
    against = f"against “{experiment.title_of(experiment.against)}”"
    return [experiment.title, *(head for band in experiment.bands for head in (band, against))]


def contradictions(recorded: Results, live: Results, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Where live runs are clearly on the other side of what was recorded.

    Args:
        pairs: arms to compare. A pair counts, in each band and branch that the live runs have,
            where the recorded interval of its difference leaves zero out.
    """
    found = []
    for arm, other in pairs:
        for band, branches in live.row(arm)["errors"].items():
            for branch in branches:
                then = recorded.difference(arm, other, band, branch)
                now = live.difference(arm, other, band, branch)
                if then.direction * now.direction < 0:
                    found.append(f"{ARMS[arm].title} against {ARMS[other].title}, {band}, "
                                 f"{branch}: {then.signed()} recorded, {now.signed()} live")
    return found


def minutes_of(results: Results, arm: str) -> float:
    """Minutes of speech that an arm trains on, averaged over seeds."""
    return float(np.mean([results.rows[arm, seed]["training_minutes"]
                          for seed in results.seeds(arm)]))


def print_tables() -> None:
    """Every experiment whose arms are all recorded, in the terminal."""
    from rich.console import Console
    from rich.table import Table

    results = Results.read()
    recorded = {arm for arm, _ in results.rows}
    for experiment in EXPERIMENTS.values():
        lacking = [arm for arm in experiment.arms if arm not in recorded]
        if lacking:
            Console().print(f"{experiment.title}: not recorded yet: {', '.join(lacking)}")
            continue
        table = Table(*heads_of(experiment), title=experiment.title)
        for row in rows_of(results, experiment):
            table.add_row(*row)
        Console().print(table)
