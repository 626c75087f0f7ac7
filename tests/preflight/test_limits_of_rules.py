"""Rules where they begin to hold, and edits that disagree: a user acts on each of these."""

from __future__ import annotations

import pytest

from funasr_preflight import check, fix
from funasr_preflight.findings import NOTHING, Finding, Severity
from helpers.config import configs
from helpers.paths import CONFIGS
from helpers.training import schedules

MAIN = "config_8k_telephone"


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_run_that_reaches_the_named_rate_has_finished_its_warm_up(over: int) -> None:
    """FunASR's scheduler says whether the last step of the run has the rate of the config."""
    config = configs.load(MAIN)
    steps = config.scheduler_conf.warmup_steps + over
    reached = schedules.rates_at(MAIN, range(1, steps + 1)).max() == pytest.approx(
        config.optim_conf.lr, rel=1e-9)
    found = check(CONFIGS / f"{MAIN}.yaml", steps=steps, probe=None)
    assert bool(found.of("schedule-warmup-unfinished")) != reached


def test_of_two_edits_of_a_key_the_worse_findings_counts() -> None:
    """Findings come with the worst first: what ends the run is mended before what slows it."""
    worst, milder = (Finding("", severity, NOTHING, edits=(("optim_conf.lr", value),))
                     for severity, value in ((Severity.ERROR, 1e-4), (Severity.NOTE, 1e-3)))
    assert fix.edits_of([worst, milder]) == {"optim_conf.lr": 1e-4}
