"""The three configs against what is written about them, and their loader against bad input."""

from __future__ import annotations

import csv

import pytest
import yaml
from omegaconf import OmegaConf

from helpers.config import configs, document
from helpers.errors import BookError
from helpers.paths import DATA


def yaml_value(text: str):
    """A value as OmegaConf reads it, with an interpolation kept as text."""
    return OmegaConf.to_container(OmegaConf.create(f"value: '{text}'" if "${" in text
                                                   else f"value: {text}"), resolve=False)["value"]


def table_rows() -> list[dict[str, str]]:
    lines = (DATA / "reference" / "all_keys.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def stated_values():
    return [pytest.param(statement, name, id=f"section {statement.section} {statement.key} {name}")
            for statement in document.statements() for name in configs.CONFIG_NAMES
            if statement.values[name] != document.NOT_SAID]


@pytest.mark.parametrize("name", configs.CONFIG_NAMES)
def test_config_holds_exactly_the_tables_keys_values_and_types(name):
    expected = {row["key"]: yaml_value(row[name]) for row in table_rows() if row[name]}
    actual = configs.flatten(name)
    assert list(actual) == list(expected)
    assert actual == expected
    assert {key: type(value) for key, value in actual.items()} == {
        key: type(value) for key, value in expected.items()}


@pytest.mark.parametrize("statement, name", stated_values())
def test_config_agrees_with_the_document(statement, name):
    actual = configs.flatten(name).get(statement.key, document.NOT_SET)
    assert actual == statement.values[name]
    assert isinstance(actual, bool) == isinstance(statement.values[name], bool)


def test_document_table_covers_all_ten_sections():
    assert sorted({statement.section for statement in document.statements()}) == list(range(1, 11))


@pytest.mark.parametrize("name, rate", [("pretrained", 5e-6), ("config_8k_telephone", 5e-5),
                                        ("stage1_encoder_adapt", 1e-4)])
def test_learning_rate_is_a_number_for_omegaconf_and_for_plain_yaml(name, rate):
    assert configs.load(name).optim_conf.lr == rate
    plain = yaml.safe_load(configs.path_of(name).read_text(encoding="utf-8"))
    assert plain["optim_conf"]["lr"] == rate


def test_omegaconf_reads_a_rate_without_a_dot_that_plain_yaml_reads_as_text(tmp_path):
    path = tmp_path / "rate.yaml"
    path.write_text("lr: 5e-6\n")
    assert configs.load(path).lr == 5e-6
    assert yaml.safe_load(path.read_text())["lr"] == "5e-6"


@pytest.mark.parametrize("name", configs.CONFIG_NAMES)
def test_interpolations_are_kept_by_load_and_replaced_by_resolve(name):
    key = "dataset_conf.audio_adaptor_downsample_rate"
    assert configs.flatten(name)[key] == "${audio_adaptor_conf.downsample_rate}"
    assert configs.resolve(name)["dataset_conf"]["audio_adaptor_downsample_rate"] == 1


@pytest.mark.parametrize("name", configs.CONFIG_NAMES)
def test_config_survives_saving(name, tmp_path):
    path = tmp_path / "again.yaml"
    OmegaConf.save(configs.load(name), path)
    assert configs.flatten(path) == configs.flatten(name)


def test_merge_keeps_what_is_omitted_and_replaces_what_is_set():
    merged = configs.flatten(configs.merge_over("pretrained", "config_8k_telephone"))
    main, base = configs.flatten("config_8k_telephone"), configs.flatten("pretrained")
    assert {key: merged[key] for key in main} == main
    assert {key: merged[key] for key in base if key not in main} == {
        key: value for key, value in base.items() if key not in main}
    assert set(merged) == set(main) | set(base)


def test_merge_leaves_both_sides_as_they_were():
    base, over = configs.load("pretrained"), configs.load("stage1_encoder_adapt")
    before = configs.flatten(base), configs.flatten(over)
    configs.merge_over(base, over).audio_encoder_conf.num_blocks = 3
    assert (configs.flatten(base), configs.flatten(over)) == before


def test_merge_replaces_lists_whole():
    merged = configs.merge_over({"a": {"list": [1, 2, 3]}}, {"a": {"list": [9]}})
    assert configs.flatten(merged) == {"a.list": [9]}


def test_the_comparison_uses_the_documents_four_statuses_and_its_critical_marks():
    rows = {row.key: row for row in configs.compare()}
    main, stage1 = configs.FINE_TUNING
    assert rows["frontend_conf.fs"].statuses[main] == "same"
    assert rows["optim_conf.lr"].statuses[main] == "modified"
    assert rows["specaug"].statuses[main] == "new"
    assert rows["audio_encoder_conf.num_blocks"].statuses[main] == "omitted"
    assert rows["audio_encoder_conf.num_blocks"].values[main] is configs.NOT_SET
    assert {(key, name) for key, row in rows.items() for name in row.critical} == {
        ("audio_encoder_conf.freeze", main), ("ctc_decoder_conf.freeze", main),
        ("audio_encoder_conf.freeze", stage1), ("frontend_conf.fs", stage1)}


def test_a_key_set_to_null_is_set():
    rows = {row.key: row for row in configs.compare()}
    assert rows["frontend_conf.cmvn_file"].values["pretrained"] is None
    assert set(rows["frontend_conf.cmvn_file"].statuses.values()) == {"omitted"}
    assert rows["train_conf.deepspeed_config"].statuses["config_8k_telephone"] == "same"


def test_one_is_not_true_and_a_whole_number_may_have_a_point():
    assert configs.same_value(1, 1.0) and not configs.same_value(True, 1)


@pytest.mark.parametrize("mark, status", [("modified", "modified"), ("new", "new")])
def test_statuses_agree_with_the_documents_coloured_signs(mark, status):
    rows = {row.key: row for row in configs.compare()}
    marked = [(statement.key, name) for statement in document.statements()
              for name in configs.FINE_TUNING if statement.marks[name] == mark]
    assert marked
    for key, name in marked:
        assert rows[key].statuses[name] == status, (key, name)


def test_comparison_covers_every_key_once_and_groups_it_by_section():
    rows = configs.compare()
    keys = [row.key for row in rows]
    assert sorted(keys) == sorted(row["key"] for row in table_rows())
    numbers = [row.section or 11 for row in rows]
    assert numbers == sorted(numbers)
    unset = [(row.key, name) for row in rows for name in configs.FINE_TUNING
             if row.statuses[name] is None]
    assert unset == [("optim_conf.betas", "stage1_encoder_adapt")]


@pytest.mark.parametrize("key, section", [
    ("audio_encoder_conf.freeze", 1), ("frontend_conf.lfr_m", 1), ("ctc_weight", 2),
    ("optim_conf.lr", 3), ("scheduler_conf.warmup_steps", 4),
    ("dataset_conf.prompt_conf.use_hist", 5),
    ("optim_conf.betas", 6), ("specaug_conf.lfr_rate", 7), ("llm_conf.freeze", 8),
    ("audio_encoder_conf.tp_blocks", 9), ("dataset_conf.ctc_tokenizer", 9), ("model", 0),
    ("never_heard_of", 0),
])
def test_section_of(key, section):
    assert configs.section_of(key) == section


@pytest.mark.parametrize("wrong, suggestion", [
    ("config_8k_telefone", "`config_8k_telephone`"),
    ("stage1", "`stage1_encoder_adapt`"),
    ("Pretrained", "`pretrained`"),
    ("configs/pretrianed.yaml", "`pretrained`"),
])
def test_unknown_config_is_named_with_a_suggestion(wrong, suggestion):
    with pytest.raises(BookError) as caught:
        configs.load(wrong)
    assert f"`{wrong}`" in str(caught.value) and suggestion in str(caught.value)


def test_unknown_config_far_from_any_name_lists_them_all():
    with pytest.raises(BookError) as caught:
        configs.load("zzz")
    assert all(name in str(caught.value) for name in configs.CONFIG_NAMES)


BROKEN = {
    "unclosed list": (b"model: x\noptim_conf:\n  betas: [0.9, 0.999\nscheduler: y\n", "line 4"),
    "tab for indent": (b"a:\n\tb: 1\n", "line 2"),
    "duplicate key": (b"model: x\nseed: 1\nmodel: y\n", "line 3"),
    "two documents": (b"a: 1\n---\nb: 2\n", "line 2"),
    "a Python object": (b"a: 1\nb: !!python/object/apply:os.getcwd []\n", "line 2"),
    "an unknown alias": (b"a: 1\nb: *nowhere\n", "line 2"),
    "a control character": (b"a: 1\nb: \x07\n", "line 2"),
    "not UTF-8": (b"model: \xff\xfe\n", "UTF-8"),
    "UTF-16": ("model: x\n".encode("utf-16"), "UTF-8"),
    "empty": (b"", "empty"),
    "only a comment": (b"# nothing\n", "empty"),
    "only braces": (b"{}\n", "empty"),
    "null": (b"~\n", "empty"),
    "a list": (b"- a\n- b\n", "a list"),
    "a number": (b"42\n", "a single value"),
    "a word": (b"pretrained\n", "a single value"),
    "half an interpolation": (b"a: 1\nb: ${a\n", "interpolation at `b`"),
    "a key that is a list": (b"? [a, b]\n: 1\n", "line 1"),
}


@pytest.mark.parametrize("content, expected", BROKEN.values(), ids=BROKEN.keys())
def test_broken_file_gives_one_clear_sentence(tmp_path, content, expected):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(BookError) as caught:
        configs.load(path)
    message = str(caught.value)
    assert "mine.yaml" in message and expected in message
    assert "\n" not in message and str(tmp_path) not in message


def test_deep_nesting_gives_a_sentence(tmp_path):
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 5000)
    with pytest.raises(BookError, match="deep.yaml"):
        configs.load(path)


