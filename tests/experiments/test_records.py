"""Would an interrupted recording lose hours of runs, or leave half a file behind?"""

from __future__ import annotations

import importlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import LocalCluster

from helpers.audit import benchmark, making
from helpers.errors import BookError
from helpers.experiments import (
    __main__,
    arms,
    averaging,
    call_cost,
    ctc_training,
    lr_sweep,
    recipes,
    records,
    sample_rate,
)
from helpers.experiments.records import Recording, RunRecords, write_record
from helpers.knobs import record as knob_record
from helpers.knobs import turning
from helpers.pretraining import wer
from helpers.site.commands import lighthouse

RECORDINGS = {module.__name__.rpartition(".")[2]: module.RECORDING for module in (
    __main__, averaging, call_cost, ctc_training, lr_sweep, recipes, sample_rate)}


class Stopped(BaseException):
    """What Ctrl-C is to Python: nothing that `except Exception` catches."""


def stop(*_, **__):
    raise Stopped


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if ".partial" in path.name]


# Rows


def in_parts(recording: Recording, path: Path, made: list, stop_at: int) -> Recording:
    """The same recording with rows that cost nothing, stopped before one of them."""
    def make(name, seed, lacking):
        for key in lacking:
            if len(made) == stop_at:
                raise Stopped
            made.append(key)
            yield dict(zip(recording.records.key, key, strict=True)) | {"errors": "0 1"}
    return replace(recording, records=replace(recording.records, path=path), make=make)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_that_is_stopped_goes_on_where_it_stopped(name, tmp_path):
    path, made = tmp_path / "runs.json", []
    asked = list(RECORDINGS[name].runs)[:3]
    keys = [key for run in asked for key in RECORDINGS[name].runs[run]]
    stopped = in_parts(RECORDINGS[name], path, made, stop_at=2)
    with pytest.raises(Stopped):
        for run in asked:
            stopped.record(*run)
    assert stopped.records.keys() == set(keys[:2]) and not left_over(tmp_path)
    on = in_parts(RECORDINGS[name], path, made, stop_at=-1)
    for run in asked:
        on.record(*run)
    assert sorted(map(str, made)) == sorted(map(str, keys))
    assert on.records.keys() == set(keys)
    for row in on.records.read():
        assert row["provenance"]["command"].startswith(RECORDINGS[name].records.command)


@pytest.mark.parametrize("name", RECORDINGS)
def test_recorded_files_hold_what_their_command_makes(name):
    """A committed row that no run of today's table has is a result of other settings."""
    recording = RECORDINGS[name]
    possible = {key for keys in recording.runs.values() for key in keys}
    recorded = recording.records.keys()
    assert recorded <= possible
    assert possible - recorded <= {("AMR 12.2 kbit/s", 0)}  # no free encoder


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_row_that_is_stopped_while_it_is_written_leaves_the_file_whole(moment, tmp_path,
                                                                         monkeypatch):
    kept = RunRecords(tmp_path / "runs.json", "make it", ("arm", "seed"))
    kept.add({"arm": "a", "seed": 0})
    before = kept.path.read_bytes()
    monkeypatch.setattr(records.os, moment, stop)
    with pytest.raises(Stopped):
        kept.add({"arm": "a", "seed": 1})
    assert kept.path.read_bytes() == before and not left_over(tmp_path)


def test_two_processes_that_record_at_once_lose_no_row(tmp_path):
    kept = RunRecords(tmp_path / "runs.json", "make it", ("arm", "seed"))
    order = [("a", seed) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: kept.add({"arm": "a", "seed": seed}, order), range(12)))
    assert [row["seed"] for row in kept.read()] == list(range(12))
    kept.add({"arm": "a", "seed": 3, "again": True}, order)
    assert [row["seed"] for row in kept.read()] == list(range(12)) and not left_over(tmp_path)


def test_what_a_file_says_of_all_rows_stays(tmp_path):
    path = tmp_path / "runs.json"
    path.write_text('{"words": [1, 2], "rows": []}')
    kept = RunRecords(path, "make it", ("arm",))
    kept.add({"arm": "a"})
    assert json.loads(path.read_text()) == {"words": [1, 2], "rows": [{"arm": "a"}]}


