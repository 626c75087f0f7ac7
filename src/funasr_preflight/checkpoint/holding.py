"""What a checkpoint holds and lacks, held against the model that the run started from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funasr_preflight.launch.directory import PATHS, ModelDirectory, read_directory
from funasr_preflight.launch.weights import Shapes
from funasr_preflight.launch.yaml_file import value_at
from funasr_preflight.laws.names import COMPONENTS, OUTPUT_LAYER, component_of

CTC_PARTS = ("ctc_decoder", "ctc")
_LORA = ".lora_"


@dataclass(frozen=True)
class Holding:
    """What is in a file.

    Attributes:
        counts: component to number of tensors, LoRA matrices excluded.
        base: the same of the model that the run started from; None where it is not known.
        lora: number of LoRA matrices: they are not folded into the weights they belong to.
        wants_lora: whether the run's config trains such matrices.
        strange: the first tensor that the base lacks or has in another shape, or "".
    """

    counts: Mapping[str, int]
    base: Mapping[str, int] | None
    lora: int
    wants_lora: bool
    strange: str = ""

    @property
    def lacking(self) -> tuple[str, ...]:
        """Components that the base has and the file has not, or not whole.

        Where the base is not known, the branch of CTC counts as one that it has not: one of the
        two released copies of the weights is without it.
        """
        if self.base is None:
            return tuple(part for part in COMPONENTS
                         if not self.counts[part] and part not in CTC_PARTS)
        return tuple(part for part in COMPONENTS if self.counts[part] < self.base[part])

    @property
    def lora_lost(self) -> bool:
        """Whether the run trained LoRA matrices and this file has none."""
        return self.wants_lora and not self.lora

    @property
    def complete(self) -> bool:
        return not self.lacking and not self.lora_lost


def count(shapes: Shapes) -> dict[str, int]:
    """Number of tensors of each component; the LLM's tied matrix counts once."""
    counts = Counter(component_of(name) for name in shapes
                     if _LORA not in name and name != OUTPUT_LAYER)
    return {part: counts[part] for part in COMPONENTS}


def holding(shapes: Shapes, base: Shapes | None, config: Mapping[str, Any] | None) -> Holding:
    """Hold a file's tensors against the base's."""
    strange = "" if base is None else next(
        (name for name, shape in shapes.items()
         if _LORA not in name and name != OUTPUT_LAYER and base.get(name) != shape), "")
    return Holding(count(shapes), None if base is None else count(base),
                   sum(_LORA in name for name in shapes),
                   value_at(config, "llm_conf.use_lora") is True, strange)


def base_directory(over: str | Path | None, config: Mapping[str, Any] | None
                   ) -> ModelDirectory | None:
    """The model that the run started from: as named, else as its config has it and it is here."""
    if over is not None:
        return read_directory(Path(over))
    values = config or {}
    init = values.get("init_param")
    for path in (values.get("model_path"), str(Path(init).parent) if isinstance(init, str) else ""):
        if isinstance(path, str) and path and (Path(path) / "config.yaml").is_file():
            return read_directory(Path(path))
    return None


def values_at(config: Mapping[str, Any] | None, keys: tuple[str, ...] = PATHS) -> dict[str, Any]:
    """Values of dotted keys, those left out that are absent or null."""
    values = {key: value_at(config, key) for key in keys}
    return {key: value for key, value in values.items() if value is not None}
