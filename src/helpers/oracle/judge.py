"""FunASR runs a drawn launch, and what becomes of it is noted.

`funasr.bin.train_ds.main_hydra` itself runs, from the composed config to the last checkpoint, on
the mini with fewer blocks. Six things are done for it, and nothing in its place: the trainer keeps
to the CPU, to one epoch, to a few batches and to the extreme samples of each; loading runs in this
process; a process group of one stands for a larger one, while the sampler is asked for the batches
of every process; autocast and loss scaling are those of the CPU; the keyboard of the debugger is
not there; DeepSpeed is a shell without an engine, so that a run with it comes as far as its config
file.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import os
import signal
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import distributed

from funasr_preflight.laws.names import EMBEDDING, component_of
from helpers.knobs.bench import described, digest
from helpers.model.launch import hub_switched_off, watched_loading
from helpers.oracle import files, materials
from helpers.oracle.cases import Drawn
from helpers.session import funasr_silenced

TRAINED, VALIDATED, ACCUMULATED = 2, 1, 6
"""Batches that are trained and validated at most; and trained where gradients accumulate longer."""
FILES = 8
"""No drawn list has so many files: the splits beyond them are empty."""
CPU_SECONDS = 30
"""A case that takes FunASR longer at this size is not judged: a rate of 1 Hz, say."""
UNKNOWN = -(10**9)
"""Steps where FunASR's trainer does not count them."""
STAGES = ("command", "debugger", "merge", "build", "model", "trainer", "optimizer", "data",
          "batches", "train", "validate", "save", "average", "end", "reload", "decode")


@dataclass
class Judgement:
    """What FunASR did with a case.

    Attributes:
        stage: the last of STAGES that began; "decode" where everything went well.
        error: what ended it, or "".
        missing: component to number of tensors of it that start from random values.
        ctc: whether the model has its CTC branch.
        flagged, learning: full-size values that may learn, and that got a gradient, by component.
        bytes: of one value of those that got a gradient, by component, each size once.
        kept: lines that are in any batch of an epoch; None where it was not found out.
        batches: of each pass and process, as lists; again: whether passes read one file.
        steps: optimizer steps of each process in an epoch.
        saves: checkpoints within an epoch of the first process, with a score and without; None
            where it was not found out.
        replaced, dropped, unheard: of the batches trained on: samples exchanged for others in the
            dataset, dropped in the collator, and left without speech.
        losses: of the batches trained on.
        moved: whether any weight changed.
        valid_kept: lines that are in any process's batch of a validation.
        lacking: component to number of tensors that a checkpoint does not bring back.
        rates: learning rate of the first steps.
        outcome: a digest of everything that came out.
        unjudged: whether FunASR was still at it when its time was up.
    """

    stage: str = "command"
    error: str = ""
    missing: dict[str, int] = field(default_factory=dict)
    ctc: bool = True
    flagged: dict[str, int] = field(default_factory=dict)
    learning: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, list[int]] = field(default_factory=dict)
    kept: int | None = None
    batches: list[list[int]] = field(default_factory=list)
    again: bool = False
    steps: list[int] = field(default_factory=list)
    saves: list[int] | None = None
    replaced: int = 0
    dropped: int = 0
    unheard: int = 0
    losses: list[float] = field(default_factory=list)
    moved: bool = False
    updates: int = 0
    valid_kept: int | None = None
    lacking: dict[str, int] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    outcome: str = ""
    unjudged: bool = False


class _Stopped(BaseException):
    """The debugger would wait for a keyboard here."""


class _TooLong(BaseException):
    """FunASR is still at it after CPU_SECONDS."""


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """End what takes longer than CPU_SECONDS of this process's own time."""
    def end(*_: Any) -> None:
        raise _TooLong

    importlib.import_module("torch._dynamo")  # cut in the middle, this import breaks the process
    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def judge(case: Drawn) -> Judgement:
    """Let FunASR run a case."""
    judged = Judgement()
    with (tempfile.TemporaryDirectory(prefix="oracle-") as name, contextlib.chdir(name),
          funasr_silenced(), contextlib.redirect_stderr(io.StringIO())):
        path, overrides = _written(case, "small", Path(name))
        try:
            with _limited():
                _run(case, path, overrides, judged)
            judged.stage = "decode"
        except _TooLong:
            judged.unjudged = True
        except _Stopped:
            judged.error = "the debugger waits for a keyboard"
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever FunASR raises
            judged.error = described(error)[:300].replace(name, "FOLDER")
        finally:
            if distributed.is_initialized():
                distributed.destroy_process_group()
    judged.outcome = digest(judged.error, judged.losses, judged.flagged, judged.batches,
                            judged.lacking, judged.rates, judged.outcome)
    return judged


