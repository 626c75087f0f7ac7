"""The manifest reader: what it finds, against FunASR's own classes and on hostile input."""

import json
import tracemalloc

import numpy as np
import pytest
import soundfile
from funasr.register import tables
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_preflight.manifest import batch_plan, scanning
from funasr_preflight.manifest.batch_plan import plan, torch_order
from funasr_preflight.manifest.scanning import FilterConf, common, scan
from helpers.config import configs
from helpers.errors import BookError
from helpers.speech import corpus, manifests
from helpers.speech.turns import seconds_of, telephone_manifest
from helpers.training import batches

LINES = 3000
TOKEN = FilterConf(batch_type="token", batch_size=6000, sort_size=1024, max_token_length=3500,
                   batch_size_token_max=6000, batch_size_sample_max=15)
SETTINGS = [
    ("config_8k_telephone", {}),
    ("config_8k_telephone", {"shuffle": False}),
    ("config_8k_telephone", {"sort_size": 7, "batch_size_sample_max": 3}),
    ("config_8k_telephone", {"sort_size": 20_000}),
    ("config_8k_telephone", {"batch_size": 900, "max_token_length": 1024}),
    ("config_8k_telephone", {"batch_size_sample_max": None, "batch_size_token_max": None}),
    ("config_8k_telephone", {"min_source_length": 100, "max_source_length": 900}),
    ("config_8k_telephone", {"max_token_length": None, "sort_size": 500}),
    ("config_8k_telephone", {"sort_size": None}),
    ("config_8k_telephone", {"sort_size": 0, "shuffle": False}),
    ("config_8k_telephone", {"batch_type": "example", "batch_size": 7}),
    ("config_8k_telephone", {"batch_type": "example", "batch_size": 64, "shuffle": False}),
    ("config_8k_telephone", {"batch_type": None, "batch_size": 8, "max_token_length": None}),
    ("config_8k_telephone", {"batch_sampler": "EspnetStyleBatchSampler"}),
    ("stage1_encoder_adapt", {}),
    ("pretrained", {"batch_type": "length"}),
]


@pytest.fixture(scope="module")
def items():
    return telephone_manifest(LINES, seed=3)


def lengths(items, key):
    return np.array([item[key] for item in items], np.int32)


def written(path, lines):
    path.write_bytes(b"\n".join(one if isinstance(one, bytes) else
                                json.dumps(one, ensure_ascii=False).encode() for one in lines)
                     + b"\n")
    return path


def lines_of(count, **changes):
    return [{**manifests.chatml(f"k{n}", f"wav/{n}.wav", f"good morning number {n}", 300 + n, 9),
             **changes} for n in range(count)]


def indexed(speech, text, conf):
    left = np.ones(len(speech), bool)
    for reason, gone in scanning._filters(speech, text, conf):
        if reason != "over_token_length":
            left &= ~gone
    return np.flatnonzero(left)


@pytest.mark.parametrize("name, changes", SETTINGS)
def test_batches_are_those_of_funasrs_sampler(items, name, changes):
    found = batches.reach(name, items, changes, collate=False)
    conf = FilterConf.of({"dataset_conf": batches.dataset_conf(name, changes)})
    speech, text = lengths(items, "speech_length"), lengths(items, "text_length")
    own = indexed(speech, text, conf)
    mine = [own[batch].tolist() for block in batch_plan.blocks((speech + text)[own], conf)
            for batch in np.split(block.indices, block.starts[1:]) if len(batch)]
    if conf.batch_sampler == batch_plan.ESPNET:
        mine.sort()
        found.batches.sort()
    assert mine == found.batches
    planned = plan(speech[own], text[own], conf)
    assert planned.batches == len(found.batches) > 1
    assert planned.padding_share == pytest.approx(found.padding)
    assert planned.longest[0] * planned.longest[1] == found.padded.max()


