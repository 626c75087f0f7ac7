"""What the freezing chapter says about parameters, gradients and memory must be measured right."""

import pytest
import torch

from helpers.config import configs
from helpers.errors import BookError
from helpers.model import mini
from helpers.telephone.channel import telephone_set
from helpers.training import anatomy, finetune, warm_processes

pytestmark = pytest.mark.slow

MAIN, STAGE1 = configs.FINE_TUNING
NO_DROPOUT = {f"audio_encoder_conf.{kind}_rate": 0.0
              for kind in ("dropout", "positional_dropout", "attention_dropout")}


FLOAT32 = {"llm_conf.llm_dtype": "fp32"}
"""What gets a gradient does not depend on it, and many CPUs compute bfloat16 very slowly."""


def build(name, *overrides, **options):
    return mini.build(finetune.with_overrides(name, finetune.SHORT_RUN, FLOAT32, *overrides),
                      **options)


@pytest.fixture(scope="module")
def items():
    return telephone_set("adapt", 3)


@pytest.fixture(scope="module")
def main_mini():
    return build(MAIN)


@pytest.fixture(scope="module")
def main_full():
    return mini.build(MAIN, size="full", device="meta").model


@pytest.fixture(scope="module")
def main_reach(main_mini, items):
    return anatomy.reached(main_mini, items)


def components(names):
    return {anatomy.component_of(name) for name in names}


def test_counts_are_the_whole_model_and_its_parts(main_full):
    counts = anatomy.parameter_counts(main_full)
    assert sum(counts.values()) == sum(p.numel() for p in main_full.parameters())
    assert 220e6 < counts["audio_encoder"] < 222e6
    encoder = anatomy.children_counts(main_full.audio_encoder)
    assert sum(encoder.values()) == counts["audio_encoder"]
    assert anatomy.parameter_counts(main_full, ["ctc.ctc_lo.bias"])["ctc"] == 60515


def test_permission_to_learn_is_not_taken_for_learning(main_mini, main_reach):
    """The main config's CTC branch may learn and gets nothing; the encoder gets everything."""
    assert components(anatomy.flagged(main_mini.model)) == {"audio_encoder", "ctc_decoder", "ctc"}
    assert components(main_reach.names) == {"audio_encoder"}
    assert main_reach.loss > 0 and not main_reach.error


def test_reach_goes_with_the_freeze_keys(items):
    """A wrong answer here would make every verdict of the chapter wrong."""
    adaptor = build(MAIN, {"audio_encoder_conf.freeze": True, "audio_adaptor_conf.freeze": False})
    assert components(anatomy.reached(adaptor, items).names) == {"audio_adaptor"}
    nothing = anatomy.reached(build("pretrained"), items)
    assert not nothing.names and "does not require grad" in nothing.error and nothing.loss > 0


def test_looking_leaves_the_model_as_it_was(main_mini, items):
    """A reader who looks at gradients must not have trained or changed the model by it."""
    before, modes = anatomy.fingerprints(main_mini.model), anatomy.modes(main_mini.model)
    anatomy.reached(main_mini, items)
    anatomy.change_between_passes(main_mini, items, "audio_encoder", training=True)
    assert not anatomy.changed(before, anatomy.fingerprints(main_mini.model))
    assert anatomy.modes(main_mini.model) == modes
    assert all(p.grad is None for p in main_mini.model.parameters())


def test_findings_carry_over_to_full_size_by_role(main_mini, main_full, main_reach):
    full = anatomy.carry_over(main_reach.names, main_mini.model, main_full)
    encoder = {n for n, _ in main_full.named_parameters() if n.startswith("audio_encoder.")}
    assert full == encoder and len(encoder) > 5 * len(main_reach.names)


def test_full_size_itself_says_the_same(main_mini, main_reach):
    """The proof of `carry_over`: the same pass through 870 million random weights, on the CPU."""
    shortest = min(telephone_set("adapt", 60), key=lambda item: item["speech_length"])
    full = build(MAIN, size="full", device="cpu")
    assert (anatomy.carry_over(main_reach.names, main_mini.model, full.model)
            == anatomy.reached(full, [shortest]).names)


def test_half_a_stack_does_not_carry_over(main_mini, main_full, main_reach):
    half = {name for name in main_reach.names if ".encoders.0." not in name}
    with pytest.raises(BookError, match="name all or none"):
        anatomy.carry_over(half, main_mini.model, main_full)
    with pytest.raises(BookError, match="not built alike"):
        anatomy.carry_over([], torch.nn.Linear(2, 2), main_full)