def _written(case: Drawn, size: str, folder: Path) -> tuple[Path, list[str]]:
    """A case's YAML, empty where it has none, and its overrides; the manifests lie beside it."""
    path, overrides = files.write(case, size, folder)
    if path is None:
        path = folder / "empty.yaml"
        path.write_text("{}\n")
    return path, overrides


def _composed(path: Path, overrides: list[str]):
    """The launch as Hydra composes it."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(config_dir=str(path.parent), version_base=None):
        return compose(path.stem, overrides=overrides)


def _run(case: Drawn, path: Path, overrides: list[str], judged: Judgement) -> None:
    from funasr.bin import train_ds

    composed = _composed(path, overrides)
    judged.stage = "merge"
    seen: dict[str, Any] = {"case": case}
    with _around(case, judged, seen):
        train_ds.main_hydra.__wrapped__(composed)
    judged.stage = "reload"
    _reload(seen, judged)


@contextlib.contextmanager
def _around(case: Drawn, judged: Judgement, seen: dict[str, Any]) -> Iterator[None]:
    """Everything that FunASR's training program needs to run here, and to be watched."""
    from funasr.bin import train_ds
    from funasr.register import tables
    from funasr.train_utils import trainer_ds

    class Model(train_ds.AutoModel):
        def __init__(self, **keywords):
            judged.stage = "build"
            with watched_loading(seen):
                super().__init__(**{**keywords, "ncpu": 1, "disable_update": True})
            _note_model(self.model, seen, judged)
            judged.stage = "model"

    samplers = importlib.import_module("funasr.datasets.audio_datasets.samplers")
    espnet = importlib.import_module("funasr.datasets.audio_datasets.espnet_samplers")
    hubs = importlib.import_module("funasr.download.download_model_from_hub")
    group = SimpleNamespace(get_rank=lambda: seen.get("rank", 0),
                            get_world_size=lambda: case.processes)

    def stop():
        judged.stage = "debugger"
        raise _Stopped

    environment = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": str(case.processes)}
    loaders = dict(tables.dataloader_classes)
    loaders["DataloaderMapStyle"] = _loader(loaders["DataloaderMapStyle"], case, judged, seen)
    with contextlib.ExitStack() as stack:
        for patch in (
                mock.patch.dict(os.environ, environment),
                mock.patch("pdb.set_trace", stop),
                mock.patch.object(train_ds, "AutoModel", Model),
                mock.patch.object(train_ds, "Trainer", _trainer(judged, seen)),
                mock.patch.object(train_ds, "GradScaler",
                                  lambda enabled: torch.amp.GradScaler("cpu", enabled=enabled)),
                mock.patch.object(hubs, "get_or_download_model_dir", _no_network),
                mock.patch.object(hubs, "get_or_download_model_dir_hf", _no_network),
                mock.patch.object(train_ds, "deepspeed",
                                  SimpleNamespace(init_distributed=lambda **_: None)),
                mock.patch.object(trainer_ds, "autocast", _autocast),
                mock.patch.object(trainer_ds, "DDP", _parallel),
                mock.patch.object(torch.nn.Module, "cuda", lambda self, *_: self),
                mock.patch.object(torch.cuda, "set_device", lambda *_: None),
                mock.patch.object(train_ds.dist, "init_process_group", _group_of_one),
                mock.patch.object(samplers, "dist", group),
                mock.patch.object(espnet, "dist", group),
                mock.patch("tensorboardX.SummaryWriter"),
                mock.patch.dict(tables.dataloader_classes, loaders),
                _importable(_deepspeed_modules()),
                hub_switched_off()):
            stack.enter_context(patch)
        yield


