"""The names that other libraries keep for themselves and this package needs, in one place."""

from __future__ import annotations

import pickle

PythonUnpickler = pickle._Unpickler
"""The one in Python, not in C: a hostile index costs time there, and no memory."""


def omegaconf_scalars():
    """OmegaConf's own loader: it reads 5e-6 as a number, as FunASR does, where plain YAML would
    make it a string."""
    from omegaconf._utils import get_yaml_loader

    return get_yaml_loader()("")
