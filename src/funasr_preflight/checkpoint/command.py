"""`preflight checkpoint`: after the run, which file to use, what it holds, and how to decode it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from funasr_preflight import audit
from funasr_preflight.checkpoint import export, loading
from funasr_preflight.checkpoint.folder import (
    BEST,
    LATEST,
    ChosenFile,
    RunFolder,
    Saved,
    choose,
    look,
    place_in_run,
)
from funasr_preflight.checkpoint.holding import CTC_PARTS, Holding, base_directory, holding
from funasr_preflight.commands import new_parser
from funasr_preflight.findings import Finding, Severity, Table, error, note, warning
from funasr_preflight.launch.directory import ModelDirectory, check_model
from funasr_preflight.laws.names import COMPONENTS
from funasr_preflight.terminal import printed, show
from funasr_preflight.texts import Text, say

ABOUT = """After the run: which checkpoint to use, what it holds and lacks, and how to decode it.

    preflight checkpoint exp/my_run
    preflight checkpoint exp/my_run --over models/Fun-ASR-Nano-2512
    preflight checkpoint exp/my_run --file model.pt.avg10
    preflight checkpoint exp/my_run --over models/Fun-ASR-Nano-2512 --export models/my_model

Only the index of each file is read: no PyTorch is needed and nothing in a file is executed.
--export alone loads weights, and needs PyTorch.

Exit codes: 0 FunASR can decode the file as it is, or a complete folder was written; 1 it cannot;
2 could not run."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cli = new_parser("checkpoint", ABOUT)
    cli.add_argument("folder", metavar="OUT_DIR", help="the output_dir of the training")
    cli.add_argument("--over", metavar="BASE",
                     help="folder of the model that the run started from (default: the one that "
                     "the run's config.yaml names, if it is here)")
    cli.add_argument("--file", metavar="NAME", help="this checkpoint, such as model.pt.ep3")
    cli.add_argument("--export", metavar="DIR",
                     help="write a complete folder that FunASR decodes: weights put together, "
                     "LoRA folded, tokenizer and config beside them")
    cli.add_argument("--format", choices=("text", "json"), default="text")
    return cli


def main(options: argparse.Namespace) -> int:
    """Look, print, and export where that is asked for."""
    folder = look(Path(options.folder))
    if folder.config is not None:
        check_model(folder.config, audit.load().classes("model"), "config.yaml")
    choice = choose(folder, options.file)
    base = base_directory(options.over, folder.config)
    held = holding(choice.file.shapes, base.weights if base else None, folder.config)
    remarks = list(judged(folder, choice.file, held, base))
    tables = [files_table(folder, choice.file), held_table(held), beside_table(folder, base)]
    code = loading.loading(folder, choice.file, held, base)
    if options.format == "json":
        show(json.dumps(_plain(folder, choice, held, remarks, tables, code), indent=1,
                          ensure_ascii=False))
    else:
        head = say("Use {file}: {why}.", file=choice.file.name, why=choice.why)
        show(printed(folder.path.name, head, remarks, tables))
        if code and not options.export:
            show(f"\n{say('Load and decode:')}\n\n{code}")
    if options.export:
        target = export.export(folder, choice.file, held, base, Path(options.export))
        print(say("{name} is complete.", name=target.name), file=sys.stderr)
        if options.format == "text":
            show(f"\n{say('Load and decode:')}\n\n{loading.loading_exported(target)}")
        return 0
    return int(any(remark.severity == Severity.ERROR for remark in remarks))


def judged(folder: RunFolder, saved: Saved, held: Holding, base: ModelDirectory | None
           ) -> Iterator[Finding]:
    """What to know before the file is used, the worst first."""
    yield from _on_tensors(folder, saved, held, base)
    yield from _on_scores(folder, saved)
    for need in loading.beside(folder, base):
        if need.path is None:
            yield warning(say("{name} ({what}) is not on this machine: FunASR does not build the "
                              "model without it.", name=need.name, what=need.purpose),
                          say("Name the model that the run started from with --over.")
                          if base is None else say("Copy it from the released model."))


def _on_tensors(folder: RunFolder, saved: Saved, held: Holding, base: ModelDirectory | None
                ) -> Iterator[Finding]:
    if held.strange:
        yield error(say("{tensor} is not in {name}, or has another shape there: the run started "
                        "from another model.", tensor=held.strange,
                        name=base.path.name if base and base.path else ""),
                    say("Name the model that the run started from with --over."))
    if held.lora_lost:
        yield error(say("The run trained LoRA matrices, and {file} has none: what was learnt is "
                        "not in it. train_conf.effective_save_name_excludes left them out.",
                        file=saved.name),
                    say("Train again with train_conf.effective_save_name_excludes: null."))
    lacking = [part for part in held.lacking if part not in CTC_PARTS]
    if lacking:
        yield error(say("{file} lacks {parts}, which train_conf.effective_save_name_excludes left "
                        "out. Given as init_param, FunASR decodes with random values in their "
                        "place.", file=saved.name, parts=", ".join(lacking)),
                    say("Load it over the model that the run started from, as below, or write a "
                        "complete folder: --export DIR --over BASE."))
    elif held.lacking:
        yield warning(say("{file} lacks the branch of CTC, which the model that it started from "
                          "has: FunASR then switches the branch off, and gives no timestamps.",
                          file=saved.name),
                      say("Write a complete folder: --export DIR --over BASE."))
    if held.lora:
        yield note(say("{count} LoRA matrices lie beside the weights, not folded in: the model is "
                       "built with the same llm_conf.use_lora and lora_conf. --export folds them.",
                       count=held.lora))
    if saved.deepspeed:
        yield warning(say("DeepSpeed wrote {file}: with stage 3 its file holds a part of the "
                          "weights, and zero_to_fp32.py in the folder puts them together.",
                          file=saved.name))