@pytest.mark.parametrize("processes", [2, 3, 8])
@pytest.mark.parametrize("name, changes", [
    *SETTINGS[1:4], SETTINGS[9], SETTINGS[10], SETTINGS[13],
    ("config_8k_telephone", {"batch_type": "example", "batch_size": 7, "max_token_length": 500}),
    ("config_8k_telephone", {"sort_size": -1, "drop_last": True}),
    ("config_8k_telephone", {"batch_sampler": "EspnetStyleBatchSampler", "drop_last": True})])
def test_each_process_gets_as_many_batches_as_funasr_gives_it(items, name, changes, processes,
                                                              monkeypatch):
    conf = batches.dataset_conf(name, changes)
    settings = FilterConf.of({"dataset_conf": conf}, processes)
    speech, text = lengths(items, "speech_length"), lengths(items, "text_length")
    own = indexed(speech, text, settings)
    given = []
    for module in ("samplers", "espnet_samplers"):
        place = f"funasr.datasets.audio_datasets.{module}.dist"
        monkeypatch.setattr(f"{place}.get_world_size", lambda: processes)
    with batches.loader(name, items, changes) as made:
        for rank in range(processes):
            monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
            given.append(len(list(made.build_iter()[0].batch_sampler)))
    planned = plan(speech[own], text[own], settings)
    assert planned.passes == (tuple(given),)


@pytest.mark.parametrize("changes", [
    {"sort_size": -1}, {"batch_sampler": batch_plan.ESPNET},
    {"batch_sampler": batch_plan.ESPNET, "batch_type": "example", "batch_size": 7}])
def test_lines_that_drop_last_leaves_out_are_not_kept(items, changes, tmp_path):
    few = items[:300]
    changes = {**changes, "drop_last": True}
    served = {one for batch in batches.reach("config_8k_telephone", few, changes,
                                             collate=False).batches for one in batch}
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in few))
    report = scan(path, FilterConf.of({"dataset_conf": batches.dataset_conf("config_8k_telephone",
                                                                            changes)}))
    assert report.kept_utterances == len(served)
    assert report.lost["unfilled"][0] > 0


MESSAGES = ["good morning", "no", "", {}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, None, 0, 5, True, [],
            ["a"], ["a", "b", "c"], [[]], [None], [{"role": "user"}], [{"role": "user"}] * 3,
            [{"role": "user"}] * 2 + [{"content": 5}], [{"role": "user"}] * 2 + [{"content": "a"}]]


@pytest.mark.parametrize("speech, text", [(300, 9), (2600, 9), (5, 9), (300, 900), (300, 0),
                                          (2600, 0), (300, None)])
def test_the_lines_that_end_the_index_are_those_that_end_funasrs(speech, text, tmp_path):
    """The index compares lengths first; else a sound run is called broken, or a dead one sound."""
    limits = {"max_source_length": 2500, "min_source_length": 10, "max_target_length": 500}
    index, path = tables.index_ds_classes["FunASR"], tmp_path / "train.jsonl"
    for messages in MESSAGES:
        line = {"messages": messages, "speech_length": speech, "text_length": text}
        path.write_text(json.dumps({key: one for key, one in line.items() if one is not None
                                    or key == "messages"}) + "\n")
        try:
            index(str(path), **limits)
            ends = False
        except Exception:  # noqa: BLE001  whatever FunASR ends in
            ends = True
        assert bool(scan(path, FilterConf.of({"dataset_conf": limits})).fatal.total) == ends, line


@pytest.mark.parametrize("files, splits", [(5, 2), (4, 3), (3, 8), (1, 8)])
def test_a_list_of_files_is_read_in_the_parts_that_funasr_makes(items, files, splits, tmp_path):
    few = items[:300]
    changes = {"data_split_num": splits, "sort_size": 32}
    with batches.loader("config_8k_telephone", few, changes, files=files) as made:
        given = [len(list(made.build_iter(0, data_split_i=part)[0].batch_sampler))
                 for part in range(splits)]
        listed = made.kwargs["train_data_set_list"]
        conf = FilterConf.of({"dataset_conf": batches.dataset_conf("config_8k_telephone",
                                                                   changes)})
        report = scan(listed, conf)
    assert [each[0] for each in report.plan.passes] == [one for one in given if one]
    assert scanning.batches_per_epoch(report, conf) == sum(given)


