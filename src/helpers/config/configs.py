"""Load, resolve, merge and compare the YAML configs, as FunASR (OmegaConf) reads them."""

from __future__ import annotations

import copy
import difflib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException

from funasr_preflight.launch.reading import flatten as leaves
from helpers.config import document
from helpers.config.document import section_of
from helpers.errors import BookError, first_sentence
from helpers.paths import CONFIGS

CONFIG_NAMES = ("pretrained", "config_8k_telephone", "stage1_encoder_adapt")
FINE_TUNING = CONFIG_NAMES[1:]
"""The two fine-tuning configs, written from the document."""
PUBLISHED = tuple(f"published/{name}" for name in FINE_TUNING)
"""The same two as their makers publish them, where the document lies."""
Status = Literal["same", "modified", "new", "omitted"]
STATUSES: tuple[Status, ...] = ("same", "modified", "new", "omitted")
ConfigLike = str | Path | DictConfig | Mapping


class _NotSet:
    """The value of a key that a config does not set; None is a value that it may set."""

    def __repr__(self) -> str:
        return "not set"

    def __bool__(self) -> bool:
        return False


NOT_SET = _NotSet()


@dataclass(frozen=True)
class KeyRow:
    """One key across the three configs.

    Attributes:
        key: dotted key.
        section: number of the document's section that the key belongs to (0: in none).
        values: config name to value as written, or NOT_SET; an interpolation and the value that
            it resolves to are different text.
        statuses: name of a fine-tuning config to its status against the pretrained config:
            "same" and "modified" where both set the key, "new" where only it does, "omitted"
            where only the pretrained one does; None where neither does.
        critical: the fine-tuning configs in which the document puts its red sign or a warning
            sign on the key.
        stated_in: the numbers of the document's sections that name the key.
    """

    key: str
    section: int
    values: dict[str, Any]
    statuses: dict[str, Status | None]
    critical: tuple[str, ...]
    stated_in: tuple[int, ...]


def path_of(name_or_path: str | Path) -> Path:
    """The file of a config given by one of CONFIG_NAMES or by its path.

    Raises:
        BookError: there is no such config; the nearest names are suggested.
    """
    text = str(name_or_path)
    stem = text.removesuffix(".yaml")
    if stem in (*CONFIG_NAMES, *PUBLISHED):
        return CONFIGS / f"{stem}.yaml"
    path = Path(name_or_path)
    if path.is_dir():
        raise BookError(f"`{text}` is a folder: give the YAML file inside it.")
    if path.exists():
        return path
    is_file = path.suffix in (".yaml", ".yml") or path.parent != Path(".")
    raise BookError(f"There is no config {'file' if is_file else 'named'} `{text}`"
                    f"{_suggestions(stem)}")


def load(name_or_path: str | Path) -> DictConfig:
    """Read a config with OmegaConf, as FunASR does; interpolations stay as they are written.

    OmegaConf matters: it reads `5e-6` as a number, where PyYAML alone would give a string.

    Raises:
        BookError: unknown name, unreadable file, broken YAML (file and line), or a file that is
            empty or not a mapping of keys to values.
    """
    return copy.deepcopy(_read(name_or_path))


