"""Does it fit the card? Else a user rents one, waits for the weights, and reads "out of memory"."""

from __future__ import annotations

from pathlib import Path

import pytest

from funasr_preflight import check, checking
from funasr_preflight.findings import Severity
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.run import cards, estimates, gpu_memory
from helpers.errors import BookError
from helpers.paths import CONFIGS
from helpers.speech import manifests
from helpers.speech.turns import line

OURS = CONFIGS / "recommended_8k.yaml"
RULE = "cost-gpu-memory"


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> Path:
    """Forty turns of thirty seconds."""
    folder = tmp_path_factory.mktemp("data")
    return manifests.write_manifest([line(f"turn {number}", 30.0, 100) for number in range(40)],
                                    folder / "train.jsonl")


def fits(card: str | None, train=None, *overrides: str, gpus: int = 1):
    found = check(OURS, train, overrides=overrides, probe=None, gpus=gpus,
                  gpu_bytes=card and cards.gpu_bytes(card)).of(RULE)
    return found[0] if found else None


# The card


@pytest.mark.parametrize(("given", "gibibytes"), [
    ("24", 24), ("24GiB", 24), ("24 GB", 24), ("0.5", 0.5), ("4090", 24), ("RTX 4090", 24),
    ("NVIDIA GeForce RTX 4090", 24), ("a100-40", 40), ("A100-80GB", 80), ("A100 SXM4 80GB", 80),
    ("h100", 80), ("V100-32", 32), ("Tesla T4", 15), ("L40S", 45)])
def test_a_card_is_known_by_its_size_or_by_any_of_its_names(given, gibibytes):
    assert cards.gpu_bytes(given) / GIBIBYTE == pytest.approx(gibibytes, rel=0.02)


@pytest.mark.parametrize(("given", "said"), [
    ("A100", "A100-40 / A100-80"), ("V100", "V100-32"), ("abacus", "4090"), ("0", "no number"),
    ("-3", "no number"), ("", "no number"), ("5000", "no number")])
def test_what_is_no_card_is_said_with_what_would_be(given, said):
    with pytest.raises(BookError, match=said):
        cards.gpu_bytes(given)


# Does it fit


def test_the_worse_the_card_the_worse_the_verdict(train):
    kinds = [fits(card, train, "dataset_conf.batch_size=60000",
                  "dataset_conf.batch_size_sample_max=200").severity
             for card in ("H200", "24", "4")]
    assert kinds == [Severity.NOTE, Severity.ERROR, Severity.ERROR]
    assert "whatever the `batch_size`" in str(fits("4", train).message)


def test_the_batch_size_that_is_named_fits_and_a_larger_one_would_not(train):
    large = ("dataset_conf.batch_size=60000", "dataset_conf.batch_size_sample_max=200")
    advice = fits("24", train, *large).fix
    size = advice.values["size"]
    assert 3000 <= size < 60000
    good = fits("24", train, f"dataset_conf.batch_size={size}", *large[1:])
    assert good.severity == Severity.NOTE and "fits" in str(good.message)
    bad = fits("24", train, f"dataset_conf.batch_size={round(size * 1.5)}", *large[1:])
    assert bad.severity > Severity.NOTE


def test_a_line_too_long_for_any_batch_is_told_by_its_length(tmp_path):
    long = manifests.write_manifest([line(f"turn {number}", 110.0, 100) for number in range(4)],
                                    tmp_path / "train.jsonl")
    found = fits("9", long, "dataset_conf.max_token_length=20000",
                 "dataset_conf.batch_size=20000", "dataset_conf.max_source_length=20000")
    assert found.severity == Severity.ERROR
    frames = found.fix.values["frames"]
    assert 0 < frames < 11000 and "Not even one" in str(found.fix)


def test_without_a_card_only_what_no_common_card_holds_is_warned_about(train):
    assert fits(None, train) is None
    huge = fits(None, train, "dataset_conf.batch_size=600000", "dataset_conf.sort_size=40",
                "dataset_conf.batch_size_sample_max=500")
    assert huge is not None and huge.severity == Severity.WARNING


def test_its_error_and_where_it_comes_from_stand_in_the_output(train):
    said = str(fits("24", train).message)
    assert "missed what was counted by at most" in said and "nothing of it was measured" in said


def test_deepspeed_divides_what_is_told_here_so_it_is_said_that_nothing_is_told():
    found = fits("4", None, "train_conf.use_deepspeed=true")
    assert found.severity == Severity.NOTE and "not computed" in str(found.message)
    assert fits(None, None, "train_conf.use_deepspeed=true") is None


# What is counted


def need(*overrides: str, **settings):
    return gpu_memory.need(checking.context_of(OURS, overrides=overrides, **settings))


def test_several_gpus_hold_a_copy_of_every_gradient_that_ddp_may_send():
    one, two = need(), need(gpus=2)
    flagged = sum(part.flagged * part.bytes_each
                  for part in estimates.parts(checking.context_of(OURS)))
    assert two.buckets == flagged > 0 == one.buckets
    assert two.total - one.total == flagged


def test_what_ddp_really_makes_is_that_copy():
    """PyTorch's own account of its buckets, for a model a part of which is frozen."""
    import torch
    from torch import distributed, nn

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        model = nn.Sequential(nn.Linear(100, 100), nn.Linear(100, 100, dtype=torch.float32))
        model[0].requires_grad_(False)
        wrapped = nn.parallel.DistributedDataParallel(model)
        wrapped(torch.zeros(1, 100)).sum().backward()
        sizes = wrapped._get_ddp_logging_data()["bucket_sizes"]
    finally:
        distributed.destroy_process_group()
    assert sum(map(int, sizes.split(","))) == sum(
        one.numel() * one.element_size() for one in model.parameters() if one.requires_grad)


