"""What FunASR's source says of a key, held against the objects that Python makes of it."""

from __future__ import annotations

import importlib
import inspect
import shutil
from pathlib import Path

import pytest

from helpers.config import funasr_source
from helpers.config.funasr_source import DEFAULT, IGNORED, NO_READER, REQUIRED, code_default

CLASSES = {section: reader for section, (reader, *_) in funasr_source.READERS.items()
           if section not in ("", "model_conf", "llm_conf", "llm_conf.lora_conf", "train_conf")
           and reader.rpartition(":")[2][:1].isupper()}


def target(reader: str):
    module, _, name = reader.partition(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("section", CLASSES)
def test_defaults_are_those_of_the_class_itself(section: str) -> None:
    """A reader who omits a key gets this value and no other."""
    parameters = inspect.signature(target(CLASSES[section]).__init__).parameters.values()
    lines = funasr_source.lines_of(CLASSES[section])
    for parameter in list(parameters)[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        line = next(line for line in lines if line.name == parameter.name
                    and line.receiver == "" and line.owner.endswith("__init__"))
        if line.kind == REQUIRED:
            assert parameter.default is parameter.empty
        elif line.kind == DEFAULT and not isinstance(line.default, str):
            assert line.default == parameter.default


def test_of_two_definitions_of_a_name_the_later_one_counts() -> None:
    """As in Python: FunASR's file has a function and then a class called DataloaderMapStyle."""
    reader = "funasr.datasets.dataloader_entry:DataloaderMapStyle"
    source, first = inspect.getsourcelines(target(reader))
    lines = funasr_source.lines_of(reader)
    assert lines
    assert all(first <= line.declared < first + len(source) for line in lines)


def test_a_default_counts_before_another_lines_demand() -> None:
    """A key that one line reads with a default and another without is not an error to omit."""
    asked = [line for line in funasr_source.lines_of("funasr.models.llm_asr.adaptor:Transformer")
             if line.name == "encoder_dim"]
    by_kind = {kind: funasr_source.SourceLine("k", "", "f", kind, 3, "f.py", 1, 1, (1, 1))
               for kind in (DEFAULT, REQUIRED, IGNORED)}
    assert asked and funasr_source.default_of("k", [*by_kind.values()][::-1]).values == (3,)
    assert funasr_source.default_of("k", [by_kind[IGNORED], by_kind[REQUIRED]]).kind == REQUIRED
    assert funasr_source.default_of("k", []).kind == NO_READER


def test_what_a_version_lacks_reads_nothing() -> None:
    """Older FunASRs lack some files and functions; reading them is no error."""
    for reader in ("funasr.models.no_such.model:Class", "funasr.bin.train_ds:no_such_function",
                   "funasr.bin.train_ds:main.no_such_part", "funasr.no_such_module"):
        assert funasr_source.lines_of(reader) == ()


def test_another_copy_of_the_library_can_be_read(tmp_path: Path, monkeypatch) -> None:
    """Without importing it: where Python would find the package, its files are parsed."""
    folder = tmp_path / "funasr" / "schedulers"
    folder.mkdir(parents=True)
    (tmp_path / "funasr" / "__init__.py").write_text("raise ImportError('another version')\n")
    (folder / "warmup_lr.py").write_text(
        "class WarmupLR:\n    def __init__(self, optimizer, warmup_steps=7):\n"
        "        self.warmup_steps = warmup_steps\n")
    for cached in (funasr_source.package_folder, funasr_source.lines_of):
        cached.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: importlib.machinery.ModuleSpec(
        name, None, origin=str(tmp_path / name / "__init__.py")))
    try:
        default = code_default("scheduler_conf.warmup_steps")
    finally:
        for cached in (funasr_source.package_folder, funasr_source.lines_of):
            cached.cache_clear()
    assert default.values == (7,) and default.place == "funasr/schedulers/warmup_lr.py, line 2"
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("key, text", [
    ("audio_encoder_conf.num_blocks", "6"), ("audio_encoder_conf.tp_blocks", "0"),
    ("audio_encoder_conf.linear_units", "2048"), ("audio_encoder_conf.input_layer", IGNORED),
    ("audio_encoder_conf.freeze", "true"), ("audio_adaptor_conf.freeze", "false"),
    ("ctc_decoder_conf.n_layer", "2"), ("ctc_decoder_conf.llm_dim", "4096"),
    ("llm_conf.init_param_path", "null"), ("llm_conf.llm_dtype", "fp32"),
    ("dataset_conf.ctc_tokenizer", REQUIRED), ("dataset_conf.max_source_length", "3000 or 8000"),
    ("dataset_conf.batch_size_token_max", "2500"), ("train_conf.save_init_model", NO_READER),
    ("specaug", NO_READER), ("nothing.like_it", NO_READER),
])
def test_code_default(key, text):
    assert code_default(key).text == text
