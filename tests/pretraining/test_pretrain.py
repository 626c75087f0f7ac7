"""`make mini` still works: the weights in the repository can be made again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from funasr_preflight.laws.names import COMPONENTS
from helpers.errors import BookError
from helpers.model import mini
from helpers.pretraining import data as pretraining_data
from helpers.pretraining import pretrain
from helpers.speech import corpus, manifests

pytestmark = pytest.mark.slow

STEPS = 2


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "UTTERANCES_PER_SHARD", 12)
        corpus.synthesise_shard(0, folder)
    return folder


@pytest.fixture(scope="module")
def trained(shards, tmp_path_factory):
    """Every round, two small steps each; the weights after each round.

    Many CPUs compute bfloat16 very slowly: the last round alone has it, as all have in `make mini`.
    """
    output, after = tmp_path_factory.mktemp("mini"), {}
    for number, recipe in enumerate((*pretrain.STAGES, pretrain.FURTHER)):
        weights = output / "model.safetensors"
        pretrain.pretrain(replace(recipe, steps=STEPS, short_first=0, learning_rate=1e-2,
                                  warmup_steps=1, frames_per_batch=150,
                                  bf16=recipe is pretrain.FURTHER),
                          shards, output, weights if number else None)
        after[number] = mini.read_weights(weights)
    log = [json.loads(line) for line in (output / "pretraining_log.jsonl").open()]
    return after, log


def moved(before: dict, after: dict) -> set[str]:
    return {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}


def test_each_round_trains_what_it_says(trained):
    after, _ = trained
    assert moved(after[0], after[1]) == set(COMPONENTS)
    assert moved(after[2], after[3]) == {"audio_adaptor", "llm"}


def test_a_round_begins_with_short_utterances_and_ends_with_all():
    recipe = replace(pretrain.STAGES[0], short_first=100)
    seconds = [pretrain.longest_frames_at(step, recipe) * 0.06 for step in (0, 50, 100)]
    assert seconds == pytest.approx([2, 6, float("inf")])


def test_the_result_is_a_whole_mini(trained):
    after, log = trained
    built = mini.build("pretrained", load_weights=False)
    assert not built.model.load_state_dict(after[3], strict=True).missing_keys
    assert all(torch.isfinite(tensor).all() for tensor in after[3].values())
    assert [entry["recipe"]["stage"] for entry in log if "recipe" in entry] == [
        "hearing", "joint", "joint", "speaking"]


def test_a_batch_is_what_funasrs_own_dataset_makes(shards):
    """The same prompt, speech tokens and labels, or the mini would learn another task."""
    from helpers.training import finetune

    built = mini.build("config_8k_telephone")
    item = corpus.load_set("valid")[0]
    config = finetune.with_overrides("config_8k_telephone", finetune.SHORT_RUN)
    theirs = finetune.batch(mini.build(config), [item])
    frames = int(theirs["speech_lengths"].flatten()[0])
    data = pretraining_data.Utterances(
        np.zeros((frames, 560), dtype=np.float16), np.array([0]), np.array([frames]),
        [built.tokenizer.encode(manifests.transcript(item))])
    ours = pretraining_data.collate(data, np.array([0]), built.tokenizer)
    for key in ("input_ids", "labels_ids", "fbank_beg", "fake_token_len"):
        assert ours[key].tolist() == theirs[key].tolist(), key


def test_speech_of_the_shards_is_seeded(shards, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "UTTERANCES_PER_SHARD", 12)
        again = corpus.synthesise_shard(0, tmp_path)
    with np.load(again) as new, np.load(shards / "shard_000.npz") as old:
        assert new["texts"].tolist() == old["texts"].tolist()
        assert np.array_equal(new["features"], old["features"])


def test_no_shards_is_one_sentence(tmp_path):
    with pytest.raises(BookError, match="python -m helpers.speech.corpus training"):
        pretraining_data.load_utterances(tmp_path, tokenizer=None)