@contextlib.contextmanager
def _importable(modules: Mapping[str, types.ModuleType]) -> Iterator[None]:
    """Modules that can be imported for a while. What else is imported meanwhile stays: a native
    library that is loaded twice ends the process."""
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)


def _no_network(*_: Any, **__: Any) -> None:
    raise OSError("no network")


def _deepspeed_modules() -> dict[str, types.ModuleType]:
    """Import names of DeepSpeed's memory estimates, which say nothing."""
    functions = {
        "deepspeed.runtime.zero.stage_1_and_2": "estimate_zero2_model_states_mem_needs_all_live",
        "deepspeed.runtime.zero.stage3": "estimate_zero3_model_states_mem_needs_all_live",
        "deepspeed.utils.zero_to_fp32": "convert_zero_checkpoint_to_fp32_state_dict"}
    modules = {name: types.ModuleType(name) for name in (
        "deepspeed", "deepspeed.runtime", "deepspeed.runtime.zero", "deepspeed.utils", *functions)}
    for name, function in functions.items():
        setattr(modules[name], function, lambda *_, **__: None)
    return modules


def _autocast(enabled: bool = True, dtype=None, cache_enabled: bool = True):
    return torch.autocast("cpu", dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)


def _parallel(model, device_ids=None, find_unused_parameters=False):
    return torch.nn.parallel.DistributedDataParallel(
        model, find_unused_parameters=find_unused_parameters)


_start_group = distributed.init_process_group


def _group_of_one(**_: Any) -> None:
    _start_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)


def _note_model(model: torch.nn.Module, seen: Mapping[str, Any], judged: Judgement) -> None:
    judged.ctc = getattr(model, "ctc_decoder", None) is not None
    tensors = seen.get("tensors")
    loaded = (tensors.loaded if tensors else None) or frozenset()
    state = model.state_dict()
    filled = {state[name].data_ptr() for name in loaded if name in state}  # tied tensors are one
    judged.missing = dict(Counter(
        component_of(name) for name, tensor in state.items()
        if tensor.data_ptr() not in filled and ".lora_" not in name))


def _trainer(judged: Judgement, seen: dict[str, Any]):
    """FunASR's trainer on a CPU, for a few batches of one epoch."""
    from funasr.train_utils.trainer_ds import Trainer

    class Watched(Trainer):
        def __init__(self, **keywords):
            judged.stage = "trainer"
            super().__init__(**keywords)

        device = property(lambda self: "cpu", lambda self, value: None)

        def warp_model(self, model, **keywords):
            seen["model"], seen["kwargs"] = model, keywords
            return super().warp_model(model, **{**keywords, "device": "cpu"})

        def warp_optim_scheduler(self, model, **keywords):
            judged.stage = "optimizer"
            seen["before"] = {name: digest(parameter)
                              for name, parameter in seen["model"].named_parameters()}
            _watch_gradients(seen)
            warped = super().warp_optim_scheduler(model, **keywords)
            judged.stage = "data"
            return warped

        def resume_checkpoint(self, **keywords):
            super().resume_checkpoint(**keywords)
            if isinstance(self.max_epoch, int):
                self.max_epoch = min(self.max_epoch, 1 if _goes_on(seen, self.accum_grad) else 2)

        def train_epoch(self, dataloader_train=None, **keywords):
            judged.stage = "batches"
            if "counted" not in seen:
                seen["counted"] = True
                _count(self, seen, judged)
            judged.stage = "train"
            accum = self.accum_grad if isinstance(self.accum_grad, (int, float)) else 1
            most = max(TRAINED, int(accum) + 1 if accum <= ACCUMULATED else TRAINED)
            keywords["optim"].register_step_post_hook(lambda *_: _stepped(judged))
            super().train_epoch(dataloader_train=_Few(dataloader_train, most, judged, seen),
                                **keywords)
            _note_learning(seen, judged)

        def log(self, loss_dict=None, tag="train", **keywords):
            if tag == "train":
                judged.losses.append(float(loss_dict["loss"].detach()))
                judged.rates.append(float(loss_dict["lr"]))
            super().log(loss_dict, tag, **keywords)

        def validate_epoch(self, dataloader_val=None, **keywords):
            stage, judged.stage = judged.stage, "validate"
            super().validate_epoch(dataloader_val=_Few(dataloader_val, VALIDATED), **keywords)
            judged.stage = stage if stage == "train" else "save"

        def save_checkpoint(self, *arguments, **keywords):
            stage, judged.stage = judged.stage, "save"
            super().save_checkpoint(*arguments, **keywords)
            judged.stage = stage if stage == "train" else "average"

        def close(self, *arguments):
            judged.stage = "end"
            seen["folder"] = self.output_dir
            super().close(*arguments)

    return Watched


