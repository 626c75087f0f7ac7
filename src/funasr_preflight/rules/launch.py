"""Rules on the launch: does the run begin at all, and with the released weights?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from funasr_preflight.context import Context
from funasr_preflight.findings import COMMAND_LINE, REMOVE, Finding, error, note, warning
from funasr_preflight.launch.directory import HUGGING_FACE, MODEL_DIR, PATHS
from funasr_preflight.launch.yaml_file import local
from funasr_preflight.laws.names import (
    COMPONENTS,
    EMBEDDING,
    OUTPUT_LAYER,
    left_out,
    lies_below,
    split_names,
)
from funasr_preflight.rules.registry import rule
from funasr_preflight.run import estimates
from funasr_preflight.texts import NOTHING, say

WEIGHTS = "init_param"
HUBS = ("ms", "modelscope", *HUGGING_FACE)
OWN_FILES = {"frontend_conf.cmvn_file": "frontend",
             "ctc_decoder_conf.init_param_path": "ctc_decoder",
             **{f"dataset_conf.prompt_conf.{name}_hotwords_list": "dataset_conf.prompt_classes"
                for name in ("chinese", "english")}}
"""Keys of files that the released directory does not have, and the key of what opens them."""
ITS_LLM = "Qwen/"
"""Who publishes the LLM: its own name on the hub is in order."""
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_WRITTEN = re.compile(r"model\.pt\.avg$")


@rule("launch-alone", say("The YAML is launched without the model directory's config"),
      "configs_side_by_side")
def launched_alone(context: Context) -> Iterator[Finding]:
    if context.mode != "alone":
        return
    lacking = context.launch.lacking
    fix = say("Launch with ++model=MODEL_DIR and take `model_conf` and "
              "`tokenizer_conf.init_param_path` out of the file (or add ~model_conf and "
              "~tokenizer_conf.init_param_path to the command).")
    edits = {key: REMOVE for key in ("model_conf", "tokenizer_conf.init_param_path")
             if any(lies_below(name, key) for name in context.own.values)}
    if lacking:
        yield error(say("The file sets `model_conf`, so FunASR does not lay it over the model "
                        "directory's config, whatever `model` says. Alone it lacks {lacking}, and "
                        "the run ends there.", lacking=", ".join(lacking)), fix, "model_conf",
                    edits=edits)
    elif not context.own.values.get(WEIGHTS):
        yield error(say("The file sets `model_conf`, so FunASR reads it alone, and without "
                        "`init_param` the model starts from random weights."), fix, "model_conf",
                    edits=edits)


@rule("override-refused", say("An override that the launcher refuses"), "configs_side_by_side")
def override_refused(context: Context) -> Iterator[Finding]:
    for key in context.notes.get("not_in_config", ()):
        file, line = context.own.places.get(key, (COMMAND_LINE, None))
        if key in context.notes.get("removed", ()):
            text = say("The command line removes `{key}`, which the file does not have, and Hydra "
                       "ends the run at that.", key=key)
            fix = say("Take the override out: what comes from the model directory cannot be "
                      "removed so.")
        else:
            text = say("The command line changes `{key}`, which the file does not have, and Hydra "
                       "ends the run at that.", key=key)
            fix = say("Write ++{key}=... to add it.", key=key)
        yield error(text, fix, key, file=file, line=line)
    for key in context.notes.get("already_there", ()):
        file, line = context.own.places.get(key, (COMMAND_LINE, None))
        yield error(say("The command line adds `{key}` with one +, and the file has it already: "
                        "Hydra ends the run at that.", key=key),
                    say("Write ++{key}=... to set it.", key=key), key, file=file, line=line)
    hub = context.launch.hub
    if hub not in HUBS and context.mode == "merged":
        yield error(say("`hub` is {hub}, which FunASR does not know: it fetches nothing, takes "
                        "the model's name for a class and ends the run.", hub=hub),
                    say("Take `hub` out, or write one of {names}.", names=", ".join(HUBS)),
                    edits={"hub": REMOVE}, decision=True)


@rule("launch-incomplete", say("A command that leaves out what the run needs"),
      "configs_side_by_side")
def incomplete(context: Context) -> Iterator[Finding]:
    """Only of a whole command: a YAML's command is not known."""
    if not context.launch.whole:
        return
    if not context.own.values.get("model"):
        yield error(say("Neither the command nor the YAML names a `model`, and FunASR ends the "
                        "run at that."), say("Add ++model=MODEL_DIR."), file=context.own.name)
    for which in ("train", "valid"):
        key = f"{which}_data_set_list"
        if not context.get(key):
            yield error(say("Neither the command nor the YAML names `{key}`, and FunASR ends the "
                            "run before its first step.", key=key),
                        say("Add ++{key}=FILE.jsonl.", key=key), file=context.own.name)


