"""Before the run: does the manifest say what FunASR would say of the same calls, and is all there?

FunASR's prompt, its frontend, its own converter, its dataset and its collator are the oracles.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from funasr_preflight import check
from funasr_preflight.command import main
from funasr_preflight.converting import lines, pauses
from funasr_preflight.converting.convert import for_validation
from funasr_preflight.errors import BookError
from funasr_preflight.findings import Severity
from funasr_preflight.laws.geometry import speech_frames
from helpers.model import mini
from helpers.paths import CONFIGS, MINI
from helpers.session import funasr_silenced
from helpers.speech import corpus, manifests

RATE = 8000
CASES = Path(__file__).parent / "cases"


def tone(seconds: float, pitch: float, rate: int = RATE) -> np.ndarray:
    """A steady tone as 16-bit samples: no two pitches are alike anywhere."""
    times = np.arange(round(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * pitch * times)).astype(np.int16)


def convert(source: Path, out: Path, *more, code: int = 0) -> list[dict]:
    """Run the command, and read what it wrote."""
    assert main(["manifest", str(source), "--out", str(out), "--tokenizer", str(MINI),
                 *map(str, more)]) == code
    return manifests.read_manifest(out) if out.is_file() else []


def reported(out: Path) -> list[dict[str, str]]:
    with out.with_suffix(".report.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def one_sentence(capsys) -> str:
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and said.endswith((".", ".jsonl", "'")), said
    assert "Traceback" not in said
    return said


@pytest.fixture
def kaldi(tmp_path) -> Path:
    """A Kaldi folder of six calls by three speakers."""
    folder = tmp_path / "kaldi"
    folder.mkdir()
    for number in range(6):
        soundfile.write(folder / f"c{number}.wav", tone(1 + number / 10, 300 + 100 * number), RATE)
    put(folder / "wav.scp", *(f"c{n} {folder / f'c{n}.wav'}" for n in range(6)))
    put(folder / "text", *(f"c{n} my card {n}" for n in (3, 1, 0, 2, 5, 4)))
    put(folder / "utt2spk", *(f"c{n} s{n % 3}" for n in range(6)))
    return folder


def put(path: Path, *rows: str) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


# Lengths and prompts, against FunASR


def test_speech_length_is_what_funasrs_frontend_makes_of_the_file(tmp_path):
    from funasr.frontends.wav_frontend import WavFrontend
    from funasr.utils.load_utils import extract_fbank, load_audio_text_image_video

    frontend = WavFrontend(fs=16000, dither=0.0, lfr_m=1, lfr_n=1)
    drawn = random.Random(0)
    lengths = [(rate, drawn.randrange(rate // 40 + 1, rate)) for rate in
               (8000, 16000, 11025, 22050, 32000, 44100, 48000) for _ in range(6)]
    lengths += [(8000, 200 + 80 * frames + off) for frames in range(1, 12) for off in (-1, 0, 1)]
    lengths += [(44100, n) for n in range(1158, 1162)]
    for rate, count in lengths:
        soundfile.write(tmp_path / "x.wav", np.zeros(count, np.int16), rate)
        with funasr_silenced():
            samples = load_audio_text_image_video(str(tmp_path / "x.wav"), fs=16000)
            _, found = extract_fbank(samples, data_type="sound", frontend=frontend, is_final=True)
        assert speech_frames(count, rate) == int(found[0]), (rate, count)


@pytest.mark.parametrize("language", [None, "英文"])
@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("words", [[], ["Nano", "8 kHz"]])
def test_the_prompt_is_the_one_that_decoding_uses(language, normalised, words):
    from funasr.models.fun_asr_nano.model import FunASRNano

    model = object.__new__(FunASRNano)
    wanted = FunASRNano.get_prompt(model, words, language, normalised)
    assert lines.prompt(language, normalised, words) == wanted
    system, user, _ = FunASRNano.generate_chatml(model, wanted, "a.wav")
    assert lines.message_turns("a.wav", "hello", wanted)[:2] == [system, user]


# FunASR's own converter


@pytest.fixture
def theirs(monkeypatch):
    """Runs FunASR's converter, with the mini's tokenizer in place of the hub's."""
    from funasr.models.fun_asr_nano.tools import scp2jsonl
    from transformers import AutoTokenizer

    monkeypatch.setattr(scp2jsonl, "AutoTokenizer", AutoTokenizer)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", staticmethod(
        lambda name, load=AutoTokenizer.from_pretrained: load(MINI / "Qwen3-0.6B")))

    def run(scp: Path, text: Path, out: Path) -> dict[str, dict]:
        from omegaconf import OmegaConf

        with funasr_silenced():
            scp2jsonl.main_hydra.__wrapped__(OmegaConf.create({
                "scp_file": str(scp), "transcript_file": str(text), "jsonl_file": str(out),
                "max_workers": 2}))
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        return {manifests.audio_path(line): line for line in found}

    return run


