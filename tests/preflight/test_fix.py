"""The corrected copy of a config: edits applied, everything else as it was."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_preflight import audit, check, checking, fix
from funasr_preflight.context import Context
from funasr_preflight.findings import REMOVE, Finding, Severity, sorted_findings
from funasr_preflight.launch import reading, yaml_file
from funasr_preflight.rules import keys, launch
from funasr_preflight.rules.registry import RULES, findings_of
from funasr_preflight.texts import say
from helpers.config import configs
from helpers.errors import BookError
from helpers.paths import CONFIGS

CASES = Path(__file__).with_name("cases")
NAMES = [name for name, rule in RULES.items()
         if rule.check.__module__ in (keys.__name__, launch.__name__)]
TEXT = """\
# What this is.

# Above the first key.
model: A  # the model
model_conf:
  one: 1.0e-4  # not 0.0001
  two: [1, 2]
# Above the second section.

other:
  yes_text: 'yes'
  three:
    - 1  # an item
    - 2

  # Below an item.
  four: on
last: null
# The end.
"""


def findings_on(path, overrides=()):
    read = reading.read(path, overrides)
    context = Context(read.source, read.merged, read.mode, audit.load(), notes={
        "not_in_config": read.applied.not_in_config}, base=read.base, launch=read.launch)
    return sorted_findings([one for name in NAMES for one in findings_of(RULES[name], context)])


def edit(*edits):
    return [Finding("x", Severity.NOTE, say("x"), edits=edits)]


def lines_lost(before: str, after: str) -> list[str]:
    left = after.splitlines()
    return [line for line in before.splitlines() if line not in left]


@pytest.mark.parametrize("name", ["pretrained", *configs.FINE_TUNING])
def test_a_corrected_config_passes_its_own_check(name, tmp_path):
    path, out = configs.path_of(name), tmp_path / "fixed.yaml"
    before = path.read_text()
    found = findings_on(path)
    changed = fix.write(path, found, out).keys
    assert path.read_text() == before and "model_conf" in changed
    again = findings_on(out)
    assert [str(one.message) for one in again if one.severity > Severity.NOTE] == []
    assert not any(one.edits for one in again)
    assert reading.read(out).mode == "merged"
    kept = [line for line in before.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in kept if line not in out.read_text().splitlines()] == []


def test_nothing_but_the_edits_changes(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(TEXT)
    assert fix.write(path, [], tmp_path / "same.yaml") == fix.Mended((), "")
    assert (tmp_path / "same.yaml").read_text() == TEXT
    fix.write(path, edit(("model_conf.one", REMOVE), ("other.four", False)), tmp_path / "b.yaml")
    after = (tmp_path / "b.yaml").read_text()
    assert lines_lost(TEXT, after) == ["  one: 1.0e-4  # not 0.0001", "  four: on"]


@pytest.mark.parametrize(("edits", "gone", "come"), [
    ([("model", REMOVE)], {"model": "A"}, {}),
    ([("model_conf", REMOVE)], {"model_conf.one": 1e-4, "model_conf.two": [1, 2]}, {}),
    ([("model_conf.one", REMOVE), ("model_conf.two", REMOVE)],
     {"model_conf.one": 1e-4, "model_conf.two": [1, 2]}, {}),
    ([("last", REMOVE)], {"last": None}, {}),
    ([("other.three", REMOVE)], {"other.three": [1, 2]}, {}),
    ([("model_conf.new", 5)], {}, {"model_conf.new": 5}),
    ([("fresh.deep.key", "x")], {}, {"fresh.deep.key": "x"}),
    ([("other.four", None), ("last", 2)], {"other.four": True, "last": None},
     {"other.four": None, "last": 2}),
])
def test_values_change_as_asked_and_comments_stay(tmp_path, edits, gone, come):
    path, out = tmp_path / "own.yaml", tmp_path / "out.yaml"
    path.write_text(TEXT)
    done = fix.write(path, edit(*edits), out).keys
    assert sorted(done) == sorted(key for key, _ in edits)
    before = dict(yaml_file.flatten(yaml_file.read_yaml(path).values))
    after = dict(yaml_file.flatten(yaml_file.read_yaml(out).values))
    assert {key: value for key, value in before.items()
            if after.get(key, REMOVE) != value} == gone
    assert {key: after[key] for key in come} == come
    for comment in ("# What this is.", "# Above the first key.", "# Above the second section.",
                    "# The end."):
        assert comment in out.read_text().splitlines()
    expected = [key for key in before if key in after]
    assert [key for key in after if key in before] == expected


def test_the_first_of_two_edits_of_a_key_counts():
    assert fix.edits_of(edit(("a", 1), ("b", REMOVE)) + edit(("a", REMOVE))) == {
        "a": 1, "b": REMOVE}


def test_the_input_is_never_overwritten(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(TEXT)
    (tmp_path / "link.yaml").symlink_to(path)
    for out in (path, tmp_path / "link.yaml"):
        with pytest.raises(BookError, match="name another file"):
            fix.write(path, edit(("model", REMOVE)), out)
    with pytest.raises(BookError, match="cannot be written"):
        fix.write(path, [], tmp_path / "nowhere" / "out.yaml")
    assert path.read_text() == TEXT and sorted(
        one.name for one in tmp_path.iterdir()) == ["link.yaml", "own.yaml"]


def test_what_cannot_be_edited_safely_leaves_an_older_copy_alone(tmp_path):
    path, out = tmp_path / "own.yaml", tmp_path / "out.yaml"
    path.write_text("one:\n  two: &x\n    three: 1\n    four: 2\n  five: *x\n")
    out.write_text("older: 1\n")
    with pytest.raises(BookError, match="by hand"):
        fix.write(path, edit(("one.two.three", REMOVE)), out)
    assert out.read_text() == "older: 1\n"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out.yaml", "own.yaml"]


def test_a_key_of_the_command_line_is_left_alone(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("debug: false\n")
    found = findings_on(path, ["+ctc_weight=0.5"])
    assert any(one.edits for one in found)
    assert "ctc_weight" not in fix.write(path, found, tmp_path / "out.yaml").keys


@pytest.mark.parametrize("override", [
    "++train_conf.effective_save_name_excludes=[llm.]", "++train_conf.avg_nbest_model=10",
    "++train_conf={avg_nbest_model: 10}"])
def test_what_the_command_line_has_the_last_word_on_is_no_edit_of_the_file(override, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("llm_conf: {use_lora: true}\ntrain_conf:\n  keep_nbest_models: 1\n"
                    "  avg_nbest_model: 1\n")
    found = {"overrides": [override], "decide": True}
    made = checking.mend(path, tmp_path / "mended.yaml", **found)
    shadowed = override.strip("+").partition("=")[0]
    assert made.keys and not [key for key in made.keys if f"{key}.".startswith(f"{shadowed}.")]
    again = checking.mend(tmp_path / "mended.yaml", tmp_path / "twice.yaml", **found)
    assert again.keys == () and again.diff == ""


KEYS = ["model", "model_conf", "model_conf.one", "model_conf.two", "other", "other.three",
        "other.four", "other.yes_text", "last"]


@settings(derandomize=True, max_examples=80, deadline=None)
@given(removed=st.lists(st.sampled_from(KEYS), unique=True, max_size=6))
def test_any_removals_leave_the_other_values_and_comments(removed):
    text, _ = fix.corrected(TEXT, dict.fromkeys(removed, REMOVE), "own.yaml")
    left = dict(yaml_file.flatten(yaml.safe_load(text) or {}))
    whole = dict(yaml_file.flatten(yaml.safe_load(TEXT)))
    assert left == {key: value for key, value in whole.items() if not any(
        key == one or key.startswith(f"{one}.") for one in removed)}
    if set(KEYS) - set(removed) - {"model_conf", "other"}:
        assert "# Above the second section." in text and "# The end." in text


FOUR = """\
model: A
# The trainer.
train_conf:
    max_epoch: '3'   # quoted, in vain
    resume: "yes"
    nested:
        deep: [1,  2]   # two blanks
    off: false