def _goes_on(seen: Mapping[str, Any], accum_grad: Any) -> bool:
    """Whether a pass has a batch after its first update, so that one epoch shows what follows."""
    try:
        return len(list(seen["loader"].build_iter(0)[0].batch_sampler)) > accum_grad
    except Exception:  # noqa: BLE001  the run itself shows it
        return True


def _stepped(judged: Judgement) -> None:
    judged.updates += 1


def _watch_gradients(seen: dict[str, Any]) -> None:
    seen["gradients"] = set()
    for name, parameter in seen["model"].named_parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(
                lambda _, name=name: seen["gradients"].add(name))


def _note_learning(seen: dict[str, Any], judged: Judgement) -> None:
    model = seen["model"]
    named = dict(model.named_parameters())
    flagged = {name for name, parameter in named.items() if parameter.requires_grad}
    reached = seen["gradients"]
    if "shapes" not in seen:
        seen["shapes"] = _full_shapes(model, seen["case"])
    shapes = seen["shapes"]
    judged.flagged = _at_full_size(model, flagged, shapes)
    judged.learning = _at_full_size(model, reached, shapes)
    sizes: dict[str, set[int]] = {}
    for name in reached:
        sizes.setdefault(component_of(name), set()).add(named[name].element_size())
    judged.bytes = {part: sorted(several) for part, several in sorted(sizes.items())}
    judged.moved = any(digest(parameter) != seen["before"][name]
                       for name, parameter in named.items() if parameter.requires_grad)
    judged.outcome = digest(model.state_dict())


def _full_shapes(model: torch.nn.Module, case: Drawn) -> Mapping[str, tuple[int, ...]]:
    """Shapes of the launch's model at full size: the released ones, unless its own differ."""
    usual = materials.small_shapes()
    plain = {name.replace(".base_layer", ""): tuple(parameter.shape)
             for name, parameter in model.named_parameters() if ".lora_" not in name}
    if all(usual.get(name) == shape for name, shape in plain.items()) and (
            {component_of(name) for name in usual.keys() - plain.keys()} <= {"ctc", "ctc_decoder"}):
        return materials.full_shapes()
    from funasr.download.download_model_from_hub import download_model
    from omegaconf import OmegaConf

    from helpers.model import mini

    with tempfile.TemporaryDirectory(prefix="oracle-") as name:
        composed = _composed(*_written(case, "full", Path(name)))
        config = OmegaConf.to_container(composed, resolve=True)
        with contextlib.chdir(name):
            config = config if "model_conf" in config else download_model(**config)
    built = mini.build(OmegaConf.create(config), size="full", device="meta", over=None)
    return {name.replace(".base_layer", ""): tuple(parameter.shape)
            for name, parameter in built.model.named_parameters() if ".lora_" not in name}


