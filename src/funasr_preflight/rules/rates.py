"""The rule on the learning rate itself: is it near any that the makers publish for such a run?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from funasr_preflight.context import Context
from funasr_preflight.findings import Finding, warning
from funasr_preflight.launch.yaml_file import is_number
from funasr_preflight.rules.registry import rule
from funasr_preflight.run import estimates
from funasr_preflight.texts import Text, say

_RECIPES = ("https://github.com/modelscope/FunASR/blob/{commit}/examples/"
            "industrial_data_pretraining/fun_asr_nano/{file}")
LARGE = 100_000_000
"""So many learning parameters are a large part of the model, which a high rate undoes."""


@dataclass(frozen=True)
class Published:
    """Rates that the makers publish for one kind of run.

    Attributes:
        label: the kind, in words.
        low, high: the lowest and the highest of them.
        source: where the highest stands.
    """

    label: Text
    low: float
    high: float
    source: str


WEIGHTS = Published(
    say("whole weights"), 5e-6, 2e-4,
    _RECIPES.format(commit="76206c526b51cfa0b3ac04a3d89eae956916ec51", file="finetune.sh"))
"""The released config has the low rate, the library's recipe that trains the LLM the high one."""
LORA = Published(
    say("LoRA alone"), 1e-4, 1e-4,
    _RECIPES.format(commit="11089066ba6a401fc52ecc2f647e27558d65d25b", file="lora_finetune.sh"))
ABOVE_LARGE, ABOVE_SMALL, BELOW = 3, 10, 10
"""So many times above the highest and below the lowest published rate a rate is warned about: less
room upwards where much of the model learns."""


@rule("rate-out-of-range", say("A learning rate far from any that the makers publish"),
      "learning_rate")
def far_from_published(context: Context) -> Iterator[Finding]:
    rate = context.get("optim_conf.lr")
    usual = str(context.get("optim", "adamw")).lower() in ("adam", "adamw")
    if not is_number(rate) or not 0 < rate < 1 or not usual:
        return  # other values have a rule of their own, other optimizers other rates
    learning = {part.name: part.learning for part in estimates.parts(context) if part.learning}
    if not learning:
        return
    lora = context.on("llm_conf.use_lora") and estimates.frozen(context, "llm")
    published = LORA if lora and set(learning) == {"llm"} else WEIGHTS
    count = sum(learning.values())
    times = ABOVE_LARGE if count >= LARGE else ABOVE_SMALL
    if published.low / BELOW <= rate <= published.high * times:
        return
    about = say("optim_conf.lr is {rate:.1e}. For {what} the makers publish {range} "
                "({source}); here {count:.1f} M parameters learn.", rate=rate,
                what=published.label, source=published.source, count=count / 1e6,
                range=f"{published.low:.0e}" if published.low == published.high else
                say("{low:.0e} to {high:.0e}", low=published.low, high=published.high))
    if rate > published.high * times:
        yield warning(say("{about} At more than {times} times the highest, a run is apt to lose "
                          "what the model knows.", about=about, times=times),
                      say("Begin at {high:.0e} or less.", high=published.high),
                      edits={"optim_conf.lr": published.high}, decision=True)
    else:
        yield warning(say("{about} At less than a tenth of the lowest, a run of usual length "
                          "moves hardly anything.", about=about),
                      say("Begin at {low:.0e} or more.", low=published.low),
                      edits={"optim_conf.lr": published.low}, decision=True)
