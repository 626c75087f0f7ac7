"""What each FunASR version does: a reader of the table is told what that version's code answers."""

import importlib
import json
import subprocess
from importlib.metadata import version

import pytest

from funasr_preflight.laws.names import component_of
from funasr_preflight.versions import FILE, Record
from helpers.errors import BookError
from helpers.versions import book, record, weights, wheels
from helpers.versions.probe import NotThereError, Probe, answered

pytestmark = pytest.mark.slow  # most build models

QUICK = ("dither-default", "ctc-term-in-loss", "specaug-built", "missing-init-param-ends",
         "null-overrides-path", "hf-loses-nested-paths", "freeze-param-with-a-blank",
         "freeze-param-without-a-blank", "two-gpus-with-deepspeed", "save-excludes-honoured",
         "save-without-validation", "lora-values", "passes-of-one-jsonl", "longest-line-kept",
         "ctc-removed-when-missing", "activation-checkpoint-error", "tensors-at-full-size",
         "keys-that-nothing-reads", "registered-classes", "feat-permute-passes")


@pytest.fixture(scope="module")
def recorded():
    return record.load()


@pytest.fixture(scope="module")
def probes():
    book.prepare()
    from helpers.versions.questions import PROBES

    return PROBES


def test_at_least_six_versions_with_a_class_answer_every_question(recorded):
    with_class = [one for one in recorded.versions
                  if recorded.finding("class-importable", one) == {"answer": True}]
    asked = [one for one in with_class
             if {*recorded.questions} == {*recorded.content["versions"][one]["findings"]}]
    assert len(asked) >= 6 and {*wheels.CHOSEN} <= {*recorded.versions}


def test_the_record_asks_what_the_probes_ask(recorded, probes):
    assert recorded.questions == {name: one.question for name, one in probes.items()}


@pytest.mark.parametrize("name", QUICK)
def test_the_installed_version_still_answers_as_recorded(recorded, probes, name):
    now = json.loads(json.dumps(answered(probes[name], book.described)))
    assert now == recorded.finding(name, version("funasr"))


def test_no_reason_is_a_probe_that_broke(recorded):
    """A reader would take an error of the book's own for a fact about FunASR."""
    for one in recorded.versions:
        for name in recorded.questions:
            reason = recorded.finding(name, one).get("not_there", "")
            assert "the probe ends in" not in reason, (one, name, reason)


def test_the_record_names_no_folder_of_the_machine_that_made_it():
    text = FILE.read_text(encoding="utf-8")
    assert not any(folder in text for folder in ("/root", "/home", "/tmp", "site-packages"))


def test_what_a_reader_of_the_document_has_to_know_of_its_version(recorded):
    assert recorded.finding("ctc-decoder-built", "1.2.9") == {"answer": False}
    assert recorded.finding("dataset-class", "1.2.9") == {"answer": False}
    assert recorded.finding("class-registered", "1.2.9") == {"answer": False}
    assert recorded.finding("class-importable", "1.3.1") == {"answer": False}
    assert recorded.since("ctc-decoder-built")[-1] == ("1.3.2", {"answer": True})
    assert len(recorded.helped("1.2.9")) == 3 and recorded.helped("1.4.16") == []


def test_lora_and_deepspeed_are_younger_than_the_configs(recorded):
    assert recorded.finding("lora-values", "1.4.0") == {"answer": 0}
    assert recorded.finding("lora-values", "1.4.2")["answer"] > 0
    assert recorded.finding("two-gpus-with-deepspeed", "1.4.0")["answer"] == [
        "use_ddp", "use_deepspeed"]
    assert recorded.finding("two-gpus-with-deepspeed", "1.4.2")["answer"] == ["use_deepspeed"]


def test_the_installed_column_agrees_with_the_audit_and_the_knob_test(recorded):
    mine = version("funasr")
    audit, knobs = book.module("audit").load(), book.module("knobs")
    assert recorded.finding("registered-classes", mine)["answer"] == audit.content["registers"]
    assert {*recorded.finding("sections-that-refuse", mine)["answer"]} == {
        *audit.content["refuses"]}
    never = {knob.key for knob in knobs.load() if knob.verdict == knobs.NEVER_READ}
    assert {*recorded.finding("keys-that-nothing-reads", mine)["answer"]} <= never | {
        knob.key for knob in knobs.load() if not knob.read_at}
    moved = {f"knob-{knob.key.replace('.', '-').replace('_', '-')}": {*knob.moved}
             for knob in knobs.load()}
    for name in filter(lambda one: one.startswith("knob-"), recorded.questions):
        assert {*recorded.finding(name, mine)["answer"]} ^ moved[name] <= {"decoding"}, name


def test_a_change_of_the_loss_would_be_seen(probes):
    from helpers.versions.about_model import _loss

    assert _loss({}) == _loss({})
    assert _loss({}) != _loss({"frontend_conf.n_mels": 80, "frontend_conf.window": "povey"})


