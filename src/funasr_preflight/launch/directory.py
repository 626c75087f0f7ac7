"""The model directory that a config is laid over: its config, its paths, its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funasr_preflight.errors import BookError
from funasr_preflight.launch.weights import Shapes, shapes
from funasr_preflight.launch.yaml_file import (
    Document,
    flatten,
    local,
    read_text,
    read_yaml,
    value_at,
)
from funasr_preflight.texts import Text, say

PRETRAINED = Path(__file__).parents[1] / "base" / "pretrained.yaml"
MODEL_DIR = "MODEL_DIR"
PATHS = ("init_param", "llm_conf.init_param_path", "tokenizer_conf.init_param_path",
         "dataset_conf.ctc_tokenizer_conf.vocab_path")
"""Keys that hold a path inside the model directory, which `configuration.json` fills in."""
RELEASED = {"init_param": "model.pt", "config": "config.yaml",
            "llm_conf": {"init_param_path": "Qwen3-0.6B"},
            "tokenizer_conf": {"init_param_path": "Qwen3-0.6B"},
            "dataset_conf": {"ctc_tokenizer_conf": {"vocab_path": "multilingual.tiktoken"}}}
"""`file_path_metas` of the released directory."""
HUGGING_FACE = ("hf", "huggingface")
OWN_CLASS = "FunASRNano"
OWN_NAME = re.compile(r"fun-?asr-?(?:mlt-?)?nano", re.IGNORECASE)
OTHERS = re.compile(r"sense-?voice|paraformer|whisper|llm-?asr|qwen|glm-?asr|uni-?asr|conformer|"
                     r"fsmn|vad|punc|emotion2vec|campplus|cam\+\+|eres2net|kws|moss", re.IGNORECASE)
OTHER_PARTS = {"encoder", "encoder_conf", "decoder", "decoder_conf", "predictor"}
OWN_PARTS = {"audio_encoder", "audio_encoder_conf", "audio_adaptor_conf", "llm", "llm_conf",
              "ctc_decoder_conf"}


@dataclass(frozen=True)
class ModelDirectory:
    """A model directory.

    Attributes:
        path: where it is; None where the released one is taken for it.
        document: its `config.yaml`.
        filled: nested keys that its `configuration.json` fills in; None without that file.
        weights: tensors of its `model.pt`; None where that is not looked at or not there.
        lacks: files that `configuration.json` names, or a run needs, and that are not there.
    """

    path: Path | None
    document: Document
    filled: dict[str, Any] | None
    weights: Shapes | None = None
    lacks: tuple[str, ...] = ()


def released() -> ModelDirectory:
    """Fun-ASR-Nano-2512 as it is released."""
    return ModelDirectory(None, read_yaml(PRETRAINED), _within(MODEL_DIR, RELEASED))


def read_directory(path: Path) -> ModelDirectory:
    """Look at a model directory, or take the released one with another `config.yaml`.

    Raises:
        BookError: a file in it cannot be read.
    """
    if not path.is_dir():
        return ModelDirectory(None, read_yaml(path), _within(MODEL_DIR, RELEASED))
    about, metas = path / "configuration.json", None
    if about.is_file():
        try:
            content = json.loads(read_text(about, say("a model directory")))
            metas = content.get("file_path_metas", {}) if isinstance(content, dict) else {}
        except (json.JSONDecodeError, RecursionError):
            raise BookError(say("{file} is no JSON: copy it again from the released model.",
                                file=about.name)) from None
    named = {key: name for key, name in flatten(metas if isinstance(metas, dict) else RELEASED)
             if isinstance(name, str)}
    lacks = [name for name in named.values() if not (path / name).exists()]
    weights = path / named.get("init_param", "model.pt")
    if metas is None:
        lacks.insert(0, about.name)
    return ModelDirectory(
        path, read_yaml(path / "config.yaml"), None if metas is None else _within(path, metas),
        shapes(weights) if weights.is_file() else None, tuple(dict.fromkeys(lacks)))


def final_paths(directory: ModelDirectory, own: Mapping[str, Any], hub: str) -> dict[str, Any]:
    """What becomes of `PATHS` in a merged run, by FunASR's two ways to merge.

    From ModelScope the file's keys are laid over the filled in ones key by key. From Hugging Face
    they replace them section by section (`funasr/download/download_model_from_hub.py`).
    """
    filled = directory.filled
    if filled is None:
        filled = {}
        weights = f"{directory.path}/model.pt"
        if not own.get("init_param") or hub in HUGGING_FACE or not Path(
                str(own["init_param"])).exists():
            own = {**own, "init_param": weights}
    laid = {**filled, **own} if hub in HUGGING_FACE else merged(filled, own)
    whole = merged(directory.document.values, laid)
    return {key: _resolved(whole, key) for key in PATHS}


def merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """FunASR's merge: mappings key by key, everything else from the file on top."""
    result = dict(base)
    for name, value in own.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merged(result[name], value) if both else value
    return result


def check_model(values: Mapping[str, Any], classes: Collection[str], where: str | Text) -> None:
    """Whether what a config or a directory names can be this checker's model.

    Args:
        values: nested keys.
        classes: names in FunASR's register of models.
        where: what the values stand in, for the message.

    Raises:
        BookError: it is another model.
    """
    name = str(values.get("model") or "")
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    other = (name in classes and name != OWN_CLASS
             or bool(OTHERS.search(last)) and not OWN_NAME.search(last)
             or values.get("hub") == "openai" and name != OWN_CLASS
             or not name and OTHER_PARTS & set(values) and not OWN_PARTS & set(values))
    if other:
        raise BookError(say("{where} is for {model}: pre-flight knows {own} (Fun-ASR-Nano) only, "
                            "and would say wrong things of any other.", where=where,
                            model=name or say("another model"), own=OWN_CLASS))


def named_directory(values: Mapping[str, Any], folders: Sequence[Path]) -> Path | None:
    """The local directory that `model` names, if it is one and here."""
    name = values.get("model")
    if not isinstance(name, str) or not name or "$" in name or "\0" in name or len(name) > 4096:
        return None
    path = local(name, folders)
    return path if path.is_dir() and (path / "config.yaml").is_file() else None


def _within(folder: str | Path, metas: Any) -> Any:
    """`file_path_metas` with the directory's path, of entries that are there."""
    paths = {}
    for key, value in metas.items() if isinstance(metas, dict) else ():
        if isinstance(value, dict):
            paths[key] = _within(folder, value)
        elif isinstance(value, str) and (folder == MODEL_DIR or (Path(folder) / value).exists()):
            paths[key] = f"{folder}/{value}"
    return paths


def _resolved(values: Mapping[str, Any], key: str, depth: int = 0) -> Any:
    node = value_at(values, key)
    match = re.fullmatch(r"\$\{\s*([\w.]+)\s*\}", node) if isinstance(node, str) else None
    return _resolved(values, match[1], depth + 1) if match and depth < 9 else node