list:
    - a
empty:
flow: {a: 1,   b: 'x', c: {d: 2}}
"""


@pytest.mark.parametrize(("edits", "before", "after"), [
    ([("train_conf.max_epoch", 4)], "    max_epoch: '3'   #", "    max_epoch: 4   #"),
    ([("train_conf.resume", "no")], 'resume: "yes"', 'resume: "no"'),
    ([("train_conf.new", 1.0e-5)], "    off: false\n", "    off: false\n    new: 1.0e-05\n"),
    ([("train_conf.nested.deep", [3])], "[1,  2]   #", "[3]   #"),
    ([("flow.a", REMOVE)], "{a: 1,   b: 'x', ", "{b: 'x', "),
    ([("flow.c", REMOVE)], ", c: {d: 2}}", "}"),
    ([("flow.c.d", REMOVE)], ", c: {d: 2}}", "}"),
    ([("flow.c.e", None)], "{d: 2}", "{d: 2, e: null}"),
    ([("flow.b", "it's")], "'x'", "'it''s'"),
    ([("empty", True)], "empty:\n", "empty: true\n"),
    ([("list", None)], "list:\n    - a\n", "list: null\n"),
    ([("fresh.deep", "a,b")], "2}}\n", "2}}\nfresh:\n    deep: a,b\n"),
    ([("train_conf.nested.deep", REMOVE)],
     "    nested:\n        deep: [1,  2]   # two blanks\n", ""),
])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_letter_that_is_not_edited_stays(edits, before, after, newline):
    text, expected = FOUR.replace("\n", newline), FOUR.replace(before, after)
    made, done = fix.corrected(text, dict(edits), "own.yaml")
    assert made == expected.replace("\n", newline) and len(done) == 1
    assert FOUR.count(before) == 1


def test_a_flow_config_and_an_alias_are_edited_or_left(tmp_path):
    text, done = fix.corrected("{a: {b: 1}}", {"a.c": 2, "d.e": 3, "a.b": REMOVE}, "own.yaml")
    assert yaml.safe_load(text) == {"a": {"c": 2}, "d": {"e": 3}} and len(done) == 3
    text = "a: &x {b: 1}\nc: *x\n"
    assert fix.corrected(text, {"c.b": REMOVE}, "own.yaml") == (text, ())


# What --fix does with whole configs


def mended(path, tmp_path, **settings):
    out = tmp_path / "mended.yaml"
    return checking.mend(path, out, **settings), out


@pytest.mark.parametrize("path", [CASES / "deepspeed.yaml", CASES / "sound.yaml",
                                  CONFIGS / "recommended_8k.yaml"])
@pytest.mark.parametrize("decide", [False, True])
def test_a_sound_config_is_left_as_it_is(path, decide, tmp_path):
    made, out = mended(path, tmp_path, decide=decide, steps=50_000)
    assert out.read_bytes() == path.read_bytes() and made.diff == ""


def test_a_file_that_is_launched_alone_keeps_what_only_it_can_bring(tmp_path):
    """Without `model_conf` FunASR looks for a directory, and without `encoder_dim` it ends."""
    path = tmp_path / "alone.yaml"
    text = (CONFIGS / "published" / "config_8k_telephone.yaml").read_text()
    for old, new in (("vocab_path: null", "vocab_path: multilingual.tiktoken"),
                     ("init_param: null", "init_param: model.pt")):
        text = text.replace(old, new)
    path.write_text(text)
    made, out = mended(path, tmp_path)
    before, after = reading.read(path), reading.read(out)
    assert before.mode == after.mode == "alone" and made.keys
    kept = after.source.values
    assert {"audio_adaptor_conf.encoder_dim", "audio_adaptor_conf.llm_dim",
            "ctc_decoder_conf.encoder_dim"} <= kept.keys()


@pytest.mark.parametrize(("old", "new", "left"), [
    ("freeze_param: ctc\n", "freeze_param: ctc\nncpu: 8\n", set()),
    ("max_epoch", "max_epochs", {"train_conf.max_epochs", "train_conf.max_epoch"}),
    ("audio_encoder_conf: {freeze", "llm_conf: {use_lora: true, llm_dtype: fp32, freeze_lora",
     None),
    ("audio_encoder_conf: {freeze", "audio_adaptor_conf: {freeze", set())])
def test_what_calls_for_judgement_is_left_to_the_user(old, new, left, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text((CASES / "sound.yaml").read_text().replace(old, new))
    made, out = mended(path, tmp_path)
    assert out.read_text() == path.read_text()
    assert left is None or {key for key, _ in made.left} == left
    assert not any(key.startswith("audio_encoder") for key, _ in made.left)


@pytest.mark.parametrize("name", ["pretrained", *configs.FINE_TUNING])
@pytest.mark.parametrize("decide", [False, True])
def test_a_second_pass_changes_nothing_and_the_diff_is_the_change(name, decide, tmp_path):
    path = configs.path_of(name)
    made, out = mended(path, tmp_path, decide=decide, gpus=2)
    again = checking.mend(out, tmp_path / "twice.yaml", decide=decide, gpus=2)
    assert again.keys == () and again.diff == ""
    old, new = path.read_text().splitlines(), out.read_text().splitlines()
    gone = [line[1:] for line in made.diff.splitlines() if line.startswith("-")][1:]
    assert gone and all(line in old for line in gone)
    assert len(new) - len(old) == sum(line[:1] == "+" for line in made.diff.splitlines()) - sum(
        line[:1] == "-" for line in made.diff.splitlines())
    left = check(out, gpus=2).at_least(Severity.WARNING)
    assert not [one for one in left if one.edits and (decide or not one.decision)]
    if decide:
        assert not [one for one in left if one.severity is Severity.ERROR]


def test_only_regular_files_are_read_and_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", "/dev/zero", "/dev/stdin"):
        with pytest.raises(BookError, match="pipe or a device"):
            check(path)
    for out in (tmp_path / "pipe.yaml", "/dev/null"):
        with pytest.raises(BookError, match="no regular file"):
            checking.mend(CASES / "sound.yaml", out)
    assert not (tmp_path / "pipe.yaml").is_file()


@pytest.mark.parametrize(("text", "mended"), [
    ("a: 1\n\nspecaug: X\n\nb: 2\n", "a: 1\n\nb: 2\n"), ("specaug: X\n\nb: 2\n", "b: 2\n"),
    ("a: 1\n\nspecaug: X\n", "a: 1\n\n"), ("a: 1\n\n# why\nspecaug: X\n\nb: 2\n",
                                           "a: 1\n\n# why\n\nb: 2\n")])
def test_a_key_that_goes_leaves_no_hole(text, mended):
    assert fix.corrected(text, {"specaug": REMOVE}, "a.yaml")[0] == mended
