"""Everything that the probes take from the rest of the book, in one place.

The names below are looked up when a probe asks, so that reading the record imports no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from helpers.paths import CACHE as CACHE
from helpers.paths import RESULTS as RESULTS
from helpers.versions.probe import NotThereError

MODULES = {"anatomy": "helpers.anatomy", "audit": "helpers.preflight.audit",
           "batches": "helpers.batches", "bench": "helpers.knob_bench",
           "checkpoints": "helpers.checkpoints", "configs": "helpers.configs",
           "corpus": "helpers.corpus", "finetune": "helpers.finetune", "knobs": "helpers.knobs",
           "knob_values": "helpers.knob_values", "launch": "helpers.launch",
           "mini": "helpers.mini", "notebook": "helpers.notebook",
           "readers": "helpers.code_defaults", "unknown_keys": "helpers.unknown_keys"}
MAIN = "config_8k_telephone"
FINE_TUNING = ("config_8k_telephone", "stage1_encoder_adapt")


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(name)
    return importlib.import_module(MODULES[name])


def module(name: str) -> Any:
    """One of the book's modules, by its name here."""
    return importlib.import_module(MODULES[name])


def prepare() -> list[str]:
    """Make this process ready to ask, and say what old versions needed for it.

    Returns:
        One sentence for each thing that was done so that a later question can be asked at all.
    """
    module("notebook").setup()
    import funasr  # noqa: F401  registers what it can
    from funasr.register import tables

    helped = []
    if "FunASRNano" not in tables.model_classes:
        try:
            importlib.import_module("funasr.models.fun_asr_nano.model")
            helped.append("the class's module was imported once more, after the package")
        except ImportError as error:
            helped.append(f"nothing helped: its module ends in `{error}`")
    if _takes_none_for_not_given():
        helped.append("three arguments of `from_pretrained` that it sets to None were left out, "
                      "for the installed transformers refuses them")
    return helped


def _takes_none_for_not_given() -> bool:
    """Whether this version hands `use_cache=None` to transformers; if so, leave it out."""
    import inspect

    from transformers import AutoModelForCausalLM

    try:
        nano = importlib.import_module("funasr.models.fun_asr_nano.model")
    except ImportError:
        return False
    if "use_cache=None" not in inspect.getsource(nano):
        return False
    original = AutoModelForCausalLM.from_pretrained

    def without_none(*arguments, **keywords):
        return original(*arguments, **{name: value for name, value in keywords.items()
                                       if value is not None})

    mock.patch.object(AutoModelForCausalLM, "from_pretrained", without_none).start()
    return True


def described(error: BaseException) -> str:
    """Type, first line without paths, place in FunASR."""
    return module("bench").described(error)


def built(changes: Mapping[str, Any] | None = None, config: str = MAIN, **options: Any) -> Any:
    """The mini of a config with some keys changed, by this version's own code.

    Raises:
        NotThereError: this version does not build it.
    """
    finetune, mini = module("finetune"), module("mini")
    options = {"size": "mini"} | options
    try:
        changed = finetune.with_overrides(config, finetune.SHORT_RUN, dict(changes or {}))
        with module("notebook").funasr_silenced():
            return mini.build(changed, **options)
    except Exception as error:  # noqa: BLE001  whatever keeps it from building is the reason
        raise NotThereError(f"the model is not built: {described(error)}") from None


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


def funasr_alone(script: str) -> str:
    """What a fresh process with this version prints last; "" if it ends in an error."""
    import os
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], env=os.environ,
                          capture_output=True, text=True, check=False)
    return (done.stdout.strip().splitlines() or [""])[-1]


def downloaded(**overlay: Any) -> dict[str, Any]:
    """The merged config that FunASR's own reader makes of the mini's directory and an overlay."""
    from funasr.download.download_model_from_hub import download_model

    with module("notebook").funasr_silenced():
        return download_model(model=str(module("mini").model_directory("mini")),
                              check_latest=False, **overlay)