@pytest.mark.parametrize("changes", [{"batch_size_token_max": 900},
                                     {"batch_size_token_max": None}])
def test_the_collator_drops_as_many(items, changes, monkeypatch):
    """With the prompt's length in the mini's tokens, the estimate is exact."""
    few = items[:600]
    sample = batches.fetch("config_8k_telephone", few, changes)[0]
    around = len(sample["input_ids"]) - int(sample["fake_token_len"][0]) - few[0]["text_length"]
    monkeypatch.setattr(batch_plan, "TEMPLATE_TOKENS", around)
    monkeypatch.setattr(batch_plan, "CONTEXT_TOKENS", 0)
    found = batches.reach("config_8k_telephone", few, changes)
    conf = FilterConf.of({"dataset_conf": batches.dataset_conf("config_8k_telephone", changes)})
    speech, text = lengths(few, "speech_length"), lengths(few, "text_length")
    own = indexed(speech, text, conf)
    gone = found.kept["sampler"].sum() - found.kept["collator"].sum()
    assert plan(speech[own], text[own], conf).dropped == gone > 0


@pytest.mark.parametrize("width", [5, 100, 700])
def test_columns_and_rows_agree(width, monkeypatch):
    drawn = np.random.default_rng(width).integers(1, 900, 2000).astype(np.int32)
    conf = FilterConf(batch_type="token", batch_size=800, sort_size=width, max_token_length=850,
                      batch_size_sample_max=6)
    by_column = list(batch_plan.blocks(drawn, conf))
    monkeypatch.setattr(batch_plan, "WIDEST_BUFFER", 0)
    by_row = list(batch_plan.blocks(drawn, conf))
    for one, other in zip(by_column, by_row, strict=True):
        assert one.starts.tolist() == other.starts.tolist()
        assert one.empty == other.empty


@pytest.mark.parametrize("count, seed", [(0, 0), (1, 0), (2, 5), (1000, 0), (4097, 3)])
def test_order_is_torchs(count, seed):
    import torch

    generator = torch.Generator()
    generator.manual_seed(seed)
    assert torch_order(count, seed).tolist() == torch.randperm(count, generator=generator).tolist()


def test_an_order_beyond_the_exact_ones_is_a_permutation_alike(items):
    speech, text = lengths(items, "speech_length"), lengths(items, "text_length")
    other = batch_plan.order(LINES, TOKEN, exact=10)
    assert sorted(other.tolist()) == list(range(LINES))
    assert plan(speech, text, TOKEN).order == "exact"


def test_filters_are_those_of_funasrs_index(items, tmp_path):
    changes = {"min_source_length": 120, "max_source_length": 700, "max_target_length": 20}
    path = manifests.write_manifest(items, tmp_path / "train.jsonl")
    conf = FilterConf.of({"dataset_conf": batches.dataset_conf("config_8k_telephone", changes)})
    found = batches.reach("config_8k_telephone", items, changes, collate=False)
    for full in (True, False):
        report = scan(path, conf, full=full)
        assert report.lines == report.utterances == LINES
        assert report.kept_utterances == found.kept["sampler"].sum()
        assert set(report.lost) == {"too_short", "too_long", "text_too_long",
                                    "over_token_length"} - (
            set() if conf.max_token_length < 720 else {"over_token_length"})
        gone = sum(count for count, _ in report.lost.values())
        assert gone + report.kept_utterances == LINES
        assert report.hours == pytest.approx(seconds_of(items).sum() / 3600)
        assert report.length_histogram.sum() == LINES


