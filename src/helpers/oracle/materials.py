"""What the drawn launches name: model directories in two sizes, and clips of exact lengths.

FunASR runs a launch on the mini with fewer blocks; the checker reads the same launch over a
directory of full size, whose `model.pt` holds names and shapes and no values. Both directories have
the same files, and lack the same ones.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from filelock import FileLock

from funasr_preflight.laws.names import OUTPUT_LAYER
from helpers.paths import CACHE, CONFIGS, MINI

SIZES = ("full", "small")
BLOCKS = {"audio_encoder_conf.num_blocks": 3, "audio_encoder_conf.tp_blocks": 1,
          "audio_adaptor_conf.n_layer": 2, "ctc_decoder_conf.n_layer": 1}
LLM_BLOCKS = 2
"""The blocks that are left of the mini where FunASR runs."""
SMALL = {"audio_encoder_conf.output_size": 192, "audio_encoder_conf.linear_units": 768,
         "audio_adaptor_conf.ffn_dim": 512, "audio_adaptor_conf.llm_dim": 192,
         "audio_adaptor_conf.encoder_dim": 192, "ctc_decoder_conf.ffn_dim": 512,
         "ctc_decoder_conf.llm_dim": 192, "ctc_decoder_conf.encoder_dim": 192, **BLOCKS}
"""Every dimension in which the small model differs from the released one: the widths are the
mini's, as a test holds."""
VARIANTS = ("whole", "without_ctc", "without_llm", "without_adaptor", "no_configuration",
            "no_weights", "no_llm_folder", "no_vocabulary")
"""The released directory, the copy on Hugging Face, checkpoints of runs that left something out,
and folders that were not copied whole."""
CLIP_FRAMES = (12, 20, 31, 44, 58, 64, 73, 80, 89, 97, 106, 115, 124, 133, 143, 330)
"""Lengths of the clips, in 10 ms frames."""
RATE = 16_000
MOST = {"audio_encoder.encoders": BLOCKS["audio_encoder_conf.num_blocks"] - 1,
        "audio_encoder.tp_encoders": BLOCKS["audio_encoder_conf.tp_blocks"],
        "audio_adaptor.blocks": BLOCKS["audio_adaptor_conf.n_layer"],
        "ctc_decoder.blocks": BLOCKS["ctc_decoder_conf.n_layer"],
        "llm.model.layers": LLM_BLOCKS}
_NUMBERED = re.compile(r"\.(\d+)\.")


@cache
def folder() -> Path:
    """Directories and clips, made once for this version of the mini and the configs."""
    made_from = [CONFIGS / "pretrained.yaml", Path(__file__), MINI / "model.safetensors"]
    stamp = {path.name: path.stat().st_mtime_ns for path in made_from}
    target = CACHE / "oracle"
    target.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        note = target / "made_from.json"
        if not note.is_file() or json.loads(note.read_text()) != stamp:
            shutil.rmtree(target)
            target.mkdir()
            for size in SIZES:
                for variant in VARIANTS:
                    _write(size, variant, target / size / variant)
            _write_clips(target / "clips")
            note.write_text(json.dumps(stamp))
    return target


def model_directory(size: str, variant: str) -> Path:
    """A model directory of a size for one of `VARIANTS`."""
    return folder() / size / variant


def clip(frames: int) -> Path:
    """A clip of so many frames, one of CLIP_FRAMES."""
    return folder() / "clips" / f"clip_{frames}.wav"


def _write(size: str, variant: str, target: Path) -> None:
    import torch
    from omegaconf import OmegaConf

    from helpers.model import mini
    from helpers.model.launch import pretrained_directory

    source = pretrained_directory() if size == "full" else mini.model_directory("mini")
    target.mkdir(parents=True)
    for name in ("configuration.json", "multilingual.tiktoken"):
        shutil.copy(source / name, target)
    shutil.copytree(source / "Qwen3-0.6B", target / "Qwen3-0.6B")
    config = OmegaConf.load(source / "config.yaml")
    state = torch.load(source / "model.pt", map_location="meta" if size == "full" else "cpu",
                       weights_only=True)
    if size == "small":
        for key, value in BLOCKS.items():
            OmegaConf.update(config, key, value)
        about = target / "Qwen3-0.6B" / "config.json"
        architecture = json.loads(about.read_text()) | {"num_hidden_layers": LLM_BLOCKS}
        architecture.pop("layer_types", None)
        about.write_text(json.dumps(architecture, indent=1))
        state = {name: tensor for name, tensor in state.items() if _stays(name)}
    OmegaConf.save(config, target / "config.yaml")
    left_out = {"without_ctc": ("ctc.", "ctc_decoder."), "without_llm": ("llm.",),
                "without_adaptor": ("audio_adaptor.",)}.get(variant, ())
    torch.save({name: tensor for name, tensor in state.items()
                if not name.startswith(tuple(left_out))}, target / "model.pt")
    gone = {"no_configuration": "configuration.json", "no_weights": "model.pt",
            "no_llm_folder": "Qwen3-0.6B", "no_vocabulary": "multilingual.tiktoken"}.get(variant)
    if gone:
        path = target / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _stays(name: str) -> bool:
    """Whether a tensor of the mini is in a block that the small model has."""
    for stack, count in MOST.items():
        match = re.match(rf"{re.escape(stack)}\.(\d+)\.", name)
        if match:
            return int(match[1]) < count
    return True


def _write_clips(target: Path) -> None:
    import numpy as np
    import soundfile

    target.mkdir()
    for number, frames in enumerate(CLIP_FRAMES):
        draw = np.random.default_rng(number)
        samples = 400 + 160 * (frames - 1)
        soundfile.write(target / f"clip_{frames}.wav",
                        0.05 * np.cumsum(draw.standard_normal(samples)) / 40, RATE,
                        subtype="PCM_16")


@cache
def full_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released model's parameters, as FunASR builds them."""
    from helpers.model import mini
    from helpers.session import funasr_silenced

    with funasr_silenced():
        model = mini.build("pretrained", size="full", device="meta").model
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


@cache
def small_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the small model's parameters, as its `model.pt` holds them."""
    import torch

    state = torch.load(model_directory("small", "whole") / "model.pt", map_location="meta",
                       weights_only=True)
    return {name: tuple(tensor.shape) for name, tensor in state.items() if name != OUTPUT_LAYER}


def counterparts(known: set[str], shapes: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Each parameter of full size, after the one of the small model whose fate it shares.

    A block that the small model lacks shares the fate of its stack's last one.

    Args:
        known: all names of the small model.
        shapes: all names of full size.
    """
    last: dict[str, int] = {}
    for name in known:
        for match in _NUMBERED.finditer(name):
            stack = name[:match.start()]
            last[stack] = max(last.get(stack, 0), int(match[1]))
    for name in shapes:
        match = _NUMBERED.search(name)
        if match:
            stack = name[:match.start()]
            block = min(int(match[1]), last.get(stack, int(match[1])))
            yield f"{stack}.{block}.{name[match.end():]}", name
        else:
            yield name, name
