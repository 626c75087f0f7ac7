"""The knob test: the record, the tables made from it, and a sample of keys turned again."""

import json
from importlib.metadata import version

import pytest

from helpers.config import configs, funasr_source
from helpers.errors import BookError
from helpers.knobs import bench, notes, record, turning, values
from helpers.knobs.record import LIVE, NEVER_READ, NO_EFFECT, OTHERWISE, RAISES, Knob
from helpers.model import launch
from helpers.pages import knob_table

pytestmark = pytest.mark.slow

SAMPLE = ("frontend_conf.fs", "train_conf.log_interval", "scheduler_conf.warmup_steps",
          "dataset_conf.batch_size_token_max", "audio_adaptor_conf.use_low_frame_rate",
          "ctc_decoder_conf.freeze", "audio_adaptor", "ctc_conf.reduce", "specaug_conf.lfr_rate")


@pytest.fixture(scope="module")
def float32():
    """Many CPUs compute bfloat16 very slowly, and what these keys move does not depend on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(bench.SMALL, "llm_conf.llm_dtype", "fp32")
        yield


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("key", SAMPLE)
def test_the_library_still_does_what_the_record_says(key):
    recorded = next(knob for knob in record.load() if knob.key == key)
    now = turning.turn(key)
    assert now.verdict == recorded.verdict
    assert set(now.moved) - {"decoding"} == set(recorded.moved) - {"decoding"}
    assert now.read_at == recorded.read_at


def test_the_sample_has_keys_of_every_result():
    assert {knob.verdict for knob in record.load() if knob.key in SAMPLE} == set(record.VERDICTS)


def test_idle_keys_that_a_launch_alone_needs_are_told_apart():
    """A reader who deletes them all has a file that does not build by itself."""
    idle = record.idle()
    dead = {key for keys in idle.values() for key in keys}
    asked = {piece.lstrip("+").partition("=")[0] for _, piece in launch.MISSING_PIECES}
    assert set(idle["launched alone"]) == asked & dead == set(record.NEEDED_ALONE)
    assert idle["with DeepSpeed"] == list(record.WITH_DEEPSPEED)
    assert all("use_deepspeed" in knob.note for knob in record.load()
               if knob.key in record.WITH_DEEPSPEED)


def test_the_record_holds_every_key_and_the_version_it_is_about():
    stored = json.loads(record.RECORD.read_text(encoding="utf-8"))
    assert [row["key"] for row in stored["knobs"]] == [row.key for row in configs.compare()]
    assert stored["provenance"]["versions"]["funasr"] == version("funasr")
    assert sum(stored["counts"].values()) == len(stored["knobs"])


def test_the_record_names_no_folder_of_the_machine_that_made_it():
    text = record.RECORD.read_text(encoding="utf-8")
    assert not any(folder in text for folder in ("/root", "/home", "/tmp", "site-packages"))


def test_a_live_key_has_moved_something_and_a_dead_one_nothing():
    for knob in record.load():
        assert bool(knob.moved) == (knob.verdict in (LIVE, OTHERWISE)) or knob.verdict == RAISES
        assert bool(knob.read_at) or knob.verdict != NO_EFFECT, knob.key
        assert not knob.read_at or knob.verdict != NEVER_READ, knob.key


def test_facts_that_other_chapters_establish_by_other_means():
    verdicts = {knob.key: knob.verdict for knob in record.load()}
    assert {verdicts[key] for key in ("ctc_weight", "detach_ctc_decoder")} == {NO_EFFECT}
    assert verdicts["audio_encoder_conf.freeze_layer_num"] == NEVER_READ
    assert {knob.verdict for knob in record.rows("specaug")} == {NEVER_READ}
    assert {verdicts[key] for key in ("optim_conf.lr", "audio_encoder_conf.freeze")} == {LIVE}


def test_prefixes_match_whole_parts():
    assert {knob.key for knob in record.rows("specaug")} >= {"specaug", "specaug_conf.lfr_rate"}
    assert [knob.key for knob in record.rows("ctc_conf")] == [
        knob.key for knob in record.load() if knob.key.startswith("ctc_conf.")]
    assert [knob.key for knob in record.rows("optim_conf.lr")] == ["optim_conf.lr"]
    assert len(record.rows()) == len(record.load())


def test_an_unknown_prefix_is_an_error_that_says_what_to_give():
    with pytest.raises(BookError, match="No key starts with `optimizer`"):
        record.rows("optimizer")


def test_an_unknown_key_cannot_be_turned():
    with pytest.raises(BookError, match="There is no key `optim_conf.learning`"):
        turning.turn("optim_conf.learning")


def test_without_a_record_the_command_is_named(tmp_path):
    with pytest.raises(BookError, match="python -m helpers.knobs"):
        record.load(tmp_path / "knobs.json")


def test_every_key_has_another_value_to_try():
    for row in configs.compare():
        for value in row.values.values():
            if value is not configs.NOT_SET:
                assert values.other_values(row.key, value), row.key


def test_a_key_without_another_value_is_an_error():
    with pytest.raises(BookError, match="has no other value to try"):
        values.other_values("section.name", "text")


def test_tables_hold_their_rows_and_escape_them():
    odd = Knob("a_conf.<b>", ("1 -> <i>",), LIVE, ("losses",), "the main config")
    assert "<i>" not in knob_table.filterable_table([odd])
    html = knob_table.section_table("optim", "scheduler", caption="Learning")
    assert all(f">{key}</code>" in html.replace("<wbr>", "") for key in
               ("optim", "optim_conf.lr", "scheduler_conf.warmup_steps"))
    assert "<caption>Learning</caption>" in html


def test_a_cause_is_only_given_for_a_dead_key():
    with pytest.raises(BookError, match="is live"):
        knob_table.cause_of(next(knob for knob in record.load() if knob.verdict == LIVE))
    assert {knob_table.cause_of(knob) for knob in record.rows("specaug")} == {knob_table.CAUSES[0]}


def test_a_note_goes_when_the_bench_no_longer_sees_it():
    moved = ("collated batches", "losses", "trained weights")
    knob = Knob("dataset_conf.batch_size_token_max", (), LIVE, moved)
    assert notes.reviewed(knob).verdict == OTHERWISE
    repaired = Knob(knob.key, (), LIVE, ("batches", *moved))
    assert notes.reviewed(repaired) == repaired


def test_notes_are_about_keys_of_the_configs():
    assert set(notes.NOTES) <= set(turning.keys())


def test_reading_means_a_line_that_ran():
    key = "dataset_conf.batch_size_scale_ratio_max"
    assert not funasr_source.on_this_path(key, ())
    lines = funasr_source.elsewhere(key, ())
    assert lines and lines[0].file == "funasr/datasets/fun_asr_datasets/datasets.py"
    ran = {(lines[0].file, lines[0].line)}
    assert [line.text for line in funasr_source.on_this_path(key, ran)] == [lines[0].text]


def test_a_parameter_that_is_never_mentioned_is_not_read():
    assert funasr_source.ignored_by("audio_encoder_conf.pos_enc_class").startswith(
        "SenseVoiceEncoderSmall.__init__ (funasr/models/sense_voice/model.py, line ")
    assert funasr_source.ignored_by("audio_encoder_conf.num_blocks") == ""


def test_digests_tell_types_and_shapes_apart():
    import torch

    assert bench.digest(1) != bench.digest(1.0) != bench.digest("1.0")
    assert bench.digest(torch.zeros(2, 3)) != bench.digest(torch.zeros(3, 2))
    assert bench.digest([[1], 2]) != bench.digest([1, [2]])


def test_changing_and_removing_keys_leaves_the_original_alone():
    config = {"a": {"b": 1}}
    assert bench.changed(config, {"a.c.d": 2}) == {"a": {"b": 1, "c": {"d": 2}}}
    assert bench.without(config, ["a.b", "x.y"]) == {"a": {}}
    assert config == {"a": {"b": 1}}


def test_the_command_refuses_an_unknown_key(capsys):
    assert turning.main(["no_such_key"]) == 2
    assert "There is no key `no_such_key`" in capsys.readouterr().err