@rule("launch-lists", say("Manifests that are named in another way than FunASR reads them"),
      "dataset")
def lists(context: Context) -> Iterator[Finding]:
    for key, sentence in context.notes.get("unreadable", {}).items():
        yield error(sentence, say("Correct the list."), key)
    for which, name in context.notes.get("absent", {}).items():
        key = f"{which}_data_set_list"
        yield error(say("`{key}` names {name}, which is not here, and the other list is: the run "
                        "ends when it opens that.", key=key, name=name),
                    say("Name a file that is there."), key)
    for which in ("train", "valid"):
        key = f"{which}_data_set_list"
        value = context.get(key)
        if value is not None and not isinstance(value, str):
            yield error(say("`{key}` is of type {kind}, and FunASR takes one file name.", key=key,
                            kind=type(value).__name__),
                        say("Write the names into a .txt file, one a line, and name that."), key)


@rule("launch-weights", say("The weights that the run starts from"), "configs_side_by_side")
def weights(context: Context) -> Iterator[Finding]:
    path = context.launch.paths.get(WEIGHTS)
    edits = {WEIGHTS: REMOVE} if WEIGHTS in context.own.values else {}
    if path and not isinstance(path, str):
        yield _no_path(WEIGHTS, path)
        return
    if not context.launch.paths or _alone(context) and not path:
        return
    if not path:
        yield error(say("`init_param` is null where the run looks for it: FunASR loads nothing, "
                        "says nothing, and trains from random weights."),
                    say("Take `init_param` out, so that the model directory's own is loaded."),
                    WEIGHTS, edits=edits)
    elif _is_missing(context, path):
        name = Path(path).name
        hint = (say("FunASR writes model.pt.best, model.pt.epN and model.pt.avgN, with a number.")
                if _WRITTEN.search(path) else
                say("Name a file that is there, or leave `init_param` out."))
        yield error(say("`init_param` names {name}, which is not there: FunASR prints one line "
                        "and trains from random weights.", name=name), hint, WEIGHTS)


@rule("launch-paths", say("Paths of the model directory that the run loses"),
      "configs_side_by_side")
def paths(context: Context) -> Iterator[Finding]:
    yield from _own_files(context)
    if not context.launch.paths:
        return
    for key in PATHS[1:]:
        value = context.launch.paths.get(key)
        vocabulary = key.startswith("dataset_conf")
        if vocabulary and (not context.get("ctc_decoder") or context.get("ctc_tokenizer")):
            continue
        if value is not None and not isinstance(value, str):
            yield _no_path(key, value)
            continue
        if value is None:
            text = say("`{key}` is null in the run, and it ends when the file is opened.", key=key)
        elif not _is_missing(context, value):
            continue
        elif _HUB_NAME.fullmatch(value) and not vocabulary:
            if not value.startswith(ITS_LLM):
                yield warning(say("`{key}` is {value}, which is not here: it is looked for on "
                                  "Hugging Face, and the run ends where it is not there either.",
                                  key=key, value=value),
                              say("Take `{key}` out: the model directory brings its own.",
                                  key=key), key)
            continue
        else:
            text = say("`{key}` is {value} in the run, and nothing is there: it ends when that is "
                       "opened.", key=key, value=value)
        own = key in context.own.values
        if _alone(context):
            why, fix, own = NOTHING, say("Name what is there: launched alone, the run has no other "
                                         "path."), False
        elif own:
            why, fix = say("The value in the file wins over the one that the model directory "
                           "fills in."), say("Take `{key}` out of the file.", key=key)
        elif context.launch.hub in HUGGING_FACE:
            why = say("With `hub: {hub}` a section of the file replaces the paths that the model "
                      "directory fills in.", hub=context.launch.hub)
            fix = say("Launch with the directory's path as ++model, without ++hub.")
        else:
            why = say("The model directory does not fill it in.")
            fix = say("Copy the released directory whole, with configuration.json.")
        yield error(say("{what} {why}", what=text, why=why), fix, key,
                    edits={key: REMOVE} if own else {})


def _no_path(key: str, value: object) -> Finding:
    return error(say("`{key}` is {value} of type {found}, and FunASR takes the name of a file: "
                     "the run ends there.", key=key, value=str(value)[:40],
                     found=type(value).__name__),
                 say("Write one path, or take `{key}` out.", key=key), edits={key: REMOVE})


def _own_files(context: Context) -> Iterator[Finding]:
    """Paths that the released directory leaves at null: FunASR opens what is set there."""
    for key, user in OWN_FILES.items():
        value = context.own.values.get(key)
        if value is None or not context.get(user) or not value and user.endswith("_classes"):
            continue
        if not isinstance(value, str):
            yield _no_path(key, value)
        elif _is_missing(context, value):
            yield error(say("`{key}` is {value}, and nothing is there: the run ends when that is "
                            "opened.", key=key, value=repr(value)),
                        say("Name a file that is there, or take `{key}` out.", key=key),
                        edits={key: REMOVE})


