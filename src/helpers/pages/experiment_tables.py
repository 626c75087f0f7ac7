"""The recorded experiments as one table that filters itself."""

from __future__ import annotations

from html import escape

from helpers.evaluation.decoding import BRANCHES
from helpers.experiments.arms import BANDS, EXPERIMENTS
from helpers.experiments.results import Results
from helpers.pages.filter_table import Choice, Column, Row, english, filter_table


def all_table(results: Results) -> str:
    """HTML of every experiment's arms, with a filter."""
    columns = [(band, branch) for band in BANDS[:2] for branch in BRANCHES]
    heads = [Column("Arm", "24%"), Column("Seeds", "10%", "Seeds"),
             *(Column(f"{band}, {branch.upper()}", label=f"{band}, {branch.upper()}")
               for band, branch in columns), Column("Against the base", label="Against the base")]
    rows = []
    for experiment in EXPERIMENTS.values():
        for arm in experiment.arms:
            gap = "base" if arm == experiment.against else str(results.difference(
                arm, experiment.against, "telephone", "ctc"))
            cells = [f"{escape(experiment.title_of(arm))}<small>{escape(experiment.title)}</small>",
                     str(len(results.seeds(arm))),
                     *(str(results.rate(arm, *column)) for column in columns), gap]
            rows.append(Row(f"arm-{experiment.name}-{arm}", cells,
                            f"{experiment.title} {experiment.title_of(arm)}",
                            {"experiment": [experiment.name]}))
    choice = Choice("experiment", "Experiment", "all",
                    {experiment.name: experiment.title for experiment in EXPERIMENTS.values()})
    return filter_table("experiments-table", "Word error rates in percent with 95 % intervals; "
                        "last, the telephone's CTC branch against the experiment's base, in "
                        "points.", heads, rows, [choice], english("arms"))
