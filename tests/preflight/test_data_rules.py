"""Rules on manifests: for each, data that trigger it and data that do not."""

import json
from collections import Counter

import numpy as np
import pytest
import soundfile
from omegaconf import OmegaConf

from funasr_preflight.context import Context, Source
from funasr_preflight.findings import Severity
from funasr_preflight.manifest import scanning
from funasr_preflight.manifest.settings import FilterConf
from funasr_preflight.rules import data
from funasr_preflight.rules.registry import RULES, findings_of
from helpers.paths import ROOT
from helpers.speech import corpus, manifests

CLEAN = {"frontend_conf": {"fs": 16000},
         "dataset_conf": {"batch_type": "token", "batch_size": 6000, "max_token_length": 3000,
                          "batch_size_token_max": 6000, "batch_size_sample_max": 15,
                          "sort_size": 1024, "shuffle": True, "data_split_num": 1,
                          "max_source_length": 2500, "max_target_length": 500}}
OWN = [name for name in RULES if name.startswith("data-")
       and RULES[name].check.__module__ == data.__name__]


def line(number, **changes):
    return {**manifests.chatml(f"k{number}", f"wav/{number}.wav", f"good morning number {number}",
                            300 + number, 9), **changes}


def said(number, text, audio=None):
    found = line(number)
    found["messages"][2]["content"] = text
    if audio is not None:
        found["messages"][1]["content"] = f"<|startofspeech|>!{audio}<|endofspeech|>"
    return found


def clean(count=40, first=0):
    return [line(first + number) for number in range(count)]


def conf(**changes):
    return {**CLEAN, "dataset_conf": {**CLEAN["dataset_conf"], **changes}}


def audio(name, rate=16000, channels=1, frames=None):
    """A line whose audio is made in the test's folder."""
    def make(folder):
        soundfile.write(folder / name, np.zeros((rate, channels)), rate)
        return manifests.chatml(name, str(folder / name), "good morning",
                             98 if frames is None else frames, 3)
    return make


GOOD_AUDIO = [audio("a.wav"), audio("b.wav")]
GONE = manifests.chatml("gone", "no/such.wav", "good morning", 98, 3)
URL = manifests.chatml("url", "https://example.org/a.wav", "good morning", 98, 3)
BROKEN, KEYLESS = b'{"messages": [', {"speech_length": 300, "text_length": 3}
TEXT = {**line(1), "messages": "good morning"}
SPREAD = [line(number, speech_length=20 + 97 * (number * 7 % 25)) for number in range(200)]
OTHER = clean(20, first=900)

TRIGGERS = {
    "data-stops-reading": [({"train": [*clean(), KEYLESS]}, Severity.ERROR),
                           ({"train": [*clean(), TEXT]}, Severity.ERROR)],
    "data-malformed": [({"train": [*clean(), BROKEN]}, Severity.WARNING),
                       ({"train": clean(), "valid": [*OTHER, b""]}, Severity.WARNING)],
    "data-nothing-left": [({"train": clean(), "config": conf(max_source_length=50)},
                           Severity.ERROR), ({"train": [BROKEN]}, Severity.ERROR),
                          ({"train": clean(), "valid": [BROKEN]}, Severity.WARNING),
                          ({"train": clean(), "config": conf(index_ds="IndexDSJsonl")},
                           Severity.ERROR)],
    "data-lost": [({"train": [*clean(), line(0, speech_length=2600)]}, Severity.WARNING),
                  ({"train": clean(), "config": conf(max_token_length=330)}, Severity.WARNING),
                  ({"train": [*clean(500), line(501, speech_length=5)]}, Severity.NOTE),
                  ({"train": clean(), "config": conf(
                      drop_last=True, batch_sampler="EspnetStyleBatchSampler")}, Severity.WARNING),
                  ({"train": clean(), "config": conf(drop_last=True, sort_size=0)},
                   Severity.NOTE)],
    "data-empty-batch": [({"train": clean(), "config": conf(batch_size=200)}, Severity.ERROR),
                         ({"train": clean(), "config": conf(batch_size_sample_max=1)},
                          Severity.ERROR)],
    "data-dropped-in-collator": [({"train": clean(), "config": conf(batch_size_token_max=300)},
                                  Severity.WARNING)],
    "data-replaced-in-dataset": [
        ({"train": [line(0, text_length=450, speech_length=40)] * 3,
          "config": conf(max_token_length=490, prompt_classes="MultiContextPrompt")},
         Severity.WARNING)],
    "data-padding": [({"train": SPREAD, "config": conf(sort_size=0)}, Severity.NOTE)],
    "data-lonely-batches": [
        ({"train": clean(), "config": conf(batch_size=400)}, Severity.WARNING),  # meant as samples
        ({"train": clean(), "config": conf(batch_size=600)}, Severity.NOTE)],
    "data-read-again": [({"train": clean(), "config": conf(data_split_num=256)},
                         Severity.WARNING)],
    "data-no-step": [({"train": clean(),
                       "config": {**CLEAN, "train_conf": {"accum_grad": 99}}}, Severity.ERROR)],
    "data-batches-repeat": [({"train": clean(), "gpus": 8}, Severity.WARNING)],
    "data-unequal-processes": [
        ({"train": clean(37), "gpus": 3, "config": conf(sort_size=0, batch_size=700)},
         Severity.ERROR),
        ({"train": clean(37), "gpus": 3, "config": {
            **conf(sort_size=0, batch_size=700), "train_conf": {"accum_grad": 2}}},
         Severity.WARNING)],
    "data-uneven": [({"train": clean(), "config": conf(batch_type="example", batch_size=7,
                                                       drop_last=True)}, Severity.ERROR)],
    "data-suspicious": [({"train": [*clean(), said(90, "")]}, Severity.WARNING),
                        ({"train": [*clean(), said(90, "yes [noise]")]}, Severity.WARNING),
                        ({"train": [*clean(), said(90, "good morning ")]}, Severity.NOTE)],
    "data-duplicates": [({"train": [*clean(), line(3)]}, Severity.WARNING)],
    "data-overlap": [({"train": clean(), "valid": [*OTHER, line(3)]}, Severity.WARNING)],
    "data-same-sentences": [({"train": clean(), "valid": [
        said(number, f"good morning number {number}", f"other/{number}.wav")
        for number in range(9)]}, Severity.NOTE)],
    "data-audio": [({"train": [*GOOD_AUDIO, GONE]}, Severity.WARNING),
                   ({"train": [GONE]}, Severity.ERROR)],
    "data-remote-audio": [({"train": [*GOOD_AUDIO, URL]}, Severity.NOTE)],
    "data-speech-length": [({"train": [*GOOD_AUDIO, audio("c.wav", frames=980)]},
                            Severity.WARNING)],
    "data-downsampled": [({"train": GOOD_AUDIO, "config": {**CLEAN, "frontend_conf": {"fs": 8000}}},
                          Severity.WARNING)],
    "data-mixed-rates": [({"train": [*GOOD_AUDIO, audio("c.wav", rate=8000)]}, Severity.NOTE)],
    "data-channels": [({"train": [*GOOD_AUDIO, audio("c.wav", channels=2)]}, Severity.WARNING)],
}
QUIET = [{"train": clean(), "valid": OTHER},
         {"train": clean(), "gpus": 3},
         {"train": clean(), "gpus": 2, "config": conf(batch_type="example", batch_size=4,
                                                      drop_last=True)},
         {"train": GOOD_AUDIO, "valid": OTHER}, {},
         {"train": [audio("a.wav", rate=48000), audio("b.wav", rate=48000)]},
         {"train": [audio("a.wav", rate=8000)], "config": {**CLEAN, "frontend_conf": {"fs": 8000}}}]
