"""What a version builds, what its forward pass adds up, and what it loads."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from helpers.versions import book
from helpers.versions.probe import NotThereError, probe

THAWED = {"audio_encoder_conf.freeze": False}
LORA = {"llm_conf.use_lora": True}


@probe("Does `import funasr` put the class FunASRNano into the register?")
def class_registered() -> bool:
    return book.registered_by_import()


@probe("Does importing the class's module, once the package is there, put it into the register?")
def class_importable() -> bool:
    from funasr.register import tables

    return "FunASRNano" in tables.model_classes


@probe("Does the class want weights of the LLM's own in its folder?")
def llm_wants_own_weights() -> bool:
    book.needs_class()
    return book.wants_llm_weights()


@probe("Does the main config build?")
def main_config_builds() -> bool:
    book.built()
    return True


@probe("Is a CTC decoder built from the main config?")
def ctc_decoder_built() -> bool:
    return getattr(book.built().model, "ctc_decoder", None) is not None


@probe("Tensors at full size, by component")
def tensors_at_full_size() -> dict[str, int]:
    from collections import Counter

    model = book.built(config="pretrained", size="full", device="meta").model
    return dict(Counter(name.partition(".")[0] for name in model.state_dict()))


@probe("Does `specaug: SpecAugLFR` build a SpecAug in the model?")
def specaug_built() -> bool:
    model = book.built({"specaug": "SpecAugLFR"}).model
    return any("SpecAug" in type(part).__name__ for part in model.modules()) or (
        getattr(model, "specaug", None) is not None)


@probe("LoRA values that `llm_conf.use_lora: true` adds to the mini's LLM")
def lora_values() -> int:
    parameters = book.built(LORA).model.named_parameters()
    return sum(parameter.numel() for name, parameter in parameters if "lora_" in name)


@probe("Do features pass through the encoder with `audio_encoder_conf.feat_permute: true`, "
       "as the configs have it?")
def feat_permute_passes() -> bool:
    book.needs_class()
    return not book.permutes_features()


@probe("Does the training loss have a CTC term (does `ctc_weight` change it)?")
def ctc_term_in_loss() -> bool:
    losses = [_loss({"ctc_weight": weight}) for weight in (0.0, 100.0)]
    return losses[0] != losses[1]


@probe("Does `specaug: SpecAugLFR` change the training loss?")
def specaug_changes_loss() -> bool:
    return _loss({}) != _loss({"specaug": "SpecAugLFR"})


@probe("What ends a step with `audio_encoder_conf.activation_checkpoint: true` and a learning "
       "encoder (\"\" if nothing)")
def activation_checkpoint_error() -> str:
    return _error_of(THAWED | {"audio_encoder_conf.activation_checkpoint": True})


@probe("Steps of three that the main config survives under DDP")
def steps_under_ddp() -> int:
    book.needs_class()
    book.needs_dataset()
    return book.module("anatomy").parallel_steps(book.built({}), book.items())[0]


@probe("Is the CTC branch removed when `model.pt` has no tensors for it (the Hugging Face copy)?")
def ctc_removed_when_missing() -> bool:
    import torch

    model = book.built().model
    if getattr(model, "ctc_decoder", None) is None:
        raise NotThereError("it has no CTC branch")
    path = book.scratch("without_ctc") / "model.pt"
    torch.save({name: tensor for name, tensor in model.state_dict().items()
                if not name.startswith("ctc")}, path)
    return getattr(_with_init_param(str(path)), "ctc_decoder", None) is None


@probe("Does a missing `init_param` end the run, rather than only print a line?")
def missing_init_param_ends() -> bool:
    try:
        _with_init_param("/nonexistent/model.pt")
    except Exception as error:  # noqa: BLE001  any end is an end
        if "nonexistent" not in str(error):
            raise
        return True
    return False


@probe("Does `init_param: null` in a YAML override the path of `configuration.json`?")
def null_overrides_path() -> bool:
    return book.downloaded(init_param=None).get("init_param") is None


@probe("Does `hub=hf` lose `llm_conf.init_param_path` when the YAML has an `llm_conf`?")
def hf_loses_nested_paths() -> bool:
    sections = {hub: book.downloaded(hub=hub, llm_conf={"freeze": True})["llm_conf"]
                for hub in ("ms", "hf")}
    return _is_path(sections["ms"]) and not _is_path(sections["hf"])


def _is_path(section: dict[str, Any]) -> bool:
    return Path(section.get("init_param_path", "")).is_absolute()


def _with_init_param(path: str):
    from funasr import AutoModel

    config = book.module("bench").changed(book.built().config, {"init_param": path})
    with book.module("session").funasr_silenced(), contextlib.redirect_stdout(io.StringIO()):
        return AutoModel.build_model(**config)[0]


def _loss(changes: dict[str, Any]) -> float:
    import torch

    built = book.built(changes)
    torch.manual_seed(0)
    return built.model.train()(**book.batch(built))[0].item()


def _error_of(changes: dict[str, Any]) -> str:
    """What ends one step of the mini with these keys; "" if nothing does."""
    built = book.built(changes)
    inputs = book.batch(built)
    try:
        built.model.train()(**inputs)[0].backward()
    except Exception as error:  # noqa: BLE001  what ends it is the answer
        return book.described(error)
    return ""
