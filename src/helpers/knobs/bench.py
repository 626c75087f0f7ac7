"""A test bench for one config: build, load data, launch, train, decode, and note what came out.

`observe` returns a fingerprint, one digest for each observable part. Two configs that differ in one
key and agree in every part cannot be told apart by anything that this bench sees. The config is the
one that FunASR merges (`mini.build(...).config`), so a key can be changed where the code reads it.
The bench's model is the mini with fewer blocks; what runs on it is FunASR's own code.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import hashlib
import io
import logging
import os
import random
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from omegaconf import OmegaConf

from helpers.config.funasr_source import package_folder, raised_in_funasr, short_file
from helpers.errors import typed_sentence
from helpers.evaluation import decoding
from helpers.model import mini
from helpers.paths import CACHE
from helpers.session import funasr_silenced
from helpers.speech import corpus, manifests
from helpers.training import finetune

PARTS = ("modules", "starting weights", "trainable flags", "tokenizer", "CTC tokenizer",
         "features", "prompt", "labels", "batches", "collated batches", "data loader",
         "frontend", "encoder output", "LLM input", "CTC output", "decoding", "launch",
         "precision", "gradients", "learning rate", "losses", "log lines", "validations",
         "trained weights", "files", "checkpoint")
"""Everything that the bench observes, in the order in which a run produces it."""

SMALL: dict[str, Any] = {
    "audio_encoder_conf.num_blocks": 2, "audio_encoder_conf.tp_blocks": 1,
    "audio_adaptor_conf.n_layer": 1, "ctc_decoder_conf.n_layer": 1,
    "frontend_conf.dither": 0.0,
    "dataset_conf.num_workers": 0, "dataset_conf.data_split_num": 1,
    "dataset_conf.batch_size_sample_max": 4,
    "train_conf.max_epoch": 2, "train_conf.use_deepspeed": False,
    "scheduler_conf.warmup_steps": 2,
}
"""What the bench changes in every config: fewer blocks and steps, several batches, no dither."""

SHORT, WORDY, VALIDATION, ANSWER_TOKENS = 7, 2, 2, 6
"""Training lines with few words, and with enough for limits on text; validation lines; tokens."""
WORDY_TOKENS = 14
SENTENCE = "please call anna at seven one four"


@dataclass(frozen=True)
class Observation:
    """What one run of the bench gave.

    Attributes:
        parts: part to digest, for the parts that were reached.
        error: "" or what was raised, as "Type: sentence (file, line N)".
        executed: lines of FunASR and of PyTorch's optimizers that ran, as (file, line); only if
            they were traced.
    """

    parts: dict[str, str]
    error: str = ""
    executed: frozenset[tuple[str, int]] = field(default=frozenset(), repr=False)


def base_config(name: str) -> dict[str, Any]:
    """A fine-tuning config merged over the pretrained one, as FunASR does it, at bench size."""
    with funasr_silenced():
        merged = copy.deepcopy(mini.build(name).config)
    merged["init_param"] = str(mini.model_directory("mini") / "model.pt")
    return changed(merged, SMALL)


def changed(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested dictionary with dotted keys set, sections made where there are none."""
    copied = OmegaConf.create(dict(config))
    for key, value in values.items():
        OmegaConf.update(copied, key, value, merge=False, force_add=True)
    return OmegaConf.to_container(copied)