def test_folder_and_missing_file_give_a_sentence(tmp_path):
    with pytest.raises(BookError, match="is a folder"):
        configs.load(tmp_path)
    with pytest.raises(BookError, match="There is no config file"):
        configs.load(tmp_path / "none.yaml")


def test_byte_order_mark_is_no_obstacle(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfmodel: x\n")
    assert configs.flatten(path) == {"model": "x"}


@pytest.mark.parametrize("mapping, expected", [
    ({"a": {"b": "${nowhere.c}"}}, "`a.b: ${nowhere.c}`"),
    ({"a": "${b}", "b": "${a}"}, "`a: ${b}`"),
    ({"a": "${unknown_resolver:1}"}, "`a: ${unknown_resolver:1}`"),
    ({"a": "${oc.env:BOOK_TEST_NO_SUCH_VARIABLE}"}, "`a:"),
    ({"a": {"list": [1, "${nowhere}"]}}, "`a.list:"),
    ({"a": {"b": "???"}}, "`a.b` is `???`"),
])
def test_unresolved_interpolation_names_its_key(mapping, expected):
    with pytest.raises(BookError) as caught:
        configs.resolve(mapping)
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_interpolation_into_an_omitted_block_is_found():
    config = configs.load("config_8k_telephone")
    config.dataset_conf.num_workers = "${train_conf.workers}"
    with pytest.raises(BookError, match=r"dataset_conf\.num_workers"):
        configs.resolve(config)


def test_flatten_keeps_empty_mappings_and_refuses_ambiguous_keys():
    assert configs.flatten({"a": {}, "b": {"c": []}}) == {"a": {}, "b.c": []}
    with pytest.raises(BookError, match=r"`a\.b` is there twice"):
        configs.flatten({"a": {"b": 1}, "a.b": 2})


def test_something_else_than_a_config_gives_a_sentence():
    with pytest.raises(BookError, match="This is not a config"):
        configs.flatten({"a": object()})
