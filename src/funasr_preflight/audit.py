"""What one version of FunASR does with each key, in one file that is quick to read.

`python -m helpers.audit.making` makes `audit.json` from the knob test (`results/knobs.json`),
from the library's syntax trees, and from its own classes, built at full size without memory.
Everything else here only reads that file, and imports neither torch nor funasr.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from funasr_preflight.errors import read_carried
from funasr_preflight.texts import Text, quoted, recorded, say

FILE = Path(__file__).with_name("audit.json")
COMMAND = "python -m helpers.audit.making"
"""What makes it, in the book's repository."""
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


_RAISED = re.compile(r"(?P<before>.*?)\s*(?P<change>\S+ -> \S+) raises (?P<error>\w+: .+?)"
                     r"(?: \((?P<file>funasr/[^()]+), line (?P<line>\d+)\))?\.")


def _split(note: str) -> tuple[str, re.Match | None]:
    """The sentences of a note, and what the library raised, if that is in it."""
    raised = _RAISED.fullmatch(note)
    return (raised["before"], raised) if raised else (note, None)


def _note(note: str) -> Text:
    before, raised = _split(note)
    if raised is None:
        return recorded(note)
    where = f"{raised['file']}:{raised['line']}" if raised["file"] else ""
    reason = (say("{change} ends in {error} ({place}).", change=raised["change"],
                  error=quoted(raised["error"]), place=where) if where else
              say("{change} ends in {error}.", change=raised["change"],
                  error=quoted(raised["error"])))
    return say("{what} {why}", what=recorded(before), why=reason) if before else reason


@dataclass(frozen=True)
class Audit:
    """The audit file, read."""

    content: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The version of FunASR that was audited."""
        return self.content["funasr"]

    def installed_version(self) -> str | None:
        """The version of FunASR on this machine; None where there is none."""
        try:
            return importlib.metadata.version("funasr")
        except importlib.metadata.PackageNotFoundError:
            return None

    def verdict(self, key: str) -> str:
        """What the knob test found of a key, such as "never read"; "" if it never turned it."""
        return self.content["keys"].get(key, {}).get("verdict", "")

    def note(self, key: str) -> Text:
        """What the knob test adds; the library's own words are marked as such."""
        return _note(self.content["keys"].get(key, {}).get("note", ""))

    def notes(self) -> list[str]:
        """Every sentence of its own that the knob test adds; errors of the library are none."""
        sentences = (_split(entry.get("note", ""))[0] for entry in self.content["keys"].values())
        return sorted({note for note in sentences if note})

    def reader(self, key: str) -> dict[str, Any] | None:
        """Where the library reads a key and its default: `kind`, `values`, `place`; or None."""
        parent, _, name = key.rpartition(".")
        return self.content["sections"].get(parent, {}).get(name)

    def known(self, key: str) -> bool:
        """Whether the knob test turned this key, or a class on the path of a run reads its name."""
        return key in self.content["keys"] or self.reader(key) is not None

    def section_known(self, section: str) -> bool:
        """Whether the library takes a section of this name."""
        return section in self.content["sections"] or any(
            key.startswith(f"{section}.") for key in self.content["keys"])

    def refuses(self, section: str) -> bool:
        """Whether an unknown key in this section ends the run, rather than being swallowed."""
        return section in self.content["refuses"]

    def suggest(self, key: str) -> str:
        """The known key that an unknown one is most like: same section first; "" if none is."""
        parent, _, name = key.rpartition(".")
        split = [known.rpartition(".") for known in self.names()]
        same = [own for section, _, own in split if section == parent]
        close = difflib.get_close_matches(name, same, 1, 0.75)
        if close:
            return f"{parent}.{close[0]}".lstrip(".")
        return next((known for known in self.names() if known.rpartition(".")[2] == name), "")

    def names(self) -> list[str]:
        """Keys of the audited configs, then other keys that are read with a default."""
        read = [f"{section}.{name}".lstrip(".")
                for section, names in self.content["sections"].items()
                for name, use in names.items() if use["kind"] == "default"]
        return list(dict.fromkeys([*self.content["keys"], *read]))

    def accepts(self, key: str, name: str) -> dict[str, bool] | None:
        """What an optimizer or scheduler takes in its section, and whether it can do without.

        None if there is no such class.

        Args:
            key: "optim" or "scheduler".
            name: as FunASR's table has it, such as "adamw".
        """
        return self.content["accepts"].get(key, {}).get(name)

    def deprecated(self, key: str, name: str) -> str:
        """What the library itself says of a class that it gives up; "" for all others."""
        return self.content["deprecated"].get(key, {}).get(name, "")

    def defaults(self, key: str) -> list[Any]:
        """Every default that the code has for a key."""
        use = self.reader(key)
        return list(use["values"]) if use and use["kind"] == "default" else []

    def type_of(self, key: str) -> str:
        """Type of a key's value in the audited configs: "int", "float", "bool", "str", "list"."""
        return self.content["keys"].get(key, {}).get("type", "")

    def classes(self, key: str) -> list[str]:
        """Names that FunASR's register has for a key; [] for a key that names no class."""
        return self.content["registers"].get(key, [])

    def default(self, key: str) -> Any:
        """The code's default for a key that no config sets; None where there is none or several."""
        use = self.reader(key)
        return use["values"][0] if use and use["kind"] == "default" and use["values"] else None

    @property
    def architecture(self) -> dict[str, Any]:
        """Keys that decide the model's shape, with the values of the audited build."""
        return self.content["architecture"]

    def parameters(self, component: str) -> dict[str, int]:
        """Full parameter name to number of values, of one component at full size."""
        return {f"{component}{name}": size
                for name, size in self.content["parameters"][component].items()}

    def without_gradient(self, component: str) -> bool:
        """Whether no training batch gives this component a gradient, whatever is frozen."""
        return component in self.content["without_gradient"]

    def lora_parameters(self, targets: Collection[str], rank: int) -> int:
        """Values in LoRA matrices of this rank beside these linear layers of the LLM.

        A target counts where it is a whole part of a layer's dotted name, as in FunASR.
        """
        total = 0
        for name, (outputs, inputs, count) in self.content["llm_linear"].items():
            above = () if name == "lm_head" else (
                "model", "layers", "self_attn" if name in ATTENTION else "mlp")
            for layer in range(count):
                parts = {name, *above, *([str(layer)] if above else [])}
                total += rank * (outputs + inputs) * bool(parts & set(targets))
        return total


@cache
def load(path: Path = FILE) -> Audit:
    """The audit that the package carries.

    Raises:
        BookError: it is missing or broken.
    """
    return Audit(read_carried(path, COMMAND))
