"""Which file of a run hears calls best: the latest, the best by validation, or FunASR's average.

`python -m helpers.experiments.averaging --record` makes the runs that `results/averaging.json`
lacks; `--jobs 2` makes two side by side. Without `--record` it prints what is recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from helpers.evaluation import decoding
from helpers.evaluation.decoding import BRANCHES
from helpers.experiments import recipes, runs
from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.experiments.results import Results
from helpers.experiments.runs import SEEDS
from helpers.paths import RESULTS
from helpers.telephone.channel import Channel, call_set
from helpers.training import checkpoints, finetune

RECORDS = RunRecords(RESULTS / "averaging.json",
                     "python -m helpers.experiments.averaging --record", ("file", "seed"))
KEPT = 5
FILES = {"latest": "model.pt", "best": "model.pt.best", "average": f"model.pt.avg{KEPT}"}
"""What a file is called here, and by FunASR."""
BAND = "telephone"
ARM = replace(recipes.arm(recipes.RECIPES["main"].phases[0], "averaging"),
              keys={"train_conf.keep_nbest_models": KEPT, "train_conf.avg_nbest_model": KEPT,
                    "llm_conf.llm_dtype": "fp32"})
"""The main config's recipe, which keeps as many files as the average takes. The frozen LLM computes
in float32: many CPUs have no units for bfloat16, and the question is not about it."""


def make(name: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """Train once, and hear the calls with each file that the run left."""
    built = runs.build(ARM)
    run = finetune.run(built, runs.training_list(ARM, seed),
                       call_set("valid", Channel(), ARM.valid), f"averaging_{seed}", seed)
    tests = runs.test_sets(runs.TEST_SENTENCES, (BAND,))
    scores = [round(validation.accuracy, 4) for validation in run.validations]
    for file, _ in lacking:
        state = checkpoints.read(run.folder / FILES[file])["state_dict"]
        built.model.load_state_dict(state, strict=False)  # the files lack the LLM, which is frozen
        yield {"file": file, "seed": seed, "steps": len(run.steps), "validations": scores,
               "errors": runs.written(decoding.hear(built, tests))}


def results() -> Results:
    """The recorded files as error rates."""
    return Results(((row["file"], row["seed"], row["errors"]) for row in RECORDS.read()),
                   RECORDS.command)


def show() -> None:
    """What is recorded, in the terminal."""
    recorded = results()
    for file in recorded.arms:
        print(f"{file:10s}{len(recorded.seeds(file))} seeds",
              *(f"{branch} {recorded.rate(file, BAND, branch)}" for branch in BRANCHES), sep="  ")


RECORDING = Recording("helpers.experiments.averaging", RECORDS,
                      {("main", seed): [(file, seed) for file in FILES] for seed in SEEDS},
                      make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
