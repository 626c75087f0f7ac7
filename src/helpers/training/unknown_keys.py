"""Which sections of a config accept a key that does not exist? Ask FunASR, section by section."""

from __future__ import annotations

from collections.abc import Sequence

from helpers.config import configs
from helpers.model import mini
from helpers.training import finetune

NO_SUCH_KEY = "no_such_key"


def refusals(config: str, items: Sequence[dict]) -> dict[str, str]:
    """Add one invented key to each section in turn, build, and train for a step or two.

    Returns:
        Section (a `..._conf` name, or "top level") to what FunASR said when it refused the key;
        "" where the run went through.
    """
    return {section: _refusal(config, key, items) for section, key in invented(config).items()}


def invented(config: str) -> dict[str, str]:
    """Section to a key in it that does not exist."""
    sections = [key for key in configs.merge_over("pretrained", config) if key.endswith("_conf")]
    return {"top level": NO_SUCH_KEY, **{name: f"{name}.{NO_SUCH_KEY}" for name in sections}}


def _refusal(config: str, key: str, items: Sequence[dict]) -> str:
    changed = finetune.with_overrides(config, finetune.SHORT_RUN,
                                      {"train_conf.max_epoch": 1, key: 1})
    try:
        finetune.run(mini.build(changed), items, items, f"unknown_key_{config}",
                     checkpoints=False)
    except TypeError as error:
        if NO_SUCH_KEY not in str(error):
            raise
        return str(error)
    return ""
