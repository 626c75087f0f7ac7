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

from funasr_preflight.audit import COMMAND, COMPONENTS, FILE, load
from helpers.errors import one_sentence

REGISTERS = {"model": "model_classes", "audio_encoder": "encoder_classes",
             "audio_adaptor": "adaptor_classes", "ctc_decoder": "adaptor_classes",
             "frontend": "frontend_classes", "specaug": "specaug_classes",
             "dataset": "dataset_classes", "dataset_conf.index_ds": "index_ds_classes",
             "dataset_conf.batch_sampler": "batch_sampler_classes",
             "dataset_conf.dataloader": "dataloader_classes", "tokenizer": "tokenizer_classes"}
"""Keys whose value is a name in one of FunASR's registers, and that register."""


def make() -> dict[str, Any]:
    """Audit the installed FunASR: what `audit.json` says of its code.

    The file also holds where it comes from, and `activations`, which are measured and may differ a
    little on another CPU.
    """
    from helpers.config import configs
    from helpers.knobs import record
    from helpers.model import mini
    from helpers.telephone.channel import telephone_set
    from helpers.training.unknown_keys import refusals

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
        "sections": _sections(),
        "refuses": sorted(section for section, said in refused.items() if said),
        "registers": _registers(),
        "accepts": _accepted(),
        "deprecated": _deprecated(),
        "architecture": {knob.key: merged[knob.key] for knob in turned
                         if "modules" in knob.moved and knob.key in merged},
        "parameters": _parameters(full),
        "llm_linear": _linear_layers(full.llm),
        "without_gradient": _without_gradient(items)}


def _sections() -> dict[str, dict[str, Any]]:
    from helpers.config.code_defaults import READERS, receivers, uses_of

    found: dict[str, dict[str, Any]] = {}
    in_train_conf = _asked_of_train_conf()
    for section, readers in (READERS | _run_readers()).items():
        uses = [use for reader in readers for use in uses_of(reader)
                if use.receiver in receivers(reader, section) and not use.name.isupper()
                and not (section == "" and use.name in in_train_conf and use.receiver == "")]
        if section == "train_conf":
            uses += in_train_conf.values()
        found[section] = {name: _reading([use for use in uses if use.name == name])
                          for name in sorted({use.name for use in uses})}
    return found


def _run_readers() -> dict[str, tuple[str, ...]]:
    """Who gets the top level and who `train_conf`: the trainer is made from the one, and its
    methods are called with the other."""
    from helpers.config.code_defaults import READERS

    trainer, program = "funasr.train_utils.trainer_ds:Trainer", "funasr.bin.train_ds"
    shared = f"{program}:_resolve_distributed_config"
    return {"": (*(reader for reader in READERS[""] if reader != trainer),
                 f"{trainer}.warp_model", f"{trainer}.warp_optim_scheduler", shared),
            "train_conf": (f"{trainer}.__init__", shared)}


def _asked_of_train_conf() -> dict[str, Any]:
    """What the program and the trainer ask of `kwargs.get("train_conf", ...)` in one breath."""
    from funasr.bin import train_ds
    from funasr.train_utils import trainer_ds

    from helpers.config.code_defaults import Use, literal

    found = {}
    for module in (train_ds, trainer_ds):
        shown = f"{module.__name__.replace('.', '/')}.py"
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if _is_get(node) and _is_get(node.func.value) and (
                    node.func.value.args[0].value == "train_conf"):
                default = literal(node.args[1]) if len(node.args) > 1 else None
                name = node.args[0].value
                found[name] = Use(name, "train_conf", "default", default,
                                   f"{shown}, line {node.lineno}")
    return found


def _is_get(node: ast.AST) -> bool:
    return (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get" and bool(node.args)
            and isinstance(node.args[0], ast.Constant))


