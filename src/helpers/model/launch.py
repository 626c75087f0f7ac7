"""Launch a config as `funasr/bin/train_ds.py` does, up to the moment training would start.

Hydra composes the YAML and the command line. FunASR then reads the pretrained model's own
directory if, and only if, the result has no `model_conf`, and builds the model. Both steps are the
libraries' own here. The model is full size on the meta device: every tensor has its name and its
shape and no memory. `model.pt` is the same kind of thing, so FunASR's own loader can be watched
deciding, tensor by tensor, what it takes.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from funasr_preflight.laws.geometry import FRONTEND_RATE
from funasr_preflight.laws.names import OUTPUT_LAYER, component_of
from helpers.config import configs
from helpers.config.funasr_source import raised_in_funasr
from helpers.errors import BookError, first_sentence
from helpers.model import mini
from helpers.session import funasr_silenced

MODEL_DIRECTORY = "MODEL_DIR"
"""Stands in an override for the path of the pretrained model's directory."""
MERGED = (f"++model={MODEL_DIRECTORY}", "~model_conf", "~tokenizer_conf.init_param_path")
"""The overrides that make FunASR lay a config over the pretrained model's own."""
WITH_CHECKPOINT = f"++init_param={MODEL_DIRECTORY}/model.pt"
_LAYERS = {
    "encoder blocks": "audio_encoder.encoders",
    "encoder tp blocks": "audio_encoder.tp_encoders",
    "adaptor blocks": "audio_adaptor.blocks",
    "LLM blocks": "llm.model.layers",
    "CTC decoder blocks": "ctc_decoder.blocks",
}

MISSING_PIECES = (
    ("no model `None`", "++llm_conf.init_param_path=Qwen3-0.6B"),
    ("`audio_adaptor_conf.encoder_dim`", "++audio_adaptor_conf.encoder_dim=512"),
    ("`audio_adaptor_conf.llm_dim`", "++audio_adaptor_conf.llm_dim=1024"),
    ("`dataset_conf.ctc_tokenizer`", "++dataset_conf.ctc_tokenizer=SenseVoiceTokenizer"),
    ("`dataset_conf.ctc_tokenizer_conf`",
     "++dataset_conf.ctc_tokenizer_conf.vocab_path=multilingual.tiktoken"),
    ("multilingual.tiktoken", "++dataset_conf.ctc_tokenizer_conf.vocab_path=multilingual.tiktoken"),
    ("`ctc_decoder_conf.encoder_dim`", "++ctc_decoder_conf.encoder_dim=512"),
)
"""What a failed launch complains of, and the one override that answers it."""


@dataclass(frozen=True)
class Tensors:
    """Names and shapes of a model's tensors, and which of them FunASR filled from `model.pt`.

    Attributes:
        shapes: name to shape, for every tensor of the model as it was built.
        loaded: names that the checkpoint filled; None where no checkpoint was read.
        offered: number of tensors in the checkpoint; 0 where none was read.
    """

    shapes: dict[str, tuple[int, ...]]
    loaded: frozenset[str] | None = None
    offered: int = 0

    def count(self, component: str = "", loaded: bool = False) -> int:
        """Number of (loaded) tensors, of one component or of all."""
        names = (self.loaded or ()) if loaded else self.shapes
        return sum(1 for name in names if component_of(name) == component or not component)

    def parameters(self, component: str = "", loaded: bool = False) -> int:
        """Number of (loaded) values in these tensors; the LLM's tied matrix counts once."""
        names = (self.loaded or ()) if loaded else self.shapes
        return sum(torch.Size(self.shapes[name]).numel() for name in names
                   if name != OUTPUT_LAYER and (component_of(name) == component or not component))


@dataclass(frozen=True)
class Attempt:
    """How a launch ended.

    Attributes:
        overrides: the command line's overrides, with MODEL_DIR for the directory's path.
        built: whether a model came out.
        merged: whether FunASR read the model directory's own config.
        tensors: the model's tensors, None if it was not built.
        layers: number of blocks in each stack.
        ctc_switched_off: whether FunASR removed the CTC branch because it was not all loaded.
        low_frame_rate: whether inference gives the LLM one token for eight encoder frames.
        status: what FunASR's log says after loading, or "" where it loaded nothing.
        error: class name of what went wrong, or "".
        sentence: what went wrong, in one line without paths.
        place: file and line in the installed FunASR where it went wrong.
    """

    config: str
    overrides: tuple[str, ...]
    built: bool
    merged: bool = False
    tensors: Tensors | None = None
    layers: dict[str, int] = field(default_factory=dict)
    ctc_switched_off: bool = False
    low_frame_rate: bool | None = None
    status: str = ""
    error: str = ""
    sentence: str = ""
    place: str = ""

    @property
    def outcome(self) -> str:
        """One line: what was built, or what went wrong."""
        if not self.built:
            return f"{self.error}: {self.sentence}"
        return f"builds, {self.tensors.count():,} tensors"

    def arrived(self, component: str) -> int:
        """Pretrained values (numbers) of a component that this model starts training with."""
        if self.tensors is None or (self.ctc_switched_off and component in ("ctc", "ctc_decoder")):
            return 0
        return self.tensors.parameters(component, loaded=True)


