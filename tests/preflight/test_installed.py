"""The checker alone: what a user gets who installs nothing but it, by pip, pre-commit or an Action.

The fresh environment is filled from this one, with the packages that the wheel names and what they
name in turn. So the test needs no network, and a dependency that is not declared is missing.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from helpers.paths import CONFIGS, ROOT
from helpers.speech import manifests
from helpers.speech.turns import telephone_manifest

pytestmark = pytest.mark.slow  # an environment of its own

OURS, SNIPPETS = CONFIGS / "recommended_8k.yaml", ROOT / "book" / "snippets"
HEAVY = ("torch", "funasr", "transformers", "helpers")


def needed(name: str) -> dict[str, Distribution]:
    """A distribution and all that it needs, by name."""
    found, waiting = {}, [name]
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        found[name] = distribution(name)
        wanted = map(Requirement, found[name].requires or ())
        waiting += [one.name for one in wanted
                    if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


def lend(name: str, site: Path) -> None:
    """Link a distribution of this environment, and all that it needs, into another one."""
    for one in needed(name).values():
        for top in {path.parts[0] for path in one.files or () if path.parts[0] != ".."}:
            place = site / top
            if top != "__pycache__" and not place.exists():
                place.symlink_to(Path(one.locate_file(top)))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The repository as a git clone gives it, with the checker's part of the working tree."""
    clone = tmp_path_factory.mktemp("source") / "book"
    clone.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, clone)
    shutil.copytree(ROOT / "src" / "funasr_preflight", clone / "src" / "funasr_preflight",
                    ignore=shutil.ignore_patterns("__pycache__"))
    for arguments in (["init", "-q"], ["add", "."],
                      ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *arguments], cwd=clone, check=True)
    return clone


