"""Let FunASR build a class of ours where a config says `FunASRNano`.

A merged run takes its class from the model directory's config, whatever the YAML says; what can be
exchanged is the class that FunASR's register gives for the name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from funasr.models.fun_asr_nano.model import FunASRNano
from funasr.register import tables


@contextmanager
def stand_in(model_class: type[FunASRNano]) -> Iterator[None]:
    """While this lasts, FunASR builds `model_class` under the name FunASRNano."""
    original = tables.model_classes["FunASRNano"]
    tables.model_classes["FunASRNano"] = model_class
    try:
        yield
    finally:
        tables.model_classes["FunASRNano"] = original
