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
    merged = configs.merge_over("pretrained", config)
    sections = ["top level", *(key for key in merged if key.endswith("_conf"))]
    return {section: _refusal(config, section, items) for section in sections}


def _refusal(config: str, section: str, items: Sequence[dict]) -> str:
    key = NO_SUCH_KEY if section == "top level" else f"{section}.{NO_SUCH_KEY}"
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
