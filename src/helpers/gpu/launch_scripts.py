"""Write the bash script that trains a config with FunASR's own program on one or several GPUs.

    python -m helpers.gpu.launch_scripts CONFIG --gpus N [--deepspeed] --model MODEL_DIR \\
        --train train.jsonl --valid valid.jsonl --out run.sh

The script starts `funasr/bin/train_ds.py` under torchrun. It lays the config over the pretrained
model's own, names the data, and freezes the CTC branch where several processes would die of it.
With `--deepspeed`, a DeepSpeed file is written beside it: FunASR does not hand
its `accum_grad`, `grad_clip` and `use_bf16` to DeepSpeed, so the file has to say what they say.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from omegaconf import DictConfig, OmegaConf

from funasr_preflight.commands import Parser
from funasr_preflight.laws.names import split_names
from helpers.config import configs
from helpers.errors import BookError, one_sentence

MODEL, TRAIN, VALID, OUTPUT, DEEPSPEED = "$MODEL", "$TRAIN", "$VALID", "$OUTPUT", "$DEEPSPEED"
"""The script's variables, as they stand in an override."""
FOLDER_KEYS = ("tokenizer_conf.init_param_path", "llm_conf.init_param_path",
               "dataset_conf.ctc_tokenizer_conf.vocab_path")
"""Keys that hold a path inside the model's directory, which a merge fills in by itself."""
ZERO_STAGE = 2
UNQUOTABLE = ("'", '"', "\\", "\n", "${")


@dataclass(frozen=True)
class TrainingRun:
    """What to train, on what, and how: the command line's options, whose help says what each is."""

    config: str
    model: str
    train: str
    valid: str
    gpus: int = 1
    deepspeed: bool = False
    output: str = "exp"


def overrides(launch: TrainingRun) -> list[str]:
    """The Hydra overrides of the script, with its variables for paths.

    Raises:
        BookError: no such config.
    """
    config = configs.load(launch.config)
    chosen = [f"++model='{MODEL}'"]
    if config.get("model_conf") is not None:
        chosen.append("~model_conf")
    for key in FOLDER_KEYS:
        chosen += _without_folder(config, key)
    if "init_param" in config and config.init_param is None:
        chosen += _without_null("init_param")
    chosen += [f"++train_data_set_list='{TRAIN}'", f"++valid_data_set_list='{VALID}'",
               f"++output_dir='{OUTPUT}'"]
    if launch.gpus > 1 or launch.deepspeed:
        chosen += ctc_cure(merged(launch.config))
    return chosen + _way_to_run(config, launch.deepspeed)


def merged(config: str | Path) -> DictConfig:
    """A config as FunASR merges it over the pretrained model's own."""
    return configs.merge_over("pretrained", config)


def ctc_cure(config: DictConfig) -> list[str]:
    """Overrides that freeze what never gets a gradient, as far as this merged config does not.

    DDP waits for those gradients and ends the run at its second step. With DeepSpeed, which has not
    been run for this book, freezing what does not learn costs nothing.
    """
    frozen = [name for name in split_names(config.get("freeze_param")) if name]
    chosen = []
    if not OmegaConf.select(config, "ctc_decoder_conf.freeze") and "ctc_decoder" not in frozen:
        chosen.append("++ctc_decoder_conf.freeze=true")
    if "ctc" not in frozen:
        chosen.append(f"++freeze_param='{','.join([*frozen, 'ctc'])}'")
    return chosen


def deepspeed_config(config: DictConfig) -> dict[str, Any]:
    """A DeepSpeed file that says what this merged config says.

    It has no `optimizer` entry: FunASR would then train without one of its own, and its trainer
    calls `optim.zero_grad()` on None. The micro batch is nominal: FunASR's sampler makes the
    batches, and DeepSpeed only needs a number for its own arithmetic.

    Raises:
        BookError: the config asks for two precisions, or for an accumulation that is no count.
    """
    conf = config.get("train_conf") or {}
    bf16, fp16 = bool(conf.get("use_bf16")), bool(conf.get("use_fp16"))
    if bf16 and fp16:
        raise BookError("train_conf sets both use_bf16 and use_fp16: keep one of them.")
    steps = conf.get("accum_grad", 1)
    if not isinstance(steps, int) or steps < 1:
        raise BookError(f"train_conf.accum_grad is {steps}: give a whole number of at least 1.")
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": steps,
        "gradient_clipping": float(conf.get("grad_clip", 10.0)),  # FunASR's own default
        "bf16": {"enabled": bf16},
        "fp16": {"enabled": fp16},
        "zero_optimization": {"stage": ZERO_STAGE, "overlap_comm": True,
                              "contiguous_gradients": True},
        "zero_allow_untested_optimizer": True,
        "steps_per_print": int(conf.get("log_interval", 50)),
    }


