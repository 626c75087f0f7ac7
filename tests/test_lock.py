"""The lock file installs what pyproject.toml promises, from whatever index the reader has."""

import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest
import tomllib
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
RANGES = [Requirement(text) for name in ("pyproject.toml", "src/pyproject.toml")
          for text in tomllib.loads((ROOT / name).read_text())["project"]["dependencies"]
          if text != "funasr-preflight"]


def pinned() -> dict[str, list[tuple[str, Marker | None]]]:
    """Package name to its (version, marker) entries."""
    found: dict[str, list[tuple[str, Marker | None]]] = {}
    for line in LOCK.replace("\\\n", " ").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.split(" --hash=")[0].strip())
            version = next(iter(requirement.specifier)).version
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            found.setdefault(name, []).append((version, requirement.marker))
    return found


PINNED = pinned()


@pytest.mark.parametrize("requirement", RANGES, ids=lambda r: r.name)
def test_the_lock_satisfies_every_range(requirement):
    versions = PINNED[re.sub(r"[-_.]+", "-", requirement.name).lower()]
    assert all(requirement.specifier.contains(version) for version, _ in versions)


@pytest.mark.parametrize("name", ["torch", "torchaudio", "funasr"])
def test_the_results_rest_on_exact_versions(name):
    requirement = next(r for r in RANGES if r.name == name)
    assert [s.operator for s in requirement.specifier] == ["=="]
    assert importlib.metadata.version(name).startswith(PINNED[name][0][0])


@pytest.mark.parametrize("python", ["3.11.2", "3.11.9", "3.12.4"])
def test_both_pythons_get_one_version_of_each_package(python):
    """pip stops at two versions of one package."""
    machine = {"python_full_version": python, "python_version": python.rsplit(".", 1)[0],
               "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
               "platform_machine": "x86_64", "implementation_name": "cpython",
               "platform_python_implementation": "CPython"}
    for name, entries in PINNED.items():
        chosen = [v for v, marker in entries if marker is None or marker.evaluate(machine)]
        assert len(chosen) <= 1, name


def test_the_lock_names_no_host_and_no_folder():
    assert not re.search(r"://|--index-url|--find-links|file:|(^|\s)/\w", LOCK)
    assert LOCK.count("--hash=sha256:") > len(PINNED)


def test_the_environment_is_the_locked_one():
    for requirement in RANGES:
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        locked = {version for version, _ in PINNED[name]}
        assert importlib.metadata.version(requirement.name).split("+")[0] in locked, name


def test_no_link_is_tracked() -> None:
    """A link `.venv`, once committed, makes git remove the environment of whoever pulls it."""
    tracked = subprocess.run(["git", "ls-files", "--stage"], cwd=ROOT, check=True, text=True,
                             capture_output=True).stdout.splitlines()
    assert tracked and not [line for line in tracked if line.startswith("120000")]
