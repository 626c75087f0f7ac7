"""What the recommended config changes against the fine-tuning configs and the pretrained one."""

from __future__ import annotations

from collections.abc import Sequence

from helpers.config import configs
from helpers.config.recommended import PATH, TABLE, Advice

RECOMMENDED = str(PATH)


def departures() -> list[Advice]:
    """The recommended config's rows that a fine-tuning config, as a file or merged, has not."""
    sources = [configs.flatten(source) for name in configs.FINE_TUNING
               for source in (name, configs.merge_over("pretrained", name))]
    return [row for row in TABLE if row.in_file and not row.when and not all(
        row.key in values and configs.same_value(values[row.key], row.value) for values in sources)]


def unexplained(table: Sequence[Advice] = TABLE) -> list[str]:
    """Keys whose merged value differs from a merged fine-tuning config, without a row on why."""
    own = configs.flatten(configs.merge_over("pretrained", RECOMMENDED))
    explained = {key for row in table if not row.when for key in row.key.split(", ")}
    keys = {}
    for name in configs.FINE_TUNING:
        theirs = configs.flatten(configs.merge_over("pretrained", name))
        for key in [*theirs, *own]:
            same = key in theirs and key in own and configs.same_value(theirs[key], own[key])
            if not same and not any(key == prefix or key.startswith(f"{prefix}.")
                                    for prefix in explained):
                keys[key] = None
    return list(keys)
