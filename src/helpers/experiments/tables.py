"""The recorded experiments as rows of tables, a row for each arm."""

from __future__ import annotations

from helpers.evaluation.decoding import BRANCHES
from helpers.experiments.arms import EXPERIMENTS, Experiment, Recorded


def rows_of(results: Recorded, experiment: Experiment) -> list[list[str]]:
    """A row for each arm: title, minutes of speech, then for each band and branch the rate.

    The last cell is the difference to the arm that the experiment compares with, on the telephone,
    CTC branch; its interval allows for as many comparisons as there are rows.
    """
    return [[experiment.title_of(arm), f"{results.row(arm)['training_minutes']:.1f}",
             *(str(results.rate(arm, band, branch)) for band in experiment.bands
               for branch in BRANCHES), _against_base(results, experiment, arm, "telephone")]
            for arm in experiment.arms]


def _against_base(results: Recorded, experiment: Experiment, arm: str, band: str) -> str:
    return "" if arm == experiment.against else str(results.difference(
        arm, experiment.against, band, "ctc", among=experiment.comparisons))


def heads_of(experiment: Experiment) -> list[str]:
    """Heads of the columns of `rows_of`."""
    return [experiment.title, "Minutes",
            *(f"{band}, {branch.upper()}" for band in experiment.bands for branch in BRANCHES),
            f"telephone, CTC, against “{experiment.title_of(experiment.against)}”"]


def compact_rows(results: Recorded, experiment: Experiment) -> list[list[str]]:
    """A row for each arm: title, then CTC's rate in each band, and its difference to the base."""
    return [[experiment.title_of(arm), *(cell for band in experiment.bands for cell in (
        str(results.rate(arm, band, "ctc")), _against_base(results, experiment, arm, band)))]
        for arm in experiment.arms]


def compact_heads(experiment: Experiment) -> list[str]:
    """Heads of the columns of `compact_rows`."""
    against = f"against “{experiment.title_of(experiment.against)}”"
    return [experiment.title, *(head for band in experiment.bands for head in (band, against))]


def print_tables() -> None:
    """Every experiment whose arms are all recorded, in the terminal."""
    from rich.console import Console
    from rich.table import Table

    results = Recorded.read()
    for experiment in EXPERIMENTS.values():
        lacking = [arm for arm in experiment.arms if arm not in results.arms]
        if lacking:
            Console().print(f"{experiment.title}: not recorded yet: {', '.join(lacking)}")
            continue
        table = Table(*heads_of(experiment), title=experiment.title)
        for row in rows_of(results, experiment):
            table.add_row(*row)
        Console().print(table)
