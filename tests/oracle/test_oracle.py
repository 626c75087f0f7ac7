"""The oracle: FunASR judges drawn launches, and the checker's word agrees with it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from helpers.model import mini
from helpers.oracle import cases, judge, materials, mending, record, verdicts
from helpers.oracle.cases import Drawn

pytestmark = pytest.mark.slow  # every judgement is a run of FunASR

SAMPLE = range(61, 73)
"""Development seeds that every test run judges again."""
SOUND = {"freeze_param": "ctc", "ctc_decoder_conf.freeze": True,
         "train_conf.effective_save_name_excludes": None, "train_conf.use_deepspeed": False,
         "audio_encoder_conf.freeze": False, "dataset_conf.data_split_num": 1,
         "dataset_conf.prompt_classes": None, "train_conf.max_epoch": 1}
IDLE_CTC = {"freeze_param": None, "ctc_decoder_conf.freeze": False, "train_conf.max_epoch": 3}
"""DDP ends such a run at its second step, which one epoch of one batch would not show."""
LISTS = ("++train_data_set_list=train.jsonl", "++valid_data_set_list=valid.jsonl",
         "++output_dir=out")


def made(values=(), processes=1, lines=12, directory="whole", **train) -> Drawn:
    """A launch that works, but for these values."""
    return Drawn(0, "", values={**SOUND, **dict(values)}, overrides=["++model=MODEL_DIR", *LISTS],
                directory=directory, processes=processes,
                train={"lines": lines, "claimed": False, "files": 0, **train},
                valid={"lines": 2, "claimed": False, "files": 0})


def judged(case: Drawn) -> dict:
    return asdict(judge.judge(case))


def test_a_seed_is_a_case_that_a_small_json_holds() -> None:
    for seed in range(200):
        case = cases.drawn(seed)
        text = json.dumps(asdict(case))
        assert cases.drawn(seed) == case == Drawn(**json.loads(text)) and len(text) < 6000


def test_what_is_held_out_was_never_drawn_before() -> None:
    held_out, seen = ({seed for block in range(record.BLOCKS[name])
                       for seed in record.seeds_of(name, block)}
                      for name in (record.HELD_OUT, record.DEVELOPMENT))
    assert not held_out & seen and set(SAMPLE) <= seen


def test_the_small_model_has_the_minis_widths() -> None:
    widths = {key: value for key, value in mini.MINI_DIMENSIONS.items()
              if key not in materials.BLOCKS}
    assert {key: value for key, value in materials.SMALL.items()
            if key not in materials.BLOCKS} == widths
    assert cases.MINI_VOCABULARY == mini.MINI_CTC_VOCABULARY


def test_a_launch_that_works_is_found_sound() -> None:
    found = judged(made())
    assert not found["error"] and verdicts.faults(found) == []
    assert found["kept"] == 12 and found["learning"].keys() == {"audio_encoder"}
    assert found["flagged"] == found["learning"] and not found["missing"] and not found["lacking"]


@pytest.mark.parametrize(("case", "fault"), [
    (made({"audio_encoder_conf.freeze": True, "audio_adaptor_conf.freeze": True}), "ends: train"),
    (made({"init_param": None}), "random start"),
    (made({"train_conf.effective_save_name_excludes": ["llm."]}), "checkpoint without LLM"),
    (made({"train_conf.accum_grad": 500}), "no step"),
    (made(IDLE_CTC, processes=2), "ends: train"),
    (made({"dataset_conf.sort_size": -1, "dataset_conf.batch_size": 700}, processes=3, lines=37),
     "processes out of step"),
    (made(faults=[["no_bang", 0.0]]), "audio unheard"),
    (made(faults=[["no_messages", 0.0]]), "ends: data"),
    (made(directory="no_vocabulary"), "ends: build"),
    (made({"debug": True}), "ends: debugger"),
    (made({"train_conf.use_deepspeed": True}), "ends: optimizer"),
])
def test_a_fault_is_seen(case: Drawn, fault: str) -> None:
    assert fault in verdicts.faults(judged(case))


def test_the_copy_without_ctc_has_nothing_that_is_idle() -> None:
    case = made(IDLE_CTC, processes=2, directory="without_ctc")
    assert not judged(case)["error"]


def test_the_checker_is_right_about_a_sample() -> None:
    for seed in SAMPLE:
        row = record.compared(seed)
        if row.get("unjudged"):
            continue
        wrong = [fault for fault, named in row.get("faults", {}).items() if not named]
        assert (seed, wrong, row.get("false_errors", []), row["numbers"], row.get("crashed")) == (
            seed, [], [], {}, None)


LORA_ALONE = {"llm_conf.use_lora": True, "audio_encoder_conf.freeze": True}


@pytest.mark.parametrize("case", [
    made({"ctc_decoder": "transformer"}),
    made({"ctc_decoder": "transformer", "dataset_conf.ctc_tokenizer": "NoSuchClass"}),
    made({"dataset_conf.ctc_tokenizer": "sensevoicetokenizer"}),
    made({"ctc_decoder_conf.init_param_path": {"a": 1}}),
    made({"frontend_conf.cmvn_file": {"a": 1}}),
    made({"llm_conf.llm_dtype": {"a": 1}}),
    made(LORA_ALONE | {"lora_only": True, "lora_bias": "all"}),
    made(LORA_ALONE | {"llm_conf.lora_conf.lora_alpha": 0}),
    made({"train_conf.use_fp16": True, "train_conf.use_bf16": True}),
    replace(made(), valid={"lines": 2, "claimed": False, "files": 0, "file": "no_file"}),
], ids=lambda case: str({key: case.values[key] for key in case.values if key not in SOUND}))
def test_where_the_checker_was_wrong_it_now_agrees_with_funasr(case: Drawn) -> None:
    """Kinds of launches of the held-out range on which checker and FunASR disagreed."""
    found = verdicts.compare(case, judged(case), verdicts.word(case))
    assert all(found.faults.values()), found.faults
    assert not found.false_errors
    assert {name: text for name, text in found.numbers.items() if text != "exact"} == {}


def test_intervals_are_wilsons() -> None:
    low, high = record.Share(98, 100).interval()
    assert (low, high) == pytest.approx((0.9300, 0.9945), abs=1e-4)


def test_a_mended_config_runs() -> None:
    case = made({"ctc_conf.blank_id": 0})
    assert mending.mended(case, judged(case), judged) == "runs now"
    assert mending.mended(made(), judged(made()), judged) == "untouched"


def test_mending_does_not_freeze_the_last_part_that_may_learn() -> None:
    """It may be the CTC branch, which gets no gradient: frozen too, the run ends at once."""
    case = made({"audio_encoder_conf.freeze": True, "audio_adaptor_conf.freeze": True,
                 "ctc_decoder_conf.freeze": False, "dataset_conf.max_token_length": 1})
    assert mending.mended(case, judged(case), judged) in ("as before", "untouched")
