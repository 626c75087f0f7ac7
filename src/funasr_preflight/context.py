"""What the rules look at: one config, as FunASR would see it, and its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from funasr_preflight import versions
from funasr_preflight.findings import COMMAND_LINE
from funasr_preflight.launch.yaml_file import value_at
from funasr_preflight.manifest.settings import FilterConf

if TYPE_CHECKING:
    from funasr_preflight.audit import Audit
    from funasr_preflight.manifest.scanning import ManifestReport

Mode = Literal["merged", "alone"]
SWITCHES = {"llm_conf.lora_conf": "llm_conf.use_lora",
            "dataset_conf.prompt_conf": "dataset_conf.prompt_classes",
            "ctc_decoder_conf": "ctc_decoder", "ctc_conf": "ctc_decoder"}
"""Section to the key without which FunASR does not look into it."""


@dataclass(frozen=True)
class Source:
    """A YAML as it is written, with the overrides of the command line.

    Attributes:
        name: the file's name, as the report shows it.
        values: dotted key to value, of leaves, as FunASR reads them; lists and empty mappings are
            leaves. Overrides are already applied.
        lines: dotted key (leaves and sections) to line in the file, from 1.
        overrides: dotted keys that the command line sets or removes, in order.
        places: file and line of each of those.
    """

    name: str
    values: Mapping[str, Any]
    lines: Mapping[str, int]
    overrides: tuple[str, ...] = ()
    places: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Launch:
    """What is known of the launch itself.

    Attributes:
        whole: whether a whole command was read, so that what it lacks is lacking.
        hub: where FunASR gets the model directory, such as "ms" or "hf".
        directory: the model directory, where it is here and was looked at.
        weights: names and shapes of its tensors.
        lacks: its files that are not there.
        paths: keys that hold a path of that directory, with what becomes of them in the run.
        lacking: what a YAML that is launched alone does not bring along.
        folders: where relative paths are looked for.
        described: whether the directory has a `configuration.json`.
        without_ctc: whether the weights are the copy on Hugging Face, which holds no CTC tensor.
    """

    whole: bool = False
    hub: str = "ms"
    directory: Path | None = None
    weights: Mapping[str, tuple[int, ...]] | None = None
    lacks: tuple[str, ...] = ()
    paths: Mapping[str, Any] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    folders: tuple[Path, ...] = (Path(),)
    described: bool = True
    without_ctc: bool = False


@dataclass
class Context:
    """Everything that a rule may look at.

    Attributes:
        own: the user's YAML with overrides.
        config: what FunASR builds the run from: nested, interpolations resolved; in mode "merged"
            the own YAML over the model directory's.
        mode: how the run is assumed to be launched: see `reading`.
        audit: what this version of FunASR does with each key.
        train, valid: what the manifests hold; None where none was given.
        gpus: processes of the run.
        steps: optimizer steps of the run, where the user gave them.
        seconds_per_step: a measured rate, where the user gave one.
        gpu_bytes: memory of one GPU, where the user named it.
        column: what is recorded for the version of FunASR that will run; else for the audited.
        base: dotted keys and values of the model directory's own config.
    """

    own: Source
    config: dict[str, Any]
    mode: Mode
    audit: Audit | None
    train: ManifestReport | None = None
    valid: ManifestReport | None = None
    gpus: int = 1
    steps: int | None = None
    seconds_per_step: float | None = None
    base: Mapping[str, Any] = field(default_factory=dict)
    launch: Launch = field(default_factory=Launch)
    gpu_bytes: int | None = None
    column: versions.VersionColumn = field(default=None)  # type: ignore[assignment]
    notes: dict[str, Any] = field(default_factory=dict)
    """Facts that one rule computed and another needs, by name."""

    def __post_init__(self) -> None:
        if self.column is None and self.audit is not None:
            self.column = versions.load().column(self.audit.version)

    @property
    def filters(self) -> FilterConf:
        """Which lines are read, and how they are batched."""
        return FilterConf.of(self.config, self.gpus)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a dotted key in the config that FunASR sees."""
        return value_at(self.config, key, default)

    def on(self, key: str) -> bool:
        """Whether FunASR takes a switch for turned on: it asks for truth, not for `true`."""
        return bool(self.get(key))

    def looked_into(self, key: str) -> bool:
        """Whether the switch is on without which FunASR does not look at a key's section."""
        return all(self.on(switch) for section, switch in SWITCHES.items()
                   if f"{key}.".startswith(f"{section}."))

    def shared(self, name: str) -> Any:
        """A setting of processes, such as `use_deepspeed`: the top level goes before
        `train_conf`."""
        return self.get(name, self.get(f"train_conf.{name}"))

    def place(self, key: str) -> tuple[str, int | None]:
        """File and line that set a key: its own line, its section's, or the command line."""
        for override in reversed(self.own.overrides):
            if override == key or key.startswith(f"{override}."):
                return self.own.places.get(override, (COMMAND_LINE, None))
        parts = key.split(".")
        for end in range(len(parts), 0, -1):
            line = self.own.lines.get(".".join(parts[:end]))
            if line is not None:
                return self.own.name, line
        return self.own.name, None
