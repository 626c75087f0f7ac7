"""Does one setting choose the model and one the data, and does a wrong one say what to do?"""

from __future__ import annotations

import importlib
import io
import shutil
import sys

import numpy as np
import pytest
import soundfile

from helpers.config import configs
from helpers.errors import BookError
from helpers.evaluation import decoding
from helpers.gpu import workbench
from helpers.gpu.workbench import Workbench, from_environment
from helpers.model import mini
from helpers.paths import CONFIGS
from helpers.speech import corpus, manifests, minds14
from helpers.telephone.channel import telephone_set
from helpers.training import checkpoints, finetune

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def released_layout():
    """A folder laid out like the released model's, with the mini's weights."""
    return mini.model_directory("mini")


def test_without_settings_it_is_the_mini_and_the_corpus() -> None:
    bench = from_environment({})
    assert bench == Workbench("mini", "corpus") and bench.is_mini
    sets = bench.sets()
    assert set(sets.tests) == {"telephone", "wideband"} and len(sets.train) == 600


@pytest.mark.parametrize("data", ["calls.wav", "somewhere", "corpus2"])
def test_a_setting_that_names_no_data_is_refused(data: str) -> None:
    with pytest.raises(BookError, match=f"BOOK_DATA={data} names no data"):
        from_environment({"BOOK_DATA": data})


def test_without_a_gpu_the_large_models_say_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(BookError, match="no CUDA GPU"):
        Workbench("full").build()


def test_a_wrong_folder_says_what_it_lacks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    with pytest.raises(BookError, match="There is no model directory"):
        Workbench(str(tmp_path / "missing")).build()
    (tmp_path / "config.yaml").touch()
    with pytest.raises(BookError, match="lacks configuration.json, model.pt"):
        Workbench(str(tmp_path)).build()


def modelscope_client():
    return importlib.import_module("modelscope.hub.snapshot_download")


