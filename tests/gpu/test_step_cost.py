"""Is every number in the table of GPU costs one that the step really had?"""

from __future__ import annotations

import json

import pytest
import torch

from helpers.errors import BookError
from helpers.gpu import step_cost
from helpers.gpu.step_cost import Cost, Place
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import anatomy, finetune

pytestmark = pytest.mark.slow

MAIN = "config_8k_telephone"
HERE = Place("mini", "cpu", steps=2, warm_up=1)
SMALL = {"dataset_conf.batch_size": 1200, "dataset_conf.batch_size_token_max": 1200}


@pytest.fixture(scope="module")
def items():
    return telephone_set("adapt", 24)


@pytest.fixture(scope="module")
def row(items):
    return step_cost.measure(MAIN, items, HERE, overrides=SMALL)


def test_every_field_is_sane(row, items) -> None:
    assert (row.config, row.change, row.device, row.size) == (MAIN, "as it is", "cpu", "mini")
    assert row.error == "" and row.steps == 2 and row.step_seconds > 0
    assert 0 <= row.padding < 0.5 and 0 <= row.token_padding < 0.5
    assert 0 < row.audio_seconds < sum(item["speech_length"] for item in items) / 100
    assert row.audio_hours_per_hour == pytest.approx(
        row.audio_seconds / (2 * row.step_seconds))  # the median of two is their mean
    assert row.peaks == {} and row.peak_share is None  # a CPU has neither


def test_weights_gradients_and_optimizer_are_the_exact_ones(row, items) -> None:
    built = mini.build(finetune.with_overrides(MAIN, step_cost.ONE_MACHINE))
    exact = anatomy.training_memory(built.model, anatomy.reached(built, items[:4]).names)
    assert (row.weights, row.gradients, row.optimizer) == (
        exact.weights, exact.gradients, exact.optimizer)


def test_operations_are_those_of_the_encoder_and_some_more(row) -> None:
    built = mini.build(MAIN, device="meta")
    frames = row.audio_seconds / row.steps / step_cost.seconds_of_a_frame(built) / (1 - row.padding)
    encoder = 6 * frames * anatomy.parameter_counts(built.model)["audio_encoder"]
    assert encoder < row.step_flops < 4 * encoder  # forward, and backward for inputs and weights


def test_what_is_kept_for_the_backward_pass_depends_on_what_learns(row, items) -> None:
    assert row.kept["audio_encoder"] > row.kept["audio_adaptor"] > 0 and row.kept["llm"] > 0
    assert not {"ctc", "ctc_decoder"} & row.kept.keys()  # the loss never gets there
    frozen = step_cost.measure(MAIN, items, HERE, overrides=SMALL | {
        "audio_encoder_conf.freeze": True, "audio_adaptor_conf.freeze": False})
    assert "audio_encoder" not in frozen.kept and frozen.kept["llm"] > 0
    assert frozen.gradients < row.gradients


def test_a_change_that_cannot_run_is_a_row(items) -> None:
    broken = step_cost.measure(MAIN, items, HERE, "encoder checkpointing")
    assert "modified by an inplace operation" in broken.error and broken.step_seconds is None
    assert step_cost.table([broken])[0][1] == broken.error


def made(change, speed, error="", **overrides):
    return Cost(MAIN, change, overrides, "cpu", "mini", error,
                audio_hours_per_hour=None if error else speed)


def test_the_best_together_are_the_fastest_of_each_kind() -> None:
    rows = [made("as it is", 10), made("large", 12, batch=2), made("larger", 15, batch=3),
            made("slower", 9, fused=True), made("broken", 0, "RuntimeError: no", check=True),
            made("half", 11, bf16=True)]
    assert [one.change for one in step_cost.best_of(rows)] == ["larger", "half"]
    assert step_cost.best_of([made("as it is", 0, "RuntimeError: no"), rows[1]]) == []


@pytest.mark.parametrize("device, peak", [
    ("NVIDIA H100 80GB HBM3", 989e12), ("NVIDIA H100 PCIe", 756e12), ("NVIDIA H200", 989e12),
    ("NVIDIA A100-SXM4-80GB", 312e12), ("NVIDIA L4", 121e12), ("NVIDIA L40", None),
    ("NVIDIA GH200 480GB", None), ("cpu", None)])
def test_an_unknown_device_has_no_peak(device, peak) -> None:
    assert step_cost.peak_of(device) == peak


@pytest.mark.parametrize("arguments, sentence", [
    (["--record"], "has no CUDA GPU"), ([], "has no CUDA GPU"),
    (["--size", "mini", "--device", "cpu", "--record"], "is for a GPU"),
    (["--size", "mini", "--device", "cpu", "--steps", "0"], "--steps has to be"),
    (["--size", "mini", "--device", "cpu", "--config", "nothing"], "no config named")])
def test_the_command_refuses_in_one_sentence(arguments, sentence, capsys, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert step_cost.main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_a_file_is_added_to_for_the_same_model_and_data_only(tmp_path, monkeypatch) -> None:
    """A run that was stopped goes on, and another model's rows are never taken for this one's."""
    measured = []

    def measure(config, items, place, change=step_cost.AS_IT_IS, overrides=None) -> Cost:
        measured.append(change)
        return Cost(config, change, {}, place.name, place.size, step_seconds=1.0, padding=0.0,
                    audio_hours_per_hour=1.0)

    monkeypatch.setattr(step_cost, "measure", measure)
    command = ["--size", "mini", "--device", "cpu", "--config", MAIN, "--change", "use_bf16",
               "--into", str(tmp_path / "rows.json")]
    for model, new in (("mini", 3), ("mini", 0), ("full", 3), ("mini", 0)):
        measured.clear()
        monkeypatch.setenv("BOOK_MODEL", model)
        assert step_cost.main(command) == 0 and len(measured) == new
    assert len(json.loads((tmp_path / "rows.json").read_text())["rows"]) == 6


def test_few_utterances_are_listed_again_until_there_are_batches_enough(items) -> None:
    """The default data makes 9 batches where 16 are timed, and fewer the larger they get."""
    few = step_cost.measure(MAIN, items[:2], HERE)
    assert few.error == "" and few.steps == HERE.steps and few.repeats > 1


def test_data_that_the_limits_keep_out_is_said_so(items) -> None:
    with pytest.raises(BookError, match="let no utterance pass"):
        step_cost.measure(MAIN, items[:2], HERE, overrides={"dataset_conf.max_token_length": 1})


def test_the_recording_is_absent_or_whole() -> None:
    if not step_cost.RECORDS.path.exists():
        with pytest.raises(BookError, match="helpers.gpu.step_cost --record"):
            step_cost.recorded()
        return
    for one in step_cost.recorded():
        assert one.device != "cpu" and (one.error or one.peaks.keys() == {
            "forward", "backward", "update"})