def compose(config: str | Path, overrides: Sequence[str] = ()) -> DictConfig:
    """The config that Hydra hands to FunASR's `main_hydra` for this command line.

    Raises:
        BookError: no such config, or an override that Hydra refuses.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException

    path = configs.path_of(config).resolve()
    configs.load(path)
    try:
        with initialize_config_dir(config_dir=str(path.parent), version_base=None):
            return hydra_compose(path.stem, overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise BookError(f"Hydra refuses {' '.join(overrides)} for {path.name}: "
                        f"{first_sentence(error)}.") from None


def launch(config: str | Path, overrides: Sequence[str] = (), inside_model_directory: bool = False,
           directory: Path | None = None, folder: Path | None = None) -> Attempt:
    """Build the model of `train_ds.py --config-name CONFIG OVERRIDES`, full size, without memory.

    Args:
        config: one of the book's configs, or a YAML's path.
        overrides: Hydra overrides; MODEL_DIR in them becomes the pretrained model's directory.
        inside_model_directory: run the command in that directory rather than in an empty one.
            A relative `Qwen3-0.6B` is found in the first and not in the second.
        directory: another model directory than `pretrained_directory()`.
        folder: run the command there, rather than in an empty folder.

    Returns:
        What happened. A config that does not build is a result, not an error.
    """
    directory = directory or pretrained_directory()
    command = [text.replace(MODEL_DIRECTORY, str(directory)) for text in overrides]
    composed = compose(config, command)
    name, merged = configs.path_of(config).stem, "model_conf" not in composed
    started = Attempt(name, tuple(overrides), built=False, merged=merged)
    with tempfile.TemporaryDirectory() as empty:
        folder = directory if inside_model_directory else folder or empty
        try:
            with contextlib.chdir(folder), hub_switched_off():
                return _built(started, composed)
        except Exception as error:  # noqa: BLE001  whatever FunASR raises is the finding
            return _failed(started, error, str(directory))


def launch_with_missing_pieces(config: str | Path, directory: Path | None = None) -> list[Attempt]:
    """Launch a YAML alone in the model's folder, supplying what it lacks, one piece at a time.

    Returns:
        One attempt for each override added, until it builds or no piece answers the complaint.
    """
    attempts = [launch(config, inside_model_directory=True, directory=directory)]
    while not attempts[-1].built:
        complaint = attempts[-1].sentence
        piece = next((piece for text, piece in MISSING_PIECES if text in complaint), None)
        if piece is None or piece in attempts[-1].overrides:
            break
        attempts.append(launch(config, (*attempts[-1].overrides, piece),
                               inside_model_directory=True, directory=directory))
    return attempts


def launch_alone(config: str | Path, directory: Path | None = None) -> Attempt:
    """Launch a YAML alone with every piece that it lacks, and with the pretrained `model.pt`.

    Raises:
        BookError: no set of pieces makes it build.
    """
    last = launch_with_missing_pieces(config, directory)[-1]
    if not last.built:
        raise BookError(f"{last.config} does not build alone ({last.outcome}): launch it merged.")
    return launch(config, (*last.overrides, WITH_CHECKPOINT), inside_model_directory=True,
                  directory=directory)


def launch_merged(config: str | Path, directory: Path | None = None) -> Attempt:
    """Launch a config laid over the pretrained model's own, from an empty folder.

    The keys that stand in the way of a merge are removed where the config has them.
    """
    plain = configs.load(config)
    return launch(config, tuple(override for override in MERGED if override[0] != "~"
                                or OmegaConf.select(plain, override[1:]) is not None),
                  directory=directory)


def speech_tokens(config: str | Path, low_frame_rate: bool, seconds: float) -> tuple[int, int]:
    """What FunASR's inference makes of a clip: encoder frames, and speech tokens for the LLM.

    Args:
        config: whose frontend is used, with the mini's tokenizer (it decides neither number).
    """
    with funasr_silenced():
        built = mini.build(config, size="mini", device="meta")
        built.model.use_low_frame_rate = low_frame_rate
        clip = torch.zeros(int(seconds * FRONTEND_RATE))  # what FunASR takes an array for
        contents = built.model.data_template([
            {"role": "system", "content": ""},
            {"role": "user", "content": "<|startofspeech|>!!<|endofspeech|>", "audio": clip},
            {"role": "assistant", "content": ""}])
        batch = built.model.data_load_speech(contents, built.tokenizer, built.frontend)
    return int(batch["speech_lengths"][0]), int(batch["fake_token_len"][0, 0])


def place_of(module: str, text: str) -> str:
    """File, line and version of the first source line of a module that holds this text.

    Raises:
        BookError: no line does, so the library has changed.
    """
    package = module.partition(".")[0]
    for number, line in enumerate(_source(module).splitlines(), start=1):
        if text in line:
            return f"{module.replace('.', '/')}.py, line {number} ({version(package)})"
    raise BookError(f"{module} no longer has a line with `{text}`: read its source again.")


def mentions(module: str, text: str) -> bool:
    """Whether a module's source holds this text anywhere."""
    return text in _source(module)


