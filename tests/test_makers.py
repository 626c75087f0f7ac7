"""Does each script for FunASR's makers show the fault, and does it notice the mended one?

They are sent upstream under this book's name: a script that is always content would be an
embarrassment there, and useless as a regression test.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import json
import re
import runpy
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.paths import ROOT
from helpers.training import warm_processes
from helpers.versions import record

FOLDER = ROOT / "book" / "snippets" / "funasr"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
PAGE = (ROOT / "book" / "for_the_makers.md").read_text(encoding="utf-8")
SECTIONS = {match[2]: match[0] for match in re.finditer(
    r"^### ((?!### ).)*?literalinclude\} snippets/funasr/(\w+)\.py((?!^##).)*", PAGE,
    flags=re.MULTILINE | re.DOTALL)}
LONGEST = 25
each_script = pytest.mark.parametrize("name", SCRIPTS)

RECORDED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "missing_init_param": ("missing-init-param-ends", lambda ends: ends is False),
    "null_overrides_path": ("null-overrides-path", lambda overrides: overrides is True),
    "hub_hf_loses_paths": ("hf-loses-nested-paths", lambda loses: loses is True),
    "jsonl_read_per_split": ("passes-of-one-jsonl", lambda passes: passes == 4),
    "freeze_param_blank": ("freeze-param-with-a-blank", lambda frozen: frozen == ["audio_adaptor"]),
    "save_excludes_blank": ("save-excludes-not-stripped", lambda left_in: left_in is True),
    "unknown_keys": ("sections-that-accept-anything",
                     lambda sections: bool(sections and "train_conf" in sections)),
    "ctc_branch_idle": ("ctc-decoder-built", lambda built: built is True),
    "in_place_scaling": ("activation-checkpoint-error",
                         lambda error: "inplace operation" in (error or ""))}


@each_script
def test_the_page_shows_every_script_and_says_all_about_it(name: str) -> None:
    assert list(SECTIONS).count(name) == 1
    assert re.search(r"\*\*Fix:\*\*\s.*\*\*Shows in:\*\*\s.*\*\*Place:\*\*\s", SECTIONS[name],
                     flags=re.DOTALL)


def test_the_page_names_no_script_that_is_not_there() -> None:
    assert sorted(re.findall(r"snippets/funasr/(\w+)\.py", PAGE)) == SCRIPTS


@each_script
def test_a_script_stands_alone_and_is_short(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
               for alias in node.names} | {
                   node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.split(".")[0] for module in modules} & {"helpers", "funasr_preflight"} == set()
    assert ast.get_docstring(tree)
    body = text.splitlines()[tree.body[0].end_lineno:]
    assert sum(bool(line.strip()) for line in body) <= LONGEST


@each_script
def test_the_versions_are_those_of_the_record(name: str) -> None:
    said = re.search(r"\*\*Shows in:\*\*\s+`([^`]*)`", SECTIONS[name])[1].split(", ")
    if name not in RECORDED:
        assert said == [version("funasr")]
        return
    finding, shows = RECORDED[name]
    known = record.load()
    assert said == [number for number in known.versions
                    if shows(known.finding(finding, number).get("answer"))]


@each_script
def test_each_place_is_a_line_of_code_in_the_version_that_the_link_names(name: str) -> None:
    places = re.findall(r"\[`funasr/([\w/]+\.py):(\d+)`\]\(https://github\.com/modelscope/FunASR/"
                        r"blob/v([\d.]+)/funasr/([\w/]+\.py)#L(\d+)\)", SECTIONS[name])
    assert places
    package = Path(find_spec("funasr").origin).parent
    for path, line, tag, linked, linked_line in places:
        assert (path, line, tag) == (linked, linked_line, version("funasr"))
        code = (package / path).read_text(encoding="utf-8").splitlines()[int(line) - 1].strip()
        assert code and not code.startswith(("#", '"""'))


def play(_: int, script: str, answer: str, mended: bool) -> None:
    """Run a script in a process of its own, on a FunASR that has been mended for it or not."""
    if mended:
        MENDS[Path(script).stem]()
    said, code = io.StringIO(), 0
    with contextlib.redirect_stdout(said):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            code = end.code
    Path(answer).write_text(json.dumps([code, said.getvalue().splitlines()]), encoding="utf-8")


