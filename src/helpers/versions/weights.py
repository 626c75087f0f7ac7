"""The two public copies of the released weights: tensors, bytes, and what the bytes say.

The names and shapes come from FunASR's own model at full size, without memory. They are recorded
once with the installed FunASR, so that an older version is launched on the file that is really
public, not on what it would build itself. What a file of these names weighs beyond its values is
measured by letting torch save the same names with tiny values.
"""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path

from funasr_preflight.laws.names import OUTPUT_LAYER, component_of
from helpers.errors import BookError
from helpers.versions import book

FILE = book.CACHE / "versions" / "released.json"
Shape = tuple[int, ...]
CTC = ("ctc_decoder", "ctc")
WIDTHS = {"bfloat16": 2, "float32": 4}
SOURCE = "https://github.com/modelscope/FunASR/issues/3496"


@dataclass(frozen=True)
class PublicFile:
    """What is public of one copy of `model.pt`.

    Attributes:
        size: bytes.
        tensors: their number.
        components: component to number of tensors, where it is public.
    """

    size: int
    tensors: int
    components: Mapping[str, int]


PUBLIC = {
    "Hugging Face": PublicFile(1_971_149_431, 1_261, {}),
    "ModelScope": PublicFile(2_127_426_538, 1_347, {
        "audio_encoder": 914, "audio_adaptor": 36, "llm": 311, "ctc_decoder": 84, "ctc": 2}),
}
"""As reported with checksum in SOURCE, 14 August 2026."""


@dataclass(frozen=True)
class Storage:
    """How the values of a file may be stored, and how far that is from its size.

    Attributes:
        dtypes: component to the dtype of its values.
        tied: whether the LLM's output matrix is stored once with its input embedding.
        values: bytes of the values alone.
        packaging: bytes that torch's format adds, as measured.
        off: size of the public file minus the two, in bytes.
    """

    dtypes: Mapping[str, str]
    tied: bool
    values: int
    packaging: int
    off: int


@cache
def shapes() -> dict[str, Shape]:
    """Names and shapes of the released model, as this FunASR builds it."""
    model = book.built(config="pretrained", size="full", device="meta").model
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def tensor_counts(names: Iterable[str]) -> dict[str, int]:
    """Component to number of tensors."""
    return dict(Counter(map(component_of, names)))


def of_copy(copy: str, every: Mapping[str, Shape] | None = None) -> dict[str, Shape]:
    """Of all names and shapes those of one copy: "ModelScope" has the CTC branch, the other not."""
    return {name: shape for name, shape in (every or shapes()).items()
            if copy == "ModelScope" or component_of(name) not in CTC}


def record() -> None:
    """Record names and shapes from the FunASR of this process."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(shapes()), encoding="utf-8")


def recorded(copy: str) -> dict[str, Shape]:
    """The recorded names and shapes of a public copy.

    Raises:
        BookError: they are not recorded yet.
    """
    if not FILE.is_file():
        raise BookError(f"{FILE.name} is missing: run `python -m helpers.versions --record`, which "
                        "starts by writing it.")
    every = json.loads(FILE.read_text(encoding="utf-8"))
    return of_copy(copy, {name: tuple(shape) for name, shape in every.items()})


@cache
def directory(copy: str) -> Path:
    """A model directory with a `model.pt` of these names, for launches on the meta device."""
    import torch

    folder = book.scratch(f"released-{copy.replace(' ', '-').lower()}")
    shutil.rmtree(folder)
    folder.mkdir()
    book.module("launch").fill(folder, {name: torch.empty(shape, device="meta")
                                        for name, shape in recorded(copy).items()})
    return folder.resolve()


def value_bytes(names: Mapping[str, Shape], dtypes: Mapping[str, str], tied: bool) -> int:
    """Bytes of the values of these tensors."""
    return sum(prod(shape) * WIDTHS[dtypes[component_of(name)]]
               for name, shape in names.items() if not (tied and name == OUTPUT_LAYER))


def packaging_bytes(names: Sequence[str]) -> int:
    """What torch's file format adds for tensors of these names: headers, padding, an index."""
    import torch

    state = {name: torch.zeros(1, 1) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        torch.save(state, path)
        return path.stat().st_size - sum(tensor.nbytes for tensor in state.values())


def storages(copy: str) -> list[Storage]:
    """Every way to store a copy with one dtype a component, nearest to its public size first."""
    names, size = of_copy(copy), PUBLIC[copy].size
    parts = tuple(tensor_counts(names))
    packaging = packaging_bytes(tuple(names))
    stored = []
    for tied, *widths in itertools.product((True, False), *[WIDTHS] * len(parts)):
        dtypes = dict(zip(parts, widths, strict=True))
        values = value_bytes(names, dtypes, tied)
        stored.append(Storage(dtypes, tied, values, packaging, size - values - packaging))
    return sorted(stored, key=lambda storage: abs(storage.off))


def as_the_book_builds(copy: str) -> int:
    """Bytes of the values if each part had the dtype that FunASR builds it with, tied once."""
    dtypes = dict.fromkeys(tensor_counts(of_copy(copy)), "float32") | {"llm": "bfloat16"}
    return value_bytes(of_copy(copy), dtypes, tied=True)
