"""A complete folder from a checkpoint: all that FunASR needs to decode, on any machine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from funasr_preflight import with_funasr
from funasr_preflight.checkpoint.folder import RunFolder, Saved
from funasr_preflight.checkpoint.holding import Holding
from funasr_preflight.checkpoint.loading import CMVN, beside
from funasr_preflight.errors import BookError
from funasr_preflight.launch.directory import PATHS, ModelDirectory
from funasr_preflight.launch.yaml_file import flatten, read_text, value_at
from funasr_preflight.texts import say

DEFAULT_ALPHA = 32
"""`lora_alpha` where the config has none (`funasr/models/fun_asr_nano/model.py`)."""


def export(folder: RunFolder, saved: Saved, held: Holding, base: ModelDirectory | None,
           target: Path) -> Path:
    """Write a folder as the released one is laid out, whole or not at all.

    The weights are the base's with the file's over them, LoRA matrices folded in; the optimizer's
    state stays behind. The config is the run's, without what belongs to a launch or names a path.

    Raises:
        BookError: there is something at `target`, the base is missing or incomplete, the file is
            of another model, or PyTorch is not installed.
    """
    _check(saved, held, base, target)
    alpha = value_at(folder.config, "llm_conf.lora_conf.lora_alpha")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        _copy(folder, base, partial)
        with_funasr.write_complete(saved.path, base.path / "model.pt", partial / "model.pt",
                                   DEFAULT_ALPHA if alpha is None else float(alpha))
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _check(saved: Saved, held: Holding, base: ModelDirectory | None, target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise BookError(say("{name} is there already, and nothing is overwritten: name a folder "
                            "that does not exist yet.", name=target.name))
    if base is None or base.path is None:
        raise BookError(say("--export needs the model that the run started from, for what the "
                            "checkpoint lacks and what lies beside it: name its folder with "
                            "--over."))
    if base.lacks or base.weights is None:
        lacks = ", ".join(base.lacks or ("model.pt",))
        raise BookError(say("{name} lacks {files}: name the whole folder of the model with --over.",
                            name=base.path.name, files=lacks))
    if held.strange:
        raise BookError(say("{file} holds {tensor}, which {name} has not, or has in another "
                            "shape: name the model that the run started from.", file=saved.name,
                            tensor=held.strange, name=base.path.name))
    if held.lora_lost:
        raise BookError(say("The run trained LoRA matrices, and {file} has none: what was learnt "
                            "is not in it. Train again with "
                            "train_conf.effective_save_name_excludes: null.", file=saved.name))
    if not with_funasr.has_torch():
        raise BookError(say("--export puts weights together with PyTorch, which is not installed "
                            "here: run it where FunASR is installed."))


def _copy(folder: RunFolder, base: ModelDirectory, target: Path) -> None:
    """Everything but the weights."""
    about = json.loads(read_text(base.path / "configuration.json", say("a model directory")))
    metas = about.get("file_path_metas")
    named = dict(flatten(metas if isinstance(metas, dict) else {}))
    for name in {str(path) for path in named.values()} - {"model.pt", "config.yaml"}:
        source = base.path / name
        if source.is_dir():
            shutil.copytree(source, target / name)
        else:
            shutil.copy(source, target / name)
    for need in beside(folder, base):
        if need.key == CMVN and need.path is not None:
            shutil.copy(need.path, target / need.name)
            about.setdefault("file_path_metas", {})["frontend_conf"] = {"cmvn_file": need.name}
    (target / "configuration.json").write_text(
        json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (target / "config.yaml").write_text(
        yaml.safe_dump(decoding_config(folder.config, base.document.values), sort_keys=False,
                       allow_unicode=True), encoding="utf-8")


def decoding_config(run: Mapping[str, Any] | None, base: Mapping[str, Any]) -> dict[str, Any]:
    """The run's config without its launch: the base's sections, in the base's order.

    Paths are the base's, which `configuration.json` fills in, and LoRA is off: it is folded.
    """
    config = json.loads(json.dumps({key: (run or base).get(key, value)
                                    for key, value in base.items()}))
    original = dict(flatten(base))
    for key in (*PATHS, CMVN):
        section, _, last = key.rpartition(".")
        node = value_at(config, section)
        if isinstance(node, dict) and last in node:
            if key in original:
                node[last] = original[key]
            else:
                del node[last]
    if value_at(config, "llm_conf.use_lora"):
        config["llm_conf"]["use_lora"] = False
    return config
