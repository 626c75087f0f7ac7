"""What tensors a `model.pt` holds, from its index alone: nothing is loaded and nothing executed.

PyTorch writes a pickle of names, shapes and places of storages, beside the storages themselves.
The pickle is read with every class in it replaced by one of the few here.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from funasr_preflight.errors import BookError
from funasr_preflight.private_names import PythonUnpickler
from funasr_preflight.texts import say

LARGEST_INDEX = 64 << 20
"""Bytes; the index of the released model has a quarter of a megabyte."""
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_LEGACY_HEADS = 3
"""Pickles before the names in the format that PyTorch wrote until version 1.6."""

Shapes = dict[str, tuple[int, ...]]


def shapes(path: Path) -> Shapes:
    """Tensor names and shapes, as FunASR's loader takes them: without wrappers and "module.".

    Raises:
        BookError: it is no file of PyTorch's, or its index cannot be read.
    """
    return shapes_of(contents(path), path.name)


def contents(path: Path) -> Any:
    """What `torch.save` wrote, with a shape in the place of each tensor.

    Raises:
        BookError: it is no file of PyTorch's, or its index cannot be read.
    """
    try:
        return _index(path)
    except Exception as error:  # a broken index fails in as many ways as there are readers in it
        raise BookError(say("{file} cannot be read as weights of PyTorch ({error}): name a "
                            "checkpoint that torch.save wrote.", file=path.name,
                            error=type(error).__name__)) from None


def shapes_of(state: Any, name: str) -> Shapes:
    """`shapes` of what `contents` read from the file of that name."""
    for wrapper in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict):
        raise BookError(say("{file} holds no tensors by name: name a checkpoint of a model.",
                            file=name))
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()
            if isinstance(tensor, tuple)}


def _index(path: Path) -> Any:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            for _ in range(_LEGACY_HEADS):
                _Index(stream).load()
            return _Index(stream).load()
    with zipfile.ZipFile(path) as archive:
        entry = next(info for info in archive.infolist() if info.filename.endswith("/data.pkl"))
        if entry.file_size > LARGEST_INDEX:
            raise ValueError("index")
        with archive.open(entry) as stream:
            return _Index(stream).load()


class _Mapping(dict):
    """An OrderedDict, which PyTorch gives an attribute."""


def _shape(storage: Any, offset: Any, size: tuple[int, ...], *rest: Any) -> tuple[int, ...]:
    return tuple(map(int, size))


class _Anything:
    """What else is pickled in a checkpoint: it is passed over."""

    def __init__(self, *arguments: Any, **named: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _Index(PythonUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = {"OrderedDict": _Mapping, "_rebuild_tensor": _shape, "_rebuild_tensor_v2": _shape,
                 "_rebuild_parameter": lambda tensor, *rest: tensor,
                 "_rebuild_meta_tensor_no_storage":
                     lambda dtype, size, *rest: _shape(None, 0, size)}
        return known.get(name, _Anything)

    def persistent_load(self, pid: Any) -> Any:
        return pid