def test_where_funasrs_converter_is_right_we_write_the_same(theirs, tmp_path):
    items = corpus.load_set("valid")[:20]
    source = manifests.write_kaldi(items, tmp_path / "kaldi")
    ours = convert(source, tmp_path / "ours.jsonl")
    known = theirs(source / "wav.scp", source / "text", tmp_path / "theirs.jsonl")
    assert len(ours) == len(known) == len(items)
    for line, item in zip(ours, items, strict=True):
        same = known[manifests.audio_path(line)]
        assert {name: line[name] for name in same} == same
        assert line["speech_length"] == item["speech_length"]
        assert line["text_length"] == item["text_length"]


def test_where_it_is_wrong_we_are_not(theirs, kaldi, tmp_path):
    """Lists in two orders, an empty transcript, a length in floats that falls below its value."""
    put(kaldi / "text", *(f"c{n} my card {n}" for n in (1, 0, 2, 3)), "c4", "c9 nobody")
    ours = convert(kaldi, tmp_path / "ours.jsonl", code=1)
    known = theirs(kaldi / "wav.scp", kaldi / "text", tmp_path / "theirs.jsonl")
    assert len(known) == 2, "it pairs line with line: c0 and c1 are lost, c4 without a word"
    assert [line["key"] for line in ours] == ["c0", "c1", "c2", "c3"]
    why = {(row["file"], row["key"]): row["why"] for row in reported(tmp_path / "ours.jsonl")}
    assert set(why) == {("text", "c4"), ("text", "c9"), ("wav.scp", "c5")}
    off = 0
    for frames in range(1, 400):
        samples = 200 + 80 * (frames - 1)
        seconds = samples / RATE
        off += int((seconds * 1000 - 25) // 10 + 1) != speech_frames(samples, RATE)
    assert off, "it counts in floats, and now and then one frame less than there are"


# Kaldi


def test_lists_are_joined_by_key_in_the_order_of_the_recordings(kaldi, tmp_path):
    found = convert(kaldi, tmp_path / "train.jsonl")
    assert [line["key"] for line in found] == [f"c{n}" for n in range(6)]
    assert [manifests.transcript(line) for line in found] == [f"my card {n}" for n in range(6)]
    assert [line["speech_length"] for line in found] == [98 + 10 * n for n in range(6)]
    assert all("<|startofspeech|>!" in line["messages"][1]["content"] for line in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "kaldi", "train.jsonl", "train.report.tsv"] and not reported(tmp_path / "train.jsonl")


def test_a_folder_with_every_fault_is_reported_line_by_line(tmp_path):
    source = Path(shutil.copytree(CASES / "kaldi", tmp_path / "kaldi"))
    for name in ("call1", "call2"):
        soundfile.write(source / f"{name}.wav", tone(2, 300), RATE)
    found = convert(source, tmp_path / "train.jsonl", code=1)
    assert [(line["key"], line["speech_length"]) for line in found] == [("u1", 118), ("u2", 148)]
    rows = [(row["file"], int(row["line"]), row["key"]) for row in reported(
        tmp_path / "train.jsonl")]
    assert sorted(rows) == sorted([
        ("wav.scp", 3, "call3"), ("wav.scp", 4, "call4"), ("wav.scp", 5, "call2"),
        ("text", 3, "u3"), ("text", 4, "u4"), ("text", 6, "u6"), ("text", 7, "u7"),
        ("segments", 5, "u5"), ("segments", 7, "u8"), ("segments", 8, "u9")])


BAD_SCP = {"no path": "b", "a command": "b sox in.wav -t wav - |", "missing": "b /no/b.wav",
           "a folder": "b /", "twice": "c1 /other.wav", "a net address": "b https://x/b.wav",
           "through ffmpeg": "b b.m4a", "raw": "b b.pcm", "no audio": "b b.txt"}


@pytest.mark.parametrize("row", BAD_SCP.values(), ids=BAD_SCP)
def test_a_bad_recording_is_named_with_its_line(kaldi, tmp_path, row):
    for name in ("b.m4a", "b.pcm", "b.txt"):
        (kaldi / name).write_bytes(b"nothing")
    with (kaldi / "wav.scp").open("a") as stream:
        stream.write(f"\n{row}\n")
    with (kaldi / "text").open("a") as stream:
        stream.write("b words\n")
    found = convert(kaldi, tmp_path / "train.jsonl", code=1)
    assert len(found) == 6
    lost = reported(tmp_path / "train.jsonl")
    assert {(row["file"], row["line"]) for row in lost} <= {("wav.scp", "8"), ("text", "7")}
    assert lost and all(row["what became of it"] == "left out" and row["why"] for row in lost)


@pytest.mark.parametrize("seed", range(8))
def test_no_line_is_lost_in_silence(tmp_path, seed):
    """Drawn lists with faults: each line is in the manifest, or in the report with its number."""
    drawn, folder = random.Random(seed), tmp_path / "k"
    folder.mkdir()
    soundfile.write(folder / "a.wav", tone(2, 300), RATE)
    keys = [f"u{n}" for n in range(12)]
    scp = [drawn.choice([f"{key} {folder / 'a.wav'}", f"{key} a.wav", key, f"{key} gone.wav",
                         f"{key} cat x|", ""]) for key in drawn.sample(keys, 10)]
    segments = [drawn.choice([f"s{n} {drawn.choice(keys)} 0.1 {drawn.choice([1.5, 9, 0, -1])}",
                              f"s{n} u1 x 2", f"s{n} u1", f"s{n} u2 0 1", ""]) for n in range(10)]
    use_segments = seed % 2
    names = [f"s{n}" for n in range(12)] if use_segments else keys
    text = [drawn.choice([f"{key} some words", key, f"{key}\tmore", ""])
            for key in drawn.choices(names, k=14)]
    for name, rows in (("wav.scp", scp), ("text", text),
                       *([("segments", segments)] if use_segments else [])):
        data = "\n".join(rows).encode() + b"\n"
        (folder / name).write_bytes(data + (b"\xff bad\n" if drawn.random() < 0.5 else b""))
    out = tmp_path / "train.jsonl"
    code = main(["manifest", str(folder), "--out", str(out), "--tokenizer", str(MINI)])
    assert code in (0, 1, 2)
    written = {line["key"] for line in (manifests.read_manifest(out) if out.exists() else [])}
    rows = reported(out)
    lines_of = {(row["file"], int(row["line"])) for row in rows}
    keys_of = {row["key"] for row in rows}
    recordings = {line.split()[1] for line in segments if len(line.split()) > 1}
    for name in ("wav.scp", "text", "segments"):
        raw = (folder / name).read_bytes().splitlines() if (folder / name).exists() else []
        for number, line in enumerate(raw, 1):
            if line.strip():
                key = line.split()[0].decode(errors="replace")
                used = key in written or name == "wav.scp" and use_segments and key in recordings
                assert used or (name, number) in lines_of or key in keys_of, (name, number, line)
    assert bool(rows) == (code != 0)


def test_segments_become_files_of_their_own(kaldi, tmp_path):
    put(kaldi / "segments", "a1 c1 0.10 0.60", "a2 c1 0.60 -1", "a3 c5 0.0 1.54", "a4 c5 1 3",
        "a5 c9 0 1", "a6 c2 0.5 0.4")
    put(kaldi / "text", *(f"a{n} words {n}" for n in range(1, 8)))
    out = tmp_path / "train.jsonl"
    found = convert(kaldi, out, code=1)
    assert [line["key"] for line in found] == ["a1", "a2", "a3"]
    samples, rate = soundfile.read(manifests.audio_path(found[0]), dtype="int16")
    assert rate == RATE and np.array_equal(samples, tone(1.1, 400)[800:4800])
    assert len(soundfile.read(manifests.audio_path(found[1]))[0]) == 8800 - 4800
    assert [line["speech_length"] for line in found] == [48, 48, 148]
    lost = {row["key"]: row["why"] for row in reported(out)}
    assert "recording at 1.50 s" in lost["a4"] and "c9" in lost["a5"] and "start < end" in lost[
        "a6"] and "segments" in lost["a7"]
    assert {"c0", "c3", "c4"} <= set(lost), "recordings of which no segment speaks"


@pytest.mark.parametrize("subtype", ["PCM_16", "ULAW", "ALAW"])
def test_the_two_legs_of_a_call_become_two_utterances(kaldi, tmp_path, subtype):
    both = np.stack([tone(1, 300), tone(1, 700)], 1)
    soundfile.write(kaldi / "call.wav", both, RATE, subtype=subtype)
    heard, _ = soundfile.read(kaldi / "call.wav", dtype="int16")
    put(kaldi / "wav.scp", "call call.wav", "other call.wav", "mono c1.wav", "third call.wav")
    put(kaldi / "text", "call-A hello", "call-B good day", "other all of it", "mono-B nobody",
        "third_A one leg")
    out = tmp_path / "train.jsonl"
    found = convert(kaldi, out, "--legs", code=1)
    assert [line["key"] for line in found] == ["call-A", "call-B", "third_A"]
    for line, leg in zip(found, (0, 1, 0), strict=True):
        samples, _ = soundfile.read(manifests.audio_path(line), dtype="int16")
        assert np.array_equal(samples, heard[:, leg])
    lost = {row["key"]: row["why"] for row in reported(out)}
    assert "two legs" in lost["other"] and "one channel" in lost["mono-B"]
    assert "no transcript" in lost["third-B"]


def test_channels_that_are_not_split_are_told(kaldi, tmp_path):
    soundfile.write(kaldi / "c1.wav", np.stack([tone(1, 300)] * 2, 1), RATE)
    found = convert(kaldi, tmp_path / "train.jsonl")
    row, = reported(tmp_path / "train.jsonl")
    assert len(found) == 6 and row["key"] == "c1" and row["what became of it"] == "kept"


# Tables


def test_a_table_is_read_with_its_usual_names_or_with_yours(kaldi, tmp_path):
    table = put(kaldi / "calls.csv", "path,sentence,speaker,hotwords", 'c1.wav,"my ""card""",x,',
                'c2.wav,"two\nlines",y,"card, PIN"', ",nothing,z,", "c3.wav,,z,", "c4.wav,a,b",
                "c5.wav,fine,z,")
    out = tmp_path / "train.jsonl"
    found = convert(table, out, code=1)
    assert [manifests.transcript(line) for line in found] == ['my "card"', "two\nlines", "fine"]
    assert [line.get("hotwords") for line in found] == [None, "card, PIN", None]
    lost = {int(row["line"]): row["why"] for row in reported(out)}
    assert set(lost) == {5, 6, 7} and "cells" in lost[7] and "transcript" in lost[6]
    odd = put(kaldi / "odd.tsv", "a\tb", "c1.wav\tmy card")
    found = convert(odd, tmp_path / "odd.jsonl", "--columns", "audio=a,text=b")
    assert manifests.transcript(found[0]) == "my card"
    (kaldi / "semi.csv").write_bytes("\ufeffpath;text\nc1.wav;größer, besser\n".encode()
                                     + b"c2.wav;\xff\n")
    found = convert(kaldi / "semi.csv", tmp_path / "semi.jsonl", code=1)
    assert manifests.transcript(found[0]) == "größer, besser"
    assert [row["line"] for row in reported(tmp_path / "semi.jsonl")] == ["3"]


def test_times_and_channels_of_a_table(kaldi, tmp_path):
    soundfile.write(kaldi / "call.wav", np.stack([tone(2, 300), tone(2, 700)], 1), RATE)
    table = put(kaldi / "turns.csv", "path,start,end,channel,text", "call.wav,0,1,A,hello",
                "call.wav,1.0,2.0,right,good day", "call.wav,1,1,0,none", "call.wav,0,1,3,none",
                "call.wav,nan,1,0,none", "call.wav,,,1,all")
    out = tmp_path / "train.jsonl"
    found = convert(table, out, code=1)
    assert [line["key"] for line in found] == [
        "call-A-0000000-0001000", "call-B-0001000-0002000", "call-B"]
    samples, _ = soundfile.read(manifests.audio_path(found[1]), dtype="int16")
    assert np.array_equal(samples, tone(2, 700)[RATE:])
    assert [row["line"] for row in reported(out)] == ["4", "5", "6"]


def test_files_of_one_name_do_not_overwrite_each_other(kaldi, tmp_path):
    (kaldi / "sub").mkdir()
    soundfile.write(kaldi / "sub" / "c1.wav", tone(1, 900), RATE)
    table = put(kaldi / "two.csv", "path,start,end,text", "c1.wav,0,0.5,one",
                "sub/c1.wav,0,0.5,other")
    found = convert(table, tmp_path / "train.jsonl")
    paths = {manifests.audio_path(line) for line in found}
    assert len(paths) == 2 and not np.array_equal(*(soundfile.read(path)[0] for path in paths))


# Data sets


@pytest.mark.parametrize("kind", ["saved", "parquet", "folder"])
def test_a_data_set_is_read_from_its_folder(kaldi, tmp_path, kind):
    from datasets import Audio, Dataset

    out, folder = tmp_path / "train.jsonl", tmp_path / "set"
    paths, said = [str(kaldi / f"c{n}.wav") for n in range(3)], ["one", "two", ""]
    if kind == "folder":
        folder.mkdir()
        for path in paths:
            (folder / Path(path).name).write_bytes(Path(path).read_bytes())
        put(folder / "metadata.csv", "file_name,text", *(
            f"{Path(path).name},{text}" for path, text in zip(paths, said, strict=True)))
    else:
        made = Dataset.from_dict({"audio": paths, "text": said}).cast_column("audio", Audio())
        if kind == "saved":
            made.save_to_disk(folder)
        else:
            folder.mkdir()
            made.to_parquet(folder / "train.parquet")
    found = convert(folder, out, code=1)
    assert [manifests.transcript(line) for line in found] == ["one", "two"]
    assert [line["speech_length"] for line in found] == [98, 108]
    for number, line in enumerate(found):
        samples, rate = soundfile.read(manifests.audio_path(line), dtype="int16")
        assert rate == RATE and np.array_equal(samples, tone(1 + number / 10, 300 + 100 * number))
    assert [row["line"] for row in reported(out)] == ["4" if kind == "folder" else "3"]


def test_the_split_of_a_data_set_has_to_be_named(kaldi, tmp_path, capsys):
    from datasets import Dataset, DatasetDict

    made = Dataset.from_dict({"path": [str(kaldi / "c1.wav")], "text": ["one"]})
    DatasetDict(train=made, test=made).save_to_disk(tmp_path / "set")
    convert(tmp_path / "set", tmp_path / "train.jsonl", code=2)
    assert "train, test" in one_sentence(capsys)
    assert len(convert(tmp_path / "set", tmp_path / "train.jsonl", "--split", "test")) == 1


# Speakers


def test_no_speaker_is_in_both_sets_and_the_draw_is_seeded(kaldi, tmp_path):
    def halves(name, seed):
        train = convert(kaldi, tmp_path / f"{name}.jsonl", "--valid", tmp_path / f"{name}_v.jsonl",
                        "--valid-share", 0.4, "--seed", seed)
        valid = manifests.read_manifest(tmp_path / f"{name}_v.jsonl")
        return [{line["key"] for line in part} for part in (train, valid)]

    train, valid = halves("a", 0)
    assert train | valid == {f"c{n}" for n in range(6)} and not train & valid
    speakers = [{int(key[1:]) % 3 for key in part} for part in (train, valid)]
    assert not speakers[0] & speakers[1] and all(speakers)
    assert halves("b", 0) == [train, valid]
    assert any(halves(f"s{seed}", seed) != [train, valid] for seed in range(1, 5))


def test_legs_and_segments_of_a_call_stay_together_where_speakers_are_not_named(kaldi, tmp_path):
    (kaldi / "utt2spk").unlink()
    put(kaldi / "segments", *(f"u{n}{part} c{n} {part / 2} {part / 2 + 0.4}" for n in range(6)
                              for part in (0, 1)))
    put(kaldi / "text", *(f"u{n}{part} words" for n in range(6) for part in (0, 1)))
    train = convert(kaldi, tmp_path / "t.jsonl", "--valid", tmp_path / "v.jsonl",
                    "--valid-share", 0.5)
    valid = manifests.read_manifest(tmp_path / "v.jsonl")
    calls = [{line["key"][:2] for line in part} for part in (train, valid)]
    assert not calls[0] & calls[1] and len(train) + len(valid) == 12 and valid


def test_the_share_is_kept_to_and_both_sets_have_somebody():
    for seed in range(50):
        drawn = random.Random(seed)
        lengths = {f"s{n}": drawn.randrange(1, 1000) for n in range(drawn.randrange(2, 30))}
        share = drawn.uniform(0.01, 0.9)
        held = for_validation(lengths, share, seed)
        assert 0 < len(held) < len(lengths)
        total = sum(lengths[name] for name in held)
        smallest = len(held) == 1 and total == min(lengths.values())
        assert smallest or total <= share * sum(lengths.values())
    with pytest.raises(BookError, match="one speaker only"):
        for_validation({"s": 1}, 0.1, 0)


def test_lines_name_their_speaker_where_that_is_asked_for(kaldi, tmp_path):
    found = convert(kaldi, tmp_path / "a.jsonl", "--speakers")
    assert [line["speaker"] for line in found] == [f"s{n % 3}" for n in range(6)]
    assert "speaker" not in convert(kaldi, tmp_path / "b.jsonl")[0]
    table = put(kaldi / "calls.csv", "path,text", "c1.wav,one", "c2.wav,two")
    found = convert(table, tmp_path / "c.jsonl", "--speakers")
    assert [line["speaker"] for line in found] == ["c1", "c2"]


# Cutting at silence


def call_with_pauses(rate: int, count: int = 8) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Sentences of the corpus with silences of a line's noise between them, and their times."""
    import soxr

    drawn, parts, times, at = np.random.default_rng(0), [], [], 0.0
    for number, item in enumerate(corpus.load_set("valid")[:count]):
        samples, own = soundfile.read(manifests.audio_path(item), dtype="float32")
        speech = soxr.resample(samples, own, rate)
        silence = np.zeros(round(rate * (0.8 if number % 3 else 4.0)), np.float32)
        times.append((at + len(silence) / rate, at + (len(silence) + len(speech)) / rate))
        parts += [silence, speech]
        at = times[-1][1]
    whole = np.concatenate([*parts, np.zeros(rate, np.float32)])
    noise = drawn.normal(0, 10 ** (-60 / 20), len(whole))
    return (32767 * (whole + noise).clip(-1, 1)).astype(np.int16), times


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("longest", [6.0, 15.0])
def test_a_long_call_is_cut_in_its_pauses(rate, longest):
    samples, times = call_with_pauses(rate)
    found = pauses.pieces(samples, rate, longest)
    assert all(end - start <= longest + 1e-6 for start, end, _ in found)
    assert all(one[1] <= other[0] + 1e-6 for one, other in pairwise(found))
    for start, end in times:
        middle = np.arange(start + 0.3, end - 0.3, 0.05)
        covered = [any(one <= at <= other for one, other, _ in found) for at in middle]
        assert np.mean(covered) > 0.9, "speech is in some piece"
    for start, end, clean in found:
        for first, last in times:
            assert not clean or not first + 0.15 < start < last - 0.15, "begins within a sentence"
            assert not clean or not first + 0.15 < end < last - 0.15, "ends within a sentence"
    assert found[0][0] > times[0][0] - 0.4, "the silence before the first word is in no piece"
    assert sum(end - start for start, end, _ in found) < len(samples) / rate - 6


def test_speech_without_a_pause_is_cut_all_the_same():
    samples, _ = call_with_pauses(RATE, 3)
    loud = np.random.default_rng(0).integers(-9000, 9000, RATE * 25).astype(np.int16)
    found = pauses.pieces(loud, RATE, 10.0)
    assert all(end - start <= 10.0 + 1e-6 for start, end, _ in found)
    assert pauses.pieces(np.zeros(RATE * 5, np.int16), RATE, 10.0) == []
    spoken = np.concatenate([samples[pauses.speaks(samples, RATE).repeat(240).nonzero()[0]]] * 3)
    found = pauses.pieces(spoken, RATE, 4.0)
    assert all(end - start <= 4.0 + 1e-6 for start, end, _ in found)
    assert not all(clean for *_, clean in found)
    assert sum(end - start for start, end, _ in found) > 0.8 * len(spoken) / RATE


def test_recordings_without_a_transcript_are_cut_for_transcription(kaldi, tmp_path, capsys):
    samples, _ = call_with_pauses(RATE)
    quiet = np.zeros_like(samples)
    soundfile.write(kaldi / "long.wav", np.stack([samples, quiet], 1), RATE)
    soundfile.write(kaldi / "still.wav", quiet, RATE)
    put(kaldi / "wav.scp", "long long.wav", "still still.wav", "c1 c1.wav")
    put(kaldi / "text", "c1 my card")
    out = tmp_path / "train.jsonl"
    found = convert(kaldi, out, "--cut", 12, "--legs", code=1)
    assert [line["key"] for line in found] == ["c1"]
    listed = [line.split(maxsplit=1) for line in
              (tmp_path / "train.to_transcribe.scp").read_text().splitlines()]
    assert len(listed) == 3 and all(key.startswith("long-A-") for key, _ in listed)
    for key, path in listed:
        first = int(key.split("-")[-2]) * RATE // 1000
        piece, _ = soundfile.read(path, dtype="int16")
        assert len(piece) <= 12 * RATE
        assert np.array_equal(piece, samples[first:first + len(piece)])
    why = {row["key"]: row["what became of it"] for row in reported(out)}
    assert why == {"long": "cut", "long-B": "left out", "still": "left out"}
    put(tmp_path / "text", *(f"{key} said" for key, _ in listed))
    again = convert(tmp_path / "train.to_transcribe.scp", tmp_path / "second.jsonl")
    assert [line["key"] for line in again] == [key for key, _ in listed]


# Hot words


def test_hot_words_of_a_list_go_to_the_lines_that_have_them(kaldi, tmp_path):
    words = put(tmp_path / "words.txt", "Card", "car", "卡", "", "card 3")
    put(kaldi / "text", "c0 my card", "c1 our cards", "c2 我的银行卡", "c3 a CARD 3")
    found = {line["key"]: line for line in convert(kaldi, tmp_path / "t.jsonl", "--hotwords",
                                                   words, code=1)}
    assert {key: line.get("hotwords") for key, line in found.items()} == {
        "c0": "Card", "c1": None, "c2": "卡", "c3": "card 3"}
    found = convert(kaldi, tmp_path / "p.jsonl", "--hotwords", words, "--hotwords-in-prompt",
                    "--no-itn", "--language", "英文", code=1)
    assert "hotwords" not in found[0]
    assert found[0]["messages"][1]["content"].startswith(lines.prompt("英文", False, ["Card"]))


def test_funasrs_prompt_class_reads_the_hot_words(kaldi, tmp_path):
    from funasr.datasets.fun_asr_datasets.multicontext_prompt import MultiContextPrompt

    words = put(tmp_path / "words.txt", "card", "3")
    found = convert(kaldi, tmp_path / "t.jsonl", "--hotwords", words)
    asked = MultiContextPrompt(max_neg_hotwords_num=0).get_prompt(found[3], "en")
    assert "card" in asked and "3" in asked


# FunASR's own dataset, and the checker


@pytest.mark.slow
def test_funasrs_dataset_and_collator_take_every_line(tmp_path):
    from funasr.register import tables

    items = corpus.load_set("valid")[:12]
    source = manifests.write_kaldi(items, tmp_path / "kaldi")
    train, valid = tmp_path / "train.jsonl", tmp_path / "valid.jsonl"
    lines_ = convert(source, train, "--valid", valid, "--valid-share", 0.3)
    with funasr_silenced():
        built = mini.build()
        dataset = tables.dataset_classes.get(built.kwargs["dataset"])(
            str(train), frontend=built.frontend, tokenizer=built.tokenizer, is_training=True,
            **{**built.kwargs["dataset_conf"], "prompt_classes": None})
        samples = [dataset[place] for place in range(len(dataset))]
        batch = dataset.collator(samples)
    assert len(samples) == len(lines_)
    for sample, line in zip(samples, lines_, strict=True):
        assert (sample["fbank_beg"] > 0).all(), "the audio was opened"
        frames = int(sample["speech_lengths"][0])
        assert frames == -(-line["speech_length"] // 6), "as many encoder frames as it says"
        target = int((sample["labels_ids"] != -100).sum())
        assert target == line["text_length"] + 1, "the text's tokens, and the end of the turn"
    loss, _, _ = built.model(**batch)
    assert loss.isfinite()
    found = check(CONFIGS / "recommended_8k.yaml", train, valid, probe=-1, steps=50_000)
    assert not found.at_least(Severity.ERROR)


# When something is wrong


@pytest.mark.parametrize("more", [
    ("--out", "train.txt"), ("--valid", "valid.txt"), ("--valid-share", "2"), ("--cut", "0"),
    ("--legs", "A"), ("--jobs", "0"), ("--columns", "colour=red"), ("--text", "no_such"),
    ("--tokenizer", "no_such"), ("--hotwords", "no_such"), ("--valid", "train.jsonl")])
def test_settings_that_cannot_be_meant_get_one_sentence(kaldi, tmp_path, monkeypatch, capsys, more):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert main(["manifest", str(kaldi), "--out", "train.jsonl", "--tokenizer", str(MINI),
                 *more]) == 2
    one_sentence(capsys)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["no_such", "a.txt", "empty"])
def test_what_is_no_source_gets_one_sentence(tmp_path, capsys, name):
    put(tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    convert(tmp_path / name, tmp_path / "train.jsonl", code=2)
    one_sentence(capsys)


@pytest.mark.parametrize(("package", "more"), [
    ("tokenizers", ()), ("webrtcvad", ("--cut", "30")), ("datasets", ())])
def test_a_package_that_is_not_installed_is_named(kaldi, tmp_path, monkeypatch, capsys, package,
                                                  more):
    monkeypatch.setitem(sys.modules, package, None)
    source = tmp_path / "set" if package == "datasets" else kaldi
    source.mkdir(exist_ok=True)
    convert(source, tmp_path / "train.jsonl", *more, code=2)
    assert "pip install" in one_sentence(capsys)


def test_nothing_is_overwritten(kaldi, tmp_path, capsys):
    convert(kaldi, tmp_path / "train.jsonl")
    before = (tmp_path / "train.jsonl").read_bytes()
    put(kaldi / "text", "c1 other words")
    assert main(["manifest", str(kaldi), "--out", str(tmp_path / "train.jsonl"), "--tokenizer",
                 str(MINI)]) == 2
    assert "there already" in capsys.readouterr().err
    assert (tmp_path / "train.jsonl").read_bytes() == before


def test_nothing_usable_leaves_the_report_alone(kaldi, tmp_path, capsys):
    put(kaldi / "text", "x1 nobody")
    convert(kaldi, tmp_path / "train.jsonl", code=2)
    assert "No line could be used" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kaldi", "train.report.tsv"]
    assert len(reported(tmp_path / "train.jsonl")) == 7


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interruption_leaves_nothing(kaldi, tmp_path, monkeypatch, capsys, stop):
    from funasr_preflight.converting import sound

    put(kaldi / "segments", *(f"u{n} c{n} 0 0.5" for n in range(6)))
    put(kaldi / "text", *(f"u{n} words" for n in range(6)))
    real = sound.write

    def write(path, samples, rate):
        if path.name == "u4.wav":
            raise stop
        real(path, samples, rate)

    monkeypatch.setattr(sound, "write", write)
    code = main(["manifest", str(kaldi), "--out", str(tmp_path / "train.jsonl"), "--tokenizer",
                 str(MINI)])
    assert code == (130 if stop is KeyboardInterrupt else 2)
    one_sentence(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["kaldi"]


def test_paths_are_as_the_training_will_see_them(kaldi, tmp_path, monkeypatch):
    found = convert(kaldi, tmp_path / "a.jsonl", "--relative-to", tmp_path)
    assert manifests.audio_path(found[0]) == "kaldi/c0.wav"
    monkeypatch.chdir(kaldi)
    put(kaldi / "wav.scp", "c0 c0.wav")
    found = convert(kaldi, tmp_path / "b.jsonl", code=1)
    assert manifests.audio_path(found[0]) == str((kaldi / "c0.wav").resolve())


def test_it_speaks_chinese(kaldi, tmp_path, capsys):
    put(kaldi / "text", "c1 my card", "x1 nobody")
    main(["manifest", str(kaldi), "--out", str(tmp_path / "t.jsonl"), "--tokenizer", str(MINI),
          "--lang", "zh"])
    said = capsys.readouterr().out
    assert "清单" in said and "left out" not in said and "Utterances" not in said
    assert all("wav.scp 中" in row["why"] or "转写" in row["why"] for row in reported(
        tmp_path / "t.jsonl"))


def test_the_help_has_examples_and_names_funasrs_converter(capsys):
    for name in ("manifest", "checkpoint"):
        with pytest.raises(SystemExit):
            main([name, "--help"])
        said = capsys.readouterr().out
        assert f"\n    preflight {name} " in said and (name == "checkpoint" or "scp2jsonl" in said)
