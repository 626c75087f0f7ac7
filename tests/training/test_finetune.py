"""A run of the book's driver must be a run of FunASR's own trainer, as the config says."""

import math

import pytest
import torch

from funasr_preflight.laws.names import COMPONENTS
from helpers.config import configs
from helpers.errors import BookError
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import anatomy, finetune

pytestmark = pytest.mark.slow

MAIN, STAGE1 = configs.FINE_TUNING
PACE = {"optim_conf.lr": 1e-3, "scheduler_conf.warmup_steps": 2, "train_conf.max_epoch": 2,
        "dataset_conf.batch_size_sample_max": 5,
        "llm_conf.llm_dtype": "fp32"}  # bfloat16 is slow on many CPUs


def build(*overrides, name=MAIN):
    return mini.build(finetune.with_overrides(name, finetune.SHORT_RUN, PACE, *overrides))


@pytest.fixture(scope="module")
def items():
    return [item for item in telephone_set("adapt", 40) if item["speech_length"] < 250][:10]


@pytest.fixture(scope="module")
def tuned(items):
    built = build()
    return anatomy.fingerprints(built.model), finetune.run(built, items, items[:4], "test")


def test_frozen_tensors_stay_and_trainable_ones_move(tuned):
    before, run = tuned
    moved = anatomy.changed(before, anatomy.fingerprints(run.built.model))
    assert moved == {name for name in before if name.startswith("audio_encoder.")}
    assert set(anatomy.optimizer_state(run.optimizer, run.built.model)) == moved


def test_every_step_and_epoch_is_recorded(tuned):
    _, run = tuned
    assert [step.number for step in run.steps] == list(range(1, len(run.steps) + 1))
    assert len(run.validations) == PACE["train_conf.max_epoch"]
    assert run.validations[-1].steps == len(run.steps) >= 4
    for record in (*run.steps, *run.validations):
        assert math.isfinite(record.loss) and 0 <= record.accuracy <= 1
    assert run.seconds > 0 and not run.built.model.training


def test_the_learning_rate_is_that_of_the_configs_scheduler(tuned):
    _, run = tuned
    config = finetune.with_overrides(MAIN, PACE)
    expected = finetune.learning_rates(config, len(run.steps))
    assert [step.learning_rate for step in run.steps] == pytest.approx(expected)
    assert max(expected) == pytest.approx(PACE["optim_conf.lr"])


def test_warm_up_of_the_real_configs_outlasts_a_short_run():
    """What the chapter says about 1000 warm-up steps."""
    rates = finetune.learning_rates(configs.load(MAIN), 64)
    assert max(rates) == pytest.approx(65 / 1000 * 5e-5)


def test_the_optimizer_is_the_configs_own(tuned):
    _, run = tuned
    group = run.optimizer.param_groups[0]
    assert isinstance(run.optimizer, torch.optim.AdamW)
    assert (group["weight_decay"], list(group["betas"])) == (0.01, [0.9, 0.999])


def test_checkpoints_are_funasrs_and_leave_out_the_llm(tuned):
    _, run = tuned
    saved = torch.load(run.folder / "model.pt", map_location="cpu", weights_only=False)
    names = {anatomy.component_of(name) for name in saved["state_dict"]}
    assert names == set(COMPONENTS) - {"llm"} and saved["epoch"] == 2


def test_two_runs_with_one_seed_agree(tuned, items):
    """Otherwise a comparison of two configs would compare chance as well."""
    _, first = tuned
    second = finetune.run(build(), items, items[:4], "test_again")
    assert [s.loss for s in second.steps] == pytest.approx([s.loss for s in first.steps], rel=1e-4)


def test_a_run_without_checkpoints_learns_the_same_and_writes_none(tuned, items):
    _, first = tuned
    bare = finetune.run(build(), items, items[:4], "test_bare", checkpoints=False)
    assert [s.loss for s in bare.steps] == pytest.approx([s.loss for s in first.steps], rel=1e-4)
    assert len(bare.validations) == len(first.validations)
    assert not list(bare.folder.glob("model*")) and list(first.folder.glob("model*"))


def test_nothing_is_printed(items, capfd):
    """FunASR prints paths and every parameter's name; a page must show neither."""
    finetune.run(build({"train_conf.max_epoch": 1}), items[:5], items[:2], "test_quiet")
    out, err = capfd.readouterr()
    assert out == err == ""


def test_nothing_to_train_is_pytorchs_own_error(items):
    built = build({"audio_encoder_conf.freeze": True})
    with pytest.raises(RuntimeError, match="does not require grad"):
        finetune.run(built, items[:2], items[:2], "test_nothing")
    assert not built.model.training


def test_freeze_param_reaches_what_no_freeze_key_reaches():
    built = build({"freeze_param": "ctc,audio_encoder.tp_encoders"}, name=STAGE1)
    finetune.freeze_listed(built.model, built.kwargs["freeze_param"])
    flagged = anatomy.flagged(built.model)
    assert {anatomy.component_of(name) for name in flagged} == {"audio_encoder"}
    assert not any(".tp_encoders." in name for name in flagged)
    finetune.freeze_listed(built.model, None)
    assert anatomy.flagged(built.model) == flagged


@pytest.mark.parametrize(("overrides", "sentence"), [
    ({"train_conf.use_deepspeed": True}, "use_deepspeed is true"),
    ({"dataset_conf.max_token_length": 20}, "max_token_length 20"),
])
def test_a_run_that_cannot_train_says_why(items, overrides, sentence):
    """FunASR itself would train no step at all on a set that its filters empty, and not say so."""
    with pytest.raises(BookError, match=sentence):
        finetune.run(build(overrides), items[:2], items[:2], "test_bad")


def test_an_empty_set_is_named(items):
    built = build()
    with pytest.raises(BookError, match="The valid set is empty"):
        finetune.run(built, items, [], "test_bad")
    with pytest.raises(BookError, match="The batch set is empty"):
        finetune.batch(built, [])


def test_a_batch_is_what_forward_takes(items):
    built = build()
    made = finetune.batch(built, items[:3])
    assert made["speech"].shape[0] == made["input_ids"].shape[0] == 3
    assert made["speech"].shape[2] == 560
    loss, stats, _ = built.model(**made)
    assert loss.isfinite() and 0 <= stats["acc"] <= 1


def test_overrides_do_not_touch_the_config_they_start_from():
    config = configs.load(MAIN)
    changed = finetune.with_overrides(config, {"optim_conf.lr": 1.0, "new.key": 2})
    assert config.optim_conf.lr == 5e-5 and "new" not in config
    assert (changed.optim_conf.lr, changed.new.key) == (1.0, 2)


def test_no_gpu_is_one_sentence():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BookError, match="no CUDA GPU"):
        mini.build(MAIN, device="cuda")


def test_one_epoch_reads_a_single_jsonl_once_for_each_split(items):
    """Why `SHORT_RUN` sets data_split_num: an epoch of the real configs would be 512 passes."""
    once, thrice = (
        finetune.run(build({"train_conf.max_epoch": 1, "dataset_conf.data_split_num": splits}),
                     items[:2], items[:2], "test_splits").steps for splits in (1, 3))
    assert len(thrice) == 3 * len(once)


def test_the_context_prompt_is_longer_than_the_one_at_inference(items):
    """Why `SHORT_RUN` switches it off: the mini has never seen it."""
    plain, long = (
        finetune.batch(build({"dataset_conf.prompt_classes": prompt}), items[:1])["fbank_beg"]
        for prompt in (None, "MultiContextPrompt"))
    assert long.item() > plain.item() + 10
