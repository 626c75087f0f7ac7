"""What a training step costs on this machine's GPU, with FunASR's own pieces, and what moves it.

    python -m helpers.gpu.step_cost --record

measures each config as it is, with one change at a time, and with the best changes together, and
writes `results/gpu_cost.json`, row by row; `--into FILE` adds to FILE what it lacks. Model,
sampler, collator, trainer and optimizer are FunASR's. The model has the released architecture and
random weights unless BOOK_MODEL names real ones; the data are BOOK_DATA's. `--size mini --device
cpu` runs the same on any machine, slowly and with nothing to learn about a GPU.

A change that ends in an error is a row too.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from funasr_preflight.commands import Parser
from funasr_preflight.laws.memory import GIBIBYTE
from helpers.config import configs
from helpers.errors import BookError, one_sentence, typed_sentence
from helpers.experiments.provenance import provenance
from helpers.experiments.records import RunRecords
from helpers.gpu import workbench
from helpers.model import mini
from helpers.model.mini import Built
from helpers.paths import RESULTS
from helpers.session import funasr_silenced, setup, unlogged
from helpers.speech import manifests
from helpers.training import anatomy, finetune
from helpers.training.activations import kept_for_backward

COMMAND = "python -m helpers.gpu.step_cost --record"
RECORDS = RunRecords(RESULTS / "gpu_cost.json", COMMAND,
                     ("device", "size", "model", "data", "config", "change"))
CONFIGS = (*configs.FINE_TUNING, str(configs.CONFIGS / "recommended_8k.yaml"))
ONE_MACHINE: dict[str, Any] = {
    "dataset_conf.num_workers": 0,
    "dataset_conf.data_split_num": 1,
    "train_conf.use_deepspeed": False,
}
"""What every row changes: nothing that a step's cost depends on. Loading is not timed."""
AS_IT_IS, BEST = "as it is", "best together"
STEPS, WARM_UP = 16, 4

PEAK_BF16 = {"H100 PCIe": 756, "H100 NVL": 835, "H200 NVL": 835, "H100": 989, "H200": 989,
             "A100": 312, "L40S": 362, "L4": 121}
"""Dense bfloat16 tensor throughput in TFLOP/s, by words of the device's name, first match first.

From NVIDIA's data sheet of each product; where it states the throughput with sparsity, half of it.
"""


def _batch(frames: int, samples: int) -> dict[str, Any]:
    return {"dataset_conf.batch_size": frames, "dataset_conf.batch_size_token_max": frames,
            "dataset_conf.batch_size_sample_max": samples}


CHANGES: dict[str, dict[str, Any]] = {
    "batch of 12,000": _batch(12_000, 60),
    "batch of 24,000": _batch(24_000, 120),
    "batch of 48,000": _batch(48_000, 240),
    "sorted in parts of 64": {"dataset_conf.sort_size": 64},
    "use_bf16": {"train_conf.use_bf16": True},
    "fused AdamW": {"optim_conf.fused": True},
    "LLM attention: eager": {"llm_conf.load_kwargs.attn_implementation": "eager"},
    "LLM attention: flash 2": {"llm_conf.load_kwargs.attn_implementation": "flash_attention_2"},
    "encoder checkpointing": {"audio_encoder_conf.activation_checkpoint": True},
    "LLM checkpointing": {"llm_conf.activation_checkpoint": True},
}
"""One change at a time; those that raise the throughput are then tried together."""


@dataclass(frozen=True)
class Cost:
    """One row: what a step costs.

    Memory is in bytes. What a CPU cannot say is None, and so is all below `error` if there is one.

    Attributes:
        config, change: what was measured; `overrides` are the change's keys.
        device, size: where, and which model.
        error: class and first sentence of what ended it, or "".
        repeats: how often each line of the data was listed, to make enough batches.
        weights, gradients, optimizer: of the tensors themselves, after the last step.
        kept: component to what its forward pass keeps for the backward pass, in the largest batch.
        peaks: phase (forward, backward, update) to the highest allocation, in the largest batch.
        steps: timed steps, the warm-up excluded.
        step_seconds: their median.
        audio_seconds: speech in them, without padding.
        padding: share of the encoder's input frames that is padding.
        token_padding: share of the LLM's input tokens that is padding.
        audio_hours_per_hour: hours of speech trained on in an hour of this device.
        step_flops: mean number of floating-point operations of a step, forward and backward.
        peak_share: achieved share of the device's bfloat16 throughput.
    """

    config: str
    change: str
    overrides: dict[str, Any]
    device: str
    size: str
    error: str = ""
    weights: int | None = None
    gradients: int | None = None
    optimizer: int | None = None
    repeats: int = 1
    kept: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    step_seconds: float | None = None
    audio_seconds: float | None = None
    padding: float | None = None
    token_padding: float | None = None
    audio_hours_per_hour: float | None = None
    step_flops: float | None = None
    peak_share: float | None = None


