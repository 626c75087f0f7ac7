"""Build Fun-ASR-Nano from any config: the mini, full size, or a real model directory.

All three go through FunASR's own `AutoModel.build_model`, and all three start from a *model
directory* with the released layout (`configuration.json`, `config.yaml`, `model.pt`, the Qwen3
folder, `multilingual.tiktoken`). The mini's directory is written from `data/mini`, the full-size
one from `configs/pretrained.yaml` and the public architecture of Qwen3-0.6B (it has no weights),
and a real one is whatever folder you name.

The mini changes dimensions only: every other key is the config's own.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock
from omegaconf import DictConfig, OmegaConf

from helpers.config import configs
from helpers.errors import BookError
from helpers.paths import CACHE, MINI, QWEN3
from helpers.speech import manifests

MINI_DIMENSIONS: dict[str, int] = {
    "audio_encoder_conf.output_size": 192,
    "audio_encoder_conf.linear_units": 768,
    "audio_encoder_conf.num_blocks": 6,
    "audio_encoder_conf.tp_blocks": 2,
    "audio_adaptor_conf.ffn_dim": 512,
    "audio_adaptor_conf.llm_dim": 192,
    "audio_adaptor_conf.encoder_dim": 192,
    "ctc_decoder_conf.ffn_dim": 512,
    "ctc_decoder_conf.llm_dim": 192,
    "ctc_decoder_conf.encoder_dim": 192,
    "ctc_decoder_conf.n_layer": 2,
}
MINI_CTC_VOCABULARY = 2576
MINI_LLM: dict[str, Any] = {
    "hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 48, "intermediate_size": 512, "vocab_size": 900,
    "max_position_embeddings": 4096,
}
SPECIAL_TOKENS = {"bos_token_id": "<|endoftext|>", "eos_token_id": "<|im_end|>",
                  "pad_token_id": "<|endoftext|>"}
"""Qwen3's own roles. A wrong end-of-turn id makes the model talk on after its answer."""
Size = Literal["mini", "full"]


@dataclass(frozen=True)
class LoadReport:
    """Which of the model's tensors the checkpoint filled."""

    loaded: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass
class Built:
    """A model as FunASR built it.

    Attributes:
        model: the `FunASRNano` module, in evaluation mode.
        kwargs: what `AutoModel.build_model` returns beside it: `tokenizer`, `frontend`,
            `dataset_conf` and every other key of the merged config but `model`.
        config: the merged config that was built, as a plain dictionary.
        loaded: which tensors came from `model.pt`; None without weights.
    """

    model: torch.nn.Module
    kwargs: dict[str, Any]
    config: dict[str, Any]
    loaded: LoadReport | None = None

    def __post_init__(self) -> None:
        self.kwargs.pop("model", None)  # FunASR's functions take the model itself beside them

    @property
    def tokenizer(self):
        return self.kwargs["tokenizer"]

    @property
    def frontend(self):
        return self.kwargs["frontend"]

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def plain_kwargs(self) -> dict[str, Any]:
        """Those `kwargs` that are no objects: what FunASR hands on to inference."""
        hidden = ("tokenizer", "frontend", "token_list")
        return {key: value for key, value in self.kwargs.items() if key not in hidden}

    def encoded(self, item: dict) -> tuple[torch.Tensor, torch.Tensor]:
        """The encoder's output for a manifest line, shape (1, frames, width), and its length."""
        from funasr.utils.load_utils import extract_fbank, load_audio_text_image_video

        audio = load_audio_text_image_video(manifests.audio_path(item), fs=self.frontend.fs)
        speech, lengths = extract_fbank(audio, data_type="sound", frontend=self.frontend)
        return self.model.encode(speech.to(self.device), lengths.to(self.device))


@contextlib.contextmanager
def modes_given_back(model: torch.nn.Module) -> Iterator[None]:
    """Whatever happens to training and evaluation mode in here, each module has its own again."""
    before = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training


