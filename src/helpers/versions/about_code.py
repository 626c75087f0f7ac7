"""The audit, the launches and the core of the knob test, run on a version's own code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from helpers.errors import BookError
from helpers.versions import book, weights
from helpers.versions.probe import NotThereError, probe

CORE = ("optim_conf.lr", "ctc_decoder_conf.freeze", "train_conf.effective_save_name_excludes",
        "dataset_conf.max_token_length")
"""Keys of the knob test that move something at once in the book's version, one a subject."""


@probe("Keys of the three configs that nothing in the code reads")
def keys_that_nothing_reads() -> list[str]:
    sections = _sections()
    every = {key for name in book.module("configs").CONFIG_NAMES
             for key in book.module("configs").flatten(name)}
    return sorted(key for key in every if not _is_read(sections, key))


@probe("Keys that the code reads with a default of its own: key to default")
def keys_read_with_a_default() -> dict[str, str]:
    text = book.module("values").yaml_text
    return {f"{section}.{name}".lstrip("."): " or ".join(dict.fromkeys(map(text, use["values"])))
            for section, names in _sections().items() for name, use in names.items()
            if use["kind"] == "default"}


@probe("Classes in the registers that a config chooses from")
def registered_classes() -> dict[str, list[str]]:
    return book.module("audit").registers()


@cache
def _sections() -> dict[str, dict[str, Any]]:
    book.needs_class()
    return book.module("audit").sections_read()


def _is_read(sections: dict[str, dict[str, Any]], key: str) -> bool:
    parent, _, name = key.rpartition(".")
    use = sections.get(parent, {}).get(name)
    return use is not None and use["kind"] != "never used"


def _launched(copy: str, config: str, way: str) -> str:
    """Tensors of a copy that arrive, of those that it has; or what ends the launch."""
    launch = book.module("launch")
    try:
        attempt = (launch.launch_alone if way == "alone" else launch.launch_merged)(
            config, Path(weights.directory(copy)))
    except BookError as error:
        return str(error)
    if not attempt.built:
        return attempt.outcome
    arrived = attempt.tensors.count(loaded=True)
    removal = ", then the CTC branch is removed" if attempt.ctc_switched_off else ""
    return (f"{arrived:,} of the file's {len(weights.recorded(copy)):,} tensors; "
            f"the model has {attempt.tensors.count():,}{removal}")


def _launch_probe(copy: str, config: str, way: str) -> None:
    def ask() -> str:
        book.needs_class()
        return _launched(copy, config, way)

    ask.__name__ = f"launch_{way}_{config}_{'ms' if copy == 'ModelScope' else 'hf'}"
    probe(f"`{config}` launched {way} with the copy of {copy}: what arrives")(ask)


for _config in book.FINE_TUNING:
    for _way in ("alone", "merged"):
        for _copy in ("ModelScope", "Hugging Face"):
            _launch_probe(_copy, _config, _way)


@cache
def _bench_run() -> tuple[dict[str, Any], Any]:
    """The knob test's main config, and what its bench observes of it."""
    bench, values = book.module("bench"), book.module("knob_values")
    book.needs_class()
    book.needs_dataset()
    config = bench.changed(bench.base_config(book.MAIN), values.with_files(values.MAIN.values))
    return config, bench.observe(config)


def _knob_probe(key: str) -> None:
    def ask() -> list[str]:
        bench, values = book.module("bench"), book.module("knob_values")
        config, before = _bench_run()
        if before.error:
            raise NotThereError(f"the bench does not run the main config: {before.error}")
        new = values.other_values(key, bench.value_of(config, key))[0]
        after = bench.observe(bench.changed(config, values.with_files({key: new})))
        return [*bench.differences(before, after), *(["the run ends"] if after.error else [])]

    ask.__name__ = f"knob_{key.replace('.', '_')}"
    probe(f"What turning `{key}` moves", slow=True)(ask)


for _key in CORE:
    _knob_probe(_key)