@dataclass(frozen=True)
class Place:
    """Where to measure: the model's size or directory, the device, and the number of steps."""

    size: str = "full"
    device: str = "cuda"
    steps: int = STEPS
    warm_up: int = WARM_UP
    model_dir: str | None = None

    @property
    def name(self) -> str:
        return torch.cuda.get_device_name() if self.device.startswith("cuda") else self.device


def peak_of(device: str) -> float | None:
    """Dense bfloat16 FLOP/s of a device by its name; None if it is not in the table."""
    known = next((value for words, value in PEAK_BF16.items()
                  if re.search(rf"\b{words}\b", device)), None)
    return known * 1e12 if known else None


def measure(config: str, items: Sequence[dict], place: Place, change: str = AS_IT_IS,
            overrides: Mapping[str, Any] | None = None) -> Cost:
    """Measure a config with some keys changed. Whatever ends the steps becomes the row's error.

    Raises:
        BookError: no such config, no GPU, or no utterance that the config's limits let pass.
    """
    overrides = dict(CHANGES.get(change, {}) if overrides is None else overrides)
    about = {"config": configs.path_of(config).stem, "change": change, "overrides": overrides,
             "device": place.name, "size": place.size}
    try:
        with _settings_given_back(), unlogged():  # the error is a row
            return Cost(**about, **_measured(config, items, place, overrides))
    except BookError:
        raise
    except Exception as error:  # noqa: BLE001  whatever ends a run is the finding
        return Cost(**about, error=typed_sentence(error).partition(": [")[0])
    finally:
        gc.collect()
        if place.device.startswith("cuda"):
            torch.cuda.empty_cache()


def side_by_side(config: str, items: Sequence[dict], place: Place,
                 changes: Sequence[str] = tuple(CHANGES),
                 known: Mapping[str, Cost] = MappingProxyType({})) -> Iterator[Cost]:
    """The config as it is, with each change, and with the best of them together.

    Args:
        known: change to a row that need not be measured again.
    """
    rows = []
    for change in (AS_IT_IS, *changes):
        rows.append(known.get(change) or measure(config, items, place, change))
        yield rows[-1]
    together: dict[str, Any] = {}
    for row in best_of(rows):
        together |= row.overrides
    yield known.get(BEST) or measure(config, items, place, BEST, together)


def best_of(rows: Sequence[Cost]) -> list[Cost]:
    """Of the rows faster than the config as it is, the fastest for each set of keys."""
    plain, *changed = rows
    if plain.error:
        return []
    fastest: dict[tuple, Cost] = {}
    for row in changed:
        keys = tuple(sorted(row.overrides))
        so_far = fastest.get(keys, plain)
        if not row.error and row.audio_hours_per_hour > so_far.audio_hours_per_hour:
            fastest[keys] = row
    return list(fastest.values())


def _measured(config: str, items: Sequence[dict], place: Place,
              overrides: Mapping[str, Any]) -> dict[str, Any]:
    from funasr.register import tables
    from funasr.train_utils.set_all_random_seed import set_all_random_seed
    from funasr.train_utils.trainer_ds import Trainer

    built = mini.build(finetune.with_overrides(config, ONE_MACHINE, dict(overrides)),
                       size=place.size, device=place.device, model_dir=place.model_dir,
                       load_weights=place.model_dir is not None)
    conf = {key: value for key, value in built.kwargs["train_conf"].items()
            if key not in ("use_deepspeed", "deepspeed_config")}
    torch.backends.cuda.matmul.allow_tf32 = built.kwargs.get("enable_tf32", True)
    torch.backends.cudnn.deterministic = built.kwargs.get("cudnn_deterministic", True)
    with tempfile.TemporaryDirectory() as folder, funasr_silenced():
        set_all_random_seed(0)
        manifest = Path(folder) / "items.jsonl"
        kwargs = built.kwargs | {"train_data_set_list": str(manifest), "device": place.device,
                                 "valid_data_set_list": str(manifest)}
        finetune.freeze_listed(built.model, kwargs.get("freeze_param"))
        trainer = Trainer(output_dir=folder, device=place.device, **conf)
        model = trainer.warp_model(built.model, **kwargs).train()
        model, optimizer, scheduler = trainer.warp_optim_scheduler(model, **kwargs)
        repeats, batches = _batches(tables.dataloader_classes.get("DataloaderMapStyle"), kwargs,
                                    items, manifest, place.steps)
        steps = _Steps(place, trainer, model, optimizer, scheduler, batches)
        return steps.all(built) | {"repeats": repeats}


