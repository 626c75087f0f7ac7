"""The command and its reports: can they be read, by people and by programs, whatever is given?"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import yaml
from bs4 import BeautifulSoup

from funasr_preflight import check, report
from funasr_preflight.command import main
from funasr_preflight.findings import Severity
from funasr_preflight.rules.registry import RULES
from helpers.paths import CONFIGS, ROOT
from helpers.speech import manifests
from helpers.speech.turns import telephone_manifest

MAIN, OURS = CONFIGS / "config_8k_telephone.yaml", CONFIGS / "recommended_8k.yaml"


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    return manifests.write_manifest(
        [manifests.with_audio(item, Path("calls") / f"{item['key']}.wav")
         for item in telephone_manifest(10_000)], folder / "train.jsonl")


@pytest.fixture(scope="module")
def found(train):
    return check(MAIN, train, gpus=2, probe=None)


def run(*arguments) -> int:
    return main([str(one) for one in arguments])


# Exit codes


def test_the_exit_code_says_how_bad_it_is(train, capsys):
    given = ("--train", train, "--probe", "none", "--steps", "50000")
    assert run(OURS, *given) == 0
    assert run(MAIN, *given) == 1
    assert run(OURS, *given, "--fail-on", "note") == 1
    assert run(OURS, "--train", train, "--probe", "none", "--steps", "100", "--fail-on",
               "warning") == 1
    assert "Traceback" not in capsys.readouterr().err


def test_several_configs_are_checked_one_by_one(capsys):
    """As a pre-commit hook gives them."""
    assert run(OURS, MAIN, CONFIGS / "stage1_encoder_adapt.yaml", "--steps", "50000") == 1
    told = capsys.readouterr().out
    assert all(f"{path.name}: " in told for path in (OURS, MAIN))
    assert run(OURS, MAIN, "--format", "json") == 2


@pytest.mark.parametrize("arguments", [
    ("no_such.yaml",), (CONFIGS,), (OURS, "--train", "no_such.jsonl"), (OURS, "a.b.c"),
    (OURS, "--probe", "many"), (OURS, "--over", "no_such_folder"), (),
    ("--command", "echo hello"), (OURS, "--fix", OURS)])
def test_what_cannot_be_checked_gets_one_sentence(arguments, capsys):
    assert run(*arguments) == 2
    said = capsys.readouterr().err.strip()
    assert said.endswith((".", "`.")) and len(said.splitlines()) == 1 and "Traceback" not in said


def test_wrong_numbers_are_refused_by_the_command_line(capsys):
    assert run(OURS, "--gpus", "none") == 2
    assert "positive whole number" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        run(OURS, "--no-such-option")
    said = capsys.readouterr().err
    assert ended.value.code == 2 and len(said.strip().splitlines()) == 1 and "--help" in said


# What it prints


def test_a_script_is_checked_with_its_overrides(tmp_path, train, capsys):
    script = tmp_path / "run.sh"
    script.write_text(f"""#!/bin/bash
torchrun --nproc_per_node 2 funasr/bin/train_ds.py --config-path {CONFIGS} \\
  --config-name recommended_8k.yaml ++model=/models/nano ++train_data_set_list={train} \\
  ++valid_data_set_list={train} ctc_decoder_conf.freeze=false '~freeze_param'