def build(config: str | Path | DictConfig = "pretrained", size: Size = "mini",
          device: str = "cpu", over: Literal["pretrained"] | None = "pretrained",
          model_dir: str | Path | None = None, load_weights: bool = True, seed: int = 0) -> Built:
    """Build the model that a config describes, with FunASR's own classes.

    Args:
        config: a config's name or path, or a loaded config.
        size: "mini" shrinks dimensions (see MINI_DIMENSIONS); "full" keeps the config's own.
        device: "cpu", "cuda", or "meta" for shapes without memory (never loads weights).
        over: "pretrained" merges the config over the model directory's `config.yaml`, as
            FunASR does for `++model=DIRECTORY`; None builds from this YAML alone.
        model_dir: a real Fun-ASR-Nano directory. Without it, the mini's or the full-size
            stand-in is prepared in the cache.
        seed: seed of the random initialisation of what no checkpoint fills.

    Raises:
        BookError: the model directory is incomplete, or there is no GPU for device "cuda".
    """
    from funasr import AutoModel

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BookError("This machine has no CUDA GPU: use device='cpu', or run on a GPU box.")
    directory = complete_directory(Path(model_dir)) if model_dir else model_directory(size)
    small = is_small(directory) if model_dir else size == "mini"
    kwargs = (_over_directory if over else _alone)(configs.as_config(config), directory, small)
    weights = kwargs.pop("init_param", None) if load_weights and device != "meta" else None
    kwargs.pop("init_param", None)
    kwargs.update(device=device, seed=seed, ncpu=torch.get_num_threads(), disable_update=True)
    loading = {"init_param": str(weights)} if weights else {}
    with torch.device("meta") if device == "meta" else contextlib.nullcontext():
        model, built_kwargs = AutoModel.build_model(**kwargs, **loading)
    return Built(model, built_kwargs, kwargs, load_report(model, weights) if weights else None)


def load_report(model: torch.nn.Module, checkpoint: str | Path) -> LoadReport:
    """Compare a model's tensors with a checkpoint's, by name and shape, as FunASR matches them."""
    state = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=True)
    source = state.get("state_dict", state)
    target = model.state_dict()
    shared = [key for key in target if key in source]
    return LoadReport(
        loaded=tuple(key for key in shared if source[key].shape == target[key].shape),
        missing=tuple(key for key in target if key not in source),
        mismatched=tuple(key for key in shared if source[key].shape != target[key].shape),
        unused=tuple(key for key in source if key not in target))


def shrink(config: DictConfig) -> DictConfig:
    """The same config with the mini's dimensions, for every dimension that it states."""
    small = config.copy()
    for key, value in MINI_DIMENSIONS.items():
        if OmegaConf.select(small, key) is not None:
            OmegaConf.update(small, key, value)
    return small


def is_small(directory: Path) -> bool:
    """Whether a model directory has the mini's dimensions: configs are shrunk to go over it."""
    config = OmegaConf.load(directory / "config.yaml")
    return all(OmegaConf.select(config, key) == value for key, value in MINI_DIMENSIONS.items())


def model_directory(size: Size) -> Path:
    """Prepare (once) the model directory of the mini, or of full size without weights.

    The folder is rebuilt when what it is made from is newer.
    """
    if size not in ("mini", "full"):
        raise BookError(f"There is no size `{size}`: choose `mini` or `full`.")
    folder = CACHE / "models" / size
    sources = [path for path in (MINI if size == "mini" else QWEN3).rglob("*") if path.is_file()]
    sources += [configs.path_of("pretrained"), Path(__file__)]
    fingerprint = {path.name: path.stat().st_mtime_ns for path in sources}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):  # notebooks and tests run side by side
        stamp = folder / "made_from.json"
        if not stamp.is_file() or json.loads(stamp.read_text()) != fingerprint:
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            _write_directory(size, partial)
            (partial / stamp.name).write_text(json.dumps(fingerprint))
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
    return folder


def _write_directory(size: Size, folder: Path) -> None:
    pretrained = configs.load("pretrained")
    folder.mkdir()
    shutil.copytree(MINI / "Qwen3-0.6B", folder / "Qwen3-0.6B")
    shutil.copy(MINI / "multilingual.tiktoken", folder)
    architecture = json.loads((QWEN3 / "config.json").read_text())
    if size == "mini":
        pretrained = shrink(pretrained)
        pretrained.ctc_vocab_size = MINI_CTC_VOCABULARY
        architecture |= MINI_LLM | _special_token_ids(folder / "Qwen3-0.6B")
        if (MINI / "model.safetensors").is_file():
            torch.save(read_weights(MINI / "model.safetensors"), folder / "model.pt")
    (folder / "Qwen3-0.6B" / "config.json").write_text(json.dumps(architecture, indent=1))
    OmegaConf.save(pretrained, folder / "config.yaml")
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION, indent=1))


def _special_token_ids(tokenizer_folder: Path) -> dict[str, int]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    return {role: tokenizer.convert_tokens_to_ids(token) for role, token in SPECIAL_TOKENS.items()}