def _batches(loader_class, kwargs: Mapping[str, Any], items: Sequence[dict], manifest: Path,
             steps: int) -> tuple[int, list[dict]]:
    """As many batches as are to be timed, and how often each line had to be listed for them."""
    repeats = 1
    while True:
        manifests.write_manifest(list(items) * repeats, manifest)
        loader, _ = loader_class(**kwargs).build_iter()
        indices = [batch for batch in loader.batch_sampler if batch]
        if not indices:
            raise BookError("The config's limits on length let no utterance pass: give others.")
        if len(indices) >= steps:
            return repeats, _spread(loader, indices, steps)
        repeats = max(repeats + 1, -(-repeats * steps // len(indices)))


def _spread(loader, indices: Sequence[Sequence[int]], steps: int) -> list[dict]:
    """Evenly spaced batches of an epoch: FunASR's sampler serves short utterances first."""
    chosen = [indices[number * len(indices) // steps] for number in range(steps)]
    dataset = loader.dataset
    return [dataset.collator([dataset[index] for index in batch]) for batch in chosen]


class _Steps:
    """Training steps of FunASR's trainer, looked at in three ways: time, FLOPs and memory."""

    def __init__(self, place, trainer, model, optimizer, scheduler, batches):
        self.place, self.trainer, self.model = place, trainer, model
        self.optimizer, self.scheduler, self.batches = optimizer, scheduler, batches

    def all(self, built: Built) -> dict[str, Any]:
        for number in range(self.place.warm_up):
            self._step(self.batches[number % len(self.batches)])
        seconds, stats = [], []
        for batch in self.batches:
            duration, batch_stats = self._timed(batch)
            seconds.append(duration)
            stats.append(batch_stats)
        largest = max(range(len(stats)), key=lambda n: stats[n]["batch_size_x_frames"])
        flops = statistics.fmean(self._flops(batch) for batch in self.batches)
        kept = kept_for_backward(self.model, lambda: self._forward(self.batches[largest]))
        audio = _total(stats, "batch_size_real_frames") * seconds_of_a_frame(built)
        rate = peak_of(self.place.name)
        return _tensor_bytes(self.model, self.optimizer) | {
            "kept": kept, "peaks": self._peaks(self.batches[largest]), "steps": len(seconds),
            "step_seconds": statistics.median(seconds), "audio_seconds": audio,
            "padding": _total(stats, "padding_frames") / _total(stats, "batch_size_x_frames"),
            "token_padding": _total(stats, "padding_tokens") / _total(stats, "batch_size_x_tokens"),
            "audio_hours_per_hour": audio / sum(seconds), "step_flops": flops,
            "peak_share": flops * len(seconds) / sum(seconds) / rate if rate else None}

    def _forward(self, batch: dict) -> dict[str, Any]:
        from funasr.train_utils.device_funcs import to_device

        state: dict[str, Any] = {"batch_idx": self.trainer.accum_grad - 1}
        copied = {key: value.clone() if isinstance(value, torch.Tensor) else value
                  for key, value in batch.items()}  # forward changes its input in place
        self.trainer.forward_step(self.model, to_device(copied, self.place.device),
                                  loss_dict=state)
        return state

    def _update(self, state: dict[str, Any]) -> None:
        self.trainer.update_step(self.model, self.optimizer, self.scheduler, None, loss_dict=state)

    def _step(self, batch: dict) -> dict[str, Any]:
        state = self._forward(batch)
        self.trainer.backward_step(self.model, None, loss_dict=state)
        self._update(state)
        return state

    def _timed(self, batch: dict) -> tuple[float, dict[str, float]]:
        self._wait()
        started = time.perf_counter()
        state = self._step(batch)
        self._wait()
        duration = time.perf_counter() - started
        return duration, {name: float(value) for name, value in state["stats"].items()}

    def _flops(self, batch: dict) -> int:
        """Operations of a forward and backward pass, by PyTorch's own counter."""
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            self.trainer.backward_step(self.model, None, loss_dict=self._forward(batch))
        self.optimizer.zero_grad(set_to_none=True)
        return counter.get_total_flops()

    def _peaks(self, batch: dict) -> dict[str, int]:
        """Phase to the highest allocation in bytes; leaves gradients for `_tensor_bytes`."""
        peaks = {}
        with self._peak_of("forward", peaks):
            state = self._forward(batch)
        with self._peak_of("backward", peaks):
            self.trainer.backward_step(self.model, None, loss_dict=state)
        with self._peak_of("update", peaks):
            self._update(state)
        return peaks

    @contextlib.contextmanager
    def _peak_of(self, phase: str, peaks: dict[str, int]) -> Iterator[None]:
        if not self.place.device.startswith("cuda"):
            yield
            return
        torch.cuda.reset_peak_memory_stats()
        yield
        self._wait()
        peaks[phase] = torch.cuda.max_memory_allocated()

    def _wait(self) -> None:
        if self.place.device.startswith("cuda"):
            torch.cuda.synchronize()


def seconds_of_a_frame(built: Built) -> float:
    """Length of one frame of the encoder's input."""
    conf = built.kwargs["frontend_conf"]
    return conf["frame_shift"] * conf["lfr_n"] / 1000


def _tensor_bytes(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, int]:
    """Weights, AdamW's state as it is, and the gradients that belong to it."""
    state = anatomy.optimizer_state(optimizer, model)
    gradients = sum(parameter.numel() * parameter.element_size()
                    for name, parameter in model.named_parameters() if name in state)
    weights = anatomy.training_memory(model, ()).weights
    return {"weights": weights, "gradients": gradients, "optimizer": sum(state.values())}


def _total(stats: Sequence[Mapping[str, float]], key: str) -> float:
    return sum(batch[key] for batch in stats)


@contextlib.contextmanager
def _settings_given_back() -> Iterator[None]:
    """What `train_ds.py` sets for the whole process."""
    tf32, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.deterministic
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.deterministic = tf32, cudnn


def recorded() -> list[Cost]:
    """The rows of the committed recording.

    Raises:
        BookError: there is none.
    """
    return [_cost(row) for row in RECORDS.read()]


def _cost(row: Mapping[str, Any]) -> Cost:
    return Cost(**{key: row[key] for key in Cost.__dataclass_fields__ if key in row})


def table(rows: Sequence[Cost]) -> list[list[str]]:
    """Cells of a table: change, step, audio-hours per hour, padding, memory, share of peak."""
    return [[row.change, *([row.error, "", "", "", ""] if row.error else [
        f"{1000 * row.step_seconds:,.0f} ms", f"{row.audio_hours_per_hour:,.1f}",
        f"{100 * row.padding:.1f} %",
        f"{max(row.peaks.values()) / GIBIBYTE:.1f} GiB" if row.peaks else "-",
        f"{100 * row.peak_share:.1f} %" if row.peak_share is not None else "-"])] for row in rows]


HEAD = ("Change", "Median step", "Audio-hours per hour", "Padding", "Peak memory", "Share of peak")


@one_sentence
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = Parser(prog="python -m helpers.gpu.step_cost",
                    description="Measure what a training step costs.")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--record", action="store_true", help="write results/gpu_cost.json")
    target.add_argument("--into", type=Path, metavar="FILE",
                        help="measure what FILE lacks of this device, model and data, and add it")
    parser.add_argument("--size", choices=("mini", "full"), default="full")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--config", action="append", help="only this config; may be repeated")
    parser.add_argument("--change", action="append", choices=tuple(CHANGES),
                        help="only this change; may be repeated")
    parser.add_argument("--steps", type=int, default=STEPS, help="timed steps")
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="steps before them")
    options = parser.parse_args(arguments)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise BookError("This machine has no CUDA GPU: run this on one that has, or try "
                        "`--size mini --device cpu`, which measures the mini.")
    if options.record and not options.device.startswith("cuda"):
        raise BookError("results/gpu_cost.json is for a GPU: leave --record out on a CPU.")
    if options.steps < 1 or options.warm_up < 0:
        raise BookError("--steps has to be at least 1 and --warm-up at least 0.")
    setup()
    bench = workbench.from_environment()
    folder = None if bench.model in ("mini", "full") else str(workbench.model_folder(bench.model))
    place = Place(options.size, options.device, options.steps, options.warm_up, folder)
    items = bench.sets().train
    about = {"model": bench.model, "data": bench.data}
    records = replace(RECORDS, path=options.into) if options.into else RECORDS
    stored = records.read() if options.into and options.into.exists() else []
    print(*HEAD, sep=" | ")
    for config in options.config or CONFIGS:
        name = configs.path_of(config).stem
        conditions = about | {"config": name, "size": place.size, "device": place.name}
        known = {row["change"]: _cost(row) for row in stored if conditions.items() <= row.items()}
        print(f"{name}, {place.size}, {place.name}")
        for row in side_by_side(config, items, place, options.change or tuple(CHANGES), known):
            print(*table([row])[0], sep=" | ", flush=True)
            if (options.record or options.into) and row is not known.get(row.change):
                records.add(asdict(row) | about | {
                    "provenance": provenance(COMMAND, 0, place.name)})
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    sys.exit(main())
