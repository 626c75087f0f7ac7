"""Every rule on keys: one config that triggers it, one that does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_preflight import audit
from funasr_preflight.context import Context
from funasr_preflight.findings import Severity
from funasr_preflight.launch import reading, yaml_file
from funasr_preflight.rules import keys
from funasr_preflight.rules.registry import RULES, findings_of
from helpers.config import configs
from helpers.paths import CONFIGS

NAMES = [name for name, rule in RULES.items() if rule.check.__module__ == keys.__name__]
MAIN, RECOMMENDED = configs.path_of("config_8k_telephone"), CONFIGS / "recommended_8k.yaml"


def context_of(path, overrides=()):
    read = reading.read(path, overrides)
    return Context(read.source, read.merged, read.mode, audit.load(), notes={
        "not_in_config": read.applied.not_in_config}, base=read.base, launch=read.launch)


def found_by(name, path, overrides=()):
    return list(findings_of(RULES[name], context_of(path, overrides)))


CASES = [
    # rule, overrides of the recommended config that trigger it, its severity, words it says
    ("keys-unknown", ["+train_conf.max_epochs=3"], "WARNING", "train_conf.max_epochs"),
    ("keys-unknown", ["+optim_conf.learning_rate=0.1"], "ERROR", "optim_conf"),
    ("keys-unknown", ["+trian_conf.max_epoch=3"], "WARNING", "trian_conf"),
    ("keys-unknown", ["+train_conf.freeze_param=ctc"], "WARNING", "train_conf.freeze_param"),
    ("keys-refused", ["+optim=sgd", "+optim_conf.betas=[0.9,0.99]"], "ERROR", "betas"),
    ("keys-refused", ["+scheduler=CosineAnnealingLR", "+scheduler_conf.T_max=5"], "ERROR",
     "warmup_steps"),
    ("keys-refused", ["+scheduler=steplr"], "ERROR", "step_size"),
    ("keys-never-read", ["+audio_encoder_conf.positional_dropout_rate=0.3"], "WARNING", "0.3"),
    ("keys-no-effect", ["+ctc_weight=0.5"], "WARNING", "0.5"),
    ("keys-otherwise", ["+dataset_conf.retry=3"], "NOTE", "3"),
    ("keys-type", ["train_conf.max_epoch=many"], "ERROR", "many"),
    ("keys-type", ["train_conf.max_epoch=2.5"], "ERROR", "2.5"),
    ("keys-type", ["train_conf.max_epoch=2.0"], "ERROR", "2.0"),
    ("keys-type", ["train_conf.max_epoch=true"], "WARNING", "bool"),
    ("keys-type", ["++train_conf.accum_grad=1.5"], "WARNING", "1.5"),
    ("keys-type", ["llm_conf.freeze='false'"], "WARNING", "str"),
    ("keys-type", ["++llm_conf.lora_conf.lora_alpha=[1]"], "WARNING", "lora_alpha"),
    ("keys-type", ["++llm_conf.lora_conf.lora_alpha=[1]", "++llm_conf.use_lora=true"], "ERROR",
     "lora_alpha"),
    ("keys-type", ["++dataset_conf.prompt_conf.min_neg_hotwords_num=[1]"], "WARNING", "[1]"),
    ("keys-section", ["++dataset_conf.prompt_conf=5"], "WARNING", "keys in it"),
    ("keys-section", ["++llm_conf.lora_conf=null"], "WARNING", "keys in it"),
    ("keys-crash", ["++ctc_decoder=null", "++ctc_conf.blank_id=3"], "WARNING", "twice"),
    ("keys-ends", ["++ctc_decoder=null", "++ctc_decoder_conf.attention_heads=3"], "WARNING", "3"),
    ("keys-conflict", ["++dataset_conf.prompt_conf.min_neg_hotwords_num=9",
                       "++dataset_conf.prompt_conf.max_neg_hotwords_num=2"], "WARNING", "9"),
    *(("keys-ends", [f"++{override}"], "ERROR", override.partition("=")[0]) for override in (
        "freeze_param=3", "freeze_param=[1]", "excludes=false",
        "train_conf.effective_save_name_excludes=5", "llm_conf.llm_dtype=float32",
        "frontend_conf.window=hann", "frontend_conf.fs=100", "frontend_conf.dither=loud",
        "train_conf.grad_clip_type=abc", "optim_conf.betas=[0.9]", "optim_conf.betas=[1.0,0.9]",
        "optim_conf.eps=[1]", "optim_conf.differentiable=true", "scheduler_conf.last_epoch=7",
        "ctc_vocab_size=many", "dataset_conf.audio_downsample_rate=x", "scheduler=tri_stage",
        "ctc_vocab_size=-1", "dataset_conf.ctc_tokenizer_conf.language=1",
        "train_conf.max_epoch={a: 1}", "audio_encoder_conf.attention_heads=7",
        "audio_adaptor_conf.attention_heads=7")),
    ("keys-section", ["optim_conf=3"], "ERROR", "3"),
    ("keys-range", ["train_conf.max_epoch=0"], "ERROR", "at least 1"),
    ("keys-ends", ["++dataset_conf.prompt_classes=MultiContextPrompt",
                   "++dataset_conf.prompt_conf=null"], "ERROR", "prompt_classes"),
    ("keys-ends", ["++lora_only=true", "++lora_bias=some"], "ERROR", "lora_bias"),
    ("keys-ends", ["++llm_conf.use_lora=true", "++llm_conf.lora_conf.lora_dropout=1.5"], "ERROR",
     "lora_dropout"),
    ("keys-ends", ["++dataset_conf.batch_type=example", "++dataset_conf.batch_size=3.0"], "ERROR",
     "without a point"),
    ("keys-ends", ["++dataset_conf.sort_size=-1", "++dataset_conf.length_scale_source=0"], "ERROR",
     "divided"),
    ("keys-range", ["++train_conf.keep_nbest_models=0"], "WARNING", "at least 1"),
    ("keys-range", ["++train_conf.accum_grad=-1"], "WARNING", "at least 1"),
    ("keys-range", ["++train_conf.accum_grad=0"], "ERROR", "at least 1"),
    ("keys-range", ["++audio_encoder_conf.kernel_size=-1"], "ERROR", "at least 1"),
    ("keys-range", ["optim_conf.lr=5"], "WARNING", "between 0 and 1"),
    ("keys-range", ["optim_conf.lr=-1"], "ERROR", "between 0 and 1"),
    ("keys-exchanged", ["+ctc_decoder=Linear"], "WARNING", "decoding may end"),
    ("keys-range", ["++audio_adaptor_conf.dropout_rate=1"], "WARNING", "share"),
    ("keys-range", ["++audio_adaptor_conf.dropout_rate=1.1"], "ERROR", "share"),
    ("keys-range", ["++llm_conf.lora_conf.lora_dropout=-0.1", "++llm_conf.use_lora=true"],
     "WARNING", "share"),
    ("keys-range", ["++llm_conf.lora_conf.lora_dropout=1.1"], "WARNING", "share"),
    ("keys-range", ["optim_conf.lr=nan"], "ERROR", "finite"),
    ("keys-range", ["optim_conf.weight_decay=-1"], "ERROR", "negative"),
    ("keys-range", ["+audio_encoder_conf.dropout_rate=1.5"], "ERROR", "share"),
    ("keys-class", ["+optim=AdamW"], "ERROR", "AdamW"),
    *(("keys-null", [f"++{key}=null"], "ERROR", key) for key in (
        "optim_conf.lr", "train_conf.max_epoch", "train_conf.accum_grad", "train_conf.grad_clip",
        "scheduler_conf.warmup_steps", "dataset_conf.sort_size", "dataset_conf.retry",
        "dataset_conf.ctc_tokenizer", "llm_conf.llm_dtype", "optim", "frontend_conf.window",
        "audio_encoder_conf.kernel_size", "dataset_conf.multiturn_num_max")),
    ("keys-null", ["++llm_conf.use_lora=true", "++llm_conf.lora_conf.target_modules=null"],
     "ERROR", "target_modules"),
    ("keys-crash", ["++ctc_conf.blank_id=0"], "ERROR", "blank_id"),
    ("keys-crash", ["++train_conf.excludes=llm."], "ERROR", "itself"),
    ("keys-crash", ["++bf16=true"], "ERROR", "bf16"),
    ("keys-crash", ["++train_conf.use_fp16=true"], "WARNING", "use_fp16"),
    ("keys-crash", ["++bf16=1"], "ERROR", "bf16"),
    ("keys-crash", ["++train_conf.avg_keep_nbest_models_type=wer"], "ERROR", "wer"),
    ("keys-crash", ["++dataset_conf.preprocessor_speech=Nothing"], "ERROR", "Nothing"),
    ("keys-class", ["+dataset_conf.index_ds=IndexDSJson"], "ERROR", "IndexDSJson"),
    ("keys-deprecated", ["+scheduler=noamlr"], "WARNING", "NoamLR is deprecated"),
    ("keys-exchanged", ["+audio_encoder=SANMEncoder"], "WARNING", "SANMEncoder"),
    ("keys-debug", ["+debug=true"], "ERROR", "debugger"),
    ("keys-default", ["+enable_tf32=true"], "NOTE", "enable_tf32"),
    ("keys-conflict", ["train_conf.use_bf16=true", "+train_conf.use_fp16=true"], "WARNING",
     "bfloat16"),
    ("keys-conflict", ["train_conf.avg_nbest_model=9"], "WARNING", "9"),
    ("keys-conflict", ["+lora_only=true"], "ERROR", "use_lora"),
    ("keys-conflict", ["+dataset_conf.min_source_length=20000"], "ERROR", "20000"),
    ("keys-omitted", ["+model_conf={length_normalized_loss: true}"], "WARNING", "num_blocks"),
]
QUIET = [
    # overrides of the recommended config that look alike and are in order
    ("keys-unknown", ["+train_conf.early_stopping_patience=3", "+optim_conf.eps=1e-6",
                      "++hub=hf", "++remote_code=x", "++trust_remote_code=true", "++ncpu=8",
                      "++model_revision=master", "++check_latest=false", "++disable_update=true",
                      "++log_level=INFO", "++dataset_conf.dataloader=DataloaderMapStyle",
                      "++dataset_conf.preprocessor_speech_conf.speed=1", "++model_path=x",
                      "++train_data_set_list=a.jsonl", "+output_dir=out", "+hydra.run.dir=x",
                      "+train_conf.find_unused_parameters=true", "+lora_only=true"]),
    ("keys-refused", ["+optim=sgd", "+optim_conf.momentum=0.9"]),
    ("keys-never-read", ["+audio_encoder_conf.dropout_rate=0.3"]),
    ("keys-no-effect", ["+llm_conf.use_lora=true"]),
    ("keys-otherwise", ["+dataset_conf.retry=2000", "~dataset_conf.max_token_length",
                        "~ctc_decoder_conf"]),
    ("keys-type", ["train_conf.grad_clip=0.5", "optim_conf.lr=$lr",
                   "dataset_conf.prompt_classes=null", "+frontend_conf.cmvn_file=am.mvn"]),
    ("keys-section", ["++dataset_conf.prompt_conf=null", "++scheduler_conf=null",
                      "+ctc_conf={}", "+specaug_conf=null"]),
    ("keys-range", ["optim_conf.weight_decay=0", "dataset_conf.num_workers=0",
                    "+audio_encoder_conf.dropout_rate=0.0"]),
    ("keys-ends", ["++freeze_param=[ctc,llm]", "++freeze_param=ctc", "++excludes=null",
                   "++llm_conf.llm_dtype=fp16", "++frontend_conf.window=povey",
                   "++optim_conf.betas=[0.9,0.98]", "++optim_conf.eps=0",
                   "++train_conf.grad_clip_type='inf'", "++scheduler_conf.last_epoch=-1",
                   "++dataset_conf.audio_downsample_rate='8'", "++scheduler=noamlr",
                   "++lora_bias=some", "++llm_conf.lora_conf.lora_dropout=1.5",
                   "++dataset_conf.batch_size=3000.0", "++dataset_conf.length_scale_source=0",
                   "++audio_encoder_conf.attention_heads=8", "++frontend_conf.fs=8000"]),
    ("keys-null", ["++freeze_param=null", "++train_conf.effective_save_name_excludes=null"]),
    ("keys-crash", ["++train_conf.use_bf16=true", "++bf16=false", "++ctc_conf.reduce=true",
                    "++train_conf.avg_keep_nbest_models_type=loss",
                    "++dataset_conf.preprocessor_speech=SpeechPreprocessSpeedPerturb"]),
    ("keys-class", ["+optim=adamw", "+scheduler=warmuplr", "+model=$model_dir",
                    "+dataset_conf.batch_sampler=EspnetStyleBatchSampler"]),
    ("keys-deprecated", ["+scheduler=warmuplr"]),
    ("keys-exchanged", ["+audio_encoder=SenseVoiceEncoderSmall", "+ctc_decoder=Transformer"]),
    ("keys-debug", ["+debug=false"]),
    ("keys-conflict", ["+dataset_conf.min_source_length=20", "train_conf.avg_nbest_model=5"]),
    ("keys-omitted", []),
    ("keys-default", ["~llm_conf", "~audio_adaptor_conf", "~frontend_conf.fs",
                      "~train_conf.accum_grad", "~train_conf.grad_clip", "~train_conf.use_bf16",
                      "~dataset_conf.batch_size", "~dataset_conf.batch_size_token_max",
                      "~dataset_conf.num_workers"]),
]


@pytest.mark.parametrize(("name", "overrides", "severity", "words"), CASES)
def test_a_rule_speaks_where_it_has_to(name, overrides, severity, words):
    found = found_by(name, RECOMMENDED, overrides)
    assert words in " ".join(str(one.message) for one in found)
    assert max(one.severity for one in found) == Severity[severity]
    assert all(str(one.message) and one.chapter for one in found)


@pytest.mark.parametrize(("name", "overrides"), QUIET)
def test_a_rule_is_silent_where_all_is_well(name, overrides):
    assert [str(one.message) for one in found_by(name, RECOMMENDED, overrides)] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_has_both_tests_and_a_page(name):
    assert name in {case[0] for case in CASES} and name in {case[0] for case in QUIET}
    assert (CONFIGS.parent / "notebooks" / f"{RULES[name].chapter.partition('#')[0]}.md").is_file()


def test_the_recommended_config_has_neither_error_nor_warning():
    context = context_of(RECOMMENDED)
    found = [one for name in NAMES for one in findings_of(RULES[name], context)]
    assert [str(one.message) for one in found if one.severity > Severity.NOTE] == []
    assert not [one for one in found if one.rule in ("keys-never-read", "keys-no-effect")]


@pytest.mark.parametrize("name", ["pretrained", *configs.FINE_TUNING])
def test_every_key_that_nothing_reads_is_found_with_its_line(name):
    path = configs.path_of(name)
    lines = path.read_text().splitlines()
    found = found_by("keys-never-read", path)
    known = audit.load()
    assert {one.key for one in found} == {
        key for key in configs.flatten(name)
        if known.verdict(key) == "never read" and not key.startswith("specaug")}
    assert len(found) >= 6
    for one in found:
        assert lines[one.line - 1].strip().startswith(f"{one.key.split('.')[-1]}:")
    if name != "pretrained":
        assert Severity.WARNING in {one.severity for one in found}


def test_what_the_launcher_reads_is_read_there():
    """Each of these keys stands in the source of FunASR's launcher, download or builder."""
    import inspect

    import funasr.auto.auto_model
    import funasr.bin.train_ds
    import funasr.datasets.dataloader_entry
    import funasr.download.download_model_from_hub

    source = "".join(map(inspect.getsource, (
        funasr.auto.auto_model, funasr.bin.train_ds, funasr.datasets.dataloader_entry,
        funasr.download.download_model_from_hub)))
    assert [key for key in keys.LAUNCHER_KEYS if f'"{key.rpartition(".")[2]}"' not in source] == []