@rule("launch-directory", say("A model directory that lacks something"), "configs_side_by_side")
def directory(context: Context) -> Iterator[Finding]:
    if context.mode == "alone":
        return
    for name in context.launch.lacks:
        yield error(say("{directory} has no {name}, which the released directory has and a run "
                        "needs.", directory=Path(str(context.launch.directory)).name, name=name),
                    say("Copy the released directory whole."),
                    file=Path(str(context.launch.directory)).name)


@rule("launch-tensors", say("Tensors that the weights do not hold"), "ctc_strategy")
def tensors(context: Context) -> Iterator[Finding]:
    held = context.launch.weights
    if context.mode != "alone" and context.launch.paths.get(WEIGHTS):
        yield from _unfitting(context)
    if estimates.without_ctc(context):
        yield note(say("These weights hold no CTC branch, or not all of it, as the copy on "
                       "Hugging Face: FunASR leaves the branch out of the model, and there is "
                       "nothing in it to freeze. The copy on ModelScope has it."),
                   key="ctc_decoder")
    if held is None or estimates.other_dimensions(context) or context.mode == "alone":
        return
    for part in COMPONENTS:
        names = context.audit.parameters(part)
        missing = [name for name in names if name not in held]
        if missing and part not in estimates.CTC:
            yield error(say("The model directory's weights lack {count} of the {all} tensors of "
                            "`{part}`, such as {name}: these start from random values.",
                            count=len(missing), all=len(names), part=part, name=missing[0]),
                        say("Use the released model.pt, or one that was saved whole."), WEIGHTS)


def _unfitting(context: Context) -> Iterator[Finding]:
    """Dimensions that are not those of the model directory's config, which its weights have."""
    for size in estimates.other_shapes(context):
        if size.part == "ctc_decoder":
            continue  # FunASR drops a branch that does not fit
        fix = say("Leave `{key}` at {usual}.", key=size.key, usual=size.usual)
        if size.fewer:
            yield warning(say("`{key}` is {own}, and the model directory's weights have {usual} "
                              "blocks: the others are left out of the model, and nothing says so.",
                              key=size.key, own=size.own, usual=size.usual), fix, size.key)
            continue
        yield error(say("`{key}` is {own}, and the model directory's weights were made with "
                        "{usual}: FunASR skips the tensors of `{part}` that do not fit, and these "
                        "start from random values.", key=size.key, own=size.own, usual=size.usual,
                        part=size.part), fix, edits={size.key: REMOVE}, decision=True)


@rule("launch-excludes", say("Tensors that are not loaded on purpose"), "configs_side_by_side")
def excludes(context: Context) -> Iterator[Finding]:
    value = context.get("excludes")
    if not context.launch.paths.get(WEIGHTS) or not split_names(value):
        return
    names = [name for part in COMPONENTS if part not in estimates.CTC
             for name in context.audit.parameters(part)]
    gone = [name for name in names if left_out(name, value) and not (
        name == EMBEDDING and not left_out(OUTPUT_LAYER, value))]  # the two are one tensor
    if gone:
        yield error(say("`excludes` keeps {count} of {all} tensors from being loaded, such as "
                        "{name}: these start from random values.", count=len(gone), all=len(names),
                        name=gone[0]), say("Take `excludes` out."), edits={"excludes": REMOVE},
                    decision=True)


@rule("launch-remote-code", say("A file of your folder that replaces FunASR's class"),
      "configs_side_by_side")
def remote_code(context: Context) -> Iterator[Finding]:
    if context.get("trust_remote_code") is not True or context.mode == "alone" or (
            context.launch.hub in HUGGING_FACE):
        return
    name = str(context.get("remote_code", "model"))
    file = name if name.endswith(".py") else f"{name}.py"
    if "://" not in name and local(file, context.launch.folders).is_file():
        yield warning(say("`trust_remote_code` imports {file} from the folder that the run is "
                          "started in, and what it registers under the name FunASRNano replaces "
                          "the library's class, which this report is about.", file=file),
                      say("Take `trust_remote_code` out, or move {file} away.", file=file),
                      "trust_remote_code")


def _alone(context: Context) -> bool:
    """Whether the run is launched alone and has all that it needs, so that nothing is merged."""
    return context.mode == "alone" and not context.launch.lacking


def _is_missing(context: Context, path: str) -> bool:
    if not path:
        return True
    if path.startswith(MODEL_DIR) or "$" in path or "\0" in path or "://" in path:
        return False
    return not local(path, context.launch.folders).exists()