@pytest.mark.parametrize("text", ["{", "[]", '{"runs": []}'])
def test_a_broken_file_of_runs_is_named(tmp_path, text):
    path = tmp_path / "runs.json"
    path.write_text(text)
    with pytest.raises(BookError, match="runs.json is not a record of runs"):
        RunRecords(path, "make it", ("arm",)).read()
    with pytest.raises(BookError, match="make it"):
        RunRecords(tmp_path / "none.json", "make it", ("arm",)).read()


def test_workers_side_by_side_make_every_run_once(tmp_path, monkeypatch):
    path, made = tmp_path / "runs.json", []
    recording = in_parts(RECORDINGS["ctc_training"], path, made, stop_at=-1)
    monkeypatch.setattr(ctc_training, "RECORDING", replace(recording, show=lambda: None))
    assert ctc_training.RECORDING.main(["--record", "--seed", "1"]) == 0
    assert made == [(name, 1) for name in ctc_training.ARMS]


ON_A_CLUSTER = """
import os, time
from pathlib import Path
from helpers.experiments.records import Recording, RunRecords

def make(name, seed, lacking):
    time.sleep(0.5)  # or one worker makes them all
    with open(Path(__file__).with_name("made.txt"), "a") as made:
        made.write(f"{name} {seed}\\n")
    yield {"arm": name, "seed": seed, "process": os.getpid()}

RUNS = {("a", seed): [("a", seed)] for seed in range(8)}
RECORDING = Recording(__name__, RunRecords(Path(__file__).with_name("runs.json"), "make it",
                                           ("arm", "seed")), RUNS, make, lambda: None)
"""