def test_a_ctc_branch_that_funasr_drops_takes_no_memory():
    """The copy on Hugging Face holds none; so does FunASR 1.3.0, which builds none."""
    with_ctc = checking.context_of(OURS)
    size = sum(part.parameters * 4 for part in estimates.parts(with_ctc)
               if part.name in estimates.CTC)
    assert size > 0
    for settings in ({"overrides": ["++hub=hf"]}, {"funasr": "1.3.0"}):
        without = checking.context_of(OURS, **settings)
        assert (estimates.training_memory(with_ctc).weights
                - estimates.training_memory(without).weights) == size
        assert not [part for part in estimates.parts(without)
                    if part.name in estimates.CTC and part.flagged]
    kept = checking.context_of(OURS, overrides=["++hub=hf"], funasr="1.3.2")
    assert estimates.training_memory(kept).weights == estimates.training_memory(with_ctc).weights


@pytest.mark.parametrize("with_ctc", [True, False])
def test_the_weights_of_the_directory_decide_what_is_counted(with_ctc, tmp_path):
    """`--over DIR` with a `model.pt` of the released names and shapes, of which only the index is
    read."""
    import torch

    from funasr_preflight import audit
    from funasr_preflight.launch.directory import PRETRAINED
    from funasr_preflight.laws.names import COMPONENTS

    names = [name for part in COMPONENTS if with_ctc or part not in estimates.CTC
             for name in audit.load().parameters(part)]
    torch.save({name: torch.empty(1, device="meta") for name in names}, tmp_path / "model.pt")
    (tmp_path / "config.yaml").write_bytes(PRETRAINED.read_bytes())
    report = check(OURS, over=tmp_path, gpus=2, overrides=["ctc_decoder_conf.freeze=false",
                                                           "~freeze_param"])
    assert bool(report.of("trains-without-gradient")) == with_ctc
    rows = {row[0]: row for row in report.tables[0].rows}
    assert (rows["ctc_decoder"][1] == "0.0 M") == (not with_ctc)


def with_laws(monkeypatch, **stored) -> None:
    """An audit of this law of activations."""
    from funasr_preflight import audit

    content = {**audit.load().content, "activations": {"largest_error": 0.01, **stored}}
    monkeypatch.setattr(audit, "load", lambda: audit.Audit(content))


FROZEN = ("++audio_encoder_conf.freeze=true", "++audio_adaptor_conf.freeze=true")


def test_a_part_below_which_nothing_learns_keeps_nothing():
    assert need(*FROZEN).activations == 0
    lora = need(*FROZEN, "++llm_conf.use_lora=true").activations
    assert 0 < lora < need().activations


def test_each_part_goes_by_its_own_law(monkeypatch):
    """One byte for each frame or token of the law that must be taken, nothing for the others."""
    names = [*(f"{part} {usual}" for part in ("audio_encoder", "audio_adaptor")
               for usual in ("fp32", "amp")),
             *(f"llm {mode} {kind}" for mode in ("frozen", "lora", "full")
               for kind in ("fp32", "amp", "bf16"))]

    def taken(*overrides: str) -> set[str]:
        found = set()
        for name in names:
            with_laws(monkeypatch, laws={one: [float(one == name), 0.0] for one in names})
            found |= {name} if need(*overrides).activations else set()
        return found

    fp32 = ("++llm_conf.llm_dtype=fp32",)
    assert taken() == {"audio_encoder fp32", "audio_adaptor fp32", "llm frozen bf16"}
    assert taken(*fp32, "train_conf.use_bf16=true") == {
        "audio_encoder amp", "audio_adaptor amp", "llm frozen amp"}
    assert taken(*fp32, *FROZEN, "++llm_conf.use_lora=true") == {"llm lora fp32"}
    assert taken(*FROZEN, "++llm_conf.freeze=false") == {"llm full bf16"}


def test_an_audit_with_one_law_says_for_which_case_it_was_counted(monkeypatch, train):
    with_laws(monkeypatch, bytes=[3e6, 3e3, 2e6])
    assert "frozen in 16 bits" in str(fits("24", train).message)


@pytest.mark.slow
def test_layers_are_alike_so_two_depths_tell_of_all(monkeypatch):
    """On the mini, whose full depth can be counted here: the law of each part against PyTorch."""
    from helpers.audit import activations
    from helpers.model import mini
    from helpers.telephone.channel import telephone_set
    from helpers.training import finetune

    monkeypatch.setattr(activations, "DEPTHS", (1, 2))
    pool = sorted(telephone_set("adapt", 60), key=lambda item: item["speech_length"])
    built = mini.build(finetune.with_overrides(
        "config_8k_telephone", finetune.SHORT_RUN, {"audio_adaptor_conf.freeze": False}))
    built.model.train()
    laws = activations.laws_of(built, "frozen", [[pool[place]] for place in (3, 20, 40, 58)])
    for precision in ("fp32", "bf16"):  # what autocast keeps depends on the processor
        for items in (pool[30:31], pool[10:12]):
            error = activations.error_of(built, items, "frozen", precision, laws)
            assert abs(error) < 0.1, (precision, len(items))