@pytest.fixture(scope="module")
def home(tmp_path_factory, source) -> Path:
    """The `bin` folder of an environment with the wheel and its dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True, with_pip=True)
    site = next(folder.glob("lib/python*/site-packages"))
    wheels = folder / "wheels"
    run(folder, sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w",
        wheels, source)
    wheel, = wheels.glob("funasr_preflight-*.whl")
    run(folder, folder / "bin" / "pip", "install", "--no-deps", "--no-index", wheel)
    own = next(site.glob("funasr_preflight-*.dist-info/METADATA")).read_text(encoding="utf-8")
    for line in re.findall(r"^Requires-Dist: (.+)$", own, re.MULTILINE):
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            lend(wanted.name, site)
    run(folder, folder / "bin" / "pip", "uninstall", "-y", "-q", "setuptools")  # venv's own is old
    lend("setuptools", site)
    run(folder, folder / "bin" / "pip", "check")
    return folder / "bin"


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A user's folder: a config, a manifest and a script."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "configs").mkdir()
    shutil.copy(OURS, folder / "configs" / "my_config.yaml")
    manifests.write_manifest(
        [manifests.with_audio(item, Path("calls") / f"{item['key']}.wav")
         for item in telephone_manifest(1000)], folder / "train.jsonl")
    (folder / "run.sh").write_text(
        "torchrun --nproc_per_node 2 funasr/bin/train_ds.py --config-path configs \\\n"
        "  --config-name my_config ++model=/models/nano ++train_data_set_list=train.jsonl \\\n"
        "  ++valid_data_set_list=train.jsonl\n")
    return folder


def run(folder, *command, code: int = 0, **environment) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(one) for one in command], cwd=folder, capture_output=True,
                          text=True, check=False, env={**clean, **environment})
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def test_nothing_heavy_comes_along(home, work):
    code = f"from importlib.util import find_spec; print(*filter(find_spec, {HEAVY}))"
    assert run(work, home / "python", "-c", code).stdout.strip() == ""


@pytest.mark.parametrize("start", [("preflight",), ("python", "-m", "funasr_preflight")])
@pytest.mark.parametrize("arguments", [
    ["configs/my_config.yaml"], ["run.sh", "--probe", "none"],
    ["configs/my_config.yaml", "--train", "train.jsonl", "--probe", "none"]])
def test_a_yaml_a_script_and_a_manifest(home, work, start, arguments):
    program, *rest = start
    done = run(work, home / program, *rest, *arguments, "--steps", "50000", "--format", "json",
               "--fail-on", "error")
    told = json.loads(done.stdout)
    assert {table["name"] for table in told["tables"]} >= {"trains", "cost", "schedule"}
    assert ("train" in {table["name"] for table in told["tables"]}) == (len(arguments) > 1)


def test_chinese_and_a_corrected_copy_work_there_too(home, work):
    shutil.copy(CONFIGS / "config_8k_telephone.yaml", work / "main.yaml")
    done = run(work, home / "preflight", "main.yaml", "--lang", "zh_CN", "--fix", "mended.yaml",
               code=1)
    assert "错误" in done.stdout and (work / "mended.yaml").is_file()
    done = run(work, home / "preflight", "--explain", "launch-weights", "--lang", "zh")
    assert "auto_model.py:663" in done.stdout


def test_versions_and_cards_are_known_there_too(home, work):
    done = run(work, home / "preflight", "configs/my_config.yaml", "--funasr", "1.3.1",
               "--gpu-memory", "4090", "--format", "json", code=1)
    rules = {one["rule"] for one in json.loads(done.stdout)["findings"]}
    assert {"version-cannot-train", "cost-gpu-memory"} <= rules


def test_the_other_commands_start_there_and_name_what_they_miss(home, work):
    for name in ("checkpoint", "manifest"):
        assert f"preflight {name} " in run(work, home / "preflight", name, "--help").stdout
    said = run(work, home / "preflight", "manifest", ".", "--out", "new.jsonl", "--tokenizer", ".",
               code=2).stderr
    assert "funasr-preflight[manifest]" in said and "Traceback" not in said


def test_no_message_sends_the_user_to_what_is_not_there(home, work):
    for name in ("pretrained", "config_8k_telephone", "stage1_encoder_adapt"):
        shutil.copy(CONFIGS / f"{name}.yaml", work / "one.yaml")
        done = run(work, home / "preflight", "one.yaml", "--format", "json", code=1)
        assert "helpers" not in done.stdout + done.stderr


def test_the_hook_runs_as_pre_commit_runs_it(home, work, source):
    """pip install of the repository's root, then the entry with its arguments and the files."""
    hook, = yaml.safe_load((source / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    wanted, = yaml.safe_load((SNIPPETS / "pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert wanted["id"] == hook["id"] and hook["language"] == "python"
    run(work, home / "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", source)
    file = "configs/my_config.yaml"
    assert re.search(hook["files"], file) and re.search(wanted["files"], file)
    run(work, home / hook["entry"], *wanted["args"], file)
    shutil.copy(CONFIGS / "config_8k_telephone.yaml", work / "configs" / "worse.yaml")
    run(work, home / hook["entry"], *wanted["args"], file, "configs/worse.yaml", code=1)


@pytest.fixture(scope="module")
def pre_commit(tmp_path_factory) -> Path:
    """The program of pre-commit, from the package registry."""
    folder = tmp_path_factory.mktemp("pre-commit")
    venv.create(folder, symlinks=True, with_pip=True)
    done = subprocess.run([folder / "bin" / "pip", "install", "-q", "pre-commit>=4,<5"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pre-commit cannot be installed here: {done.stderr.strip()[-200:]}")
    return folder / "bin" / "pre-commit"


def test_pre_commit_itself_runs_the_hook(pre_commit, source, tmp_path):
    """A commit is let through or refused, with an environment that pre-commit makes itself."""
    repository = tmp_path / "mine"
    (repository / "configs").mkdir(parents=True)
    shutil.copy(OURS, repository / "configs" / "good.yaml")
    (repository / "notes.yaml").write_text("optim_conf: {lr: 2}\n")  # outside of configs/
    commit = run(source, "git", "rev-parse", "HEAD").stdout.strip()
    wanted = (SNIPPETS / "pre-commit-config.yaml").read_text(encoding="utf-8")
    wanted = re.sub(r"https://example\.org/\S+", str(source), wanted)
    (repository / ".pre-commit-config.yaml").write_text(
        wanted.replace("rev: main", f"rev: {commit}"), encoding="utf-8")
    own = {"PRE_COMMIT_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    for command in (["git", "init", "-q"], ["git", "add", "."], [pre_commit, "install"],
                    [pre_commit, "run", "--all-files"]):
        run(repository, *command, **own)
    author = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "x"]
    told = run(repository, *author, **own)
    assert "Passed" in told.stdout + told.stderr
    shutil.copy(CONFIGS / "config_8k_telephone.yaml", repository / "configs" / "worse.yaml")
    run(repository, "git", "add", ".", **own)
    told = run(repository, *author, code=1, **own)
    assert "worse.yaml: 3 errors" in told.stdout + told.stderr
    assert "good.yaml: 0 errors" not in told.stdout + told.stderr  # it did not change


def test_the_action_runs(home, work, source):
    """Every step with a command, from a clone of this repository in place of the network's."""
    action = yaml.safe_load((SNIPPETS / "preflight_action.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for step in action["jobs"]["preflight"]["steps"] if "run" in step]
    assert len(steps) == 2
    for step in steps:
        address = re.search(r"https://example\.org/\S+", step)
        run(work, "bash", "-e", "-c", step.replace(address[0], f"file://{source}") if address
            else step, PATH=f"{home}:{os.environ['PATH']}", PIP_NO_INDEX="1",
            PIP_NO_BUILD_ISOLATION="0")
    told = json.loads((work / "preflight.sarif").read_text(encoding="utf-8"))
    assert told["version"] == "2.1.0" and told["runs"][0]["results"]


def test_the_base_configs_are_the_books():
    for path in (ROOT / "src" / "funasr_preflight" / "base").glob("*.yaml"):
        assert path.read_bytes() == (CONFIGS / path.name).read_bytes(), path.name


def processor_seconds(folder: Path, *command) -> float:
    """The least of three runs, of a process and its children."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(folder, *command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def test_a_config_alone_takes_little_more_than_its_imports(home, work):
    """Under a second where Python with these packages takes a third of one."""
    imports = processor_seconds(work, home / "python", "-c",
                                "import numpy, yaml, omegaconf, rich.console, msgspec, tqdm")
    whole = processor_seconds(work, home / "preflight", "configs/my_config.yaml")
    assert whole < 2.5 * imports
