"""Score pages of the built book with Lighthouse, and record the scores.

`.venv/bin/python -m helpers.site.commands.lighthouse PAGE ...`, such as `notebooks/introduction`;
without a name, three pages that stand for the rest. Of five runs a page, the one in the middle by
performance counts. Lighthouse's own profile: a mid-range phone on slow 4G, by simulation. npm keeps
the exact version in `.cache/`; the first run needs a registry. Served from this machine with gzip,
as by a usual static host. Writes results/lighthouse.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from helpers.experiments.provenance import provenance
from helpers.experiments.records import write_record
from helpers.paths import ROOT
from helpers.site.commands import assets, build, serve, system

VERSION = "13.5.0"
FOLDER = ROOT / ".cache" / "lighthouse"
RESULT = ROOT / "results" / "lighthouse.json"
CATEGORIES = ("performance", "accessibility", "best-practices")
TYPICAL = ("notebooks/introduction", "notebooks/sample_rate", "notebooks/spec_augment")
METRICS = {"first-contentful-paint": "first_paint_ms",
           "largest-contentful-paint": "largest_paint_ms",
           "total-blocking-time": "blocking_ms", "cumulative-layout-shift": "layout_shift",
           "total-byte-weight": "bytes"}
AIM = 95
RUNS = 5


def run(address: str) -> dict[str, Any]:
    """Lighthouse's report on one address; npm fetches the program at first use.

    Raises:
        SystemExit: npm or Lighthouse fails, with what it said.
    """
    chrome = system.browser()
    complaint = ""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        for npm in assets.npms():
            completed = subprocess.run(
                [*npm, "exec", "--yes", f"--package=lighthouse@{VERSION}", "--", "lighthouse",
                 address, "--quiet", "--output=json", f"--output-path={report}",
                 f"--only-categories={','.join(CATEGORIES)}",
                 "--chrome-flags=--headless=new --no-sandbox --disable-gpu"],
                capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                env={**os.environ, "CHROME_PATH": chrome, "npm_config_cache": str(FOLDER)})
            if report.is_file():
                return json.loads(report.read_text(encoding="utf-8"))
            complaint = " ".join(completed.stderr.split())[-400:]
    sys.exit(f"Lighthouse {VERSION} failed: {complaint}")


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """Scores from 0 to 100, times, and what cost points: the audits below a full score."""
    audits = report["audits"]
    scores = {name: round(100 * report["categories"][name]["score"]) for name in CATEGORIES}
    lost = [reference["id"] for name in CATEGORIES
            for reference in report["categories"][name]["auditRefs"]
            if reference["weight"] and (audits[reference["id"]]["score"] or 0) < 0.9
            and audits[reference["id"]]["scoreDisplayMode"] in ("binary", "numeric")]
    return {"scores": scores, "lost": lost,
            **{ours: round(audits[theirs]["numericValue"], 3) for theirs, ours in METRICS.items()}}


def median(summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """The run in the middle by performance, with that of all runs."""
    ranked = sorted(summaries, key=performance)
    return {**ranked[len(ranked) // 2], "performance_of_runs": [*map(performance, summaries)]}


def performance(summarised: dict[str, Any]) -> int:
    """The score of a run's performance."""
    return summarised["scores"]["performance"]


def main(names: list[str]) -> None:
    """Score the pages, print them, record them."""
    names = names or list(TYPICAL)
    for name in names:
        if not (build.SITE / f"{name}.html").is_file():
            sys.exit(f"{name} is no page of the built book: give names such as {TYPICAL[0]}, "
                     "after `make book`.")
    pages = {}
    with serve.served(build.SITE) as base:
        for name in names:
            pages[name] = scored = median([summary(run(f"{base}/{name}.html"))
                                           for _ in range(RUNS)])
            low = "" if min(scored["scores"].values()) >= AIM else f"  below {AIM}: " + ", ".join(
                scored["lost"])
            print(f"{name}: " + ", ".join(f"{category} {score}" for category, score
                                          in scored["scores"].items()) + low, flush=True)
    write_record(RESULT, {
        "lighthouse": VERSION, "profile": "Lighthouse's default phone on simulated slow 4G",
        "pages": pages,
        "provenance": provenance(".venv/bin/python -m helpers.site.commands.lighthouse "
                                 + " ".join(names)),
    })


if __name__ == "__main__":
    main(sys.argv[1:])
