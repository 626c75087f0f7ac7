"""The corpus is what its manifests say, and can be made again."""

import json

import numpy as np
import pytest
import soundfile
import torch

from helpers.errors import BookError
from helpers.paths import CORPUS, ROOT
from helpers.speech import corpus, manifests, mini_tokenizer, synthesis
from helpers.speech.sentences import sentences

pytestmark = pytest.mark.slow

SET_NAMES = [recipe.name for recipe in corpus.SETS]


@pytest.fixture(scope="module")
def sets() -> dict[str, list[dict]]:
    return {name: corpus.load_set(name) for name in SET_NAMES}


def test_no_sentence_is_in_two_sets_or_in_pretraining(sets):
    """Otherwise an error rate would reward memory, not hearing."""
    texts = {name: {manifests.transcript(item) for item in items} for name, items in sets.items()}
    assert all(len(texts[name]) == len(sets[name]) for name in SET_NAMES)
    assert not texts["test"] & (texts["adapt"] | texts["valid"])
    assert not texts["adapt"] & texts["valid"]
    assert not set(corpus.training_texts(5_000)) & set.union(*texts.values())


def test_test_voices_speak_nowhere_else(sets):
    def talkers(name):
        return {item["voice"].split("+")[-1] for item in sets[name]}

    assert not talkers("test") & (talkers("adapt") | talkers("valid"))
    held_out = set(synthesis.TEST_VARIANTS) | set(synthesis.TEST_FLITE)
    trained = set(synthesis.TRAINING_VARIANTS) | set(synthesis.TRAINING_FLITE)
    assert not held_out & trained


@pytest.mark.parametrize("name", SET_NAMES)
def test_lengths_in_the_manifest_are_those_of_the_audio_and_text(name, sets):
    """FunASR filters and batches by these numbers without opening the audio."""
    from funasr.frontends.wav_frontend import WavFrontend

    frontend = WavFrontend(fs=16_000, lfr_m=1, lfr_n=1, dither=0.0)
    tokenizer = mini_tokenizer.load()
    for item in sets[name][:15]:
        samples, rate = soundfile.read(manifests.audio_path(item), dtype="float32")
        assert rate == synthesis.SAMPLE_RATE and samples.ndim == 1
        _, frames = frontend(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        assert item["speech_length"] == int(frames[0])
        assert item["text_length"] == len(tokenizer.encode(manifests.transcript(item)))


def test_there_are_very_short_and_long_utterances(sets):
    for name in SET_NAMES:
        seconds = np.array([item["speech_length"] for item in sets[name]]) / 100
        assert (seconds < 1).any() and (seconds > 10).any()


def test_the_committed_audio_stays_small():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 25e6


@pytest.mark.parametrize("recipe", corpus.SETS, ids=SET_NAMES)
def test_regeneration_gives_the_committed_speech(recipe, sets, tmp_path):
    """The script, not a lost command, is where the audio comes from. Another release of a
    synthesiser may time sounds a little differently, so durations get 5 %."""
    again = corpus.make_set(recipe, mini_tokenizer.load(), limit=4, folder=tmp_path)
    for old, new in zip(sets[recipe.name], again, strict=False):
        assert manifests.transcript(old) == manifests.transcript(new)
        assert old["voice"] == new["voice"]
        assert new["speech_length"] == pytest.approx(old["speech_length"], rel=0.05)


def test_both_tokenizers_agree():
    """The LLM and the CTC branch must mean the same token by the same id."""
    from funasr.tokenizer.whisper_tokenizer import SenseVoiceTokenizer

    from helpers.paths import MINI

    llm, ctc = mini_tokenizer.load(), SenseVoiceTokenizer(
        vocab_path=str(MINI / "multilingual.tiktoken"), is_multilingual=True, num_languages=8749)
    for text in [*corpus.training_texts(200), "Ünïcode, 语音 & 42!"]:
        ids = llm.encode(text)
        assert ids == ctc.encode(text)
        assert llm.decode(ids) == ctc.decode(ids) == text


@pytest.mark.parametrize(("line", "complaint"), [
    ("{not json", "line 2"), ('{"key": "a"}', "line 2"), ("[1, 2]", "line 2"), ("7", "line 2")])
def test_a_broken_manifest_line_is_named(tmp_path, line, complaint):
    good = json.dumps(manifests.chatml("a", "a.wav", "hello", 100, 1))
    path = tmp_path / "train.jsonl"
    path.write_text(f"{good}\n{line}\n")
    with pytest.raises(BookError, match=complaint):
        manifests.read_manifest(path)


def test_a_missing_manifest_or_set_is_said_in_one_sentence(tmp_path):
    with pytest.raises(BookError, match="does not exist"):
        manifests.read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(BookError, match="choose one of test, valid, adapt"):
        corpus.load_set("tset")


def test_a_missing_synthesiser_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BookError, match="espeak-ng is not installed"):
        synthesis.synthesise("hello", synthesis.Voice("espeak:en-us+m1"))


def test_the_sentence_stream_is_seeded_and_endless():
    first, second = sentences(3), sentences(3)
    drawn = [next(first) for _ in range(500)]
    assert drawn == [next(second) for _ in range(500)]
    assert len(set(drawn)) > 400


def test_manifests_name_files_inside_the_repository():
    for name in SET_NAMES:
        for item in manifests.read_manifest(CORPUS / f"{name}.jsonl"):
            assert (ROOT / manifests.audio_path(item)).is_file()
            assert not manifests.audio_path(item).startswith("/")