def _source(module: str) -> str:
    return inspect.getsource(importlib.import_module(module))


def pretrained_directory() -> Path:
    """A model directory as released, with a `model.pt` of names and shapes instead of values.

    The names and shapes are those that `configs/pretrained.yaml` builds, laid over itself. The
    directory is this process's own and goes with it.
    """
    return Path(_pretrained_directory().name).resolve()


@lru_cache(maxsize=1)
def _pretrained_directory() -> tempfile.TemporaryDirectory:
    directory = tempfile.TemporaryDirectory(prefix="fun-asr-nano-names-")
    with funasr_silenced():
        model = mini.build("pretrained", size="full", device="meta", over="pretrained").model
    fill(Path(directory.name), model.state_dict())
    return directory


def fill(folder: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Make a folder a model directory of full size, with a `model.pt` of these tensors."""
    for entry in mini.model_directory("full").iterdir():
        if entry.name != "model.pt":
            (folder / entry.name).symlink_to(entry.resolve(), entry.is_dir())
    torch.save(state, folder / "model.pt")


def pretrained_tensors() -> Tensors:
    """Names and shapes in the pretrained model's `model.pt`."""
    state = torch.load(pretrained_directory() / "model.pt", weights_only=True)
    return Tensors({name: tuple(tensor.shape) for name, tensor in state.items()})


def _built(started: Attempt, composed: DictConfig) -> Attempt:
    from funasr import AutoModel

    notes: dict[str, Any] = {}
    with watched_loading(notes), torch.device("meta"), funasr_silenced():
        model, _ = AutoModel.build_model(
            **{**composed, "device": "meta", "disable_update": True, "check_latest": False,
               "ncpu": torch.get_num_threads()})
    tensors = notes.get("tensors") or _tensors(model)
    layers = {label: len({name[len(stack) + 1:].split(".")[0]
                          for name in tensors.shapes if name.startswith(f"{stack}.")})
              for label, stack in _LAYERS.items()}
    layers["encoder blocks"] += any(name.startswith("audio_encoder.encoders0.")
                                    for name in tensors.shapes)
    return replace(
        started, built=True, tensors=tensors, layers=layers,
        ctc_switched_off=tensors.count("ctc") > 0 and getattr(model, "ctc_decoder", None) is None,
        low_frame_rate=getattr(model, "use_low_frame_rate", None),
        status=str(notes.get("status", "")))


def _tensors(model: torch.nn.Module, loaded: frozenset[str] | None = None,
             offered: int = 0) -> Tensors:
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return Tensors(shapes, loaded, offered)


@contextlib.contextmanager
def watched_loading(notes: dict[str, Any]) -> Iterator[None]:
    """Note which tensors FunASR's loader filled, before it acts on the answer.

    The loader copies what the file holds, and hands the model a state in which some tensors are
    those copies: they are the loaded ones, in every version of FunASR.
    """
    from funasr.models.fun_asr_nano.model import FunASRNano

    loader = importlib.import_module("funasr.train_utils.load_pretrained_model")
    from_file: list[torch.Tensor] = []
    original = FunASRNano.load_state_dict

    def copied(state):
        duplicate = copy.deepcopy(state)
        from_file.extend(duplicate.get("state_dict", duplicate).values())
        return duplicate

    def watched(self, state, *arguments, **keywords):
        from_file_ids = {id(tensor) for tensor in from_file}
        notes["tensors"] = _tensors(self, frozenset(
            name for name, tensor in state.items() if id(tensor) in from_file_ids), len(from_file))
        notes["status"] = status = original(self, state, *arguments, **keywords)
        return status

    with (mock.patch.object(loader, "copy", SimpleNamespace(deepcopy=copied)),
          mock.patch.object(FunASRNano, "load_state_dict", watched)):
        yield


@contextlib.contextmanager
def hub_switched_off() -> Iterator[None]:
    """Let transformers look in folders only, so that the answer is the same with no network."""
    from huggingface_hub import constants

    with mock.patch.object(constants, "HF_HUB_OFFLINE", True):
        yield


def _failed(started: Attempt, error: Exception, directory: str) -> Attempt:
    frame, source_line = raised_in_funasr(error)
    sentence = _sentence(error, directory)
    if frame and isinstance(error, OSError) and "init_param_path" in frame.f_locals:
        sentence = f"transformers finds no model `{frame.f_locals['init_param_path']}`"
    return replace(started, error=type(error).__name__, sentence=sentence, place=source_line)


def _sentence(error: Exception, directory: str) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"there is no file {Path(error.filename).name}"
    text = first_sentence(error, {directory: MODEL_DIRECTORY})
    key = getattr(error, "full_key", None)
    if key and "not in struct" in text:
        return f"`{key}` is not in struct"
    return f"`{key}`: {text}" if key else text


def save_merged(config: str | Path, path: Path) -> Path:
    """Write one YAML that says everything: the config laid over the pretrained one."""
    OmegaConf.save(configs.merge_over("pretrained", config), path)
    return path
