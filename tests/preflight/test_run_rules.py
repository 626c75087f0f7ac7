"""Rules on a run: would a user be told in time that it ends, trains nothing or cannot be used?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from funasr_preflight import check, checking
from funasr_preflight.findings import Severity
from funasr_preflight.rules import run
from funasr_preflight.rules.registry import RULES
from funasr_preflight.run import estimates
from helpers.config import configs
from helpers.model import spec_augment
from helpers.paths import CONFIGS
from helpers.speech.manifests import with_audio, write_manifest
from helpers.speech.turns import telephone_manifest
from helpers.training import schedules

OURS, MAIN = CONFIGS / "recommended_8k.yaml", CONFIGS / "config_8k_telephone.yaml"
STAGE1, PRETRAINED = CONFIGS / "stage1_encoder_adapt.yaml", CONFIGS / "pretrained.yaml"
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
HOURS_50 = 40
"""Copies of the thousand drawn turns that make some fifty hours."""


@pytest.fixture(scope="session")
def manifests(tmp_path_factory) -> dict[str, Path]:
    """A thousand drawn telephone turns, and some fifty hours of them."""
    folder = tmp_path_factory.mktemp("manifests")
    turns = telephone_manifest(1000)

    def copies(count):
        return [with_audio({**item, "key": f"{item['key']}_{copy}"},
                                  Path("calls") / f"{item['key']}_{copy}.wav")
                for copy in range(count) for item in turns]
    return {"hour": write_manifest(copies(1), folder / "hour.jsonl"),
            "fifty": write_manifest(copies(HOURS_50), folder / "fifty.jsonl")}


ALL_FROZEN = ["audio_encoder_conf.freeze=true"]
ADAPTOR = [*ALL_FROZEN, "audio_adaptor_conf.freeze=false"]
LORA = ["++llm_conf.use_lora=true"]
CTC_FREE = ["ctc_decoder_conf.freeze=false", "~freeze_param"]
CASES = [
    ("trains-nothing", ALL_FROZEN, {}, ERROR, "Nothing gets a gradient"),
    ("trains-nothing", ["++lora_only=true"], {}, ERROR, "Nothing gets a gradient"),
    ("trains-without-gradient", CTC_FREE, {"gpus": 2}, ERROR, "39.1 M"),
    ("trains-without-gradient", CTC_FREE, {}, WARNING, "several"),
    ("trains-encoder-frozen", ADAPTOR, {}, WARNING, "does not learn"),
    ("trains-freeze-param", ["freeze_param='ctc,encoder'"], {}, WARNING, "encoder"),
    ("trains-lora-not-saved",
     [*LORA, "train_conf.effective_save_name_excludes=[llm.]"], {}, ERROR, "lost"),
    ("trains-in-half", ["llm_conf.freeze=false"], {}, WARNING, "16 bits"),
    ("trains-in-half", LORA, {}, WARNING, "LoRA"),
    ("run-deepspeed", ["train_conf.use_deepspeed=true"], {}, ERROR, "deepspeed_config"),
    ("run-activation-checkpoint", ["++audio_encoder_conf.activation_checkpoint=true"], {}, ERROR,
     "scales its input"),
    ("run-activation-checkpoint", ["++llm_conf.activation_checkpoint=true"], {}, ERROR,
     "embeddings"),
    ("run-frontend-rate", ["frontend_conf.fs=8000"], {}, WARNING, "mel bin"),
    ("schedule-warmup-unfinished", [], {"steps": 400}, WARNING, "40%"),
    ("schedule-mean", [], {"steps": 400_000}, WARNING, "of optim_conf.lr"),
    ("schedule-not-drawn", ["++scheduler=lambdalr", "~scheduler_conf.warmup_steps"],
     {"steps": 100}, NOTE, "lambdalr"),
    ("after-best", ["train_conf.max_epoch=1", "train_conf.validate_interval=100000",
                    "train_conf.save_checkpoint_interval=100000"], {"train": "hour"}, WARNING,
     "once"),
    ("schedule-intervals", ["train_conf.validate_interval=500000"], {"train": "hour"}, NOTE,
     "500,000"),
    ("schedule-unscored", ["train_conf.save_checkpoint_interval=300"], {}, WARNING, "300"),
    ("after-no-llm", ["train_conf.effective_save_name_excludes=[llm.]"], {}, ERROR, "random LLM"),
    ("after-lacks", ["train_conf.effective_save_name_excludes=[audio_encoder.encoders.0.]"], {},
     ERROR, "audio_encoder"),
    ("after-prompt", ["dataset_conf.prompt_classes=MultiContextPrompt"], {}, WARNING, "header"),
    ("after-resume", [], {}, NOTE, "goes on from it"),
    ("cost-averaging", ["train_conf.keep_nbest_models=100", "train_conf.avg_nbest_model=100",
                        "train_conf.max_epoch=100"], {}, WARNING, "GiB"),
    ("specaug-not-applied", ["++specaug=SpecAugLFR"], {}, WARNING, "reach nothing"),
]
QUIET = [
    ("trains-without-gradient", [*CTC_FREE, "++train_conf.find_unused_parameters=true"]),
    ("trains-encoder-frozen", ALL_FROZEN),
    ("trains-lora-not-saved", LORA),
    ("trains-in-half", ["llm_conf.freeze=false", "++llm_conf.llm_dtype=fp32"]),
    ("trains-in-half", [*LORA, "++llm_conf.llm_dtype=fp32"]),
    ("run-deepspeed", ["train_conf.use_deepspeed=true", "++train_conf.deepspeed_config=a.json"]),
    ("after-resume", ["++train_conf.resume=false"]),
    ("run-activation-checkpoint", ["++llm_conf.activation_checkpoint=true",
                                   "llm_conf.freeze=false"]),
    ("after-no-llm", ["train_conf.effective_save_name_excludes=[ctc.]"]),
]
OWN = [name for name, one in RULES.items() if one.check.__module__ == run.__name__]


def found(name, overrides, manifests, **given):
    train = manifests[given.pop("train")] if "train" in given else None
    return check(OURS, train, overrides=overrides, probe=None, **given).of(name)


@pytest.mark.parametrize(("name", "overrides", "given", "severity", "words"), CASES)
def test_a_config_that_needs_the_rule_gets_it(name, overrides, given, severity, words, manifests):
    one = found(name, overrides, manifests, **given)[0]
    assert one.severity == severity and words in str(one.message)
    assert one.chapter and (one.fix or severity == NOTE)


@pytest.mark.parametrize(("name", "overrides"), [*QUIET, *((name, []) for name in OWN
                                                           if name != "after-resume")])
def test_a_config_that_does_not_is_left_alone(name, overrides, manifests):
    assert not found(name, overrides, manifests, train="fifty", gpus=2)


def test_every_rule_has_a_case():
    assert {case[0] for case in CASES} == set(OWN)


# The book's four configs: what a reader of the chapter sees, reviewed line by line.

REVIEWED = {
    "recommended_8k": set(),
    "config_8k_telephone": {
        ("ERROR", "launch-alone"), ("ERROR", "launch-paths"),
        ("ERROR", "trains-without-gradient"),
        ("ERROR", "after-no-llm"), ("WARNING", "after-prompt"), ("WARNING", "specaug-not-applied"),
        ("WARNING", "schedule-mean"), ("WARNING", "data-lost"), ("WARNING", "data-read-again")},
    "stage1_encoder_adapt": {
        ("ERROR", "launch-alone"), ("ERROR", "launch-paths"),
        ("ERROR", "trains-without-gradient"),
        ("ERROR", "after-no-llm"), ("WARNING", "after-prompt"), ("WARNING", "specaug-not-applied"),
        ("WARNING", "run-frontend-rate"), ("WARNING", "schedule-mean"),
        ("WARNING", "data-read-again")},
    "pretrained": {
        ("ERROR", "launch-alone"), ("ERROR", "launch-paths"), ("ERROR", "trains-nothing"),
        ("ERROR", "trains-without-gradient"), ("ERROR", "run-deepspeed"),
        ("ERROR", "after-no-llm"), ("WARNING", "after-prompt"), ("WARNING", "schedule-mean"),
        ("WARNING", "cost-averaging"), ("WARNING", "data-read-again")},
}


@pytest.mark.parametrize("name", REVIEWED)
def test_the_books_configs_get_the_reviewed_report(name, manifests):
    report = check(CONFIGS / f"{name}.yaml", manifests["fifty"], gpus=2, probe=None)
    seen = {(one.severity.name, one.rule) for one in report.at_least(WARNING)
            if not one.rule.startswith("keys-")}
    assert seen == REVIEWED[name]
    if name == "recommended_8k":
        assert not report.at_least(WARNING)


# The numbers that the findings rest on


@pytest.mark.parametrize(("more", "said"), [(0, False), (1, True)])
def test_an_interval_is_held_against_batches_and_not_against_steps(more, said, manifests):
    batches = estimates.batches_an_epoch(checking.context_of(
        OURS, manifests["hour"], probe=None))
    given = [f"train_conf.validate_interval={batches + more}",
             f"train_conf.save_checkpoint_interval={batches + more}",
             f"train_conf.accum_grad={batches - 1}"]
    assert bool(found("schedule-intervals", given, manifests, train="hour")) is said


def test_the_learning_rate_is_that_of_funasrs_scheduler():
    context = checking.context_of(MAIN)
    steps = [1, 2, 500, 999, 1000, 1001, 5000, 400_000]
    assert np.allclose(estimates.rates(context, steps), schedules.rates_at("config_8k_telephone",
                                                                           steps), rtol=1e-6)


def test_another_scheduler_is_run_as_funasr_runs_it():
    given = ["++scheduler=exponentiallr", "++scheduler_conf={gamma: 0.999}",
             "~scheduler_conf.warmup_steps"]
    context = checking.context_of(OURS, overrides=given, steps=100)
    context.config["scheduler_conf"] = {"gamma": 0.999}
    assert np.allclose(estimates.rates(context, [1, 50, 100]),
                       context.get("optim_conf.lr") * 0.999 ** np.array([0, 49, 99]), rtol=1e-5)


def test_a_long_runs_mean_rate_is_that_of_every_step():
    context = checking.context_of(MAIN)
    whole = estimates.rates(context, range(1, 50_001)).mean()
    assert estimates.mean_rate(context, 50_000) == pytest.approx(whole, rel=0.01)


@pytest.mark.slow
def test_what_trains_is_what_the_built_model_says():
    from helpers.model import mini
    from helpers.training import anatomy, finetune

    for path in (OURS, MAIN, STAGE1, PRETRAINED):
        model = mini.build(configs.load(path), size="full", device="meta").model
        finetune.freeze_listed(model, configs.load(path).get("freeze_param"))
        flagged = anatomy.parameter_counts(model, anatomy.flagged(model))
        for part in estimates.parts(checking.context_of(path)):
            assert part.flagged == flagged.get(part.name, 0), (path.name, part.name)
            assert part.parameters == anatomy.parameter_counts(model)[part.name]


def test_lora_is_counted_as_the_built_model_has_it():
    from helpers.model import mini
    from helpers.training import anatomy, finetune

    config = finetune.with_overrides(OURS, {"llm_conf.use_lora": True, "llm_conf.lora_conf.r": 8})
    model = mini.build(config, size="full", device="meta").model
    built = sum(anatomy.parameter_counts(
        model, [name for name in anatomy.flagged(model) if "lora_" in name]).values())
    context = checking.context_of(OURS, overrides=["++llm_conf.use_lora=true",
                                                   "++llm_conf.lora_conf.r=8"])
    assert estimates.lora_parameters(context) == built > 0
    for rank in (0, -1):  # FunASR makes no matrix then, and says nothing
        none = checking.context_of(OURS, overrides=["++llm_conf.use_lora=true",
                                                    f"++llm_conf.lora_conf.r={rank}"])
        assert estimates.lora_parameters(none) == 0


def test_weights_gradients_and_moments_are_those_of_the_built_model():
    from helpers.model import mini
    from helpers.training import anatomy

    built = mini.build(configs.load(MAIN), size="full", device="meta")
    learning = {name for name in anatomy.flagged(built.model) if name.startswith("audio_encoder.")}
    exact = anatomy.training_memory(built.model, learning)
    told = estimates.training_memory(checking.context_of(MAIN))
    assert told.weights == pytest.approx(exact.weights, rel=1e-3)
    assert (told.gradients, told.optimizer) == (exact.gradients, exact.optimizer)


def test_masked_speech_is_what_funasrs_class_masks():
    conf = configs.resolve("stage1_encoder_adapt")["specaug_conf"]
    module = spec_augment.augmenter(conf)
    for seconds in (1.0, 3.0, 10.0):
        real = spec_augment.time_shares(module, seconds, 600).mean()
        told = estimates.masked_share(conf, np.full(40, seconds))
        assert told == pytest.approx(real, abs=0.05)


def test_other_dimensions_are_counted_by_building_them(manifests):
    report = check(OURS, overrides=["++audio_encoder_conf.num_blocks=10"])
    encoder = next(table for table in report.tables if table.name == "trains").rows[0]
    assert float(encoder[1].split()[0]) < 120


def test_averaging_holds_the_weights_of_every_file_and_one_optimizer():
    disk = estimates.disk(checking.context_of(OURS, steps=1))
    size = disk.checkpoint
    assert size.weights < disk.averaging <= 6 * size.weights + size.tied + size.optimizer


def test_checkpoints_are_counted_in_batches_scored_or_not(manifests):
    def kept(*overrides):
        return estimates.disk(checking.context_of(
            OURS, manifests["fifty"], overrides=["train_conf.keep_nbest_models=10000",
                                                 *overrides], probe=None)).files.whole

    often = ["train_conf.save_checkpoint_interval=100", "train_conf.validate_interval=100"]
    assert kept(*often, "train_conf.accum_grad=4") == pytest.approx(kept(*often), abs=5)
    unscored = kept("train_conf.save_checkpoint_interval=100", "train_conf.validate_interval=250",
                    "train_conf.keep_nbest_models=1")
    assert unscored > 50


def test_masks_that_are_switched_off_cover_nothing(manifests):
    report = check(MAIN, manifests["hour"], overrides=["specaug_conf.apply_time_mask=false"],
                   probe=None)
    assert "cover" not in str(report.of("specaug-not-applied")[0].message)
