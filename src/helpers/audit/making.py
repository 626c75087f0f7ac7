"""Make the checker's audit of the installed FunASR: `python -m helpers.audit.making`."""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import inspect
import json
import re
import sys
from typing import Any

from torch import nn

from funasr_preflight.audit import COMMAND, FILE, load
from funasr_preflight.laws.names import COMPONENTS, component_of
from helpers.audit import activations
from helpers.config import configs
from helpers.config.funasr_source import READERS, SourceLine, default_of, lines_for, lines_of
from helpers.errors import one_sentence
from helpers.experiments.provenance import provenance
from helpers.experiments.records import write_record
from helpers.knobs import record
from helpers.model import mini
from helpers.session import setup
from helpers.telephone.channel import telephone_set
from helpers.training import anatomy, finetune
from helpers.training.unknown_keys import refusals

REGISTERS = {"model": "model_classes", "audio_encoder": "encoder_classes",
             "audio_adaptor": "adaptor_classes", "ctc_decoder": "adaptor_classes",
             "frontend": "frontend_classes", "specaug": "specaug_classes",
             "dataset": "dataset_classes", "dataset_conf.index_ds": "index_ds_classes",
             "dataset_conf.batch_sampler": "batch_sampler_classes",
             "dataset_conf.dataloader": "dataloader_classes", "tokenizer": "tokenizer_classes"}
"""Keys whose value is a name in one of FunASR's registers, and that register."""

_PROGRAM, _TRAINER = "funasr.bin.train_ds", "funasr.train_utils.trainer_ds"
RUN_READERS = {
    "": (*(reader for reader in READERS[""] if reader != f"{_TRAINER}:Trainer"),
         f"{_TRAINER}:Trainer.warp_model", f"{_TRAINER}:Trainer.warp_optim_scheduler",
         READERS["train_conf"][-1]),
    "train_conf": (f"{_TRAINER}:Trainer.__init__", READERS["train_conf"][-1])}
"""Who gets the top level and who `train_conf`: the trainer is made from the one, its methods are
called with the other."""


def make() -> dict[str, Any]:
    """Audit the installed FunASR: what `audit.json` says of its code.

    The file also holds where it comes from, and `activations`, which are measured and may differ a
    little on another CPU.
    """
    turned = record.load()
    flat = configs.flatten("pretrained") | {
        key: value for name in configs.FINE_TUNING for key, value in configs.flatten(name).items()}
    keys = {knob.key: {"verdict": knob.verdict, "note": knob.note, "read_at": list(knob.read_at),
                       "type": type(flat.get(knob.key)).__name__} for knob in turned}
    full = mini.build("pretrained", size="full", device="meta").model
    merged = configs.flatten(configs.resolve("pretrained"))
    items = [item for item in telephone_set("adapt", 40) if item["speech_length"] < 200][:4]
    refused = refusals(configs.FINE_TUNING[0], items)
    return {
        "funasr": importlib.metadata.version("funasr"),
        "keys": keys,
        "sections": sections_read(),
        "refuses": sorted(section for section, refusal in refused.items() if refusal),
        "registers": registers(),
        "accepts": _accepted(),
        "deprecated": _deprecated(),
        "architecture": {knob.key: merged[knob.key] for knob in turned
                         if "modules" in knob.moved and knob.key in merged},
        "parameters": _parameters(full),
        "llm_linear": _linear_layers(full.llm),
        "without_gradient": _without_gradient(items)}


def sections_read() -> dict[str, dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}
    for section, readers in (READERS | RUN_READERS).items():
        lines = lines_for(section, readers)
        if section == "train_conf":  # what both files ask of `kwargs.get("train_conf")` at once
            lines += [line for module in (_PROGRAM, _TRAINER) for line in lines_of(module)
                      if line.receiver == section]
        sections[section] = {name: _reading([line for line in lines if line.name == name])
                             for name in sorted({line.name for line in lines})
                             if not name.isupper()}
    return sections


def _reading(lines: list[SourceLine]) -> dict[str, Any]:
    """Kind, defaults and first place of the lines that read one key."""
    default = default_of(lines[0].name, lines)
    return {"kind": default.kind, "place": default.place,
            "values": [_plain(value) for value in default.values]}


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, bool, list, type(None))) else str(value)


def registers() -> dict[str, list[str]]:
    from funasr.register import tables

    registered = {key: sorted(getattr(tables, register)) for key, register in REGISTERS.items()}
    return registered | {key: sorted(classes) for key, classes in _classes().items()}


def _classes() -> dict[str, dict[str, type]]:
    from funasr.optimizers import optim_classes
    from funasr.schedulers import scheduler_classes

    return {"optim": optim_classes, "scheduler": scheduler_classes}


def _accepted() -> dict[str, dict[str, dict[str, bool]]]:
    """What each optimizer and scheduler takes beside the first, and whether it has a default."""
    return {key: {name: {parameter.name: parameter.default is not parameter.empty
                         for parameter in [*inspect.signature(class_).parameters.values()][1:]}
                  for name, class_ in sorted(classes.items())}
            for key, classes in _classes().items()}


def _deprecated() -> dict[str, dict[str, str]]:
    """Classes whose own file says, in a sentence to the user, that they are deprecated."""
    deprecated: dict[str, dict[str, str]] = {}
    for key, classes in _classes().items():
        for name, class_ in sorted(classes.items()):
            if not class_.__module__.startswith("funasr."):
                continue
            texts = "".join(node.value for node in ast.walk(ast.parse(inspect.getsource(class_)))
                            if isinstance(node, ast.Constant) and isinstance(node.value, str))
            sentence = re.search(rf"{class_.__name__} is deprecated[^.]*\.", texts)
            if sentence:
                deprecated.setdefault(key, {})[name] = sentence[0]
    return deprecated


def _parameters(model) -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, int]] = {component: {} for component in COMPONENTS}
    for name, parameter in model.named_parameters():
        component = component_of(name)
        sizes[component][name.removeprefix(component)] = parameter.numel()
    return sizes


def _linear_layers(llm) -> dict[str, list[int]]:
    layers: dict[str, list[int]] = {}
    for name, module in llm.named_modules():
        if isinstance(module, nn.Linear):
            short = name.rpartition(".")[2]
            entry = layers.setdefault(short, [module.in_features, module.out_features, 0])
            entry[2] += 1
    return layers


def _without_gradient(items) -> list[str]:
    """Components that one batch gives no gradient when nothing is frozen, on the mini."""
    thawed = {f"{section}.freeze": False for section in
              ("audio_encoder_conf", "audio_adaptor_conf", "llm_conf", "ctc_decoder_conf")}
    built = mini.build(finetune.with_overrides("pretrained", finetune.SHORT_RUN, thawed))
    reached = {component_of(name) for name in anatomy.reached(built, items).names}
    return [component for component in COMPONENTS if component not in reached]


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--check", action="store_true",
                        help="write nothing; say whether the file is what this FunASR gives")
    options = parser.parse_args(arguments)
    setup()
    content = json.loads(json.dumps(make()))
    if options.check:
        stored = {key: value for key, value in load().content.items() if key != "provenance"}
        changed = [key for key in content if content[key] != stored.get(key)]
        print(f"Changed: {', '.join(changed)}." if changed else "The audit is up to date.")
        return int(bool(changed))
    write_record(FILE, {**content, "activations": activations.at_full_size(),
                        "provenance": provenance(COMMAND, seed=0)}, indent=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