def _on_scores(folder: RunFolder, saved: Saved) -> Iterator[Finding]:
    own, best, kept = (folder.own_name(saved.name), folder.best_scored(),
                       folder.best_scored(kept=True))
    if not folder.scores:
        yield warning(say("The run has no score on a validation set: nothing says which "
                          "checkpoint is best."), say("Decode a few calls with each."))
        return
    if best not in folder.files and folder.own_name(BEST) != best:
        yield warning(say("The best score is that of {best}, and its file is not here. Of what is "
                          "here, {kept} is best.", best=best, kept=kept or "-"),
                      say("Validate and save at the same steps."))
    if saved.is_average:
        yield note(say("{file} is a mean of checkpoints that no validation has seen: compare it "
                       "with {best} on calls of your own.", file=saved.name,
                       best=BEST if BEST in folder.files else kept or LATEST))
    elif own != best and place_in_run(own) and place_in_run(best):
        later = place_in_run(own) > place_in_run(best)
        yield warning(say("{file} was saved after the best score, which was {best}'s.",
                          file=saved.name, best=best) if later else
                      say("{file} was saved before the best score, which was {best}'s.",
                          file=saved.name, best=best))


def files_table(folder: RunFolder, chosen: Saved) -> Table:
    """Every checkpoint, its score, and when it was saved."""
    metric = folder.records.metric if folder.records else "acc"
    best = folder.best_scored()
    rows = []
    for name, saved in folder.files.items():
        own = folder.own_name(name)
        score = folder.scores.get(own)
        shown = name if own == name else f"{name} = {own.removeprefix(LATEST + '.')}"
        rows.append((f"→ {shown}" if saved is chosen else shown,
                     "" if score is None else f"{score:.4f}", _when(folder, saved, own, best)))
    return Table("files", say("Checkpoints in {folder}", folder=folder.path.name),
                 (say("File"), say("Validation loss") if metric == "loss" else
                  say("Validation accuracy"), say("Saved")), tuple(rows))


def _when(folder: RunFolder, saved: Saved, own: str, best: str) -> Text | str:
    if saved.is_average:
        return say("mean of several, not validated")
    if own == best:
        later = folder.later(own)
        return say("the best score; {count} validations after it", count=later) if later else say(
            "the best score, and the last one")
    own_place, best_place = place_in_run(own), place_in_run(best)
    if own_place is None or best_place is None:
        return ""
    after = own_place > best_place
    if own not in folder.scores:
        return (say("after the best score, not validated") if after
                else say("before the best score, not validated"))
    return say("after the best score") if after else say("before the best score")


def held_table(held: Holding) -> Table:
    """Tensors by component, beside the base's."""
    rows = [(part, held.counts[part], "?" if held.base is None else held.base[part])
            for part in COMPONENTS]
    if held.lora or held.wants_lora:
        rows.append((say("LoRA matrices"), held.lora, 0))
    return Table("holds", say("Tensors in the file, and in the model that the run started from"),
                 (say("Component"), say("In the file"), say("In the base")), tuple(rows))


def beside_table(folder: RunFolder, base: ModelDirectory | None) -> Table:
    """What must lie beside the weights."""
    return Table("beside", say("What FunASR needs beside the weights"),
                 (say("File or folder"), say("What for"), say("Where")), tuple(
        (need.name, need.purpose, say("missing") if need.path is None else str(need.path.parent))
        for need in loading.beside(folder, base)))


def _plain(folder: RunFolder, choice: ChosenFile, held: Holding, remarks: list[Finding],
           tables: list[Table], code: str) -> dict:
    return {
        "folder": folder.path.name, "use": choice.file.name, "why": str(choice.why),
        "is": folder.own_name(choice.file.name), "best": folder.best_scored(),
        "scores": folder.scores, "complete": held.complete, "lacking": held.lacking,
        "lora_matrices": held.lora,
        "remarks": [{"severity": remark.severity.name.lower(), "message": str(remark.message),
                     "fix": str(remark.fix)} for remark in remarks],
        "tables": {table.name: [[cell if isinstance(cell, int) else str(cell) for cell in row]
                                for row in table.rows] for table in tables},
        "python": code}
