"""Rules on a run: what trains, at which rate, what is saved and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from funasr_preflight.context import Context
from funasr_preflight.findings import REMOVE, Finding, error, note, warning
from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.laws.names import split_names
from funasr_preflight.rules.registry import rule
from funasr_preflight.run import estimates
from funasr_preflight.texts import say

MILLION = 1e6
LOW_MEAN = 1 / 3
LARGE_RAM = 100 * GIBIBYTE


def _train(context: Context, name: str):
    """A key of `train_conf`, or what the trainer does without it."""
    key = f"train_conf.{name}"
    return context.get(key, context.audit.default(key))


@rule("trains-nothing", say("No parameter learns"), "encoder_freezing")
def nothing_trains(context: Context) -> Iterator[Finding]:
    if any(part.learning for part in estimates.parts(context)):
        return
    yield error(say("Nothing gets a gradient: encoder, adaptor and LLM are frozen, and the loss "
                    "does not reach the CTC branch. The run ends at its first step."),
                say("Set audio_encoder_conf.freeze: false."),
                edits={"audio_encoder_conf.freeze": False}, decision=True)


@rule("trains-without-gradient", say("Parameters that may learn and get no gradient"),
      "ctc_strategy")
def without_gradient(context: Context) -> Iterator[Finding]:
    idle = [part for part in estimates.parts(context) if part.flagged > part.learning]
    if not idle or estimates.without_ctc(context) or (
            context.on("train_conf.find_unused_parameters")):
        return
    count = sum(part.flagged - part.learning for part in idle) / MILLION
    names = ", ".join(f"`{part.name}`" for part in idle)
    fix = say("Freeze them: ctc_decoder_conf.freeze: true, and ctc in the top-level freeze_param.")
    listed = [name for name in split_names(context.get("freeze_param")) if name]
    edits = {"ctc_decoder_conf.freeze": True,
             "freeze_param": ",".join(dict.fromkeys([*listed, "ctc"]))}
    if not any(part.learning for part in estimates.parts(context)):
        edits = {}  # with nothing else that learns, the run would end earlier still
    if context.gpus > 1:
        yield error(say("{names} ({count:.1f} M parameters) may learn and never get a gradient. "
                        "On {gpus} GPUs, DDP ends the run at its second step.", names=names,
                        count=count, gpus=context.gpus), fix, "ctc_decoder_conf.freeze",
                    edits=edits)
    else:
        yield warning(say("{names} ({count:.1f} M parameters) may learn and never get a gradient. "
                          "One GPU does not mind; on several, DDP ends the run at its second step.",
                          names=names, count=count), fix, "ctc_decoder_conf.freeze", edits=edits)


@rule("trains-encoder-frozen", say("The encoder is frozen"), "experiments")
def encoder_frozen(context: Context) -> Iterator[Finding]:
    parts = {part.name: part for part in estimates.parts(context)}
    if parts["audio_encoder"].learning or not any(part.learning for part in parts.values()):
        return
    yield warning(say("The encoder does not learn. In the book's runs, adaptor or LoRA alone "
                      "stay far behind the encoder on telephone speech."),
                  say("Set audio_encoder_conf.freeze: false, unless that is meant."),
                  "audio_encoder_conf.freeze")


@rule("trains-freeze-param", say("Names in `freeze_param` that nothing has"), "encoder_freezing")
def freeze_param(context: Context) -> Iterator[Finding]:
    for name in estimates.freeze_names_nothing(context):
        blank = name != name.strip()
        yield warning(say("`freeze_param` names {name}, and no parameter is called that or lies "
                          "below it.", name=repr(name) if blank else name),
                      say("FunASR keeps the blank after a comma: write the names without one.")
                      if blank else say("Name a module such as ctc or audio_encoder.tp_encoders."),
                      "freeze_param")


@rule("trains-lora-not-saved", say("LoRA is trained and not saved"), "training_settings")
def lora_not_saved(context: Context) -> Iterator[Finding]:
    if context.on("llm_conf.use_lora") and estimates.disk(context).without_llm:
        yield error(say("LoRA's {count:.1f} M parameters have names that begin with llm., and "
                        "effective_save_name_excludes leaves those out of every checkpoint: what "
                        "is trained is lost.", count=estimates.lora_parameters(context) / MILLION),
                    say("Set train_conf.effective_save_name_excludes: null."), "llm_conf.use_lora",
                    edits={"train_conf.effective_save_name_excludes": None})


@rule("trains-in-half", say("Weights that are updated in half precision"), "training_settings")
def half_precision(context: Context) -> Iterator[Finding]:
    for part in estimates.parts(context):
        adapters = context.on("llm_conf.use_lora") and estimates.frozen(context, "llm")
        if part.learning and part.bytes_each == 2:
            yield warning(say("LoRA's matrices are made in llm_conf.llm_dtype, 16 bits: most "
                              "steps of a usual rate are rounded away.") if adapters else
                          say("The LLM learns, and llm_conf.llm_dtype keeps its weights in 16 "
                              "bits: steps below about a 256th of a weight are rounded away."),
                          say("Set llm_conf.llm_dtype: fp32, and train_conf.use_bf16: true for "
                              "speed."), edits={"llm_conf.llm_dtype": "fp32"}, decision=True)


@rule("run-deepspeed", say("DeepSpeed without its config"), "training_settings")
def deepspeed(context: Context) -> Iterator[Finding]:
    if context.shared("use_deepspeed") and not context.shared("deepspeed_config"):
        yield error(say("use_deepspeed is true and deepspeed_config names no file: the run ends "
                        "when the trainer opens it."),
                    say("Name a DeepSpeed JSON, or set use_deepspeed: false."),
                    edits={"train_conf.use_deepspeed": False}, decision=True)


@rule("run-activation-checkpoint", say("Activation checkpointing that ends the run"), "gpu_box")
def activation_checkpoint(context: Context) -> Iterator[Finding]:
    broken = {"audio_encoder_conf.activation_checkpoint": say(
        "The encoder scales its input in place, and PyTorch's checkpointing ends the run at that.")}
    if estimates.frozen(context, "llm"):
        broken["llm_conf.activation_checkpoint"] = say(
            "With a frozen LLM, checkpointing makes the embeddings a leaf that wants a gradient. "
            "FunASR writes the speech into them in place, and the run ends at that.")
    for key, why in broken.items():
        if context.on(key):
            yield error(why, say("Set it to false."), edits={key: False})


@rule("run-frontend-rate", say("A frontend that moves the encoder's mel bins"), "sample_rate")
def frontend_rate(context: Context) -> Iterator[Finding]:
    known = context.base.get("frontend_conf.fs", 16000)
    own = context.get("frontend_conf.fs", known)
    if own != known:
        yield warning(say("The encoder was trained on features at {known} Hz. At {own} Hz every "
                          "mel bin stands for other frequencies, and adaptation starts from "
                          "nothing.", known=known, own=own),
                      say("Keep {known}: FunASR resamples the audio.", known=known),
                      edits={"frontend_conf.fs": known}, decision=True)


@rule("schedule-warmup-unfinished", say("The warm-up does not finish"), "learning_rate")
def warmup_unfinished(context: Context) -> Iterator[Finding]:
    total, warmup = estimates.total_steps(context), estimates.warmup_steps(context)
    warms = estimates.follows_warmup(context)
    rates = estimates.rates(context, [total]) if total and warms else None
    if rates is not None and total < warmup:
        yield warning(say("The run has {total:,} steps and the warm-up {warmup:,}: the rate ends "
                          "at {share:.0%} of optim_conf.lr.", total=total, warmup=warmup,
                          share=float(rates[0]) / context.get("optim_conf.lr")),
                      say("Make the warm-up about a tenth of the run."), decision=True,
                      edits={"scheduler_conf.warmup_steps": max(1, total // 10)})


@rule("schedule-mean", say("The run's mean learning rate is far below the one named"),
      "learning_rate")
def low_mean(context: Context) -> Iterator[Finding]:
    total = estimates.total_steps(context)
    mean = estimates.mean_rate(context, total) if total else None
    if mean is None or not estimates.follows_warmup(context) or (
            total < estimates.warmup_steps(context)):
        return
    share = mean / context.get("optim_conf.lr")
    if share < LOW_MEAN:
        yield warning(say("Over {total:,} steps the mean learning rate is {mean:.1e}, {share:.0%} "
                          "of optim_conf.lr: the schedule falls with the root of the step and has "
                          "no end.", total=total, mean=mean, share=share),
                      say("Make the run shorter (data_split_num, max_epoch) or the warm-up "
                          "longer."), "optim_conf.lr")


@rule("schedule-not-drawn", say("A learning rate that is not computed"), "learning_rate")
def not_drawn(context: Context) -> Iterator[Finding]:
    total = estimates.total_steps(context)
    if total and not estimates.follows_warmup(context) and estimates.rates(
            context, [total]) is None:
        yield note(say("The learning rate of {name} is not computed: FunASR's class does not run "
                       "with these keys, or the {total:,} steps are too many to be run one by one.",
                       name=context.get("scheduler"), total=total), key="scheduler")


@rule("schedule-intervals", say("Validations that never come"), "training_settings")
def intervals(context: Context) -> Iterator[Finding]:
    an_epoch = estimates.batches_an_epoch(context)
    for name in ("validate_interval", "save_checkpoint_interval"):
        interval = _train(context, name)
        if an_epoch and isinstance(interval, int) and interval > an_epoch:
            yield note(say("{name} is {interval:,} batches, counted anew in each epoch, and an "
                           "epoch has {batches:,}: it happens at the end of an epoch only.",
                           name=name, interval=interval, batches=an_epoch),
                       key=f"train_conf.{name}")


@rule("schedule-unscored", say("Checkpoints without a score"), "training_settings")
def unscored(context: Context) -> Iterator[Finding]:
    save, validate = estimates.save_and_validate(context) or (0, 1)
    batches = estimates.batches_an_epoch(context)
    if save % validate and save <= (batches or save):
        yield warning(say("Checkpoints are saved every {save:,} batches and validated every "
                          "{validate:,}: those between have no score, are never deleted and can "
                          "never be the best.", save=save, validate=validate),
                      say("Set both to the same number."),
                      edits={"train_conf.save_checkpoint_interval": validate}, decision=True)


@rule("after-no-llm", say("The checkpoint has no LLM"), "training_settings")
def no_llm(context: Context) -> Iterator[Finding]:
    if estimates.disk(context).without_llm and not context.on("llm_conf.use_lora"):
        yield error(say("effective_save_name_excludes leaves the LLM out of every checkpoint, "
                        "and FunASR decodes such a checkpoint with a random LLM."),
                    say("Set train_conf.effective_save_name_excludes: null."), decision=True,
                    edits={"train_conf.effective_save_name_excludes": None})


@rule("after-lacks", say("The checkpoint lacks a part of the model"), "training_settings")
def lacks(context: Context) -> Iterator[Finding]:
    gone = [part for part in estimates.parts(context)
            if part.saved < part.parameters and part.name in ("audio_encoder", "audio_adaptor")]
    if gone:
        yield error(say("effective_save_name_excludes leaves {names} out of every checkpoint, or "
                        "a piece of it, and FunASR decodes such a checkpoint with random values "
                        "there.", names=", ".join(f"`{part.name}`" for part in gone)),
                    say("Set train_conf.effective_save_name_excludes: null."), decision=True,
                    edits={"train_conf.effective_save_name_excludes": None})


@rule("after-best", say("Only one checkpoint to choose from"), "training_settings")
def one_to_choose_from(context: Context) -> Iterator[Finding]:
    if context.train is not None and estimates.disk(context).files.scored == 1:
        yield warning(say("The run validates once, at its end: model.pt.best is the last "
                          "checkpoint, and the average is of one."),
                      say("Validate and save several times an epoch."),
                      "train_conf.validate_interval")


@rule("after-prompt", say("Another prompt in training than in decoding"), "dataset")
def prompt(context: Context) -> Iterator[Finding]:
    name = context.get("dataset_conf.prompt_classes")
    if name:
        yield warning(say("{name} puts a context header before every training prompt. Decoding "
                          "has none, so the model is asked in another form than it learned.",
                          name=name),
                      say("Set dataset_conf.prompt_classes: null, unless you decode with "
                          "hotwords."), edits={"dataset_conf.prompt_classes": None}, decision=True)


@rule("after-resume", say("A second run into the same folder goes on from the first"),
      "training_settings")
def resume(context: Context) -> Iterator[Finding]:
    if _train(context, "resume") is not False and "train_conf.resume" not in context.own.values:
        yield note(say("train_conf.resume is not set and true: a run into a folder that holds a "
                       "checkpoint goes on from it, with that run's learning rate, whatever this "
                       "file says."), say("Use a fresh output_dir for each config."),
                   "train_conf.resume")


@rule("cost-averaging", say("Averaging needs much memory"), "training_settings")
def averaging(context: Context) -> Iterator[Finding]:
    disk = estimates.disk(context)
    if disk.averaging > LARGE_RAM:
        yield warning(say("At the end FunASR loads all checkpoints to average into memory at "
                          "once: about {gib:.0f} GiB.", gib=disk.averaging / GIBIBYTE),
                      say("Average fewer: avg_nbest_model and keep_nbest_models of 5."),
                      edits={"train_conf.avg_nbest_model": 5, "train_conf.keep_nbest_models": 5},
                      decision=True)


@rule("specaug-not-applied", say("SpecAug that masks nothing"), "spec_augment")
def specaug(context: Context) -> Iterator[Finding]:
    if not context.own.values.get("specaug"):
        return
    share = masked_share(context)
    yield warning(say("`specaug` and its keys reach nothing: FunASRNano builds no module that "
                      "masks. {share}", share=say("") if share is None else
                      say("If it were applied, its time masks would cover {share:.0%} of this "
                          "manifest's speech.", share=share)),
                  say("Take specaug and specaug_conf out."),
                  edits={"specaug": REMOVE, "specaug_conf": REMOVE})


def masked_share(context: Context) -> float | None:
    """Share of the kept speech that the config's time masks would cover; None without both."""
    conf = context.get("specaug_conf")
    if context.train is None or not isinstance(conf, dict) or not context.train.kept_utterances:
        return None
    if conf.get("apply_time_mask") is False or "time_mask_width_range" not in conf:
        return None
    histogram = context.train.length_histogram
    seconds = (np.arange(len(histogram)) + 0.5) / FEATURE_FRAMES_A_SECOND
    drawn = np.random.default_rng(0).choice(seconds, 300, p=histogram / histogram.sum())
    try:
        return estimates.masked_share(conf, drawn)
    except (TypeError, ValueError, OverflowError):
        return None  # keys of a wrong type are the business of the rules on keys