def test_a_hub_name_goes_to_the_hubs_client(monkeypatch, released_layout) -> None:
    asked = []

    def snapshot_download(name, **_options):
        asked.append(name)
        return str(released_layout)

    monkeypatch.setattr(modelscope_client(), "snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    for name in ("FunAudioLLM/Fun-ASR-Nano-2512", "hf:FunAudioLLM/Fun-ASR-Nano-2512"):
        assert workbench.model_folder(name) == released_layout
    assert asked == ["FunAudioLLM/Fun-ASR-Nano-2512"] * 2


def test_a_hub_that_does_not_answer_is_named(monkeypatch) -> None:
    def unreachable(*_arguments, **_options):
        raise ConnectionError("no route")

    monkeypatch.setattr(modelscope_client(), "snapshot_download", unreachable)
    with pytest.raises(BookError, match="cannot be downloaded from ModelScope"):
        workbench.model_folder("FunAudioLLM/Fun-ASR-Nano-2512")


def test_the_released_layout_loads_learns_saves_and_reads_itself_again(released_layout,
                                                                       tmp_path) -> None:
    """The path that a reader takes with the real weights, on a folder of the same layout."""
    items, calls = corpus.load_set("test")[:6], telephone_set("adapt", 24)

    def words(built):
        return decoding.score(decoding.decode(built, items, "llm"), "llm").value

    recipe = finetune.with_overrides(CONFIGS / "recommended_8k.yaml", finetune.SHORT_RUN,
                                     {"optim_conf.lr": 1e-5, "train_conf.max_epoch": 1})
    built = mini.build(recipe, model_dir=released_layout)
    assert not built.loaded.missing and not built.loaded.mismatched
    before = words(built)
    run = finetune.run(built, calls, calls[:4], "released_layout")
    after = words(built)
    tuned = tmp_path / "Fun-ASR-Nano-tuned"
    shutil.copytree(released_layout, tuned)
    checkpoints.completed(run.folder / "model.pt.ep1", released_layout / "model.pt",
                          tuned / "model.pt")
    again = mini.build(recipe, model_dir=tuned)
    assert not again.loaded.missing and words(again) == after
    assert before < 0.6 and after < before + 0.2


def test_a_manifest_is_split_the_same_way_every_time(tmp_path) -> None:
    path = manifests.write_manifest(corpus.load_set("adapt"), tmp_path / "calls.jsonl")
    first, again = (Workbench(data=str(path)).sets() for _ in range(2))
    assert first == again
    keys = [{item["key"] for item in items} for items in
            (first.train, first.valid, first.tests["telephone"])]
    assert sum(map(len, keys)) == len(set.union(*keys)) == 600
    short = manifests.write_manifest(corpus.load_set("adapt")[:2], tmp_path / "short.jsonl")
    with pytest.raises(BookError, match="too short to be split"):
        Workbench(data=str(short)).sets()


@pytest.fixture(scope="module")
def local_minds14(tmp_path_factory):
    """A small copy of the dataset's layout: parquet files by language, audio as 8 kHz WAV."""
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    folder = tmp_path_factory.mktemp("minds14")
    (folder / "en-US").mkdir()

    def wav(seconds):
        buffer = io.BytesIO()
        soundfile.write(buffer, 0.1 * np.ones(int(8000 * seconds)), 8000, format="WAV")
        return buffer.getvalue()

    rows = [{"path": f"en-US~X/{n}.wav", "audio": {"bytes": wav(1 + n / 50), "path": f"{n}.wav"},
             "transcription": "" if n == 3 else f"pay bill {n}", "english_transcription": "",
             "intent_class": n % 14, "lang_id": 4} for n in range(60)]
    datasets.Dataset.from_list(rows).to_parquet(folder / "en-US" / "train-00000-of-00001.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: en-US\n  data_files:\n  - split: train\n"
        "    path: en-US/train-*\n---\n")
    return folder


def test_minds14_becomes_manifests_of_8_khz_calls(local_minds14, tmp_path) -> None:
    sets = minds14.sets("en-US", source=local_minds14, folder=tmp_path)
    everything = [item for items in sets.values() for item in items]
    assert len(everything) == 59  # the one without a transcript is left out
    assert len(sets["train"]) > len(sets["test"]) > 0 and sets["valid"]
    item = everything[0]
    info = soundfile.info(manifests.audio_path(item))
    assert info.samplerate == 8000 and item["speech_length"] == pytest.approx(
        100 * info.duration, abs=4)
    assert manifests.read_manifest(tmp_path / "train.jsonl") == sets["train"]
    built = mini.build(finetune.with_overrides("config_8k_telephone", finetune.SHORT_RUN))
    assert finetune.batch(built, sets["train"][:2])["speech"].shape[0] == 2


def test_minds14_refusals_are_one_sentence(local_minds14, tmp_path, monkeypatch) -> None:
    with pytest.raises(BookError, match="has no en-XX"):
        minds14.sets("en-XX", source=local_minds14, folder=tmp_path)
    with pytest.raises(BookError, match="cannot be loaded from"):
        minds14.sets("fr-FR", source=local_minds14, folder=tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(BookError, match="pip install datasets"):
        minds14.sets("en-US", source=local_minds14, folder=tmp_path)


def test_configs_are_built_from_the_setting() -> None:
    assert Workbench().build("pretrained").config["frontend_conf"]["fs"] == configs.load(
        "pretrained").frontend_conf.fs


def test_gpu_cells_are_left_out_at_the_minis_size_and_say_so(capsys) -> None:
    assert not workbench.on_gpu(Workbench())
    said = capsys.readouterr().out
    assert "BOOK_MODEL" in said and said.count("\n") == 1
    assert workbench.on_gpu(Workbench("full")) and not capsys.readouterr().out


def test_the_runs_of_the_gpu_cells_end_in_a_table() -> None:
    """What those cells call, at the size that a CPU can do."""
    recipe = finetune.with_overrides("config_8k_telephone", finetune.SHORT_RUN,
                                     {"train_conf.max_epoch": 1})
    rows = workbench.short_runs(Workbench(), {"main": recipe}, utterances=8, sentences=2)
    assert {(row[1], row[2]) for row in rows} == {
        (branch, kind) for branch in ("llm", "ctc") for kind in ("telephone", "wideband")}
    assert all(len(row) == len(workbench.RESULT_HEAD) and "[" in row[3] and "[" in row[4]
               for row in rows)
