"""Everything that the probes take from the rest of the book, in one place.

The names below are looked up when a probe asks, so that reading the record imports no torch.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from helpers.paths import CACHE as CACHE
from helpers.paths import RESULTS as RESULTS
from helpers.versions.probe import NotThereError

MODULES = {"anatomy": "helpers.training.anatomy", "audit": "helpers.audit.making",
           "batches": "helpers.training.batches", "bench": "helpers.knobs.bench",
           "checkpoints": "helpers.training.checkpoints", "configs": "helpers.config.configs",
           "corpus": "helpers.speech.corpus", "finetune": "helpers.training.finetune",
           "knobs": "helpers.knobs.record", "knob_values": "helpers.knobs.values",
           "launch": "helpers.model.launch", "mini": "helpers.model.mini",
           "session": "helpers.session", "manifests": "helpers.speech.manifests",
           "values": "helpers.config.values", "turns": "helpers.speech.turns",
           "private": "helpers.model.funasr_private", "readers": "helpers.config.funasr_source",
           "unknown_keys": "helpers.training.unknown_keys"}
MAIN = "config_8k_telephone"
FINE_TUNING = ("config_8k_telephone", "stage1_encoder_adapt")


def module(name: str) -> Any:
    """One of the book's modules, by its name here."""
    return importlib.import_module(MODULES[name])


def prepare() -> list[str]:
    """Make this process ready to ask, and say what old versions needed for it.

    Returns:
        One sentence for each thing that was done so that a later question can be asked at all.
    """
    module("session").setup()
    helped = []
    if not registered_by_import():
        try:
            importlib.import_module("funasr.models.fun_asr_nano.model")
        except ImportError:
            return helped
        helped.append("The class's module was imported once more, after the package.")
    if wants_llm_weights():
        _llm_from_its_config()
        helped.append("The LLM was built from its config.json, without weights of its own.")
    if permutes_features():
        for overrides in (module("finetune").SHORT_RUN, module("bench").SMALL):
            overrides["audio_encoder_conf.feat_permute"] = False
        helped.append("`audio_encoder_conf.feat_permute` was set to false in every question but "
                      "the one about it.")
    return helped


@cache
def registered_by_import() -> bool:
    """Whether `import funasr` alone puts the class into the register; asked before any help."""
    import funasr  # noqa: F401  registers what it can
    from funasr.register import tables

    return "FunASRNano" in tables.model_classes


@cache
def wants_llm_weights() -> bool:
    """Whether the class loads the LLM with weights of its own, rather than from its config."""
    from transformers import AutoModelForCausalLM

    class _Asked(Exception):
        pass

    def refuse(*_, **__):
        raise _Asked

    with mock.patch.object(AutoModelForCausalLM, "from_pretrained", refuse):
        try:
            built()
        except NotThereError as reason:
            return "_Asked" in str(reason)
    return False


def _llm_from_its_config() -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    mock.patch.object(
        AutoModelForCausalLM, "from_pretrained",
        lambda path, **_: AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path)),
    ).start()


@cache
def permutes_features() -> bool:
    """Whether `feat_permute: true` makes the encoder end in an error."""
    import torch

    model = built({"audio_encoder_conf.feat_permute": True}).model.eval()
    try:
        with torch.no_grad():
            model.encode(torch.zeros(1, 20, 560), torch.tensor([20]))
    except RuntimeError:
        return True
    return False


def described(error: BaseException) -> str:
    """Type, first clause without paths, file in FunASR; no line, which every release moves."""
    text = (str(error).strip().splitlines() or [""])[0].partition(": [")[0].rstrip(".")
    text = re.sub(r"(/[\w.\-]+){2,}", lambda path: Path(path[0]).name, text)
    location, traceback = "", error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if "/funasr/" in file:
            location = f" (funasr/{file.rpartition('/funasr/')[2]})"
        traceback = traceback.tb_next
    return f"{type(error).__name__}: {text}{location}"


def needs_class() -> None:
    from funasr.register import tables

    if "FunASRNano" not in tables.model_classes:
        raise NotThereError("it has no class FunASRNano that can be imported")


def built(changes: Mapping[str, Any] | None = None, config: str = MAIN, **options: Any) -> Any:
    """The mini of a config with some keys changed, by this version's own code.

    Raises:
        NotThereError: this version does not build it.
    """
    needs_class()
    finetune, mini = module("finetune"), module("mini")
    options = {"size": "mini"} | options
    try:
        changed = finetune.with_overrides(config, finetune.SHORT_RUN, dict(changes or {}))
        with module("session").funasr_silenced():
            return mini.build(changed, **options)
    except Exception as error:  # noqa: BLE001  whatever keeps it from building is the reason
        raise NotThereError(f"the mini is not built: {described(error)}") from None


@cache
def items() -> list[dict]:
    """Four short manifest lines."""
    corpus = module("corpus")
    return sorted(corpus.load_set("adapt"), key=lambda item: item["speech_length"])[:4]


def batch(model: Any, lines: Sequence[dict] | None = None) -> dict[str, Any]:
    """One training batch.

    Raises:
        NotThereError: this version has no dataset class of the name that the configs give.
    """
    needs_dataset()
    return module("finetune").batch(model, lines or items())


def needs_dataset() -> None:
    from funasr.register import tables

    if "FunASR" not in tables.dataset_classes:
        raise NotThereError("it has no dataset class `FunASR`, which every config names")


def scratch(name: str) -> Path:
    """A folder in the cache."""
    folder = CACHE / "versions" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def downloaded(**overlay: Any) -> dict[str, Any]:
    """The merged config that FunASR's own reader makes of the mini's directory and an overlay."""
    from funasr.download.download_model_from_hub import download_model

    with module("session").funasr_silenced():
        return download_model(model=str(module("mini").model_directory("mini")),
                              check_latest=False, **overlay)