def played(name: str, folder: Path, mended: bool) -> tuple[int, list[str]]:
    warm_processes.run(play, str(FOLDER / f"{name}.py"), str(folder / "answer.json"), mended)
    code, lines = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return code, [line for line in lines if not line.startswith("funasr version")]


@pytest.mark.slow
@each_script
def test_the_fault_is_there_and_told_in_one_line(name: str, tmp_path: Path) -> None:
    code, lines = played(name, tmp_path, mended=False)
    assert code == 0
    assert len(lines) == 1 and len(lines[0]) > 20


@pytest.mark.slow
@each_script
def test_a_mended_library_is_noticed(name: str, tmp_path: Path) -> None:
    assert played(name, tmp_path, mended=True)[0] == 1


# The mends: each does to the installed FunASR what the page proposes, around its own code.

def wrapped(module: Any, name: str, around: Callable[..., Any]) -> None:
    """Put a function in the place of a module's own, which it gets as its first argument."""
    setattr(module, name, functools.partial(around, getattr(module, name)))


def _missing_path_raises() -> None:
    from funasr import AutoModel

    def build(**kwargs):
        raise FileNotFoundError(kwargs["init_param"])
    AutoModel.build_model = staticmethod(build)


def _nulls_left_out() -> None:
    from funasr.download import download_model_from_hub as hub

    wrapped(hub, "download_from_ms", lambda original, **kwargs: original(
        **{key: value for key, value in kwargs.items() if value is not None}))


def _one_merge_for_both_hubs() -> None:
    from funasr.download import download_model_from_hub as hub

    hub.download_from_hf = hub.download_from_ms


def _lines_split() -> None:
    from funasr.register import tables

    class Split(tables.index_ds_classes["FunASR"]):
        def __init__(self, path, data_split_num=1, data_split_i=0, **kwargs):
            super().__init__(path, **kwargs)
            self.contents = self.contents[data_split_i::data_split_num]

        def __len__(self):
            return len(self.contents)
    tables.index_ds_classes["FunASR"] = Split


def _freeze_names_stripped() -> None:
    from funasr.bin import train_ds

    wrapped(train_ds, "main", lambda original, freeze_param, **kwargs: original(
        freeze_param=freeze_param.replace(" ", ""), **kwargs))


def _prefixes_stripped() -> None:
    from funasr.train_utils.trainer_ds import Trainer

    original = Trainer.__init__

    def made(self, effective_save_name_excludes, **kwargs):
        original(self, effective_save_name_excludes=effective_save_name_excludes.replace(" ", ""),
                 **kwargs)
    Trainer.__init__ = made


def _scaler_lowers_its_factor() -> None:
    from funasr.train_utils.trainer_ds import Trainer

    def update(self, model, optim, scheduler, scaler, loss_dict=None):
        scaler.step(optim)
        scaler.update()
        optim.zero_grad()
    Trainer.update_step = update


def _line_without_speech_raises() -> None:
    from funasr.register import tables

    class Strict(tables.dataset_classes["FunASR"]):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            return item if "speech" in item else None
    tables.dataset_classes["FunASR"] = Strict


def _unknown_keys_refused() -> None:
    from funasr.frontends.wav_frontend import WavFrontend
    from funasr.models.sense_voice.model import SenseVoiceEncoderSmall
    from funasr.train_utils.trainer_ds import Trainer

    def refuse(self, *_, **kwargs):
        raise TypeError(f"unknown keys among {sorted(kwargs)}")
    for owner in (WavFrontend, SenseVoiceEncoderSmall, Trainer):
        owner.__init__ = refuse


def _ctc_in_the_loss() -> None:
    from funasr.models.fun_asr_nano.model import FunASRNano

    original = FunASRNano.forward

    def forward(self, *inputs, **kwargs):
        loss, *rest = original(self, *inputs, **kwargs)
        branch = [*self.ctc_decoder.parameters(), *self.ctc.parameters()]
        return loss + sum(parameter.sum() for parameter in branch), *rest
    FunASRNano.forward = forward


def _scaled_into_a_new_tensor() -> None:
    from funasr.models.sense_voice.model import SenseVoiceEncoderSmall

    original = SenseVoiceEncoderSmall.forward
    SenseVoiceEncoderSmall.forward = lambda self, xs_pad, ilens: original(
        self, xs_pad.clone(), ilens)


def _batches_dealt_out() -> None:
    from funasr.datasets.audio_datasets import samplers

    wrapped(samplers, "CustomDistributedBufferDynamicBatchSampler",
            lambda original, dataset, sort_size=1024, **kwargs: original(dataset, **kwargs))
    samplers.CustomDistributedDynamicBatchSampler = (
        samplers.CustomDistributedBufferDynamicBatchSampler)


