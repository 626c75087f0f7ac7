"""After the run: which file, what is in it, and does it decode as the trained model did?

The runs are real ones of FunASR's trainer on the mini. FunASR's `AutoModel` is the judge: the lines
that are printed are executed, and the exported folder must decode as the model in memory.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from funasr_preflight import commands, with_funasr
from funasr_preflight.checkpoint import export, folder, holding, loading
from funasr_preflight.command import main
from funasr_preflight.errors import BookError
from helpers.evaluation import decoding
from helpers.model import mini
from helpers.session import funasr_silenced
from helpers.speech import manifests
from helpers.telephone.channel import telephone_set
from helpers.training import checkpoints, finetune

MAIN = "config_8k_telephone"
SHORT = {"dataset_conf.batch_size_sample_max": 4, "train_conf.max_epoch": 3,
         "train_conf.keep_nbest_models": 3, "train_conf.avg_nbest_model": 2,
         "optim_conf.lr": 2e-3, "scheduler_conf.warmup_steps": 2, **checkpoints.CHANCE_OFF}
WHOLE = {"train_conf.effective_save_name_excludes": None}
LORA = {**WHOLE, "llm_conf.use_lora": True, "audio_encoder_conf.freeze": True,
        "llm_conf.lora_conf.lora_dropout": 0.0, "llm_conf.lora_conf.lora_alpha": 24,
        "optim_conf.lr": 3e-3}
LONGEST = 512
"""Tokens of an answer, as `AutoModel.generate` allows them."""


# The trainer's folders, as its own calls make them, with one small layer for a model


def toy(tmp_path: Path, scores, **conf) -> folder.RunFolder:
    checkpoints.toy_run(scores, tmp_path, **conf)
    return folder.look(tmp_path)


def test_the_best_file_is_the_one_to_use(tmp_path):
    run = toy(tmp_path, [0.4, 0.7, 0.5, 0.6], keep_nbest_models=2)
    chosen = folder.choose(run)
    assert chosen.file.name == "model.pt.best" and run.own_name("model.pt.best") == "model.pt.ep2"
    assert run.best_scored() == "model.pt.ep2" and run.later("model.pt.ep2") == 2
    assert list(run.files) == ["model.pt.best", "model.pt.ep2", "model.pt.ep4", "model.pt"]
    assert run.own_name("model.pt") == "model.pt.ep4"
    assert run.scores == {f"model.pt.ep{n}": s for n, s in enumerate([0.4, 0.7, 0.5, 0.6], 1)}


def test_of_equal_scores_the_later_is_the_trainers_best(tmp_path):
    run = toy(tmp_path, [0.5, 0.5, 0.1])
    assert run.best_scored() == run.own_name("model.pt.best") == "model.pt.ep2"


@pytest.mark.parametrize(("gone", "used"), [
    (["model.pt.best"], "model.pt.ep2"), (["model.pt.best", "model.pt.ep2"], "model.pt.ep3"),
    (["model.pt"], "model.pt.best"), (["model.pt", "model.pt.ep2", "model.pt.ep3"],
                                      "model.pt.best")])
def test_what_was_removed_is_done_without(tmp_path, gone, used):
    toy(tmp_path, [0.4, 0.7, 0.5])
    for name in gone:
        (tmp_path / name).unlink()
    assert folder.choose(folder.look(tmp_path)).file.name == used


def test_a_best_file_of_an_older_run_is_not_taken(tmp_path):
    run = toy(tmp_path, [0.4, 0.7])
    torch.save({**torch.load(tmp_path / "model.pt.ep1", weights_only=True)},
               tmp_path / "model.pt.best")
    assert folder.choose(folder.look(tmp_path)).file.name == "model.pt.ep2"
    assert run.records.metric == "acc"


def test_the_smallest_loss_is_best_where_the_loss_ranks(tmp_path):
    from funasr.train_utils.trainer_ds import Trainer

    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
    with funasr_silenced():
        trainer = Trainer(output_dir=str(tmp_path), device="cpu",
                          avg_keep_nbest_models_type="loss")
        for step, loss in enumerate([3.0, 1.0, 2.0], 1):
            trainer.val_loss_step_or_epoch[f"model.pt.ep0.{5 * step}"] = loss
            trainer.save_checkpoint(0, step=step, step_in_epoch=5 * step, model=layer,
                                    optim=optimizer, scheduler=scheduler)
        trainer.save_checkpoint(0, step=4, step_in_epoch=20, model=layer, optim=optimizer,
                                scheduler=scheduler)
    run = folder.look(tmp_path)
    assert run.own_name("model.pt.best") == trainer.best_step_or_epoch == "model.pt.ep0.10"
    assert folder.choose(run).file.name == "model.pt.best"
    assert run.own_name("model.pt") == "model.pt.ep0.20" and "model.pt.ep0.20" not in run.scores


def test_epochs_and_steps_are_in_the_order_in_which_they_are_saved():
    names = ["model.pt.ep0.5", "model.pt.ep0.10", "model.pt.ep1", "model.pt.ep1.5", "model.pt.ep2",
             "model.pt.ep10"]
    assert sorted(reversed(names), key=folder.place_in_run) == names
    assert folder.place_in_run("model.pt.avg10") is None


def test_a_score_whose_file_is_gone_is_told(tmp_path, capsys):
    toy(tmp_path, [0.4, 0.9, 0.5])
    for name in ("model.pt.best", "model.pt.ep2"):
        (tmp_path / name).unlink()
    main(["checkpoint", str(tmp_path), "--format", "json"])
    told = json.loads(capsys.readouterr().out)
    assert told["best"] == "model.pt.ep2" and told["use"] == told["is"] == "model.pt.ep3"
    said = " ".join(one["message"] for one in told["remarks"])
    assert "best score is that of model.pt.ep2, and its file is not here" in said
    assert "model.pt.ep3 was saved after the best score" in said


@pytest.mark.parametrize(("name", "when"), [
    ("model.pt.ep1", "before"), ("model.pt.ep3", "after"), ("model.pt", "after")])
def test_before_and_after_the_best_score(tmp_path, capsys, name, when):
    toy(tmp_path, [0.4, 0.9, 0.5])
    main(["checkpoint", str(tmp_path), "--file", name])
    assert f"{name} was saved {when} the best score" in " ".join(capsys.readouterr().out.split())


def test_a_run_without_scores_says_so(tmp_path, capsys):
    from funasr.train_utils.trainer_ds import Trainer

    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    with funasr_silenced():
        Trainer(output_dir=str(tmp_path), device="cpu").save_checkpoint(
            1, model=layer, optim=optimizer,
            scheduler=torch.optim.lr_scheduler.ConstantLR(optimizer))
    main(["checkpoint", str(tmp_path)])
    said = " ".join(capsys.readouterr().out.split())
    assert "Use model.pt: no checkpoint here has a score" in said


# Files that nobody trusts


class _Bomb:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(
    pickle.dumps(value))])
def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch, capsys, write):
    monkeypatch.chdir(tmp_path)
    write({"state_dict": {"llm.a": _Bomb()}, "best_step_or_epoch": _Bomb(),
           "val_acc_step_or_epoch": {"../../x": _Bomb()}}, tmp_path / "model.pt")
    assert main(["checkpoint", str(tmp_path)]) in (1, 2)
    assert not (tmp_path / "executed").exists() and "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("make", [
    lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x"),
    lambda path: (path.mkdir(), (path / "model.pt").write_bytes(b"x"))])
def test_what_is_no_folder_of_a_run_gets_one_sentence(tmp_path, capsys, make):
    make(tmp_path / "run")
    assert main(["checkpoint", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and said.endswith(".") and "Traceback" not in said


def test_a_folder_of_deepspeed_is_looked_into(tmp_path, capsys):
    (tmp_path / "model.pt.ep1").mkdir()
    torch.save({"module": {}, "state_dict": {"llm.a": torch.zeros(1)}},
               tmp_path / "model.pt.ep1" / folder.DEEPSPEED_FILE)
    main(["checkpoint", str(tmp_path)])
    assert "zero_to_fp32.py" in capsys.readouterr().out


def test_the_config_of_another_model_is_refused(tmp_path, capsys):
    toy(tmp_path, [0.4])
    (tmp_path / "config.yaml").write_text("model: Paraformer\n")
    assert main(["checkpoint", str(tmp_path)]) == 2
    assert "knows FunASRNano" in capsys.readouterr().err


# Real runs of the mini


def trained(name: str, *overrides) -> finetune.Run:
    """A run, and beside its checkpoints the config that FunASR's program would have saved."""
    built = mini.build(finetune.with_overrides(MAIN, finetune.SHORT_RUN, SHORT, *overrides))
    done = finetune.run(built, telephone_set("adapt", 8), telephone_set("valid", 4), name)
    checkpoints.save_config(built, done.folder)
    return done