def test_preprocessors_are_those_of_funasrs_register():
    import funasr.datasets.audio_datasets.preprocessor
    import funasr.datasets.llm_datasets.preprocessor  # noqa: F401
    from funasr.register import tables

    assert set(keys.PREPROCESSORS["preprocessor_speech"]) <= set(tables.preprocessor_classes)


def test_did_you_mean():
    found, = found_by("keys-unknown", RECOMMENDED, ["+train_conf.validate_intervall=3"])
    assert "train_conf.validate_interval" in str(found.fix) and found.file == "command line"
    found, = found_by("keys-unknown", RECOMMENDED, ["+max_epoch=3"])
    assert "train_conf.max_epoch" in str(found.fix)


def test_what_omitted_keys_become_in_a_merged_launch():
    rows = dict(keys.inherited(context_of(RECOMMENDED)).rows)
    base = configs.flatten("pretrained")
    assert rows["dataset_conf.max_source_length"] == str(base["dataset_conf.max_source_length"])
    assert "optim_conf.lr" not in rows and "audio_encoder_conf.input_layer" not in rows


values = st.one_of(st.none(), st.booleans(), st.integers(-2**70, 2**70), st.just(10**400),
                   st.floats(), st.text(max_size=6), st.lists(st.integers(), max_size=2),
                   st.just({}), st.just({"a": 1}))


@pytest.mark.slow
@settings(derandomize=True, max_examples=120, deadline=None)
@given(chosen=st.dictionaries(st.sampled_from([
    *audit.load().content["keys"], "train_conf", "optim_conf", "scheduler_conf", "dataset_conf",
    "llm_conf.lora_conf", "", "a.b", "train_conf.x", "lora_only", "freeze_param"]),
    values, max_size=6))
def test_no_value_of_any_key_breaks_a_rule(chosen):
    config: dict = configs.resolve("pretrained")
    for key, value in chosen.items():
        *parents, name = key.split(".")
        node = config
        for parent in parents:
            if not isinstance(node.get(parent), dict):
                node[parent] = {}
            node = node[parent]
        node[name] = value
    own = reading.Source("own.yaml", dict(yaml_file.flatten(config)), {})
    for mode in ("merged", "alone"):
        context = Context(own, config, mode, audit.load(),
                          base=configs.flatten("pretrained"))
        for name in NAMES:
            for one in findings_of(RULES[name], context):
                assert str(one.message) and (not one.fix or str(one.fix))