CONFIGURATION = {
    "framework": "pytorch",
    "task": "auto-speech-recognition",
    "model": {"type": "funasr"},
    "pipeline": {"type": "funasr-pipeline"},
    "file_path_metas": {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"init_param_path": "Qwen3-0.6B"},
        "llm_conf": {"init_param_path": "Qwen3-0.6B"},
        "dataset_conf": {"ctc_tokenizer_conf": {"vocab_path": "multilingual.tiktoken"}},
    },
}
"""What `configuration.json` tells FunASR: which entries are paths inside the model directory."""


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the mini's committed weights (stored as float16) as float32 tensors."""
    from safetensors.torch import load_file

    weights = {key: tensor.float() for key, tensor in load_file(path).items()}
    if "llm.lm_head.weight" not in weights:  # tied with the input embedding, stored once
        weights["llm.lm_head.weight"] = weights["llm.model.embed_tokens.weight"]
    return weights


def write_weights(state: dict[str, torch.Tensor], path: Path) -> None:
    """Store a model's state dict as float16 safetensors, tied tensors once."""
    from safetensors.torch import save_file

    weights = {key: tensor.detach().to(torch.float16).contiguous().clone()
               for key, tensor in state.items() if key != "llm.lm_head.weight"}
    partial = path.with_suffix(".partial")
    save_file(weights, partial)
    partial.replace(path)


def _over_directory(config: DictConfig, directory: Path, small: bool) -> dict[str, Any]:
    """Merge over the directory's own config with FunASR's own loader."""
    from funasr.download.download_model_from_hub import download_model

    overlay = OmegaConf.to_container(shrink(config) if small else config, resolve=False)
    for key in ("model", "model_conf"):  # either one would keep FunASR from reading the directory
        overlay.pop(key, None)
    _drop_folder_names(overlay)
    kwargs = download_model(model=str(directory), check_latest=False, **overlay)
    if kwargs.get("init_param") and not Path(kwargs["init_param"]).is_file():
        kwargs.pop("init_param")
    return kwargs


def _drop_folder_names(overlay: dict[str, Any]) -> None:
    """Leave weights, Qwen3 and vocabulary to `configuration.json`: a relative folder name in a YAML
    would be looked up in the current directory, and on the hub if it is not there."""
    if overlay.get("init_param") is None:
        overlay.pop("init_param", None)  # a null, as in the published files, would load no weights
    for section in ("llm_conf", "tokenizer_conf"):
        overlay.get(section, {}).pop("init_param_path", None)
    vocabulary = overlay.get("dataset_conf", {}).get("ctc_tokenizer_conf", {})
    vocabulary.pop("vocab_path", None)


def _alone(config: DictConfig, directory: Path, small: bool) -> dict[str, Any]:
    """This YAML and nothing else; a path that it names is pointed into the directory."""
    alone = shrink(config) if small else config.copy()
    for key in ("llm_conf.init_param_path", "tokenizer_conf.init_param_path"):
        if OmegaConf.select(alone, key) is not None:
            OmegaConf.update(alone, key, str(directory / "Qwen3-0.6B"))
    if OmegaConf.select(alone, "dataset_conf.ctc_tokenizer_conf") is not None:
        OmegaConf.update(alone, "dataset_conf.ctc_tokenizer_conf.vocab_path",
                         str(directory / "multilingual.tiktoken"))
    if small:
        alone.ctc_vocab_size = MINI_CTC_VOCABULARY
    kwargs = OmegaConf.to_container(alone, resolve=True)
    kwargs["init_param"] = str(directory / "model.pt")
    if not Path(kwargs["init_param"]).is_file():
        kwargs.pop("init_param")
    return kwargs


def complete_directory(directory: Path) -> Path:
    """The same directory, if it has all that a Fun-ASR-Nano is loaded from.

    Raises:
        BookError: what it lacks.
    """
    if not directory.is_dir():
        raise BookError(f"There is no model directory {directory}: download Fun-ASR-Nano-2512 "
                        "and give its folder.")
    needed = ["configuration.json", "config.yaml", "model.pt", "Qwen3-0.6B/config.json",
              "multilingual.tiktoken"]
    absent = [name for name in needed if not (directory / name).exists()]
    if absent:
        raise BookError(f"The model directory {directory.name} lacks {', '.join(absent)}: "
                        "download Fun-ASR-Nano-2512 again, whole.")
    return directory