@pytest.mark.parametrize(("asked", "used"), [
    ("1.4.16", "1.4.16"), ("1.4.15", "1.4.8"), ("1.4.1", "1.4.0"), ("9.0", "1.4.16"),
    ("1.0.2", "1.2.9"), ("1.4.16.dev1", "1.4.16")])
def test_an_unknown_version_gets_the_nearest_and_says_so(recorded, asked, used):
    found = recorded.nearest(asked)
    assert found.version == used and found.exact == (asked == used)
    assert used in str(found.sentence) and asked in str(found.sentence)
    assert ("not recorded" in str(found.sentence)) != found.exact


@pytest.mark.parametrize("text", ["", "latest", "v"])
def test_what_is_no_version_is_an_error_in_one_sentence(recorded, text):
    with pytest.raises(BookError, match="give one such as"):
        recorded.nearest(text)


def test_a_question_that_was_not_asked_is_no_change_of_the_answer(recorded):
    content = json.loads(json.dumps(recorded.content))
    del content["versions"]["1.4.0"]["findings"]["sections-that-refuse"]
    short = Record(content)
    assert "not asked" in record.shown(short.finding("sections-that-refuse", "1.4.0"))
    assert short.since("sections-that-refuse") == recorded.since("sections-that-refuse")


def test_an_unknown_version_or_finding_is_named(recorded):
    with pytest.raises(BookError, match="FunASR 1.4.99 is not recorded"):
        recorded.finding("dither-default", "1.4.99")
    with pytest.raises(BookError, match="no finding `dither`: choose"):
        recorded.finding("dither", "1.4.16")


def test_the_table_answers_every_question(recorded):
    lines = record.since_rows()
    assert all(len(line) == 2 and all(line) for line in lines)
    assert not any("{" in cell for line in lines for cell in line)
    shown = dict(lines)
    assert shown[recorded.questions["ctc-decoder-built"]].endswith("1.3.2: yes")


def test_a_newer_release_is_described_by_what_changed(recorded):
    before = recorded.content["versions"]["1.4.16"]["findings"]
    after = before | {"dither-default": {"answer": 0.0}, "keys-read-with-a-default": {
        "answer": before["keys-read-with-a-default"]["answer"] | {"optim_conf.lr": "1.0"}}}
    assert record.differences(before, before, recorded.questions) == []
    lines = record.differences(before, after, recorded.questions)
    assert len(lines) == 2
    assert any("dither" in line and "was: 1" in line and "is:  0" in line for line in lines)
    assert any("`optim_conf.lr` was" in line and "is 1.0" in line for line in lines)


def test_answers_reasons_and_errors_are_told_apart():
    def lacks():
        raise NotThereError("it has no such class")

    def breaks():
        raise KeyError("x")

    assert answered(Probe("a", "?", lambda: 3), book.described) == {"answer": 3}
    assert answered(Probe("a", "?", lacks), book.described) == {
        "not_there": "it has no such class"}
    assert answered(Probe("a", "?", breaks), book.described)["not_there"].startswith(
        "the probe ends in KeyError")


def test_a_version_that_the_index_has_not_ends_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(wheels, "FOLDER", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    with pytest.raises(BookError, match="pip cannot install funasr 9.9"):
        wheels.unpacked("9.9")


def test_the_installed_version_has_every_reader_that_the_audit_looks_for():
    """A reader that is gone is passed over in old versions, and must not be in the audited one."""
    for readers in book.module("readers").READERS.values():
        for reader in readers:
            module, _, attribute = reader.partition(":")
            target = importlib.import_module(module)
            for name in filter(None, attribute.split(".")):
                target = getattr(target, name)


def test_tensor_counts_are_those_of_the_public_files(probes):
    for copy, public in weights.PUBLIC.items():
        counts = weights.tensor_counts(weights.of_copy(copy))
        assert sum(counts.values()) == public.tensors
        assert not public.components or counts == dict(public.components)


@pytest.mark.parametrize("copy", weights.PUBLIC)
def test_one_way_of_storing_explains_the_public_bytes_and_no_other_comes_near(probes, copy):
    best, second, *_ = weights.storages(copy)
    assert abs(best.off) < 20_000 and abs(second.off) > 5_000_000
    assert not best.tied
    assert {best.dtypes[part] for part in ("audio_encoder", "audio_adaptor", "llm")} == {
        "bfloat16"}
    assert {best.dtypes[part] for part in weights.CTC if part in best.dtypes} <= {"float32"}


def test_the_two_public_files_differ_by_a_float32_ctc_branch(probes):
    sizes = {copy: public.size for copy, public in weights.PUBLIC.items()}
    ctc = {name: shape for name, shape in weights.shapes().items()
           if component_of(name) in weights.CTC}
    values = weights.value_bytes(ctc, dict.fromkeys(weights.CTC, "float32"), tied=False)
    assert 0 < sizes["ModelScope"] - sizes["Hugging Face"] - values < 400 * len(ctc)


def test_the_book_s_bytes_are_more_because_it_counts_a_float32_encoder_and_a_tied_matrix(probes):
    for copy, public in weights.PUBLIC.items():
        assert 155e6 < weights.as_the_book_builds(copy) - public.size < 157e6
