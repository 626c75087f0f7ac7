"""What a model is made of, what a config says may learn, and what really does.

A parameter's `requires_grad` is a permission. It learns only if the loss also depends on it. The
functions here keep the two apart: `flagged` reads the permission, `reached` runs FunASR's own
forward pass and `backward`, and looks.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from funasr_preflight.laws import memory
from funasr_preflight.laws.memory import CheckpointSize, TrainingMemory
from funasr_preflight.laws.names import COMPONENTS, Names, component_of, left_out
from helpers.errors import BookError, first_sentence
from helpers.model.mini import Built, modes_given_back
from helpers.training import finetune


@dataclass(frozen=True)
class BackwardPass:
    """What one backward pass reached.

    Attributes:
        names: parameters that got a gradient.
        error: what PyTorch said when there was nothing to differentiate, else "".
    """

    loss: float
    names: frozenset[str]
    error: str = ""


@dataclass(frozen=True)
class Mode:
    """Training mode of one component.

    Attributes:
        modules: how many it has, and `training`: how many of them are in training mode.
        active_dropout: dropout layers in training mode with a rate above zero.
    """

    component: str
    modules: int
    training: int
    active_dropout: int


def parameter_counts(model: torch.nn.Module,
                     names: Collection[str] | None = None) -> dict[str, int]:
    """Number of values in each component, of all parameters or of the named ones.

    Tied tensors (the LLM's input embedding and output layer) count once.
    """
    counts = dict.fromkeys(COMPONENTS, 0)
    for name, parameter in model.named_parameters():
        if names is None or name in names:
            counts[component_of(name)] += parameter.numel()
    return counts


def children_counts(module: torch.nn.Module) -> dict[str, int]:
    """Number of values in each direct child that has any."""
    counts = {name: sum(parameter.numel() for parameter in child.parameters())
              for name, child in module.named_children()}
    return {name: count for name, count in counts.items() if count}


def flagged(model: torch.nn.Module) -> frozenset[str]:
    """Names of the parameters with `requires_grad`: what the freeze keys allow to learn."""
    return frozenset(name for name, parameter in model.named_parameters()
                     if parameter.requires_grad)


def reached(built: Built, items: Sequence[dict]) -> BackwardPass:
    """Which parameters one training batch of these manifest lines gives a gradient to.

    The batch comes from FunASR's dataset, the loss from `FunASRNano.forward` in training mode.
    The model keeps neither gradients nor mode.
    """
    model, inputs = built.model, finetune.batch(built, items)
    with modes_given_back(model):
        model.train()
        model.zero_grad(set_to_none=True)
        torch.manual_seed(0)
        loss, _, _ = model(**inputs)
        try:
            loss.backward()
        except RuntimeError as error:
            return BackwardPass(loss.item(), frozenset(), str(error))
        finally:
            names = frozenset(name for name, parameter in model.named_parameters()
                              if parameter.grad is not None)
            model.zero_grad(set_to_none=True)
    return BackwardPass(loss.item(), names)


def blocks_as_one(names: Collection[str]) -> frozenset[str]:
    """Parameter names without block numbers: `encoders.7.norm` and `encoders.8.norm` are one."""
    return frozenset(re.sub(r"\.\d+(?=\.)", ".#", name) for name in names)


def carry_over(names: Collection[str], small: torch.nn.Module,
               large: torch.nn.Module) -> frozenset[str]:
    """The parameters of a larger model with the same roles as these of a smaller one.

    Two parameters have one role if their names differ in block numbers only. FunASR's `forward`
    names no block: it calls the five components as wholes, and each runs all its blocks.

    Raises:
        BookError: the two models do not have the same roles, or a role is taken in part.
    """
    roles = blocks_as_one(names)
    small_names = {name for name, _ in small.named_parameters()}
    large_names = {name for name, _ in large.named_parameters()}
    if blocks_as_one(small_names) != blocks_as_one(large_names):
        raise BookError("The two models are not built alike: build both from one config.")
    if roles & blocks_as_one(small_names - set(names)):
        raise BookError("Some blocks of a stack are named and others are not: name all or none.")
    return frozenset(name for name in large_names if blocks_as_one([name]) <= roles)


def training_memory(model: torch.nn.Module, learning: Collection[str]) -> TrainingMemory:
    """Memory of weights, gradients and AdamW's state, from shapes and dtypes alone.

    Args:
        model: at any size, on any device, the meta device too.
        learning: names of the parameters that receive a gradient.
    """
    parameters = {name: _bytes(parameter) for name, parameter in model.named_parameters()}
    return memory.training_memory(sum(parameters.values()) + sum(map(_bytes, model.buffers())),
                                  sum(parameters[name] for name in learning))


def checkpoint_size(model: torch.nn.Module, learning: Collection[str],
                    excludes: Names = None) -> CheckpointSize:
    """Bytes of one checkpoint that FunASR's trainer writes, from shapes and dtypes.

    Args:
        model: at any size, on any device, the meta device too.
        learning: names of the parameters that receive a gradient.
    """
    named = [tensor for name, tensor in model.state_dict(keep_vars=True).items()
             if not left_out(name, excludes)]
    saved = sum({id(tensor): _bytes(tensor) for tensor in named}.values())
    return memory.checkpoint_size(
        saved, sum(_bytes(model.get_parameter(name)) for name in learning), len(learning),
        sum(map(_bytes, named)) - saved)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def optimizer_state(optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> dict[str, int]:
    """Parameter name to the bytes of its moments in a real optimizer, for those that have any."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {names[parameter]: sum(_bytes(moment) for key, moment in state.items() if key != "step")
            for parameter, state in optimizer.state.items() if state}