def _metric_checked() -> None:
    from funasr.train_utils.trainer_ds import Trainer

    def refuse(self, avg_keep_nbest_models_type, **_):
        raise ValueError(f"avg_keep_nbest_models_type: {avg_keep_nbest_models_type}")
    Trainer.__init__ = refuse


def _list_asked_for() -> None:
    from funasr.register import tables

    def refuse(**_):
        raise ValueError("valid_data_set_list is missing")
    tables.dataloader_classes["DataloaderMapStyle"] = refuse


def _blank_lines_skipped() -> None:
    from funasr.register import tables

    class Skipping(tables.index_ds_classes["FunASR"]):
        def __init__(self, path, **kwargs):
            named = Path(path).read_text(encoding="utf-8").split()
            super().__init__(named[0], **kwargs)
    tables.index_ds_classes["FunASR"] = Skipping


def _blank_id_handed_on_once() -> None:
    from funasr.models.fun_asr_nano.model import FunASRNano

    original = FunASRNano.__init__
    FunASRNano.__init__ = lambda self, ctc_conf, **kwargs: original(self, **kwargs)


def _segments_at_the_frontends_rate() -> None:
    from funasr.auto import auto_model

    wrapped(auto_model, "slice_padding_audio_samples",
            lambda original, speech, length, segments: original(speech, length, [
                ([time / 2 for time in segment], index) for segment, index in segments]))


def _code_of_the_models_folder() -> None:
    from funasr.download import download_model_from_hub as hub
    from funasr.utils import dynamic_import

    wrapped(hub, "download_from_ms", lambda original, **kwargs: original(
        **kwargs | {"remote_code": f"{kwargs['model']}/model.py"}))
    wrapped(dynamic_import.importlib, "import_module", _from_the_last_folder)


def _from_the_last_folder(original: Callable[[str], Any], name: str, *rest: Any) -> Any:
    sys.path.insert(0, sys.path.pop())
    return original(name, *rest)


def _arrays_and_bytes_taken() -> None:
    from funasr.models.fun_asr_nano.model import FunASRNano

    FunASRNano.generate_chatml = lambda self, prompt, data: [
        {"role": "user", "content": prompt, "audio": data}]


def _rate_read_once() -> None:
    from funasr.models.fun_asr_nano import model

    wrapped(model, "load_audio_text_image_video", lambda original, data, fs, **kwargs: data)
    original = model.FunASRNano.data_load_speech
    model.extract_fbank = lambda *_, **__: (torch.zeros(1, 9, 560), torch.tensor([9]))

    def loaded(self, contents, tokenizer, frontend, fs=None, **kwargs):
        return original(self, contents, tokenizer, frontend, audio_fs=fs, **kwargs)
    model.FunASRNano.data_load_speech = loaded


def _text_is_one_hot_word() -> None:
    from funasr.models.fun_asr_nano.model import FunASRNano

    original = FunASRNano.get_prompt
    FunASRNano.get_prompt = lambda self, hotwords, **kwargs: original(
        self, [hotwords] if isinstance(hotwords, str) else hotwords, **kwargs)


MENDS = {
    "arrays_and_bytes": _arrays_and_bytes_taken, "rate_given_twice": _rate_read_once,
    "hotwords_text": _text_is_one_hot_word,
    "missing_init_param": _missing_path_raises, "null_overrides_path": _nulls_left_out,
    "hub_hf_loses_paths": _one_merge_for_both_hubs, "jsonl_read_per_split": _lines_split,
    "freeze_param_blank": _freeze_names_stripped, "save_excludes_blank": _prefixes_stripped,
    "fp16_without_update": _scaler_lowers_its_factor,
    "path_without_mark": _line_without_speech_raises, "unknown_keys": _unknown_keys_refused,
    "ctc_branch_idle": _ctc_in_the_loss, "in_place_scaling": _scaled_into_a_new_tensor,
    "unequal_batches": _batches_dealt_out, "metric_unknown": _metric_checked,
    "validation_list_missing": _list_asked_for, "vad_at_8_khz": _segments_at_the_frontends_rate,
    "blank_line_in_list": _blank_lines_skipped, "ctc_blank_id": _blank_id_handed_on_once,
    "remote_code": _code_of_the_models_folder}
