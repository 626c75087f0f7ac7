"""What the chapter on training settings relies on: sizes, watching, interruption, whole files."""

from __future__ import annotations

import pytest
import torch

from helpers.errors import BookError
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import anatomy, checkpoints, finetune
from helpers.training.finetune import SHORT_RUN, with_overrides

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run():
    conf = {"dataset_conf.batch_size_sample_max": 4, "train_conf.max_epoch": 2,
            "llm_conf.llm_dtype": "fp32"}  # bfloat16 is slow on many CPUs
    built = mini.build(with_overrides("config_8k_telephone", SHORT_RUN, conf))
    with checkpoints.watched() as diary:
        done = finetune.run(built, telephone_set("adapt", 8), telephone_set("valid", 4),
                            "test_checkpoints")
    return done, diary


def test_a_diary_says_what_became_of_every_checkpoint(run):
    done, diary = run
    assert [event.names for event in diary.of("validates")] == [("model.pt.ep1",),
                                                                ("model.pt.ep2",)]
    deleted = [name for event in diary.of("deletes") for name in event.names]
    left = [name for name in checkpoints.kept(done.folder) if ".ep" in name]
    assert sorted(deleted + left) == ["model.pt.ep1", "model.pt.ep2"] and len(left) == 1
    assert len(diary.gradient_norms) == len(done.steps)


def test_the_size_of_a_file_is_known_before_it_is_written(run):
    done, _ = run
    learning = {name for name, _ in done.built.model.named_parameters()
                if name.startswith("audio_encoder.")}
    computed = anatomy.checkpoint_size(done.built.model, learning, ["llm."]).total
    real = (done.folder / "model.pt").stat().st_size
    assert 0 <= real - computed < 0.02 * real


def test_a_checkpoint_made_whole_holds_the_tuned_encoder_and_the_pretrained_llm(run, tmp_path):
    done, _ = run
    pretrained = mini.model_directory("mini") / "model.pt"
    whole = checkpoints.read(checkpoints.completed(done.folder / "model.pt", pretrained,
                                                   tmp_path / "whole.pt"))["state_dict"]
    tuned, before = done.built.model.state_dict(), checkpoints.read(pretrained)
    before = before.get("state_dict", before)
    assert whole.keys() == tuned.keys()
    encoder = [name for name in whole if name.startswith("audio_encoder.")]
    assert all(torch.equal(whole[name], tuned[name]) for name in encoder)
    assert all(torch.equal(whole[name], before[name]) for name in whole if name.startswith("llm."))


def test_a_file_from_another_model_is_refused(tmp_path):
    torch.save({"state_dict": {"strange": torch.zeros(1)}}, tmp_path / "tuned.pt")
    torch.save({"state_dict": {}}, tmp_path / "model.pt")
    with pytest.raises(BookError, match="has no tensor strange"):
        checkpoints.completed(tmp_path / "tuned.pt", tmp_path / "model.pt", tmp_path / "whole.pt")


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(BookError, match=r"no checkpoint model\.pt"):
        checkpoints.read(tmp_path / "model.pt")
    with pytest.raises(BookError, match="to reload"):
        checkpoints.reload("pretrained", tmp_path / "model.pt")


def test_an_interruption_that_comes_too_late_is_an_error():
    with (pytest.raises(BookError, match="before it had done 5 steps"),
          checkpoints.interrupted_after(5)):
        pass


def test_only_what_interrupts_is_swallowed():
    with pytest.raises(ValueError, match="something else"), checkpoints.interrupted_after(5):
        raise ValueError("something else")


def test_of_equal_checkpoints_the_older_goes(tmp_path):
    diary = checkpoints.toy_run([0.5, 0.5, 0.4], tmp_path, keep_nbest_models=1)
    assert [event.names for event in diary.of("deletes")] == [("model.pt.ep1",), ("model.pt.ep3",)]


def test_a_config_without_deepspeed_is_not_started():
    with pytest.raises(BookError, match="does not ask for DeepSpeed"):
        checkpoints.start_of_program("config_8k_telephone")


def test_the_trainers_own_value_stands_in_for_a_missing_key():
    built = mini.build("config_8k_telephone", size="full", device="meta")
    assert checkpoints.train_conf(built, "avg_nbest_model") == 100
    assert checkpoints.train_conf(built, "grad_clip_type") == 2.0