def test_the_committed_set_is_clean():
    conf = FilterConf.of({"dataset_conf": configs.flatten("pretrained")})
    report = scan(corpus.CORPUS / "adapt.jsonl", conf, sample_audio=None)
    assert report.lines == report.kept_utterances == 600
    assert not (report.malformed or report.suspicious or report.duplicates or report.lost)


BAD = {
    "cut off": (b'{"messages": [', False),
    "empty": (b"", False),
    "no object": (b"5", True),
    "a list": (b"[1]", True),
    "no messages": (b'{"speech_length": 300, "text_length": 3}', True),
    "source and target": (b'{"source": "a.wav", "target": "b"}', True),
    "messages no list": (b'{"messages": "hello", "speech_length": 300, "text_length": 3}', True),
    "messages of strings": (b'{"messages": ["a"], "speech_length": 300, "text_length": 3}', True),
    "null length": (b'{"messages": [], "speech_length": null}', True),
    "length of words": (b'{"messages": [], "speech_length": "long"}', True),
    "infinite length": (b'{"messages": [], "speech_length": Infinity}', True),
    "not UTF-8": (b'{"messages": [], "speech_length": 3, "x": "\xff"}', True),
    "a NUL byte": (b'{"messages": [], \x00}', False),
    "nested too deep": (b"[" * 200_000, False),
    "a huge number": (b'{"speech_length": ' + b"9" * 5000 + b"}", False),
    "a return inside": (b'{"messages": [],\r "speech_length": 3}', False),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named(name, tmp_path):
    bad, fatal = BAD[name]
    path = written(tmp_path / "m.jsonl", [*lines_of(4), bad, *lines_of(2)])
    report = scan(path, TOKEN)
    assert [line for line, _ in report.malformed] == [5]
    assert report.malformed.total == 1 and report.fatal.total == int(fatal)
    assert str(report.malformed[0][1])
    assert report.lines == 7 and report.utterances == 6
    assert report.lost["unreadable"] == (1, 0.0)


@pytest.mark.parametrize("speech, text", [(0, 9), (300, 0), ([300], [9]), ("300", "9"), (300.7, 9),
                                          (10**30, 9), (-5, 9), (True, 9), (10**9, 9)])
def test_odd_lengths_are_taken_as_funasr_takes_them(speech, text, tmp_path):
    path = written(tmp_path / "m.jsonl", lines_of(3, speech_length=speech, text_length=text))
    kept = len(_index(path, "config_8k_telephone"))
    conf = FilterConf.of({"dataset_conf": batches.dataset_conf("config_8k_telephone")})
    for full in (True, False):
        report = scan(path, conf, full=full)
        gone = sum(count for reason, (count, _) in report.lost.items()
                   if reason != "over_token_length")
        assert report.utterances - gone == kept


def _index(path, name):
    import funasr.datasets.fun_asr_datasets.datasets  # noqa: F401
    from funasr.register import tables

    from helpers.session import funasr_silenced

    with funasr_silenced():
        return tables.index_ds_classes.get("FunASR")(str(path), **batches.dataset_conf(name))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["messages", "speech_length", "text_length",
                                                       "role", "content", "key"]), inner,
                                      max_size=4), max_leaves=9)
HOSTILE = st.one_of(st.binary(max_size=60),
                    JSON.map(lambda value: json.dumps(value).encode()),
                    st.builds(lambda speech, text: json.dumps(
                        lines_of(1, speech_length=speech, text_length=text)[0]).encode(),
                        JSON, JSON),
                    st.builds(lambda said: json.dumps(
                        {**manifests.chatml("k", "a.wav", said, 300, 5)}).encode(),
                        st.text(max_size=12)))