def _reading(uses: list) -> dict[str, Any]:
    """Kind, defaults and first place of the uses of one key."""
    kind = next(kind for kind in ("default", "required", "never used")
                if any(use.kind == kind for use in uses))
    same = [use for use in uses if use.kind == kind]
    return {"kind": kind, "place": same[0].place,
            "values": [_plain(use.value) for use in same] if kind == "default" else []}


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, bool, list, type(None))) else str(value)


def _registers() -> dict[str, list[str]]:
    from funasr.register import tables

    found = {key: sorted(getattr(tables, register)) for key, register in REGISTERS.items()}
    return found | {key: sorted(classes) for key, classes in _classes().items()}


def _classes() -> dict[str, dict[str, type]]:
    from funasr.optimizers import optim_classes
    from funasr.schedulers import scheduler_classes

    return {"optim": optim_classes, "scheduler": scheduler_classes}


def _accepted() -> dict[str, dict[str, dict[str, bool]]]:
    """What each optimizer and scheduler takes beside the first, and whether it has a default."""
    return {key: {name: {parameter.name: parameter.default is not parameter.empty
                         for parameter in [*inspect.signature(one).parameters.values()][1:]}
                  for name, one in sorted(classes.items())}
            for key, classes in _classes().items()}


def _deprecated() -> dict[str, dict[str, str]]:
    """Classes whose own file says, in a sentence to the user, that they are deprecated."""
    found: dict[str, dict[str, str]] = {}
    for key, classes in _classes().items():
        for name, one in sorted(classes.items()):
            if not one.__module__.startswith("funasr."):
                continue
            texts = "".join(node.value for node in ast.walk(ast.parse(inspect.getsource(one)))
                            if isinstance(node, ast.Constant) and isinstance(node.value, str))
            said = re.search(rf"{one.__name__} is deprecated[^.]*\.", texts)
            if said:
                found.setdefault(key, {})[name] = said[0]
    return found


def _parameters(model) -> dict[str, dict[str, int]]:
    from helpers.training.anatomy import component_of

    found: dict[str, dict[str, int]] = {component: {} for component in COMPONENTS}
    for name, parameter in model.named_parameters():
        component = component_of(name)
        found[component][name.removeprefix(component)] = parameter.numel()
    return found


def _linear_layers(llm) -> dict[str, list[int]]:
    from torch import nn

    found: dict[str, list[int]] = {}
    for name, module in llm.named_modules():
        if isinstance(module, nn.Linear):
            short = name.rpartition(".")[2]
            entry = found.setdefault(short, [module.in_features, module.out_features, 0])
            entry[2] += 1
    return found


def _without_gradient(items) -> list[str]:
    """Components that one batch gives no gradient when nothing is frozen, on the mini."""
    from helpers.model import mini
    from helpers.training import anatomy, finetune

    thawed = {f"{section}.freeze": False for section in
              ("audio_encoder_conf", "audio_adaptor_conf", "llm_conf", "ctc_decoder_conf")}
    built = mini.build(finetune.with_overrides("pretrained", finetune.SHORT_RUN, thawed))
    reached = {anatomy.component_of(name) for name in anatomy.reached(built, items).names}
    return [component for component in COMPONENTS if component not in reached]


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--check", action="store_true",
                        help="write nothing; say whether the file is what this FunASR gives")
    options = parser.parse_args(arguments)
    from helpers.audit import activations
    from helpers.experiments.provenance import provenance
    from helpers.experiments.records import write_record
    from helpers.session import setup

    setup()
    found = json.loads(json.dumps(make()))
    if options.check:
        stored = {key: value for key, value in load().content.items() if key != "provenance"}
        changed = [key for key in found if found[key] != stored.get(key)]
        print(f"Changed: {', '.join(changed)}." if changed else "The audit is up to date.")
        return int(bool(changed))
    made = {**found, "activations": activations.at_full_size(),
            "provenance": provenance(COMMAND, seed=0)}
    write_record(FILE, made, indent=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