""")
    assert run(script, "--probe", "none", "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [one["rule"] for one in told["findings"] if one["severity"] == "error"] == [
        "trains-without-gradient"]
    first = told["findings"][0]
    assert (first["file"], first["line"]) == ("run.sh", 4)


def test_json_holds_every_finding_with_its_line_and_edits(found):
    told = json.loads(report.as_json(found))
    assert len(told["findings"]) == len(found.findings)
    lines = MAIN.read_text().splitlines()
    for one in told["findings"]:
        assert one["rule"] in RULES and one["message"] and one["page"].startswith("notebooks/")
        if one["key"] and one["file"] == MAIN.name and one["line"]:
            last = one["key"].split(".")[-1]
            assert any(part in lines[one["line"] - 1] for part in (last, *one["key"].split(".")))
    alone = next(one for one in told["findings"] if one["rule"] == "launch-alone")
    assert {"key": "model_conf", "remove": True} in alone["edits"]


def test_sarif_is_what_code_hosts_read(found):
    told = json.loads(report.as_sarif(found))
    driver = told["runs"][0]["tool"]["driver"]
    assert told["version"] == "2.1.0" and driver["name"] == "preflight"
    assert len(told["runs"][0]["results"]) == len(found.findings)
    for one in told["runs"][0]["results"]:
        assert driver["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["level"] in ("error", "warning", "note") and one["message"]["text"]
        place = one["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] and place["region"]["startLine"] >= 1


def test_html_is_one_page_that_needs_nothing_else(found):
    text = report.as_html(found)
    page = BeautifulSoup(text, "html.parser")
    assert page.html["lang"] == "en" and page.title.text and len(page.select("h1")) == 1
    assert not page.select("[src], link[href], script")
    assert len(page.select(".findings > li")) == len(found.findings)
    assert all(table.caption and table.select("th[scope=col]") for table in page.select("table"))
    assert page.svg["role"] == "img" and page.svg["aria-label"]


def test_text_names_key_place_and_fix_and_draws_the_learning_rate(found):
    text = report.as_text(found, width=100)
    for one in found.at_least(Severity.WARNING):
        assert one.rule in text and report.place_of(one) in text
    assert "█" in text and "5.0e-05" in text and "\x1b" not in text


# What it shows first


def shown(capsys, *arguments) -> str:
    run(*arguments)
    return capsys.readouterr().out


def test_five_lines_say_what_there_is_before_any_finding(train, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = shown(capsys, MAIN, "--train", train, "--probe", "none", "--gpus", "2")
    head, _, rest = text.partition("\n\n")
    assert len(head.splitlines()) == 5 and "4 errors" in head
    assert all(word in head for word in ("learns:", "data:", "run:", "cost:"))
    assert rest.startswith("error ")


def test_notes_come_on_request_and_the_worst_comes_first(capsys):
    def severities(*options) -> list[str]:
        told = json.loads(shown(capsys, MAIN, "--format", "json", *options))
        return [one["severity"] for one in told["findings"]]

    def seen(*options) -> str:
        return shown(capsys, MAIN, *options)

    everything = severities()
    order = ["error", "warning", "note"]
    assert set(everything) == set(order) and everything == sorted(everything, key=order.index)
    assert severities("--show", "error") == ["error"] * everything.count("error")
    assert "\nnote " not in seen() and "\nnote " in seen("--notes")
    assert f"{everything.count('note')} more findings" in seen()
    assert "more findings" not in seen("--notes")
    assert "\nwarning " not in seen("--show", "error")


def test_what_is_hidden_still_counts(capsys):
    assert run(OURS, "--steps", "5000", "--fail-on", "note") == 1
    assert "0 errors, 0 warnings" in capsys.readouterr().out


def test_the_tables_come_on_request(capsys):
    assert "What trains" not in shown(capsys, OURS) and "What trains" in shown(
        capsys, OURS, "--facts")


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "coloured"), [
    ({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals_that_want_them(environment, coloured):
    """A real terminal, of 60 columns."""
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 60))
    clean = {name: value for name, value in os.environ.items()
             if name not in ("NO_COLOR", "COLUMNS")}
    with subprocess.Popen([sys.executable, "-m", "funasr_preflight", str(MAIN)], stdout=theirs,
                          stderr=subprocess.DEVNULL,
                          env={**clean, "TERM": "xterm", **environment}) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            said += piece
        process.wait()
    os.close(ours)
    plain = re.sub(r"\x1b\[[\d;]*m", "", said.decode())
    assert (b"\x1b[" in said) == coloured
    assert 40 < max(map(len, plain.replace("\r", "").splitlines())) <= 60


@pytest.mark.slow
def test_a_pipe_gets_plain_text():
    done = subprocess.run([sys.executable, "-m", "funasr_preflight", str(MAIN)],
                          capture_output=True, text=True, check=False)
    assert "\x1b" not in done.stdout and "error model_conf" in done.stdout
    assert not [line for line in done.stdout.splitlines() if line != line.rstrip()]


def test_a_name_that_a_terminal_would_obey_is_shown_as_text(tmp_path):
    config = tmp_path / "odd.yaml"
    config.write_text('"train_conf":\n  "[red]\\e[31mevil": 1\n')
    text = report.as_text(check(config), width=120)
    assert "\x1b" not in text and "[red]" in text
    page = report.as_html(check(config, overrides=["++train_conf.x='<script>'"]))
    assert "<script>" not in page


def test_the_fixed_copy_passes_its_own_check(tmp_path, train, capsys):
    out = tmp_path / "mended.yaml"
    run(MAIN, "--train", train, "--probe", "none", "--gpus", 2, "--fix-unsafe", out)
    after = check(out, train, gpus=2, probe=None)
    assert not after.at_least(Severity.ERROR)
    assert not [one for one in after.at_least(Severity.WARNING) if one.edits]
    kept = [line.partition("#")[2] for line in MAIN.read_text().splitlines() if "#" in line]
    mended = out.read_text()
    assert sum(comment in mended for comment in kept) > len(kept) / 2
    assert yaml.safe_load(mended)["optim_conf"] == yaml.safe_load(MAIN.read_text())["optim_conf"]


# Speed


@pytest.mark.slow
def test_ten_thousand_lines_are_read_without_torch(train):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "funasr_preflight", str(OURS), "--train",
         str(train), "--probe", "none"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not {"torch", "funasr", "transformers", "torchaudio"} & loaded


# What lies beside it


def test_the_hook_and_the_action_name_the_command():
    hook = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())[0]
    assert hook["entry"] == "preflight" and hook["language"] == "python"
    action = yaml.safe_load((ROOT / "book" / "snippets" / "preflight_action.yml").read_text())
    steps = action["jobs"]["preflight"]["steps"]
    assert any("preflight" in step.get("run", "") and "sarif" in step["run"] for step in steps)
    example = yaml.safe_load((ROOT / "book" / "snippets" / "pre-commit-config.yaml").read_text())
    assert example["repos"][0]["hooks"][0]["id"] == hook["id"]


def test_the_command_is_installed_under_its_name(monkeypatch, capsys):
    """By way of a module so small that no key can stop its import with a traceback."""
    from funasr_preflight import __main__ as start

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"]["preflight"] == f"{start.__name__}:main"
    monkeypatch.setattr(sys, "argv", ["preflight", str(OURS)])
    assert start.main() == 0 and OURS.name in capsys.readouterr().out


# What nobody means

HUGE = "1" + "0" * 400
HOSTILE = {
    "no warm-up": ["~scheduler_conf.warmup_steps"], "scheduler null": ["++scheduler_conf=null"],
    "warm-up of text": ["++scheduler_conf.warmup_steps=abc"],
    "huge warm-up": [f"++scheduler_conf.warmup_steps={HUGE}"],
    "huge rate": [f"++optim_conf.lr={HUGE}"], "infinite rate": ["++optim_conf.lr=inf"],
    "huge epochs": ["++train_conf.max_epoch=1" + "0" * 40],
    "LoRA of text": ["++llm_conf.use_lora=true", "++llm_conf.lora_conf=abc"],
    "LoRA of huge rank": ["++llm_conf.use_lora=true", f"++llm_conf.lora_conf.r={HUGE}"],
    "a thousand million masks": ["++specaug=SpecAugLFR",
                                 "++specaug_conf.num_time_mask=1000000000"],
    "masks of three bounds": ["++specaug=SpecAugLFR",
                              "++specaug_conf.time_mask_width_range=[0,1,2]"],
    "a hundred thousand blocks": ["++audio_encoder_conf.num_blocks=100000"],
    "a section of nothing": ["++llm_conf=null"], "a list for a section": ["++train_conf=[1]"],
    "a number to freeze": ["++freeze_param=3"], "another scheduler": ["++scheduler=noamlr"],
}


@pytest.mark.parametrize("overrides", HOSTILE.values(), ids=HOSTILE)
def test_values_that_nobody_means_end_in_a_report_or_one_sentence(overrides, train, capsys):
    assert run(OURS, "--train", train, "--probe", "none", *overrides) in (0, 1, 2)
    said = capsys.readouterr()
    assert said.out or len(said.err.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [("--seconds-per-step", "nan"), ("--seconds-per-step", "-5"),
                                       ("--steps", HUGE), ("--gpus", "0")])
def test_numbers_of_the_command_line_have_bounds(arguments, capsys):
    assert run(OURS, *arguments) == 2
    said = capsys.readouterr().err
    assert "give a positive" in said and len(said.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_terminal_without_the_letters_and_a_pipe_that_closes_get_no_traceback():
    for shell in ("PYTHONIOENCODING=ascii {} | cat", "{} | head -1", "{} > /dev/full"):
        command = f"{sys.executable} -m funasr_preflight {OURS}"
        done = subprocess.run(["bash", "-c", shell.format(command)], capture_output=True,
                              check=False)
        assert b"Traceback" not in done.stderr, shell


def test_a_key_that_stops_it_gets_no_traceback(monkeypatch, capsys):
    def stopped(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("funasr_preflight.checking.check", stopped)
    assert run(OURS) == 130 and capsys.readouterr().err == "Stopped.\n"


STOPPED = (130, -signal.SIGINT)
"""What a shell is told, and what it then makes of a program that a signal ended."""


@pytest.mark.slow
@pytest.mark.parametrize("module", ["funasr_preflight.command", "numpy.linalg",
                                    "funasr_preflight.report",
                                    "funasr_preflight.manifest.scanning"])
def test_control_c_in_a_real_process_gets_no_traceback(module, train):
    """Wherever it is: the process gets the signal when it begins to import this module."""
    code = ("import importlib.abc, os, runpy, signal, sys\n"
            "class Interrupts(importlib.abc.MetaPathFinder):\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name == {module!r}:\n"
            "            sys.meta_path.remove(self)\n"
            "            os.kill(os.getpid(), signal.SIGINT)\n"
            # A process that a shell started in the background would ignore it.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "sys.meta_path.insert(0, Interrupts())\n"
            "runpy.run_module('funasr_preflight', run_name='__main__')\n")
    done = subprocess.run([sys.executable, "-c", code, str(OURS), "--train", str(train), "--probe",
                           "all"], capture_output=True, text=True, check=False)
    assert done.returncode in STOPPED and "Traceback" not in done.stderr


def test_the_diff_and_what_is_left_are_told(tmp_path, capsys):
    run(MAIN, "--fix", tmp_path / "mended.yaml")
    told = capsys.readouterr().err
    assert "-model_conf:" in told and "+++ mended.yaml" in told
    assert "train_conf.effective_save_name_excludes: null" in told
    assert run("++optim_conf.lr=1e-5", "--fix", tmp_path / "none.yaml") == 2


def test_sarif_names_files_as_the_repository_has_them(train, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    run("configs/config_8k_telephone.yaml", "--train", train, "--probe", "none", "--format",
        "sarif", "++optim_conf.no_such_key=1")
    told = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    addresses = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                 for one in told}
    assert "configs/config_8k_telephone.yaml" in addresses
    assert not any(" " in one for one in addresses)


@pytest.mark.slow
def test_an_interrupt_that_python_drops_still_ends_the_command():
    """It comes within a callback of Python's own, where an exception is only printed."""
    code = ("import weakref\n"
            "from funasr_preflight import __main__, command\n"
            "class Module: pass\n"
            "def dropped(_): raise KeyboardInterrupt\n"
            "def interrupted():\n"
            "    module = Module()\n"
            "    kept = weakref.ref(module, dropped)\n"
            "    del module\n"
            "    return 0\n"
            "command.main = interrupted\n"
            "raise SystemExit(__main__.main())\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode in STOPPED and done.stderr == ""


@pytest.mark.parametrize("arguments", [
    ("manifest", "calls.csv"), ("manifest", "--jobs", "many"), ("checkpoint",),
    ("checkpoint", "out", "--nonsense"), ("--nonsense",), (OURS, "--lang", "klingon")])
def test_a_command_line_that_is_not_understood_gets_one_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1 and "--help` lists" in said