def fingerprints(model: torch.nn.Module) -> dict[str, str]:
    """Name of every tensor in the state dict to a SHA-256 of its dtype, shape and bytes.

    Equal fingerprints mean bit-identical tensors, on any device.
    """
    return {name: _digest(tensor) for name, tensor in model.state_dict().items()}


def changed(before: dict[str, str], after: dict[str, str]) -> frozenset[str]:
    """Names of the tensors whose fingerprints differ.

    Raises:
        BookError: the two are not of one model.
    """
    if before.keys() != after.keys():
        raise BookError("The two sets of fingerprints do not name the same tensors: take both "
                        "from the same model.")
    return frozenset(name for name in before if before[name] != after[name])


def modes(model: torch.nn.Module) -> list[Mode]:
    """Training mode and active dropout of each component that the model has."""
    parts = {component: list(part.modules()) for component in COMPONENTS
             if (part := getattr(model, component, None)) is not None}
    return [Mode(component, len(modules), sum(m.training for m in modules),
                 sum(m.training and m.p > 0 for m in modules if isinstance(m, torch.nn.Dropout)))
            for component, modules in parts.items()]


def change_between_passes(built: Built, items: Sequence[dict], component: str,
                          training: bool) -> float:
    """How much a component's output differs between two passes over the same batch.

    Both passes get the same features, so that only the component's own chance counts.

    Args:
        component: `audio_encoder`, `audio_adaptor`, `ctc_decoder` or `llm`.
        training: the mode to put the whole model in first, as `model.train()` does.

    Returns:
        Root mean square of the difference, as a share of the output's; 0.0 if bit-identical.
    """
    model, inputs = built.model, finetune.batch(built, items)
    with modes_given_back(model), torch.no_grad():
        model.train(training)
        torch.manual_seed(0)
        first, second = (_output(model, inputs, component).float() for _ in range(2))
    if torch.equal(first, second):
        return 0.0
    return float((first - second).norm() / first.norm())


def parallel_steps(built: Built, items: Sequence[dict]) -> tuple[int, str]:
    """How many of three training steps a model survives under DDP, wrapped as FunASR wraps it.

    DDP waits, before each forward pass, for last step's gradients of every parameter that may
    learn. One process is enough to see it; the processes of a real run all wait alike.

    Returns:
        Steps done, and the first sentence of the error that stopped them ("" if none did).
    """
    from torch import distributed

    model = built.model
    if distributed.is_initialized():
        raise BookError("A process group is already running here: end it first.")
    with tempfile.TemporaryDirectory() as folder, modes_given_back(model):
        distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=0,
                                       world_size=1)
        try:
            return steps_under_ddp(built, items, steps=3)
        finally:
            distributed.destroy_process_group()
            model.zero_grad(set_to_none=True)


def steps_under_ddp(built: Built, items: Sequence[dict], steps: int,
                    learning_rate: float | None = None) -> tuple[int, str]:
    """As `parallel_steps`, in a process group that is there; with a rate, each step learns."""
    unused = built.kwargs.get("train_conf", {}).get("find_unused_parameters", False)
    parallel = torch.nn.parallel.DistributedDataParallel(built.model,
                                                         find_unused_parameters=unused).train()
    optimizer = torch.optim.SGD(parallel.parameters(), lr=learning_rate or 0.0)
    for step in range(steps):
        try:
            loss, _, _ = parallel(**finetune.batch(built, items))
            loss.backward()
        except RuntimeError as error:
            return step, first_sentence(error)
        if learning_rate:
            optimizer.step()
        optimizer.zero_grad()
    return steps, ""


def _output(model: torch.nn.Module, inputs: dict, component: str) -> torch.Tensor:
    """A component's output, its own input computed without any chance."""
    part = getattr(model, component)
    if component == "llm":
        return part(input_ids=inputs["input_ids"].clamp(min=0)).logits
    speech = inputs["speech"].clone()  # the encoder scales its input in place
    lengths = inputs["speech_lengths"].reshape(-1)
    if component == "audio_encoder":
        return part(speech, lengths)[0]
    if component not in ("audio_adaptor", "ctc_decoder"):
        raise BookError(f"`{component}` has no forward pass of its own here: choose audio_encoder, "
                        "audio_adaptor, ctc_decoder or llm.")
    training = model.audio_encoder.training
    model.audio_encoder.eval()
    hidden, lengths = model.audio_encoder(speech, lengths)
    model.audio_encoder.train(training)
    return part(hidden, lengths)[0]


def _digest(tensor: torch.Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