def _at_full_size(model: torch.nn.Module, names: set[str],
                  shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Values of these parameters by component, if the model had its released size."""
    known = {name.replace(".base_layer", "") for name, _ in model.named_parameters()}
    plain = {name.replace(".base_layer", "") for name in names}
    counted: Counter[str] = Counter()
    for small, full in materials.counterparts(known, shapes):
        size = torch.Size(shapes[full]).numel()
        if small in plain:
            counted[component_of(full)] += size
        adapter = small.removesuffix("weight") + "lora_A"
        if adapter in plain:
            counted["llm"] += model.get_parameter(adapter).shape[0] * sum(shapes[full])
    head = "llm.lm_head.lora_A"  # beside a weight that goes by the embedding's name
    if head in plain and "llm.lm_head.weight" not in known:
        counted["llm"] += model.get_parameter(head).shape[0] * sum(shapes[EMBEDDING])
    return dict(counted)


class _Few:
    """The first batches of a loader; those of training are looked at as they pass."""

    def __init__(self, loader, most: int, judged: Judgement | None = None,
                 seen: Mapping[str, Any] | None = None):
        self.loader, self.most, self.judged, self.seen = loader, most, judged, seen or {}
        self.batch_sampler = loader.batch_sampler

    def __iter__(self):
        for number, batch in enumerate(self.loader):
            if self.judged is not None:
                self._note(number, batch)
            yield _extremes(batch)
            if number + 1 >= self.most:
                break

    def __len__(self):
        return len(self.loader)

    def _note(self, number: int, batch: Mapping[str, Any]) -> None:
        batches = self.seen["batches"]
        got = [item.get("key") for item in batch.get("item", ())]
        dataset = self.loader.dataset
        expected = [dataset.index_ds[index].get("key") for index in batches[number]] \
            if number < len(batches) else []
        self.judged.replaced += sum(key != other for key, other in zip(got, expected, strict=False))
        self.judged.dropped += max(0, len(expected) - len(got))
        if "fbank_beg" in batch:
            self.judged.unheard += int((batch["fbank_beg"] <= 0).all(-1).sum())


def _extremes(batch: dict[str, Any]) -> dict[str, Any]:
    """A collated batch with its first, last, shortest and longest samples alone.

    Only where each sample has one speech; any other batch is left whole.
    """
    if "input_ids" not in batch:
        return batch
    rows = len(batch["input_ids"])
    if any(len(value) != rows for value in batch.values()):
        return batch
    lengths = [batch[name].flatten(1).sum(1) for name in (
        "attention_mask", "speech_lengths", "fake_token_len") if name in batch]
    kept = sorted({0, rows - 1, *(int(row) for sizes in lengths
                                  for row in (sizes.argmin(), sizes.argmax()))})
    return {name: value[kept] if isinstance(value, torch.Tensor) else [value[row] for row in kept]
            for name, value in batch.items()}


def _loader(original: type, case: Drawn, judged: Judgement, seen: dict[str, Any]) -> type:
    """FunASR's loader in this process, with two splits at most; its sampler is asked for every
    process and split before."""

    class WatchedLoader(original):
        def __init__(self, **keywords):
            judged.stage = "data"
            conf = keywords["dataset_conf"]
            workers = conf.get("num_workers", 4)
            if isinstance(workers, int) and workers > 0:
                keywords = {**keywords, "dataset_conf": {**conf, "num_workers": 0}}
            super().__init__(**keywords)
            seen["loader"] = self
            self.whole = self.data_split_num  # two of them are enough to see a run
            if isinstance(self.whole, int):
                self.data_split_num = min(self.whole, 2)
            seen["batches"] = []

        def build_iter(self, *arguments, **keywords):
            judged.stage = "batches"
            loaders = super().build_iter(*arguments, **keywords)
            if "counting" not in seen:
                import random

                state = random.getstate()
                seen["batches"] = list(loaders[0].batch_sampler)
                random.setstate(state)
            return loaders

    return WatchedLoader


def _count(trainer, seen: dict[str, Any], judged: Judgement) -> None:
    """Batches and steps of every process and split, from FunASR's sampler and trainer."""
    import random

    loader = seen["loader"]
    state, batches = random.getstate(), seen["batches"]
    dataset, dataset_valid = loader.dataset_tr, loader.dataset_val
    processes = int(os.environ["WORLD_SIZE"])
    splits = loader.whole
    listed = not str(loader.kwargs["train_data_set_list"]).endswith((".jsonl", ".json"))
    counted = range(min(splits, FILES)) if listed else range(splits) if splits <= 2 else [0]
    judged.again = not listed
    kept: set[Any] = set()
    seen["counting"] = True
    steps = [0] * processes
    events: list[Any] = []
    try:
        for split in counted:
            counts = []
            for rank in range(processes):
                seen["rank"] = rank
                train = loader.build_iter(0, data_split_i=split)[0]
                rows = list(train.batch_sampler)
                counts.append(len(rows))
                for row in rows:
                    kept.update((split if listed else 0, index) for index in row)
                events += rows if rank == 0 else []
                steps[rank] += _steps(trainer, rows) * (
                    1 if listed or len(counted) == splits else splits)
            judged.batches.append(counts)
        judged.steps, judged.kept = steps, len(kept)
        if listed or len(counted) == splits:
            judged.saves = _saves(trainer, events)
        validated: set[Any] = set()
        for rank in range(processes):
            seen["rank"] = rank
            validated.update(*loader.build_iter(0)[1].batch_sampler)
        judged.valid_kept = len(validated)
    finally:
        loader.dataset_tr, loader.dataset_val = dataset, dataset_valid
        seen["rank"] = 0
        seen["batches"] = batches
        seen.pop("counting")
        random.setstate(state)


def _steps(trainer, rows: list) -> int:
    """Optimizer steps that FunASR's trainer makes of so many batches, with one number as model."""
    steps: list[int] = []
    done = _tiny_epoch(trainer, rows, step=lambda *_: steps.append(1), validate_interval=10**9,
                       save_checkpoint_interval=10**9)
    return len(steps) if done else UNKNOWN


def _saves(trainer, rows: list) -> list[int] | None:
    """Checkpoints that FunASR's trainer saves within an epoch of so many batches: with a score,
    since a validation falls on them, and without."""
    validated: set[int] = set()
    saved: set[int] = set()
    done = _tiny_epoch(
        trainer, rows, step_in_epoch=0,
        validate_epoch=lambda step_in_epoch, **_: validated.add(step_in_epoch),
        save_checkpoint=lambda *_, step_in_epoch, **__: saved.add(step_in_epoch))
    return [len(saved & validated), len(saved - validated)] if done else None


def _tiny_epoch(trainer, rows: list, step=lambda *_: None, **settings: Any) -> bool:
    """Run FunASR's trainer over so many batches, with one number as model; whether it got there."""
    from funasr.train_utils.trainer_ds import Trainer

    weight = torch.nn.Parameter(torch.zeros(1))

    class Tiny(torch.nn.Module):
        def forward(self, **_):
            loss = (weight * 1.0).sum()
            return loss, {"loss": loss.detach()}, 1

    optim = torch.optim.SGD([weight], 0.0)
    optim.register_step_post_hook(step)
    plain = copy.copy(trainer)
    plain.use_ddp = plain.use_fsdp = plain.use_deepspeed = False
    plain.log_interval = 10**9
    plain.dtype, plain.log = torch.float32, lambda *_, **__: None
    vars(plain).update(settings)
    try:
        Trainer.train_epoch(
            plain, model=Tiny(), optim=optim, scaler=None, epoch=0,
            dataloader_train=_Plain({} for _ in rows),
            scheduler=SimpleNamespace(step=lambda: None, get_last_lr=lambda: [0.0]))
    except Exception:  # noqa: BLE001  the training itself, which comes next, shows it
        return False
    return True


class _Plain(list):
    batch_sampler = SimpleNamespace(set_epoch=lambda _: None)


def _same(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether both hold the same values; the number type may differ, as after `bf16: true`."""
    return first.shape == second.shape and torch.equal(first.to(second.dtype).nan_to_num(),
                                                       second.nan_to_num())


def _reload(seen: Mapping[str, Any], judged: Judgement) -> None:
    """The last checkpoint in a new model of the run's config, and one clip decoded with it."""
    from funasr import AutoModel
    from omegaconf import OmegaConf

    checkpoint = Path(seen["folder"]) / "model.pt"
    if not checkpoint.is_file():
        raise FileNotFoundError(2, "no checkpoint", checkpoint.name)
    config = OmegaConf.to_container(OmegaConf.load(Path(seen["folder"]) / "config.yaml"))
    with hub_switched_off():
        model, kwargs = AutoModel.build_model(**{
            **config, "init_param": str(checkpoint), "device": "cpu", "disable_update": True,
            "excludes": None, "ncpu": 1, "bf16": False, "fp16": False})
    trained = seen["model"].state_dict()
    judged.lacking = dict(Counter(
        component_of(name) for name, tensor in model.state_dict().items()
        if name not in trained or not _same(tensor, trained[name])))
    judged.stage = "decode"
    clip = str(materials.clip(73))
    answer = model.inference([clip], key=["a"], **{**kwargs, "device": "cpu",
                                                   "max_length": 4})
    judged.outcome = digest(judged.outcome, str(answer[0])[:200])
