"""The one module that touches names which FunASR and other libraries keep for themselves.

Such a name may be gone in another version. Then a function here says so in one sentence, and no
other module has to be read.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from unittest import mock

from helpers.errors import BookError


class Distributed(NamedTuple):
    """How `train_ds.py` would run a config, and the keys that it hands to its trainer."""

    ddp: bool
    fsdp: bool
    deepspeed: bool
    deepspeed_config: str | None
    trainer_conf: dict[str, Any]


def distributed(config: Mapping[str, Any], processes: int) -> Distributed:
    """What FunASR's training program makes of a config's settings for several processes.

    Versions without a function for it (before 1.4.2) decide by the top level, and hand all of
    `train_conf` to the trainer, which obeys its `use_deepspeed`.
    """
    from funasr.bin import train_ds

    resolve = getattr(train_ds, "_resolve_distributed_config", None)
    if resolve is None:
        train_conf = config["train_conf"]
        deepspeed = config.get("use_deepspeed") or train_conf.get("use_deepspeed", False)
        return Distributed(processes > 1, config.get("use_fsdp", False), deepspeed,
                           train_conf.get("deepspeed_config"), train_conf)
    return Distributed(*resolve(dict(config), processes))


def decodes_batches(model) -> bool:
    """Whether FunASRNano decodes several utterances at once: old versions do it one by one."""
    return hasattr(model, "_inference_llm_batch")


def decode_batch(model, *arguments: Any, **settings: Any) -> list[dict[str, Any]]:
    """FunASRNano's decoding of several utterances at once, which `AutoModel.generate` ends in.

    Raises:
        BookError: the installed FunASR decodes one by one only.
    """
    results, _ = _private(model, "_inference_llm_batch")(*arguments, **settings)
    return results


@contextlib.contextmanager
def watched_framing() -> Iterator[mock.Mock]:
    """Note how torchaudio's Kaldi features cut a waveform: samples, window, shift, snip_edges."""
    from torchaudio.compliance import kaldi

    with mock.patch.object(kaldi, "_get_strided", wraps=_private(kaldi, "_get_strided")) as framing:
        yield framing


def _private(owner: Any, name: str) -> Any:
    if not hasattr(owner, name):
        package = type(owner).__module__ if not hasattr(owner, "__file__") else owner.__name__
        package = package.partition(".")[0]
        raise BookError(f"{package} {importlib.metadata.version(package)} has no `{name}`: install "
                        "the version that requirements.lock names.")
    return getattr(owner, name)