@pytest.fixture(scope="module")
def without_llm() -> finetune.Run:
    return trained("checkpoint_excludes")


@pytest.fixture(scope="module")
def with_lora() -> finetune.Run:
    return trained("checkpoint_lora", LORA)


@pytest.fixture(scope="module")
def base() -> Path:
    return mini.model_directory("mini")


@pytest.fixture(scope="module")
def calls() -> list[dict]:
    return telephone_set("test", 6)


@pytest.fixture(autouse=True)
def threads():
    """FunASR sets the number of threads when it builds a model."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def heard_in_memory(done: finetune.Run, calls: list[dict]) -> list[str]:
    return [decoding.inference(done.built, [call], max_length=LONGEST)[0]["text"]
            for call in calls]


def told(capsys, *arguments) -> dict:
    main(["checkpoint", *map(str, arguments), "--format", "json"])
    return json.loads(capsys.readouterr().out)


def heard_by_lines(code: str, calls: list[dict], tmp_path: Path) -> list[str]:
    """Execute printed lines where the call lies, and the last of them for each further call."""
    *built, heard = code.splitlines()
    shutil.copy(manifests.audio_path(calls[0]), tmp_path / loading.CALL)
    said, names = io.StringIO(), {}
    with contextlib.chdir(tmp_path), funasr_silenced():
        exec("\n".join(built), names)  # noqa: S102  the lines that a user would paste
        for call in calls:
            shutil.copy(manifests.audio_path(call), tmp_path / loading.CALL)
            with contextlib.redirect_stdout(said):
                exec(heard, names)  # noqa: S102
    return [line for line in said.getvalue().splitlines() if not line.startswith("rtf")]


@pytest.mark.slow
def test_a_checkpoint_without_the_llm_is_told_and_loads_over_its_base(
        without_llm, base, calls, capsys, tmp_path):
    found = told(capsys, without_llm.folder, "--file", "model.pt")
    assert found["lacking"] == ["llm"] and not found["complete"]
    assert [one["severity"] for one in found["remarks"]][0] == "error"
    assert heard_by_lines(found["python"], calls, tmp_path) == heard_in_memory(without_llm, calls)
    left = sorted(path.name for path in without_llm.folder.iterdir())
    assert "1best_recog" not in left, "decoding wrote into the run's folder"


@pytest.mark.slow
def test_the_exported_folder_decodes_as_the_model_in_memory(without_llm, base, calls, tmp_path,
                                                            capsys):
    target = tmp_path / "exported"
    assert main(["checkpoint", str(without_llm.folder), "--file", "model.pt", "--over", str(base),
                 "--export", str(target)]) == 0
    code = capsys.readouterr().out.rpartition("\n\n")[0].rpartition("decode:\n\n")[2]
    moved = tmp_path / "another place"
    target.rename(moved)
    code = code.replace(str(target), str(moved))
    assert heard_by_lines(code, calls, tmp_path) == heard_in_memory(without_llm, calls)
    state = torch.load(moved / "model.pt", weights_only=True)["state_dict"]
    memory = without_llm.built.model.state_dict()
    assert state.keys() == memory.keys()
    for name, tensor in state.items():  # the model keeps its LLM in bfloat16, the base its own
        kind = torch.bfloat16 if name.startswith("llm.") else tensor.dtype
        assert torch.equal(tensor.to(kind), memory[name].to(kind)), name
    told_paths = (moved / "config.yaml").read_text() + (moved / "configuration.json").read_text()
    assert str(without_llm.folder) not in told_paths and str(base) not in told_paths


@pytest.mark.slow
def test_best_and_average_are_found_and_completed(without_llm, base, capsys, tmp_path):
    found = told(capsys, without_llm.folder)
    scores = found["scores"]
    best = max(scores, key=lambda name: (scores[name], folder.place_in_run(name)))
    assert (found["use"], found["is"]) == ("model.pt.best", best) and len(scores) == 3
    assert max(one.accuracy for one in without_llm.validations) == pytest.approx(scores[best])
    average = told(capsys, without_llm.folder, "--file", "model.pt.avg2")
    assert any("no validation has seen" in one["message"] for one in average["remarks"])
    main(["checkpoint", str(without_llm.folder), "--file", "model.pt.avg2", "--export",
          str(tmp_path / "mean")])
    mean = torch.load(tmp_path / "mean" / "model.pt", weights_only=True)["state_dict"]
    saved = checkpoints.read(without_llm.folder / "model.pt.avg2")["state_dict"]
    assert all(torch.equal(mean[name], saved[name]) for name in saved)
    assert mean.keys() == without_llm.built.model.state_dict().keys()


@pytest.mark.slow
def test_lora_matrices_are_seen_loaded_and_folded(with_lora, base, calls, capsys, tmp_path):
    found = told(capsys, with_lora.folder, "--file", "model.pt")
    model = with_lora.built.model
    matrices = [name for name in model.state_dict() if ".lora_" in name]
    assert found["lora_matrices"] == len(matrices) > 0 and found["complete"]
    memory = heard_in_memory(with_lora, calls)
    assert heard_by_lines(found["python"], calls, tmp_path) == memory
    main(["checkpoint", str(with_lora.folder), "--file", "model.pt", "--export",
          str(tmp_path / "folded")])
    capsys.readouterr()
    folded = torch.load(tmp_path / "folded" / "model.pt", weights_only=True)["state_dict"]
    before = checkpoints.read(base / "model.pt")
    assert folded.keys() == before.keys()
    for name, layer in model.named_modules():
        if hasattr(layer, "lora_A"):
            with torch.no_grad():
                eye = torch.eye(layer.in_features, dtype=layer.weight.dtype)
                wanted = layer(eye).T.float()  # what FunASR's own layer computes
            torch.testing.assert_close(folded[f"{name}.weight"].float(), wanted, rtol=2**-7,
                                       atol=1e-3)  # a sum rounded to bfloat16
            moved = (folded[f"{name}.weight"].float() - before[f"{name}.weight"].float()).abs()
            assert float(moved.max()) > 0.002, "the matrices learnt too little for this test"
    exported = heard_by_lines(loading.loading_exported(tmp_path / "folded"), calls, tmp_path)
    same = sum(one == other for one, other in zip(exported, memory, strict=True))
    assert same >= len(calls) - 1, "folding rounds to bfloat16, which may change a word"


@pytest.mark.slow
def test_the_exported_folder_is_one_that_funasr_prepares_for_vllm(with_lora, base, tmp_path):
    """FunASR's own function takes the LLM out; the trainer's file with its tied weights it
    refuses, and matrices that are not folded would go unread."""
    from funasr.models.fun_asr_nano.inference_vllm import prepare_vllm_model_dir
    from transformers import AutoModelForCausalLM

    target = tmp_path / "exported"
    assert main(["checkpoint", str(with_lora.folder), "--file", "model.pt", "--export",
                 str(target)]) == 0
    with funasr_silenced():
        prepared = AutoModelForCausalLM.from_pretrained(prepare_vllm_model_dir(str(target)))
    whole = checkpoints.read(target / "model.pt")["state_dict"]
    for name, tensor in prepared.state_dict().items():
        assert torch.equal(tensor.float(), whole[f"llm.{name}"].float()), name
    trainers = tmp_path / "the trainer's own"
    shutil.copytree(base, trainers)
    shutil.copy(with_lora.folder / "model.pt", trainers)
    with pytest.raises(RuntimeError, match="share memory"), funasr_silenced():
        prepare_vllm_model_dir(str(trainers))


@pytest.mark.slow
def test_lora_matrices_that_were_left_out_are_an_error(with_lora, tmp_path, capsys):
    content = checkpoints.read(with_lora.folder / "model.pt")
    content["state_dict"] = {name: tensor for name, tensor in content["state_dict"].items()
                             if not name.startswith("llm.")}
    torch.save(content, tmp_path / "model.pt")
    shutil.copy(with_lora.folder / "config.yaml", tmp_path)
    found = told(capsys, tmp_path)
    assert not found["complete"] and found["python"] == ""
    assert "what was learnt is not in it" in found["remarks"][0]["message"]
    assert main(["checkpoint", str(tmp_path), "--export", str(tmp_path / "out")]) == 2


@pytest.mark.slow
def test_a_run_moved_to_another_machine_names_what_is_missing(without_llm, base, tmp_path, capsys,
                                                              calls):
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copy(without_llm.folder / "model.pt", moved)
    text = (without_llm.folder / "config.yaml").read_text().replace(str(base), "/nowhere/nano")
    (moved / "config.yaml").write_text(text)
    found = told(capsys, moved)
    missing = {row[0] for row in found["tables"]["beside"] if row[2] == "missing"}
    assert missing == {"Qwen3-0.6B", "multilingual.tiktoken"}
    assert found["python"] == "" and found["lacking"] == ["llm"]
    found = told(capsys, moved, "--over", base)
    assert not [row for row in found["tables"]["beside"] if row[2] == "missing"]
    assert heard_by_lines(found["python"], calls[:2], tmp_path) == heard_in_memory(without_llm,
                                                                                   calls[:2])


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["taken", "no base", "poor base", "another", "no torch", "stop"])
def test_an_export_that_cannot_be_leaves_nothing(without_llm, base, tmp_path, capsys, monkeypatch,
                                                 fault):
    over, target = base, tmp_path / "target"
    if fault == "taken":
        target.mkdir()
    if fault == "poor base":
        over = tmp_path / "poor"
        shutil.copytree(base, over)
        shutil.rmtree(over / "Qwen3-0.6B")
    if fault == "another":
        over = tmp_path / "other"
        shutil.copytree(base, over)
        state = checkpoints.read(base / "model.pt")
        state.pop(next(name for name in state if name.startswith("audio_encoder.")))
        torch.save(state, over / "model.pt")
    run = without_llm.folder
    if fault == "no base":
        run = tmp_path / "bare"
        run.mkdir()
        shutil.copy(without_llm.folder / "model.pt", run)
        over = None
    if fault == "no torch":
        monkeypatch.setattr(with_funasr, "has_torch", lambda: False)
    if fault == "stop":
        def stopped(*arguments):
            raise KeyboardInterrupt
        monkeypatch.setattr(with_funasr, "write_complete", stopped)
    before = sorted(tmp_path.iterdir())
    code = main(["checkpoint", str(run), "--export", str(target),
                 *(["--over", str(over)] if over else [])])
    said = capsys.readouterr().err.strip()
    assert code == (130 if fault == "stop" else 2) and len(said.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_the_copy_without_ctc_is_not_said_to_lack_it(base):
    whole = {name: tuple(tensor.shape) for name, tensor in checkpoints.read(
        base / "model.pt").items()}
    bare = {name: shape for name, shape in whole.items()
            if name.partition(".")[0] not in holding.CTC_PARTS}
    assert not holding.holding(bare, bare, None).lacking
    assert not holding.holding(bare, None, None).lacking
    assert holding.holding(bare, whole, None).lacking == ("ctc_decoder", "ctc")


def test_the_saved_config_is_cleared_of_its_launch():
    base = {"model": "FunASRNano", "llm_conf": {"init_param_path": "Qwen3-0.6B", "use_lora": False},
            "tokenizer_conf": {"init_param_path": "${llm_conf.init_param_path}"}}
    made = export.decoding_config(
        {"model": "FunASRNano", "output_dir": "/x", "llm_conf": {
            "init_param_path": "/a/Qwen3-0.6B", "use_lora": True, "freeze": False},
         "tokenizer_conf": {"init_param_path": "/a/Qwen3-0.6B"}}, base)
    assert made == {**base, "llm_conf": {**base["llm_conf"], "freeze": False}}


def test_it_speaks_chinese(tmp_path, capsys):
    toy(tmp_path, [0.4, 0.7])
    main(["checkpoint", str(tmp_path), "--lang", "zh"])
    said = capsys.readouterr().out
    assert "验证" in said and "best score" not in said
    with pytest.raises(BookError, match="output_dir"):
        commands.run(["checkpoint", str(tmp_path / "none"), "--lang", "zh_CN"])
