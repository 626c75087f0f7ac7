"""What a mini that has heard calls makes of the telephone, beside the one that has not.

Three minis: the first, which heard wideband only; the second, which went on with calls among its
speech; and the control, which went on as long in wideband (`helpers.pretraining.second_mini`). Each
is heard as it is, at stages of the channel. The first two are also heard after the arms and recipes
that decide a recommendation, whose settings do not change.

`python -m helpers.pretraining.two_minis --record` makes the runs that `results/two_minis.json`
lacks. What the first mini has in `results/experiments.json` and `results/recipes.json` is read from
there; its further seeds are here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from helpers.errors import BookError
from helpers.evaluation import decoding
from helpers.evaluation.decoding import BRANCHES
from helpers.evaluation.intervals import Difference
from helpers.experiments import arms, call_cost, recipes, runs
from helpers.experiments.records import Key, Recording, Row, RunRecords
from helpers.experiments.results import Errors, Results
from helpers.model import mini
from helpers.paths import MINI, RESULTS
from helpers.pretraining import second_mini

RECORDS = RunRecords(RESULTS / "two_minis.json", "python -m helpers.pretraining.two_minis --record",
                     ("mini", "arm", "seed"))
FIRST, SECOND, CONTROL = MINIS = ("heard wideband", "heard calls", "wideband for as long")
AS_IT_IS = "none"
STAGES = ("8 kHz", "300-3400 Hz", "noise, 20 dB", "noise, 10 dB", "20 % lost, silence")
"""What an untrained mini is heard at beside the bands of the experiments."""
QUESTIONS = {
    "Does training the encoder help?": ("encoder", AS_IT_IS),
    "Does training the adaptor alone help?": ("adaptor", AS_IT_IS),
    "Is the adaptor alone worse than the encoder?": ("adaptor", "encoder"),
    "Does fs 8000 break an untrained model?": ("fs_8000_untrained", AS_IT_IS),
    "Is fs 8000 worse after training?": ("fs_8000", "encoder"),
    "Does training everything beat the encoder?": ("all", "encoder"),
    "Is a tenth of the rate worse?": ("rate_5e-05", "encoder"),
    "Is four times the rate worse?": ("rate_0.002", "encoder"),
    "Do masks as long as gaps help?": ("masks_gaps", "encoder"),
    "Do more calls help, for as many steps?": ("amount_524", "amount_14"),
    "Is LoRA alone worse than the encoder?": ("lora", "encoder"),
    "Does a third of wideband speech in the list help?": ("main_mixed", "main"),
    "Do twice the rate and a frozen second stack help?": ("faster_frozen", "main_mixed"),
    "Is stage 1 before the main config worse?": ("stage1_then_main", "main")}
"""What a recommendation stands on: an arm or recipe, and the one that it is compared with."""
DECIDING = tuple(dict.fromkeys(arm for pair in QUESTIONS.values() for arm in pair
                               if arm != AS_IT_IS))


def weights(name: str) -> Path:
    """The file of a mini's weights.

    Raises:
        BookError: it is not there.
    """
    path = {FIRST: MINI / "model.safetensors", SECOND: second_mini.WEIGHTS,
            CONTROL: second_mini.FOLDER / "control" / "model.safetensors"}[name]
    if not path.is_file():
        raise BookError(f"The mini that {name} has no weights here: make them with `python -m "
                        "helpers.pretraining.second_mini --keep`.")
    return path


def questions(band: str, branch: str) -> list[str]:
    """What can be asked: adaptor and LoRA are not on the way to the CTC branch, and recipes are not
    heard in every band."""
    return [question for question, (arm, _) in QUESTIONS.items()
            if (branch == "llm" or arm not in ("adaptor", "lora"))
            and (band in recipes.BANDS or arm not in recipes.RECIPES)]


def hear(name: str, stages: Sequence[str], sentences: int = runs.TEST_SENTENCES,
         branches: Sequence[str] = BRANCHES) -> Errors:
    """Word errors of a mini as it is, at stages of the channel and bands of the experiments."""
    built = mini.build("pretrained")
    built.model.load_state_dict(mini.read_weights(weights(name)))
    bands = runs.test_sets(sentences)
    return decoding.hear(built, {stage: bands[stage] if stage in bands
                                 else call_cost.items_of(stage, sentences) for stage in stages},
                         branches)


def make(name: str, seed: int, lacking: Sequence[Key]) -> Iterator[Row]:
    """The row that a recording stores."""
    mini_name, arm = name.split(": ")
    if arm == AS_IT_IS:
        errors = hear(mini_name, (*runs.BANDS, *STAGES))
    elif arm in recipes.RECIPES:
        errors = recipes.run(recipes.RECIPES[arm], seed,
                             state=mini.read_weights(weights(mini_name)))[-1].errors
    else:
        errors = runs.train_and_hear(arms.ARMS[arm], seed, runs.test_sets(),
                                     state=mini.read_weights(weights(mini_name))).errors
    yield {"mini": mini_name, "arm": arm, "seed": seed, "errors": runs.written(errors)}


def recorded() -> Results:
    """The recorded rows; an arm is a mini and what was trained of it, a band a stage or a band."""
    rows = [((row["mini"], row["arm"]), row["seed"], row["errors"]) for row in RECORDS.read()]
    rows += [((FIRST, row["arm"]), row["seed"], row["errors"])
             for row in arms.RECORDS.read() if row["arm"] in DECIDING]
    rows += [((FIRST, row["recipe"]), row["seed"], row["phases"][-1]["errors"])
             for row in recipes.RECORDS.read() if row["recipe"] in DECIDING]
    return Results(rows, RECORDS.command)


def answer(results: Results, name: str, question: str, band: str, branch: str) -> Difference:
    """The paired difference of a question's two arms, all questions read together."""
    arm, other = QUESTIONS[question]
    return results.difference((name, arm), (name, other), band, branch, among=len(QUESTIONS))


def settled_for(results: Results, question: str, band: str, branch: str) -> str:
    """Of which mini an answer is known: "both" only where it is the same one."""
    first, second = (answer(results, name, question, band, branch).direction
                     for name in (FIRST, SECOND))
    if first and second:
        return "both" if first == second else "both, and they differ"
    return "first mini" if first else "second mini" if second else "neither"


def show() -> None:
    """What is recorded, in the terminal."""
    results = recorded()
    for arm in results.arms:
        for band, branch in results.heard(arm):
            print(*arm, band, branch, results.rate(arm, band, branch), sep=": ")


def _runs() -> Iterator[tuple[str, str, int]]:
    elsewhere = {*arms.RUNS, *((name, seed) for name, seed in recipes.RECORDING.runs)}
    for seed in runs.MORE_SEEDS:
        for name in MINIS if seed == 0 else ():
            yield name, AS_IT_IS, seed
        for name, arm in product((SECOND, FIRST), DECIDING):
            trains = arm in recipes.RECIPES or (arms.ARMS[arm].steps or 0) > 0
            if (seed == 0 or trains) and not (name == FIRST and (arm, seed) in elsewhere):
                yield name, arm, seed


RUNS = {(f"{name}: {arm}", seed): [(name, arm, seed)] for name, arm, seed in _runs()}
RECORDING = Recording("helpers.pretraining.two_minis", RECORDS, RUNS, make, show)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