def script(launch: TrainingRun, deepspeed_file: str = "run.deepspeed.json") -> str:
    """The text of the bash script.

    Args:
        deepspeed_file: name of the DeepSpeed file, in the script's own folder.

    Raises:
        BookError: no such config, no GPU asked for, or a path that cannot be quoted.
    """
    if launch.gpus < 1:
        raise BookError(f"--gpus is {launch.gpus}: give the number of GPUs of one machine.")
    path = configs.path_of(launch.config)
    variables = {"CONFIGS": _shown(path.parent), "MODEL": launch.model, "TRAIN": launch.train,
                 "VALID": launch.valid, "OUTPUT": launch.output}
    lines = ["#!/usr/bin/env bash",
             f"# {path.stem} on {launch.gpus} GPU{'s' if launch.gpus > 1 else ''}, with "
             f"{_name_of_way(launch)}.",
             "set -euo pipefail", ""]
    lines += [f"{name}={_quoted(name, value)}" for name, value in variables.items()]
    if launch.deepspeed:
        lines.append('DEEPSPEED=$(cd "$(dirname "$0")" && pwd)/' + shlex.quote(deepspeed_file))
    lines += ["", 'for file in "$TRAIN" "$VALID"; do',
              '  [ -f "$file" ] || { echo "There is no $file: set its path in $0." >&2; exit 2; }',
              "done", ""]
    command = ["torchrun --standalone", f"--nnodes 1 --nproc_per_node {launch.gpus}",
               "--module funasr.bin.train_ds",
               f'--config-path "$(cd "$CONFIGS" && pwd)" --config-name {shlex.quote(path.stem)}']
    command += [f'"{override}"' if "'" in override else shlex.quote(override)
                for override in overrides(launch)]
    command.append("\"hydra.run.dir='$OUTPUT/hydra'\"")
    return "\n".join([*lines, " \\\n  ".join(command), ""])


def write(launch: TrainingRun, path: str | Path) -> list[Path]:
    """Write the script, and the DeepSpeed file beside it where one is needed.

    Returns:
        The files written, the script first.

    Raises:
        BookError: no such config, a config that DeepSpeed cannot follow, or no such folder.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise BookError(f"There is no folder {path.parent}: make it first, or give another --out.")
    beside = path.with_suffix(".deepspeed.json")
    texts = {path: script(launch, beside.name)}
    if launch.deepspeed:
        texts[beside] = json.dumps(deepspeed_config(merged(launch.config)), indent=2) + "\n"
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return list(texts)


def _way_to_run(config: DictConfig, deepspeed: bool) -> list[str]:
    """Switch DeepSpeed on or off in each place that FunASR reads; the top level comes first."""
    values = {"use_deepspeed": "true", "deepspeed_config": f"'{DEEPSPEED}'"} if deepspeed else {
        "use_deepspeed": "false"}
    return [f"++{prefix}{key}={value}" for key, value in values.items()
            for prefix in ("train_conf.", "") if prefix or key in config]


def _name_of_way(launch: TrainingRun) -> str:
    if launch.deepspeed:
        return f"DeepSpeed (ZeRO stage {ZERO_STAGE})"
    return "PyTorch's DDP" if launch.gpus > 1 else "plain PyTorch"


def _without_folder(config: DictConfig, key: str) -> list[str]:
    """Overrides that remove this key where the YAML sets it, unless to an absolute path.

    A null, too, would win over the model directory's path.
    """
    section, _, last = key.rpartition(".")
    holder = OmegaConf.select(config, section)
    if holder is None or last not in holder:
        return []
    value = OmegaConf.select(config, key)
    if value is None:
        return _without_null(key)
    return [] if PurePath(str(value)).is_absolute() else [f"~{key}"]


def _without_null(key: str) -> list[str]:
    """Overrides that remove a null: Hydra does so only after it has been given a value."""
    return [f"++{key}=set", f"~{key}"]


def _shown(folder: Path) -> str:
    """A folder as seen from here where it lies below, so that the script can be moved with it."""
    here = Path.cwd()
    folder = folder.resolve()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def _quoted(name: str, value: str) -> str:
    bad = next((text for text in UNQUOTABLE if text in value), None)
    if bad is not None or not value:
        fault = f"contains {bad!r}, which Hydra cannot be given" if value else "is empty"
        raise BookError(f"The path for {name} {fault}: rename it.")
    return shlex.quote(value)


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = Parser(prog="python -m helpers.gpu.launch_scripts",
                    description="Write a training script for one config.")
    parser.add_argument("config", help="name of one of the book's configs, or a YAML's path")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs of this machine")
    parser.add_argument("--deepspeed", action="store_true", help="DeepSpeed in place of DDP")
    parser.add_argument("--model", required=True, help="the pretrained model's folder or hub name")
    parser.add_argument("--train", required=True, help="manifest to train on")
    parser.add_argument("--valid", required=True, help="manifest to validate on")
    parser.add_argument("--output", default="exp", help="folder of the checkpoints")
    parser.add_argument("--out", required=True, help="the script to write")
    options = vars(parser.parse_args(arguments))
    out = options.pop("out")
    for path in write(TrainingRun(**options), out):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
