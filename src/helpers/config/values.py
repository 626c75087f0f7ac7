"""How a value of a config is written in text and tables."""

from __future__ import annotations

from typing import Any

from helpers.config import document
from helpers.config.configs import NOT_SET


def yaml_text(value: Any) -> str:
    """A value as a YAML file would show it; source text and strings are left bare."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if value and abs(value) < 1e-3:
            mantissa, exponent = f"{value:e}".split("e")
            return f"{float(mantissa):g}e{int(exponent)}"
        text = f"{value:g}"
        return text if "." in text or "e" in text or "n" in text else f"{text}.0"
    if value == "":
        return '""'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(yaml_text(item) for item in value)}]"
    return str(value)


SHORT_NAMES = {"config_8k_telephone": "main", "stage1_encoder_adapt": "stage 1"}


def shown(value: Any) -> str:
    """A value in YAML notation, or "not set"."""
    return "not set" if value is NOT_SET or value == document.NOT_SET else yaml_text(value)