def test_memory_is_what_tensors_take(main_full):
    """The memory figure, against a model small enough to count by hand."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 2).to(torch.bfloat16))
    memory = anatomy.training_memory(model, {"0.weight", "1.bias"})
    assert memory.weights == 4 * (15 + 5) + 2 * (10 + 2)
    assert memory.gradients == 4 * 15 + 2 * 2
    assert memory.optimizer == 2 * memory.gradients
    assert memory.total == memory.weights + 3 * memory.gradients
    whole = anatomy.training_memory(main_full, ())
    assert 2.2e9 < whole.weights < 2.4e9 and whole.gradients == whole.optimizer == 0


def test_adamw_keeps_state_for_what_has_a_gradient_and_decays_nothing_else():
    model = torch.nn.Linear(4, 4)
    model.bias.requires_grad = True
    before = anatomy.fingerprints(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    (model.weight * torch.arange(16.0).view(4, 4)).sum().backward()
    optimizer.step()
    assert anatomy.changed(before, anatomy.fingerprints(model)) == {"weight"}
    assert anatomy.optimizer_state(optimizer, model) == {"weight": 2 * 16 * 4}
    assert anatomy.training_memory(model, {"weight"}).optimizer == 2 * 16 * 4


def test_one_flipped_bit_is_seen():
    model = torch.nn.Linear(3, 1).to(torch.bfloat16)
    before = anatomy.fingerprints(model)
    with torch.no_grad():
        model.weight.view(torch.int16)[0, 1] ^= 1
    after = anatomy.fingerprints(model)
    assert anatomy.changed(before, after) == {"weight"}
    with pytest.raises(BookError, match="same model"):
        anatomy.changed(before, {"weight": after["weight"]})


def test_a_frozen_encoder_runs_with_dropout_in_training_mode(items):
    frozen = build("pretrained")
    assert [mode.training for mode in anatomy.modes(frozen.model)] == [0] * 5
    frozen.model.train()
    active = {mode.component: mode.active_dropout for mode in anatomy.modes(frozen.model)}
    frozen.model.eval()
    assert active.pop("audio_encoder") > 0 and not any(active.values())
    for part, differs in (("audio_encoder", True), ("audio_adaptor", False), ("llm", False)):
        assert (anatomy.change_between_passes(frozen, items, part, True) > 0) == differs
        assert anatomy.change_between_passes(frozen, items, part, False) == 0


def test_zero_dropout_rates_quieten_the_frozen_encoder(items):
    """The cure that the chapter recommends."""
    quiet = build("pretrained", NO_DROPOUT)
    assert anatomy.change_between_passes(quiet, items, "audio_encoder", True) == 0


def test_unknown_component_is_named(main_mini, items):
    with pytest.raises(BookError, match="`ctc`"):
        anatomy.change_between_passes(main_mini, items, "ctc", True)


def test_modes_of_a_model_without_ctc_branch(main_mini):
    """FunASR removes the branch when a checkpoint lacks it; the table must still come."""
    part = main_mini.model.ctc
    main_mini.model.ctc = None
    try:
        found = [mode.component for mode in anatomy.modes(main_mini.model)]
        counts = anatomy.parameter_counts(main_mini.model)
    finally:
        main_mini.model.ctc = part
    assert "ctc" not in found and counts["ctc"] == 0


HONEST = {"ctc_decoder_conf.freeze": True, "freeze_param": "ctc"}


@pytest.mark.parametrize(("overrides", "done"), [
    ({}, 1), ({"ctc_decoder_conf.freeze": True}, 1), (HONEST, 3),
    ({"train_conf.find_unused_parameters": True}, 3)])
def test_a_flag_without_gradient_stops_ddp_at_its_second_step(items, overrides, done):
    """A run on two GPUs that dies, and the overrides that save it."""
    built = build(MAIN, overrides)
    finetune.freeze_listed(built.model, built.kwargs.get("freeze_param"))
    steps, error = anatomy.parallel_steps(built, items)
    assert steps == done and error.startswith("Expected to have finished") == (done == 1)


def test_two_processes_stop_where_one_does(tmp_path):
    """The book shows DDP in one process; this is the proof that two are no different."""
    warm_processes.run(_one_of_two, str(tmp_path), count=2)
    found = [path.read_text() for path in sorted(tmp_path.glob("rank*"))]
    assert len(found) == 2 and all(text.startswith("1 Expected to have") for text in found)


def _one_of_two(rank, folder):
    from torch import distributed

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank,
                                   world_size=2)
    steps, error = anatomy.steps_under_ddp(build(MAIN), telephone_set("adapt", 2), 3)
    with open(f"{folder}/rank{rank}", "w") as file:
        file.write(f"{steps} {error}")