CASES = [(name, case, severity) for name, cases in TRIGGERS.items() for case, severity in cases]


def context(folder, train=None, valid=None, config=CLEAN, gpus=1):
    settings = FilterConf.of(config, gpus)

    def read(name, lines):
        if lines is None:
            return None
        made = [one(folder) if callable(one) else one for one in lines]
        path = folder / f"{name}.jsonl"
        path.write_bytes(b"".join((one if isinstance(one, bytes) else json.dumps(one).encode())
                                  + b"\n" for one in made))
        looked = scanning.ALL if any(map(callable, lines)) or GONE in lines else None
        return scanning.scan(path, settings, sample_audio=looked, training=name == "train")

    return Context(Source("own.yaml", {}, {}), config, "merged", None, read("train", train),
                   read("valid", valid), gpus)


def found_by(name, made):
    return list(findings_of(RULES[name], made))


@pytest.mark.parametrize("name, case, severity", CASES,
                         ids=[f"{name}-{number}" for number, (name, *_) in enumerate(CASES)])
def test_a_rule_is_triggered(name, case, severity, tmp_path):
    found = found_by(name, context(tmp_path, **case))
    assert [one.severity for one in found] == [severity]
    assert str(found[0].message) and "{" not in str(found[0].message)
    assert found[0].file and found[0].rule == name
    assert str(found[0].fix) or severity is Severity.NOTE


@pytest.mark.parametrize("case", QUIET)
@pytest.mark.parametrize("name", OWN)
def test_a_rule_is_quiet(name, case, tmp_path):
    assert not found_by(name, context(tmp_path, **case))


def test_a_line_that_a_filter_leaves_out_ends_nothing_whatever_its_messages_are(tmp_path):
    made = context(tmp_path, train=[*clean(), {**TEXT, "speech_length": 2600}])
    assert not found_by("data-stops-reading", made)
    assert made.train.lost["too_long"][0] == 1


def test_every_rule_has_its_cases_and_its_page():
    assert set(TRIGGERS) == set(OWN)
    for name in OWN:
        assert (ROOT / f"notebooks/{RULES[name].chapter.partition('#')[0]}.md").is_file()
    print(Counter(name for name, *_ in CASES))


def test_the_recommended_config_and_the_books_data_give_nothing():
    read = OmegaConf.load(ROOT / "configs/recommended_8k.yaml")
    pretrained = OmegaConf.load(ROOT / "configs/pretrained.yaml")
    config = OmegaConf.to_container(OmegaConf.merge(pretrained, read), resolve=True)
    settings = FilterConf.of(config)
    train, valid = (scanning.scan(corpus.CORPUS / f"{name}.jsonl", settings,
                                  training=name == "adapt") for name in ("adapt", "valid"))
    made = Context(Source("recommended_8k.yaml", {}, {}), config, "merged", None, train, valid)
    assert [one for name in OWN for one in found_by(name, made)] == []


def test_facts_add_up(tmp_path):
    made = context(tmp_path, train=[*clean(), line(0, speech_length=2600), BROKEN])
    table = data.facts(made.train, FilterConf.of(CLEAN))
    said = {str(name): str(value) for name, value in table.rows}
    assert said["lines"] == "42" and said["utterances kept"] == "40"
    assert said["optimizer steps of an epoch"] == str(made.train.plan.batches)
