"""Rules that depend on the version of FunASR that will run."""

from __future__ import annotations

from collections.abc import Iterator

from funasr_preflight import versions
from funasr_preflight.context import Context
from funasr_preflight.findings import COMMAND_LINE, Finding, error, warning
from funasr_preflight.laws.names import split_names
from funasr_preflight.rules.registry import rule
from funasr_preflight.run import estimates
from funasr_preflight.texts import Text, say


def _update(finding: str, answer: object) -> Text:
    """The fix that is the same for all: a newer version."""
    return say("Install FunASR {version} or newer.",
               version=versions.load().first(finding, answer))


@rule("version-cannot-train", say("A version of FunASR that cannot train this model"),
      "preflight#since-which-version")
def cannot_train(context: Context) -> Iterator[Finding]:
    column = context.column
    lacks = (("main-config-builds", say("its class FunASRNano cannot be imported")),
             ("dataset-class", say("it has no dataset class `FunASR`, which every config names")))
    for finding, why in lacks:
        if column.answer(finding) is not True:
            yield error(say("FunASR {version} cannot train Fun-ASR-Nano: {why}.",
                            version=column.nearest.version, why=why), _update(finding, True),
                        file=COMMAND_LINE)
            return


@rule("version-lora", say("LoRA that the version does not know"), "preflight#since-which-version")
def lora(context: Context) -> Iterator[Finding]:
    if context.on("llm_conf.use_lora") and not context.column.answer("lora-values", 0):
        since = next((version for version, finding in versions.load().since("lora-values")
                      if finding.get("answer")), "")
        yield error(say("FunASR {version} passes over `llm_conf.use_lora`: no LoRA matrix is made.",
                        version=context.column.nearest.version),
                    say("Install FunASR {version} or newer.", version=since), "llm_conf.use_lora")


@rule("version-feat-permute", say("Features that do not pass through the encoder"),
      "preflight#since-which-version")
def feat_permute(context: Context) -> Iterator[Finding]:
    key = "audio_encoder_conf.feat_permute"
    if context.on(key) and context.column.answer("feat-permute-passes") is False:
        yield error(say("FunASR {version} turns the features around where `{key}` is true, and "
                        "the encoder ends the run.", version=context.column.nearest.version,
                        key=key), _update("feat-permute-passes", True), edits={key: False},
                    decision=True)


@rule("version-save", say("A save without a validation that ends the run"),
      "preflight#since-which-version")
def save_without_validation(context: Context) -> Iterator[Finding]:
    failure = context.column.answer("save-without-validation", "")
    save, validate = estimates.save_and_validate(context) or (0, 1)
    if failure and save % validate:
        yield error(say("FunASR {version} ends the run at the first checkpoint that no validation "
                        "came with: saved every {save:,} batches, validated every {validate:,}.",
                        version=context.column.nearest.version, save=save, validate=validate),
                    say("Set both to the same number."),
                    edits={"train_conf.save_checkpoint_interval": validate}, decision=True)


@rule("version-deepspeed", say("DeepSpeed beside DDP"), "preflight#since-which-version")
def deepspeed_beside_ddp(context: Context) -> Iterator[Finding]:
    options = context.column.answer("two-gpus-with-deepspeed", [])
    if context.gpus > 1 and context.shared("use_deepspeed") and "use_ddp" in options:
        yield warning(say("FunASR {version} tells its trainer both DDP and DeepSpeed on several "
                          "GPUs.", version=context.column.nearest.version),
                      _update("two-gpus-with-deepspeed", ["use_deepspeed"]),
                      "train_conf.use_deepspeed")


@rule("version-freeze-param", say("A `freeze_param` that the version cannot read"),
      "preflight#since-which-version")
def freeze_param(context: Context) -> Iterator[Finding]:
    value = context.get("freeze_param")
    ended = isinstance(context.column.answer("freeze-param-without-a-blank"), str)
    if isinstance(value, str) and len(split_names(value)) > 1 and ended:
        yield error(say("FunASR {version} reads `freeze_param` as a list alone, and a text with a "
                        "comma ends the run.", version=context.column.nearest.version),
                    say("Write it as a list."), "freeze_param")


@rule("version-ctc-stays", say("A CTC branch of random values"), "preflight#since-which-version")
def ctc_stays(context: Context) -> Iterator[Finding]:
    """Only of weights that hold no CTC branch, where the version does not drop it."""
    if estimates.weights_without_ctc(context) and context.column.answer(
            "ctc-removed-when-missing") is False:
        yield warning(say("These weights hold no CTC branch, and FunASR {version} keeps one of "
                          "random values: what it writes is noise, and DDP waits for its "
                          "gradients.", version=context.column.nearest.version),
                      _update("ctc-removed-when-missing", True), "ctc_decoder")
