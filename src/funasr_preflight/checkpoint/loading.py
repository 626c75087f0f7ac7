"""What must lie beside a checkpoint, and the lines of Python that load and decode it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funasr_preflight.checkpoint.folder import RunFolder, Saved
from funasr_preflight.checkpoint.holding import Holding, values_at
from funasr_preflight.launch.directory import PATHS, RELEASED, ModelDirectory
from funasr_preflight.launch.yaml_file import flatten
from funasr_preflight.texts import Text, say

CALL = "call.wav"
"""Stands for the user's audio in the printed lines."""
CMVN = "frontend_conf.cmvn_file"
_WHAT = {
    "llm_conf.init_param_path": say("the shape of the LLM"),
    "tokenizer_conf.init_param_path": say("the LLM's tokenizer"),
    "dataset_conf.ctc_tokenizer_conf.vocab_path": say("the tokens of the CTC branch"),
    CMVN: say("mean and variance of the features"),
}


@dataclass(frozen=True)
class Beside:
    """Something that a checkpoint cannot do without.

    Attributes:
        path: where it is on this machine; None where it is missing.
        key: the key of the config that names it, or "".
    """

    name: str
    purpose: Text
    path: Path | None
    key: str = ""


def beside(folder: RunFolder, base: ModelDirectory | None) -> list[Beside]:
    """What FunASR opens when it builds the model, and where it is."""
    here = folder.path / "config.yaml"
    needs = [Beside("config.yaml", say("what FunASR builds the model from"),
                    here if folder.config is not None else None)]
    released = dict(flatten(RELEASED))
    named = values_at(folder.config, (*PATHS, CMVN))
    for key, purpose in _WHAT.items():
        if key not in named and (key == CMVN or folder.config is not None):
            continue
        path = Path(str(named[key])) if key in named else None
        if (path is None or not path.exists()) and base is not None and base.path is not None:
            path = base.path / released.get(key, Path(str(named.get(key, ""))).name)
        name = path.name if path else released[key]
        needs.append(Beside(name, purpose, path if path and path.exists() else None, key))
    return needs


def loading(folder: RunFolder, saved: Saved, held: Holding, base: ModelDirectory | None) -> str:
    """Python that loads the file with FunASR and decodes a call; "" where that cannot be.

    A whole file is given to FunASR in place of the model's own weights. What an incomplete one
    lacks comes from the model that the run started from: FunASR loads one file alone, and what is
    not in it stays random.
    """
    whole = not held.lacking
    weights = saved.path if whole else base and base.path and base.path / "model.pt"
    if folder.config is None or held.lora_lost or not weights or not weights.is_file():
        return ""
    settings = {"model": str(folder.path), "init_param": str(weights),
                **_elsewhere(folder, base), **_overridden(folder.config)}
    lines = "".join(f"    {name}={_python(value)},\n" for name, value in settings.items())
    built = f"model = AutoModel(\n{lines})\n"
    heard = f'print(model.generate("{CALL}")[0]["text"])\n'
    if whole:
        return f"from funasr import AutoModel\n\n{built}{heard}"
    return ("import torch\nfrom funasr import AutoModel\n\n" + built
            + f'tuned = torch.load({_python(str(saved.path))}, map_location="cpu", '
              'weights_only=True)["state_dict"]\n'
            + "unknown = model.model.load_state_dict(tuned, strict=False).unexpected_keys\n"
              'assert not unknown, unknown\n' + heard)


def loading_exported(target: Path) -> str:
    """Python that loads a complete folder and decodes a call."""
    return ("from funasr import AutoModel\n\n"
            f'model = AutoModel(model={_python(str(target))}, device="cuda", disable_update=True)\n'
            f'print(model.generate("{CALL}")[0]["text"])\n')


def _elsewhere(folder: RunFolder, base: ModelDirectory | None) -> dict[str, Any]:
    """Sections with the paths that the run's config names and this machine has elsewhere."""
    named, sections = values_at(folder.config), {}
    for need in beside(folder, base):
        if need.key and need.path is not None and str(named.get(need.key)) != str(need.path):
            section, *parts, last = need.key.split(".")
            node = sections.setdefault(section, {})
            for part in parts:
                node = node.setdefault(part, {})
            node[last] = str(need.path)
    return sections


def _overridden(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a saved config has from the training and a decoder must not take.

    It was saved with device "cpu"; with an `output_dir` FunASR writes what it hears in there; and
    `excludes` keeps weights from being loaded.
    """
    undone = {key: None for key in ("output_dir", "excludes") if config.get(key) is not None}
    return {**undone, "device": "cuda", "disable_update": True}


def _python(value: Any) -> str:
    """A value as Python writes it, with double quotes around text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {_python(item)}' for key, item in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