@settings(derandomize=True, max_examples=150, deadline=None)
@given(lines=st.lists(HOSTILE, max_size=6))
def test_any_bytes_give_a_report(lines, tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "m.jsonl"
    path.write_bytes(b"\n".join(lines))
    reports = [scan(path, TOKEN, full=full, sample_audio=scanning.ALL if full else None)
               for full in (True, False)]
    for report in reports:
        assert report.utterances + report.lost.get("unreadable", (0, 0))[0] == report.lines
        assert all(str(reason) for _, reason in report.malformed)
    whole, quick = reports
    assert whole.lines == quick.lines == len(path.read_bytes().split(b"\n")) - (
        path.read_bytes().endswith(b"\n") or not path.read_bytes())
    if not whole.fatal.total:  # what lengths alone take for granted
        assert whole.kept_utterances == quick.kept_utterances and whole.lost == quick.lost


def test_lengths_alone_are_those_of_the_lines_own_keys(tmp_path):
    told = manifests.chatml("k", "a.wav", 'he said "speech_length": 5, "text_length": 7', 40, 3)
    nested = {"meta": {"speech_length": 7, "text_length": 9}, **told}
    for lines in ([told], [nested], [dict(reversed(nested.items()))]):
        report = scan(written(tmp_path / "m.jsonl", lines), TOKEN, full=False)
        assert report.kept_utterances == 1 and report.length_histogram[40] == 1


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_line_endings(full, ending, tmp_path):
    between = ending or b"\n"
    path = tmp_path / "m.jsonl"
    path.write_bytes(between.join(json.dumps(one).encode() for one in lines_of(5)) + ending)
    report = scan(path, TOKEN, full=full)
    assert (report.lines, report.kept_utterances, report.malformed.total) == (5, 5, 0)


@pytest.mark.parametrize("full", [True, False])
def test_a_line_too_long_is_passed_over(full, tmp_path, monkeypatch):
    monkeypatch.setattr(scanning, "CHUNK", 4096)
    monkeypatch.setattr(scanning, "LONGEST_LINE", 20_000)
    for padding in (100_000, 98_304, 32_768 - 1):
        path = written(tmp_path / "m.jsonl",
                       [*lines_of(30), b"x" * padding, *lines_of(40)])
        report = scan(path, TOKEN, full=full)
        assert (report.lines, report.utterances, report.malformed.total) == (71, 70, 1)
        assert report.malformed[0][0] == 31


@pytest.mark.parametrize("full", [True, False])
def test_chunks_cut_nowhere(full, tmp_path, monkeypatch):
    path = written(tmp_path / "m.jsonl", lines_of(200))
    whole = scan(path, TOKEN, full=full)
    monkeypatch.setattr(scanning, "CHUNK", 1000)
    pieces = scan(path, TOKEN, full=full)
    assert whole.length_histogram.tolist() == pieces.length_histogram.tolist()
    assert whole.plan == pieces.plan and pieces.lines == 200


SUSPICIOUS = {"empty": "  ", "control": "so\x07", "markup": "yes <|en|> [laughs]",
              "repeated": "ha" + "a" * 12, "spaces": " yes", "too_many_tokens": "abc"}


@pytest.mark.parametrize("kind", [*SUSPICIOUS, "too_fast", "too_slow", "no_audio",
                                  "several_turns"])
def test_suspicious_transcripts(kind, tmp_path):
    odd = lines_of(1)[0]
    if kind in SUSPICIOUS:
        odd["messages"][2]["content"] = SUSPICIOUS[kind]
    elif kind == "no_audio":
        odd["messages"][1]["content"] = "hello"
    elif kind == "several_turns":
        odd["messages"] += odd["messages"][1:]
    else:
        odd["speech_length"] = {"too_fast": 20, "too_slow": 9000}[kind]
    report = scan(written(tmp_path / "m.jsonl", [*lines_of(3), odd]), TOKEN)
    assert report.suspicious[kind] == (1, (4,))
    assert not scan(written(tmp_path / "m.jsonl", lines_of(3)), TOKEN).suspicious


def test_duplicates_and_overlap(tmp_path):
    train = scan(written(tmp_path / "t.jsonl", [*lines_of(5), *lines_of(2)]), TOKEN)
    assert (train.duplicates, train.duplicate_lines) == (2, (6, 7))
    gaps = [b"", *lines_of(3), b"5", b"{", *lines_of(1), b"[", *lines_of(2)]
    found = scan(written(tmp_path / "g.jsonl", gaps), TOKEN)
    assert (found.duplicates, found.duplicate_lines) == (3, (7, 9, 10))
    other = lines_of(4)
    for number, line in enumerate(other[1:]):
        line["messages"][1]["content"] = f"<|startofspeech|>!else/{number}.wav<|endofspeech|>"
    other[3]["messages"][2]["content"] = "something new"
    valid = scan(written(tmp_path / "v.jsonl", other), TOKEN, training=False)
    assert common(train.audio_hashes, valid.audio_hashes) == 1
    assert common(train.text_hashes, valid.text_hashes) == 3
    none = scan(written(tmp_path / "e.jsonl", [b"5"]), TOKEN)
    assert common(valid.audio_hashes, none.audio_hashes) == 0


def test_a_list_of_files_is_read_as_funasr_reads_it(tmp_path):
    for part in range(3):
        written(tmp_path / f"{part}.jsonl", lines_of(4))
    listed = tmp_path / "parts.list"
    listed.write_text("".join(f"{tmp_path / f'{part}.jsonl'}\n" for part in range(3)))
    report = scan(listed, TOKEN)
    assert (report.files, report.lines) == (3, 12)
    many = FilterConf(data_split_num=256)
    assert scanning.passes_per_epoch(report, many) == 1
    assert scanning.passes_per_epoch(scan(tmp_path / "0.jsonl", TOKEN), many) == 256
    listed.write_text(f"{tmp_path / '0.jsonl'}\n")
    assert scanning.passes_per_epoch(scan(listed, TOKEN), many) == 1  # one file, in one split
    listed.write_text(f"{tmp_path / '0.jsonl'}\n\n{tmp_path / '1.jsonl'}\n")
    with pytest.raises(BookError, match="line 2 is blank"):
        scan(listed, TOKEN)
    (tmp_path / "wav.scp").write_text("a a.wav\n")
    with pytest.raises(BookError, match="preflight manifest wav.scp .*scp2jsonl"):
        scan(tmp_path / "wav.scp", TOKEN)
    with pytest.raises(BookError, match="list"):
        scan(written(tmp_path / "train.txt", lines_of(2)), TOKEN)
    with pytest.raises(BookError, match="not a file"):
        scan(tmp_path, TOKEN)


def test_steps_of_an_epoch(tmp_path):
    report = scan(written(tmp_path / "t.jsonl", lines_of(90)), TOKEN)
    assert report.plan.batches == 7
    assert scanning.steps_per_epoch(report, TOKEN) == 7
    assert scanning.steps_per_epoch(report, TOKEN, accum_grad=3) == 2


@pytest.mark.parametrize("wanted", [scanning.ALL, 50])
def test_the_audio_is_looked_at(wanted, tmp_path):
    def line(name, frames=98):
        return manifests.chatml(name, str(tmp_path / name), "good morning", frames, 3)

    noise = np.zeros(8000)
    soundfile.write(tmp_path / "8k.wav", noise, 8000)
    soundfile.write(tmp_path / "16k.wav", np.zeros(16000), 16000)
    soundfile.write(tmp_path / "stereo.flac", np.zeros((8000, 2)), 8000)
    (tmp_path / "text.wav").write_text("no audio")
    path = written(tmp_path / "m.jsonl", [
        line("8k.wav"), line("16k.wav"), line("stereo.flac", 500), line("text.wav"),
        line("gone.wav"), line("../up.wav"), line("."), line("nul\x00.wav"), line("\ud800.wav"),
        manifests.chatml("url", "https://example.org/a.wav", "good morning", 98, 3)][:8] + [
        manifests.chatml("url", "https://example.org/a.wav", "good morning", 98, 3)])
    found = scan(path, TOKEN, sample_audio=wanted).audio
    assert found.probed == 9 and found.remote == 1
    assert found.rates == {8000: 2, 16000: 1} and found.channels == {1: 2, 2: 1}
    assert [one[0] for one in found.missing] == [5, 6, 8]
    assert [one[0] for one in found.unreadable] == [4]
    assert [one[0] for one in found.outside] == [7]
    assert found.disagreeing == [(3, 500, 98)]


def test_what_funasr_loads_in_other_ways_is_no_fault(tmp_path, monkeypatch):
    """Raw samples at 16 kHz, what ffmpeg decodes, and a path that goes up."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "raw.pcm").write_bytes(b"\0" * 32_000)
    (tmp_path / "a.m4a").write_bytes(b"not looked into")
    soundfile.write(tmp_path / "up.wav", np.zeros(16_000), 16_000)
    path = written(tmp_path / "m.jsonl", [
        manifests.chatml("k", name, "good morning", 98, 3)
        for name in ("raw.pcm", "a.m4a", "here/../up.wav")])
    found = scan(path, TOKEN, sample_audio=scanning.ALL).audio
    assert found.rates == {16_000: 2} and found.probed == 3
    assert not (found.missing or found.unreadable or found.outside or found.disagreeing)


def test_a_pipe_is_never_opened(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.wav")
    path = written(tmp_path / "m.jsonl",
                   [manifests.chatml("k", str(tmp_path / "pipe.wav"), "good morning", 98, 3)])
    assert scan(path, TOKEN, sample_audio=scanning.ALL).audio.outside.total == 1


@pytest.mark.slow
def test_no_heavy_import():
    import subprocess
    import sys

    code = ("import sys, funasr_preflight.rules.data; "
            "print([name for name in ('torch', 'funasr', 'soundfile') if name in sys.modules])")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@settings(derandomize=True, max_examples=120, deadline=None)
@given(conf=st.dictionaries(
    st.sampled_from(["max_token_length", "max_source_length", "min_source_length", "batch_size",
                     "max_target_length", "batch_size_token_max", "batch_size_sample_max",
                     "sort_size", "shuffle", "data_split_num", "batch_type", "batch_sampler"]),
    st.one_of(JSON, st.integers(-3, 10**12), st.sampled_from(["token", "example", "length",
                                                             batch_plan.ESPNET]))))
def test_any_settings_give_a_plan(conf):
    settings_ = FilterConf.of({"dataset_conf": conf, "frontend_conf": conf})
    speech = np.array([-1, 1, 30, 700, 2**30 - 1], np.int32)
    made = plan(speech, speech, settings_)
    assert made.batches >= 0 and made.served >= 0


@pytest.mark.slow
def test_a_huge_line_takes_constant_memory(tmp_path):
    """A gigabyte of NUL bytes, most of it a hole in the file."""
    path = written(tmp_path / "m.jsonl", lines_of(3))
    with path.open("r+b") as file:
        file.seek(2**30)
        file.write(b"\n" + json.dumps(lines_of(1)[0]).encode())
    tracemalloc.start()
    report = scan(path, TOKEN)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (report.lines, report.utterances, report.malformed.total) == (5, 4, 1)
    assert most < 200 * 2**20


def test_the_recorded_speed_is_what_is_promised():
    from helpers.audit.benchmark import RESULTS

    made = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert made["many_lines"] >= 10 * made["lines"] >= 10_000_000
    for reader, faster in (("lengths", 15), ("validation", 5)):
        found = made["summary"][reader]
        assert min(found["times_faster"], found["times_faster_cpu"]) >= faster
        assert found["many_peak_mb"] < 500
        assert found["many_microseconds_a_line"] < 1.5 * found["microseconds_a_line"]