@pytest.mark.slow
def test_the_workers_of_a_cluster_make_every_run_once_and_go_on_where_it_stopped(
        tmp_path, monkeypatch, capsys):
    """A sweep past one machine: as many processes as there are, one file, nothing twice."""
    (tmp_path / "recorded_elsewhere.py").write_text(ON_A_CLUSTER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    recording = importlib.import_module("recorded_elsewhere").RECORDING
    assert recording.main(["--record", "--cluster", "tcp://127.0.0.1:1"]) == 2
    assert "No Dask scheduler answers" in capsys.readouterr().err
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        assert recording.main(["--record", "--cluster", address, "--seed", "0", "--seed", "1"]) == 0
        assert recording.main(["--record", "--cluster", address]) == 0
    rows = recording.records.read()
    assert [(row["arm"], row["seed"]) for row in rows] == list(recording.runs)
    assert len({row["process"] for row in rows} - {os.getpid()}) == 2
    assert len((tmp_path / "made.txt").read_text().splitlines()) == len(recording.runs)


# One row of each experiment, made again


def shape(value):
    """Names of fields, and types of what is in them; counts and losses differ."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return type(value).__name__


TINY = {
    "__main__": ("encoder", lambda: arms.run(arms.shortened(arms.ARMS["encoder"], 2), 0, limit=2)),
    "recipes": ("before", lambda: recipes.as_row(
        recipes.RECIPES["before"], 0, recipes.run(recipes.RECIPES["before"], 0, limit=2))),
    "lr_sweep": ("rate 0.0005", None), "ctc_training": ("CTC term", None),
    "sample_rate": ("pretrained", None), "call_cost": ("wideband", None)}


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_tiny_run_has_the_fields_and_settings_of_the_recorded_one(name, monkeypatch):
    run, make = TINY[name]
    recording = RECORDINGS[name]
    keys = recording.runs[run, 0]
    recorded = {recording.records.key_of(row): row for row in recording.records.read()}
    if make is None:
        for module in (ctc_training, lr_sweep):
            monkeypatch.setattr(module, "TEST_SENTENCES", 2)
            monkeypatch.setattr(module, "ARMS", {
                key: replace(arm, utterances=31, epochs=1) for key, arm in module.ARMS.items()})
        ctc_training.reference.cache_clear()
        monkeypatch.setattr(sample_rate, "SENTENCES", 2)
        whole = call_cost.items_of
        monkeypatch.setattr(call_cost, "items_of", lambda stage: whole(stage, 2))
        row = next(iter(recording.make(run, 0, keys[:1])))
        ctc_training.reference.cache_clear()
    else:
        row = make()
    row = json.loads(json.dumps(row))
    stored = recorded[keys[0]]
    common = {field: stored[field] for field in stored if field not in ("provenance", "seconds")}
    made = {field: row[field] for field in row if field != "seconds"}
    assert shape(made) == shape(common)
    for field in ("keys", "stage", "model", "branch", "case", "group", "label", "arm", "recipe"):
        assert made.get(field) == common.get(field)
    for mine, theirs in zip(made.get("phases", ()), common.get("phases", ()), strict=True):
        assert mine["settings"].items() >= theirs["settings"].items()


# Results that are made in one go


def stored_by_knobs(folder, monkeypatch):
    turning.record(knob_record.load(), "python -m helpers.knobs", folder / "knobs.json")


def stored_by_the_audit(folder, monkeypatch):
    from helpers.audit import activations

    monkeypatch.setattr(making, "FILE", folder / "audit.json")
    monkeypatch.setattr(making, "make", lambda: {"keys": [1]})
    monkeypatch.setattr(activations, "at_full_size", dict)
    making.main([])


def stored_by_the_benchmark(folder, monkeypatch):
    monkeypatch.setattr(benchmark, "benchmark", lambda *_: {"summary": {}})
    benchmark.main(["--out", str(folder / "benchmark.json")])


def stored_by_lighthouse(folder, monkeypatch):
    from contextlib import nullcontext

    monkeypatch.setattr(lighthouse, "RESULT", folder / "lighthouse.json")
    monkeypatch.setattr(lighthouse.serve, "served", lambda site: nullcontext("address"))
    monkeypatch.setattr(lighthouse, "run", lambda address: None)
    monkeypatch.setattr(lighthouse, "summary", lambda report: {"scores": {"performance": 100}})
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    lighthouse.main(["notebooks/introduction"])


def stored_by_wer(folder, monkeypatch):
    monkeypatch.setattr(wer, "RECORD", folder / "mini_wer.json")
    monkeypatch.setattr(wer.decoding, "hear", lambda *_: {
        band: {branch: [0, 1] for branch in ("llm", "ctc")} for band in wer.BANDS})
    wer.main(["--limit", "2", "--record"])


@pytest.mark.parametrize("store", [stored_by_knobs, stored_by_the_audit, stored_by_the_benchmark,
                                   stored_by_lighthouse, stored_by_wer])
def test_a_result_that_is_stopped_while_it_is_written_leaves_the_old_one(store, tmp_path,
                                                                         monkeypatch):
    store(tmp_path, monkeypatch)
    file, = tmp_path.iterdir()
    assert isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
    before = file.read_bytes()
    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(os, "replace", stop)
        store(tmp_path, patched)
    assert file.read_bytes() == before and not left_over(tmp_path)


def test_keys_turned_before_a_stop_are_kept(tmp_path, monkeypatch):
    unfinished = replace(turning.UNFINISHED, path=tmp_path / "turned.json")
    monkeypatch.setattr(turning, "UNFINISHED", unfinished)
    knobs = knob_record.load()[:3]

    def turn_all(wanted, jobs, done, before):
        for knob in knobs[:2]:
            done(knob)
        raise Stopped

    monkeypatch.setattr(turning, "turn_all", turn_all)
    with pytest.raises(Stopped):
        turning.main([])
    assert set(turning._turned()) == {knob.key for knob in knobs[:2]}


def test_a_record_is_readable_by_everybody(tmp_path):
    path = write_record(tmp_path / "one.json", {"name": "语音"})
    assert path.stat().st_mode & 0o444 == 0o444 and "语音" in path.read_text(encoding="utf-8")
