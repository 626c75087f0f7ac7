"""Check one config with its manifests: read, look, and report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from funasr_preflight import audit, brief, fix, versions
from funasr_preflight.context import Context
from funasr_preflight.errors import BookError
from funasr_preflight.findings import Finding, Report, Series, Table, sorted_findings
from funasr_preflight.launch import reading
from funasr_preflight.launch.yaml_file import local
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.manifest import scanning
from funasr_preflight.manifest.settings import OTHER_COUNTS, FilterConf
from funasr_preflight.rules.registry import RULES, Rule, findings_of
from funasr_preflight.run import estimates, gpu_memory
from funasr_preflight.texts import Text, say

CORRECTIONS = 4
"""So often is a corrected copy checked again."""
PROBED_CLIPS = 200
"""So many clips of each manifest are looked at where the caller does not say."""


def check(config: str | Path | None, train: str | Path | None = None,
          valid: str | Path | None = None, assumed: Sequence[Text] = (), **settings: Any
          ) -> Report:
    """Say what a fine-tuning run will do.

    Args:
        config: the YAML; None where the launch has none.
        train, valid: manifests; without them those that the config or the overrides name. Without
            those the rules on data have nothing to say.
        assumed: what the caller took for granted, for the report.
        settings: as `context_of` takes them.

    Raises:
        BookError: a file that cannot be read, or is not what it should be.
    """
    return report_of(context_of(config, train, valid, **settings), assumed)


def mend(config: str | Path, out: str | Path, report: Report | None = None,
         decide: bool = False, **settings: Any) -> fix.Mended:
    """Write a copy of a config with the corrections that need no judgement.

    A correction may call for another, as a shorter run for a shorter warm-up, so the copy is
    checked again with what it sets.

    Args:
        config, out: the YAML, and the new one.
        report: of the YAML, where it was checked already.
        decide: make the corrections, too, that are a matter of judgement.
        settings: as `check` takes them.

    Raises:
        BookError: `out` is the config itself or no regular file, or cannot be written.
    """
    shadowed = {key for key in map(reading.key_of, settings.get("overrides", ())) if key}

    def mendable(findings: Iterable[Finding]) -> list[Finding]:
        """What a file can mend: not where the command line has the last word."""
        return [finding for finding in findings if not any(
            key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")
            for key, _ in finding.edits for other in shadowed)]

    to_mend = mendable((report or check(config, **settings)).findings)
    again = {**settings, "probe": None, "progress": False}
    for _ in range(CORRECTIONS):
        mended = fix.write(config, to_mend, out, decide)
        done = fix.edits_of(to_mend, decide)
        more = [finding for finding in mendable(check(out, **again).findings)
                if (decide or not finding.decision)
                and any(key not in done for key, _ in finding.edits)]
        if not more:
            break
        to_mend += more
    return mended


def context_of(config: str | Path | None, train: str | Path | None = None,
               valid: str | Path | None = None, overrides: Sequence[str] = (),
               over: str | Path | None = None, gpus: int = 1, steps: int | None = None,
               seconds_per_step: float | None = None, probe: int | None = PROBED_CLIPS,
               progress: bool = False, origin: reading.Origin = reading.YAML_ALONE,
               gpu_bytes: int | None = None, funasr: str | None = None) -> Context:
    """Everything that the rules look at.

    Args:
        config, train, valid: as `check` takes them.
        overrides: as on FunASR's command line.
        over: the model directory, or its `config.yaml`; without it the one that `model` names, or
            the released one.
        gpus: processes of the run.
        steps: optimizer steps, where they are not what the manifest gives.
        seconds_per_step: a measured rate, for the time a run takes.
        probe: audio files of each manifest to look at: a number drawn at random,
            `audio_probe.ALL`, or None for none.
        progress: show progress bars.
        origin: the command that all this was read from.
        gpu_bytes: memory of one GPU, in bytes.
        funasr: the version that will run; without it the one installed here, or the audited.
    """
    read = reading.read(config, overrides, over, origin)
    conf, assumed = FilterConf.of(read.merged, gpus), list(read.assumed)
    unreadable: dict[str, Text] = {}

    def scanned(path: str | Path | None, which: str) -> scanning.ManifestReport | None:
        manifest = path or _named_list(read, which, origin, assumed)
        if manifest and conf.index == OTHER_COUNTS:
            assumed.append(say("{manifest} is not looked at, since the class in index_ds counts "
                               "otherwise", manifest=str(manifest)))
            return None
        try:
            return scanning.scan(manifest, conf, sample_audio=probe, progress=progress,
                                 training=which == "train") if manifest else None
        except BookError as error:
            if path:
                raise
            unreadable[f"{which}_data_set_list"] = error.args[0]
            return None

    reports = [scanned(train, "train"), scanned(valid, "valid")]
    here = {which: _is_here(read, which, origin) for which in ("train", "valid")}
    absent = {} if train or valid else {
        which: str(read.merged[f"{which}_data_set_list"]) for which, there in here.items()
        if there is False and any(here.values())}
    audited = audit.load()
    runs = funasr or audited.installed_version() or audited.version
    return Context(read.source, read.merged, read.mode, audited, *reports, gpus=gpus,
                   gpu_bytes=gpu_bytes, column=versions.load().column(runs),
                   steps=steps, seconds_per_step=seconds_per_step, base=read.base,
                   launch=read.launch,
                   notes={"not_in_config": read.applied.not_in_config,
                          "removed": read.applied.removed,
                          "already_there": read.applied.already_there,
                          "assumed": tuple(assumed), "unreadable": unreadable,
                          "absent": absent})


def _named_list(read: reading.Config, which: str, origin: reading.Origin, assumed: list[Text]
                ) -> Path | None:
    """The manifest that the config or the overrides name, where it is here."""
    here = _is_here(read, which, origin)
    name = read.merged.get(f"{which}_data_set_list")
    if here is False:
        assumed.append(say("{manifest} is not here, so nothing is said of what it holds",
                           manifest=name))
    elif here is None and isinstance(name, str) and "$" in name:
        assumed.append(say("{manifest} is not looked at, since only the shell knows its name",
                           manifest=name))
    return local(name, origin.folders) if here else None


def _is_here(read: reading.Config, which: str, origin: reading.Origin) -> bool | None:
    """Whether a manifest that the launch names is here; None where no file is named plainly."""
    name = read.merged.get(f"{which}_data_set_list")
    if not isinstance(name, str) or not name or "\0" in name or "$" in name:
        return None
    return local(name, origin.folders).is_file()


def report_of(context: Context, assumed: Sequence[Text] = ()) -> Report:
    """Ask every rule, and lay the facts beside the findings."""
    findings: list[Finding] = [finding for rule in all_rules().values()
                               for finding in findings_of(rule, context)]
    return Report(context.own.name, sorted_findings(findings), tuple(_tables(context)),
                  tuple(_series(context)), (*assumed, *context.notes.get("assumed", ()),
                                            *_version(context)), brief.lines(context))


def all_rules() -> dict[str, Rule]:
    """Every rule by id, in the order of a report: importing their modules fills the register."""
    from funasr_preflight.rules import launch, keys, run  # noqa: F401  isort: skip
    from funasr_preflight.rules import rates, memory, version  # noqa: F401  isort: skip
    from funasr_preflight.rules import data  # noqa: F401  isort: skip

    return RULES


def _version(context: Context) -> list[Text]:
    """Which version the report is about, and what is not known of it."""
    audited, nearest = context.audit.version, context.column.nearest
    if nearest.asked == audited:
        return [say("FunASR {audited}, which was audited", audited=audited)]
    return [say("FunASR {asked} will run and {audited} was audited: keys may act otherwise",
                asked=nearest.asked, audited=audited), nearest.sentence]


def _tables(context: Context) -> list[Table]:
    from funasr_preflight.rules.keys import inherited

    tables = [_training_table(context), _cost_table(context)]
    steps = estimates.total_steps(context)
    if steps:
        tables.append(_schedule_table(context, steps))
    accumulated = estimates.whole(context.get("train_conf.accum_grad"), 1)
    if context.train or context.valid:
        from funasr_preflight.rules.data import facts

        tables += [facts(report, context.filters, accumulated, training) for report, training
                   in ((context.train, True), (context.valid, False)) if report]
    return [*tables, inherited(context)]


def _training_table(context: Context) -> Table:
    def millions(values: int) -> str:
        return f"{values / 1e6:.1f} M"

    parts = estimates.parts(context)
    rows = [(part.name, millions(part.parameters), millions(part.flagged), millions(part.learning))
            for part in parts]
    rows.append((say("all"), *(millions(sum(getattr(part, name) for part in parts))
                               for name in ("parameters", "flagged", "learning"))))
    return Table("trains", say("What trains, at full size"),
                 (say("Component"), say("Parameters"), say("May learn"), say("Gets a gradient")),
                 tuple(rows))


def _cost_table(context: Context) -> Table:
    need, disk = gpu_memory.need(context), estimates.disk(context)
    rows = [(say("weights"), _gib(need.model.weights)),
            (say("gradients"), _gib(need.model.gradients)),
            (say("AdamW's moments"), _gib(need.model.optimizer))]
    if need.buckets:
        rows.append((say("DDP's buckets, a copy of every gradient"), _gib(need.buckets)))
    if need.batch.known:
        rows.append((say("activations of the largest batch, an estimate (at most {error:.1%} off)",
                         error=gpu_memory.error_share(context)), _gib(need.activations)))
    chosen = context.get("train_conf.avg_keep_nbest_models_type", "acc")
    rows += [(say("one checkpoint"), _gib(disk.checkpoint.total)),
             (say("checkpoints with a score, of which model.pt.best has the best validation "
                  "{score}", score=chosen), disk.files.scored),
             (say("checkpoints on disk, at most {count}", count=disk.count), _gib(disk.total)),
             (say("memory to average them"), _gib(disk.averaging))]
    return Table("cost", say("Memory of one GPU, and disk: from shapes and formats, not measured "
                             "on a GPU"), (say("What"), say("Size")), tuple(rows))


def _schedule_table(context: Context, steps: int) -> Table:
    rows = [(say("optimizer steps of the run"), f"{steps:,}")]
    rates = estimates.rates(context, [steps])
    if rates is not None:
        mean = estimates.mean_rate(context, steps)
        peak = estimates.rates(context, estimates.curve_steps(context, steps)).max()
        rows += [(say("highest learning rate"), f"{peak:.2e}"),
                 (say("mean learning rate"), f"{mean:.2e}"),
                 (say("last learning rate"), f"{rates[0]:.2e}")]
    if context.seconds_per_step:
        rows.append((say("time at {rate:g} s a step", rate=context.seconds_per_step),
                     say("{hours:.1f} hours", hours=steps * context.seconds_per_step / 3600)))
    return Table("schedule", say("The run"), (say("Fact"), say("Value")), tuple(rows))


def _series(context: Context) -> list[Series]:
    steps = estimates.total_steps(context)
    numbers = estimates.curve_steps(context, steps) if steps else []
    rates = estimates.rates(context, numbers) if numbers else None
    if rates is None:
        return []
    return [Series("rate", say("The learning rate that the run sees"), say("step"),
                   tuple(map(float, numbers)), tuple(map(float, rates)))]


def _gib(count: int) -> str:
    return f"{count / GIBIBYTE:.1f} GiB"