def without(config: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """A copy of a nested dictionary in which these dotted keys are not set."""
    copied = OmegaConf.create(dict(config))
    for key in keys:
        section, _, name = key.rpartition(".")
        (OmegaConf.select(copied, section) or {}).pop(name, None)
    return OmegaConf.to_container(copied)


def utterances(unreadable: bool = False) -> tuple[list[dict], list[dict]]:
    """The bench's training and validation lines: short, with hotwords and other context."""
    by_length = sorted(corpus.load_set("adapt"), key=lambda item: item["speech_length"])
    wordy = [item for item in by_length if item["text_length"] >= WORDY_TOKENS][:WORDY]
    items = [_with_context(item, number)
             for number, item in enumerate([*by_length[:VALIDATION + SHORT], *wordy])]
    train, valid = items[VALIDATION:], items[:VALIDATION]
    if unreadable:
        train[4] = manifests.with_audio(train[4], CACHE / "no_such_recording.opus")
    return train, valid


def _with_context(item: dict, number: int) -> dict:
    context: dict[str, Any] = {"hist_context": "good morning"} if number % 2 else {}
    if number % 3 == 0:
        context["hotwords"] = "anna, seven"
    if number % 3 == 1:
        context["asr_hotwords"] = "vienna, oslo"
    return {**item, **context, "one_pass_result": "yes"}


def observe(config: Mapping[str, Any], unreadable: bool = False, resume: bool = False,
            traced: bool = False) -> Observation:
    """Run one config through the bench.

    Args:
        config: a merged config, such as `base_config` gives.
        resume: leave the checkpoint of an earlier run of one epoch in the output folder.
        traced: note which lines ran (slower).
    """
    parts: dict[str, str] = {}
    items = utterances(unreadable)
    state = _global_state()
    executed: set[tuple[str, int]] = set()
    error = ""
    with funasr_silenced(), _traced(executed) if traced else contextlib.nullcontext():
        try:
            with _precision() as autocasts, mock.patch("tensorboardX.SummaryWriter"):
                built = _build(config, parts)
                _data(built, items, parts)
                _launch(built, parts)
                _outputs(built, items[0][0], parts)
                _train(built, items, parts, resume)
            parts["precision"] = digest(autocasts)
        except BaseException as raised:  # noqa: BLE001  what FunASR raises is the finding
            if isinstance(raised, KeyboardInterrupt):
                raise
            error = described(raised)
        finally:
            _restore(state)
            gc.collect()  # ends the worker processes of a data loader
    return Observation({name: parts[name] for name in PARTS if name in parts}, error,
                       frozenset(executed))


def masks_by_hand(config: Mapping[str, Any]) -> str:
    """Digest of what `SpecAugLFR` masks with this config's `specaug_conf`, built by hand."""
    from funasr.models.specaug.specaug import SpecAugLFR

    torch.manual_seed(0)
    features = torch.ones(3, 40, 560)
    masked, _ = SpecAugLFR(**config["specaug_conf"])(features, torch.tensor([40, 30, 20]))
    return digest(masked)


def differences(observation: Observation, other: Observation) -> tuple[str, ...]:
    """The parts that differ, of those that both reached."""
    return tuple(name for name in PARTS if name in observation.parts and name in other.parts
                 and observation.parts[name] != other.parts[name])


def digest(*values: Any) -> str:
    """A digest of tensors, numbers, texts and containers of them; floats and dtypes exactly."""
    hashed = hashlib.sha1(usedforsecurity=False)
    for value in values:
        _feed(hashed, value)
    return hashed.hexdigest()[:16]


def described(error: BaseException) -> str:
    """What an error says, and the last source line inside FunASR that it came through."""
    _, source_line = raised_in_funasr(error)
    return f"{typed_sentence(error)} ({source_line})" if source_line else typed_sentence(error)


def _feed(hashed: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        tensor = value.detach().contiguous().cpu()
        hashed.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
        if tensor.numel():
            hashed.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    elif isinstance(value, Mapping):
        for key in value:
            _feed(hashed, str(key))
            _feed(hashed, value[key])
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in sorted(value) if isinstance(value, (set, frozenset)) else value:
            _feed(hashed, item)
        hashed.update(b"]")
    else:
        hashed.update(repr(value).encode() + b"\0")


def _build(config: Mapping[str, Any], parts: dict[str, str]) -> mini.Built:
    from funasr import AutoModel

    model, kwargs = AutoModel.build_model(**copy.deepcopy(dict(config)))
    built = mini.Built(model, kwargs, dict(config))
    parts["modules"] = digest([(name, type(module).__name__)
                               for name, module in model.named_modules()],
                              [(name, tuple(tensor.shape), str(tensor.dtype))
                               for name, tensor in model.state_dict().items()])
    parts["starting weights"] = digest(model.state_dict())
    parts["trainable flags"] = digest([(name, parameter.requires_grad)
                                       for name, parameter in model.named_parameters()])
    parts["tokenizer"] = digest(type(built.tokenizer).__name__, built.tokenizer.encode(SENTENCE))
    ctc_tokenizer = getattr(model, "ctc_tokenizer", None)
    if ctc_tokenizer is not None:
        parts["CTC tokenizer"] = digest(
            type(ctc_tokenizer).__name__, ctc_tokenizer.encode(SENTENCE),
            ctc_tokenizer.decode(list(range(300, 330))), ctc_tokenizer.encoding.n_vocab)
    return built


def _data(built: mini.Built, items: tuple[list[dict], list[dict]], parts: dict[str, str]) -> None:
    from funasr.register import tables

    torch.manual_seed(0)
    random.seed(0)
    folder = _folder("data")
    kwargs = built.kwargs | {
        "train_data_set_list": str(manifests.write_manifest(items[0], folder / "train.jsonl")),
        "valid_data_set_list": str(manifests.write_manifest(items[1], folder / "valid.jsonl"))}
    kwargs.pop("model", None)
    entry = tables.dataloader_classes.get("DataloaderMapStyle")(**kwargs)
    loader, _ = entry.build_iter(0)
    dataset = loader.dataset
    order = [list(map(list, entry.build_iter(epoch)[0].batch_sampler)) for epoch in (0, 1)]
    parts["batches"] = digest(len(dataset), entry.data_split_num, order)
    parts["data loader"] = digest(loader.num_workers, loader.prefetch_factor, loader.pin_memory,
                                  loader.persistent_workers)
    samples = [dataset[index] for index in range(len(dataset))]
    readable = [sample for sample in samples if sample is not None]
    parts["features"] = digest([sample.get("speech") for sample in readable])
    parts["prompt"] = digest([built.tokenizer.decode(sample["input_ids"]) for sample in readable],
                             len(samples) - len(readable))
    parts["labels"] = digest([sample["labels_ids"] for sample in readable])
    collated = [dataset.collator([samples[index] for index in batch]) for batch in order[0]]
    parts["collated batches"] = digest([batch.get("input_ids") for batch in collated])
    parts["frontend"] = digest(type(built.frontend).__name__)


def _launch(built: mini.Built, parts: dict[str, str]) -> None:
    """FunASR's training program from its first line to the trainer, with the model at hand."""
    from funasr.bin import train_ds

    class _Reached(Exception):
        pass

    breakpoints: list[str] = []
    kwargs = built.kwargs | {"output_dir": str(_folder("launch"))}
    handed = SimpleNamespace(kwargs=dict(kwargs, model=built.model), model=built.model)
    plain = {key: value for key, value in built.config.items() if key != "device"}
    plain |= {"device": "cpu", "output_dir": kwargs["output_dir"]}
    trainer = mock.Mock(side_effect=_Reached)
    with (mock.patch("pdb.set_trace", lambda *_, **__: breakpoints.append("debugger")),
          mock.patch.object(train_ds, "AutoModel", lambda **_: handed),
          mock.patch.object(train_ds, "Trainer", trainer),
          contextlib.suppress(_Reached)):
        train_ds.main_hydra.__wrapped__(OmegaConf.create(plain))
    parts["launch"] = digest(breakpoints, torch.backends.cuda.matmul.allow_tf32,
                             torch.backends.cudnn.deterministic,
                             {name: trainer.call_args.kwargs[name]
                              for name in ("use_ddp", "use_fsdp", "use_deepspeed")})


def _outputs(built: mini.Built, item: dict, parts: dict[str, str]) -> None:
    torch.manual_seed(0)
    model = built.model.eval()
    has_ctc = getattr(model, "ctc_decoder", None) is not None  # old versions have no such branch
    speech = torch.randn(2, 9, built.frontend.output_size())
    lengths = torch.tensor([9, 6])
    with torch.no_grad():
        hidden, hidden_lengths = model.encode(speech.clone(), lengths)
        parts["encoder output"] = digest(hidden, hidden_lengths)
        parts["LLM input"] = digest(model.audio_adaptor(hidden.clone(), hidden_lengths))
        parts["CTC output"] = "none"
        if has_ctc:
            decoded, decoded_lengths = model.ctc_decoder(hidden.clone(), hidden_lengths)
            parts["CTC output"] = digest(model.ctc.log_softmax(decoded), decoded_lengths)
    hypotheses = [decoding.decode(built, [item], branch, longest_answer=ANSWER_TOKENS)[0]
                  for branch in (["llm", "both"] if has_ctc else ["llm"])]
    parts["decoding"] = digest([(heard.llm, heard.ctc) for heard in hypotheses])


def _train(built: mini.Built, items: tuple[list[dict], list[dict]], parts: dict[str, str],
           resume: bool) -> None:
    name = f"knobs_{os.getpid()}"
    with_gradient: set[str] = set()
    for parameter_name, parameter in built.model.named_parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(
                lambda _, name=parameter_name: with_gradient.add(name))
    earlier = finetune.run(_one_epoch(built), *items, name) if resume else None
    lines: list[str] = []
    run = finetune.run(built, *items, name, keep_folder=earlier is not None,
                       silenced=lambda: _log_caught(lines))
    saved = torch.load(run.folder / "model.pt", map_location="cpu", weights_only=False)
    parts["gradients"] = digest(with_gradient)
    parts["learning rate"] = digest([step.learning_rate for step in run.steps])
    parts["losses"] = digest([(step.loss, step.accuracy) for step in run.steps])
    parts["log lines"] = digest([line.split("(loss")[0] for line in lines
                                 if re.match(r"(train|val), rank", line)])
    parts["validations"] = digest(run.validations, list(saved["val_acc_step_or_epoch"]))
    parts["trained weights"] = digest(built.model.state_dict())
    parts["files"] = digest(sorted(path.name for path in run.folder.iterdir()
                                   if path.name.startswith("model")))
    parts["checkpoint"] = digest(list(saved["state_dict"]), list(saved))


def _one_epoch(built: mini.Built) -> mini.Built:
    """A copy that trains one epoch, with the same tokenizer and frontend."""
    train_conf = dict(built.kwargs["train_conf"], max_epoch=1)
    return mini.Built(copy.deepcopy(built.model), built.kwargs | {"train_conf": train_conf},
                      built.config)


def _folder(name: str) -> Path:
    folder = CACHE / "knobs" / f"{name}_{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _log_caught(lines: list[str]) -> Iterator[None]:
    """Collect what FunASR logs while it trains; print nothing."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root = logging.getLogger()
    disabled, level, handlers = root.manager.disable, root.level, root.handlers[:]
    logging.disable(logging.NOTSET)
    root.setLevel(logging.INFO)
    root.handlers[:] = [Collector()]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)
        root.setLevel(level)
        root.handlers[:] = handlers


@contextlib.contextmanager
def _precision() -> Iterator[set[str]]:
    """Note every autocast that FunASR asks for: device, dtype, on or off."""
    autocasts: set[str] = set()

    def noted(original):
        def enter(self, device_type, dtype=None, enabled=True, **kwargs):
            autocasts.add(f"{device_type} {dtype} {enabled}")
            return original(self, device_type, dtype=dtype, enabled=enabled, **kwargs)
        return enter

    with mock.patch.object(torch.amp.autocast, "__init__",
                           noted(torch.amp.autocast.__init__)):
        yield autocasts


@contextlib.contextmanager
def _traced(executed: set[tuple[str, int]]) -> Iterator[None]:
    """Collect the lines of FunASR and of PyTorch's optimizers that run in this thread."""
    def lines(frame, event, _):
        if event == "line":
            executed.add((short_file(frame.f_code.co_filename), frame.f_lineno))
        return lines

    def calls(frame, event, _):
        return lines if traced_file(frame.f_code.co_filename) else None

    previous = sys.gettrace()
    threading.settrace(calls)
    sys.settrace(calls)
    try:
        yield
    finally:
        sys.settrace(previous)
        threading.settrace(None)


@cache
def traced_file(file: str) -> bool:
    """Whether a file belongs to FunASR or to PyTorch's optimizers."""
    return any(Path(file).is_relative_to(folder)
               for folder in (package_folder("funasr"), package_folder("torch") / "optim"))


def _global_state() -> tuple:
    return (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.deterministic,
            torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark)


def _restore(state: tuple) -> None:
    (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.deterministic,
     torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark) = state