def _read(name_or_path: str | Path) -> DictConfig:
    """A config that is shared: for those who change nothing, since copying takes long."""
    path = path_of(name_or_path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BookError(f"{path.name} is not UTF-8 text (byte {error.start}): "
                        "save it again as UTF-8.") from None
    except OSError as error:
        raise BookError(f"{path.name} cannot be read ({error.strerror}).") from None
    return _parse(text, path.name)


def resolve(config: ConfigLike) -> dict[str, Any]:
    """A plain dictionary with every interpolation replaced by the value that it points to.

    Raises:
        BookError: an interpolation cannot be resolved, or a value is `???`; the key is named.
    """
    config = as_config(config)
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (OmegaConfBaseException, RecursionError):
        raise BookError(_unresolved(config)) from None


def merge_over(base: ConfigLike, config: ConfigLike) -> DictConfig:
    """`config` laid over `base`: what both set comes from `config`, the rest from either.

    This is the merge that FunASR applies when it reads a model directory's own config
    (`funasr/download/download_model_from_hub.py`, version 1.4.16). Lists are replaced whole.
    """
    return OmegaConf.merge(as_config(base), as_config(config))


def flatten(config: ConfigLike) -> dict[str, Any]:
    """Dotted keys to values in file order; interpolations as text, lists as lists.

    An empty mapping is kept as a value, so that no key disappears.

    Raises:
        BookError: two paths give the same dotted key.
    """
    flat: dict[str, Any] = {}
    loaded = _read(config) if isinstance(config, (str, Path)) else as_config(config)
    plain = OmegaConf.to_container(loaded, resolve=False)
    for key, value in leaves(plain):
        if key in flat:
            raise BookError(f"The key `{key}` is there twice, once with a dot in its name: "
                            "write it as nested keys.")
        flat[key] = value
    return flat


def compare() -> list[KeyRow]:
    """Every key of the three configs, ordered by section and then as in the files."""
    values = {name: flatten(name) for name in CONFIG_NAMES}
    rows = []
    for key in dict.fromkeys(key for name in CONFIG_NAMES for key in values[name]):
        by_name = {name: values[name].get(key, NOT_SET) for name in CONFIG_NAMES}
        rows.append(KeyRow(
            key=key, section=section_of(key), values=by_name,
            statuses={name: _status(by_name["pretrained"], by_name[name]) for name in FINE_TUNING},
            critical=tuple(name for name in FINE_TUNING if document.is_critical(key, name)),
            stated_in=document.sections_stating(key)))
    last = max(document.section_titles()) + 1
    return sorted(rows, key=lambda row: row.section or last)


def values_set() -> dict[str, dict[str, Any]]:
    """Key to config name to value, for what each of the three configs sets."""
    return {row.key: {name: value for name, value in row.values.items() if value is not NOT_SET}
            for row in compare()}


def same_value(value: Any, other: Any) -> bool:
    """Whether two YAML values are equal; `1` and `true` are not, `5` and `5.0` are."""
    if isinstance(value, bool) != isinstance(other, bool):
        return False
    if isinstance(value, float) and isinstance(other, float) and math.isnan(value):
        return math.isnan(other)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same_value, value, other))
    return value == other


def as_config(config: ConfigLike) -> DictConfig:
    """A DictConfig from a name, a path, a plain mapping, or a DictConfig."""
    if isinstance(config, DictConfig):
        return config
    if isinstance(config, (str, Path)):
        return load(config)
    try:
        return OmegaConf.create(dict(config))
    except (OmegaConfBaseException, TypeError, ValueError) as error:
        raise BookError(f"This is not a config: {first_sentence(error)}.") from None


@lru_cache(maxsize=32)
def _parse(text: str, name: str) -> DictConfig:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None or not root.value or root.tag.endswith(":null"):
            raise BookError(f"{name} is empty: a config needs at least one `key: value` line.")
        if not isinstance(root, yaml.MappingNode):
            content = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
            raise BookError(f"{name} holds {content}: a config is a mapping of `key: value` lines.")
        return OmegaConf.load(io.StringIO(text))
    except yaml.YAMLError as error:
        raise BookError(_yaml_sentence(error, text, name)) from None
    except GrammarParseError as error:
        raise BookError(f"{name} has a broken interpolation at `{error.full_key}`: write it as "
                        "${section.key}.") from None
    except RecursionError:
        raise BookError(f"{name} is nested too deeply to be a config.") from None
    except OmegaConfBaseException as error:
        raise BookError(f"{name} cannot be a config: {first_sentence(error)}.") from None


def _yaml_sentence(error: yaml.YAMLError, text: str, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        position = f"line {mark.line + 1}, column {mark.column + 1}"
    elif isinstance(getattr(error, "position", None), int):
        position = f"line {text.count(chr(10), 0, error.position) + 1}"
    else:
        position = "an unknown line"
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "broken YAML"
    return f"{name}, {position}: {problem}; correct the YAML there."


def _unresolved(config: DictConfig) -> str:
    for key, value in flatten(config).items():
        if not isinstance(value, (str, list)):
            continue
        try:
            node = OmegaConf.select(config, key, throw_on_missing=True)
            if isinstance(node, ListConfig):
                OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        except (OmegaConfBaseException, RecursionError) as error:
            if value == "???":
                return f"`{key}` is `???`, a value still to be given: set it."
            reason = ("it leads back to itself" if isinstance(error, RecursionError)
                      else first_sentence(error))
            return f"`{key}: {value}` cannot be resolved ({reason}): point it at a key that is set."
    return "An interpolation of this config cannot be resolved."


def _status(base: Any, value: Any) -> Status | None:
    if base is NOT_SET:
        return None if value is NOT_SET else "new"
    if value is NOT_SET:
        return "omitted"
    return "same" if same_value(base, value) else "modified"


def _suggestions(name: str) -> str:
    near = difflib.get_close_matches(Path(name).name.lower(), CONFIG_NAMES, n=2, cutoff=0.45)
    if near:
        return f"; did you mean {' or '.join(f'`{config}`' for config in near)}?"
    return f"; the book's configs are {', '.join(f'`{config}`' for config in CONFIG_NAMES)}."
