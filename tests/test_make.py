"""What a reader sees when the machine is not ready: one sentence, never a traceback."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import assets  # noqa: E402
import bootstrap  # noqa: E402
import serve  # noqa: E402
import system  # noqa: E402


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


def test_a_second_run_installs_nothing(monkeypatch):
    monkeypatch.setattr(bootstrap, "install", lambda: pytest.fail("installed again"))
    monkeypatch.setattr(bootstrap, "fingerprint", lambda: bootstrap.STAMP.read_text())
    bootstrap.main()


def test_no_npm_is_said(monkeypatch):
    monkeypatch.setattr(assets.shutil, "which", lambda _: None)
    monkeypatch.setattr(assets.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as excinfo:
        assets.npm()
    assert "npm was not found" in sentence(excinfo)


def test_npm_comes_with_the_environment_where_the_machine_has_none(monkeypatch):
    monkeypatch.setattr(assets.shutil, "which", lambda _: None)
    done = subprocess.run([*assets.npm(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip()[0].isdigit()


def test_browser_files_that_are_not_the_expected_ones_are_refused(monkeypatch, tmp_path):
    """A tampered or different package must not reach the reader's page."""
    monkeypatch.setattr(assets, "ASSETS", tmp_path)
    package = next(p for p in assets.PACKAGES if "mathjax" in p.spec)
    (tmp_path / "mathjax").mkdir()
    (tmp_path / "mathjax" / "tex-svg.js").write_text("something else")
    assert not assets.present(package)


@pytest.mark.parametrize(("missing", "reason"), [("apt-get", "no apt-get"), (None, "as root")])
def test_no_synthesiser_and_no_way_to_install_one(monkeypatch, missing, reason):
    there = {"apt-get"} - {missing}
    monkeypatch.setattr(system.shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(system.os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as excinfo:
        system.speech()
    assert "espeak-ng, flite, ffmpeg" in sentence(excinfo) and reason in sentence(excinfo)


def test_no_browser_fails_with_the_reason_instead_of_skipping(monkeypatch):
    monkeypatch.setattr(system.shutil, "which", lambda _: None)
    monkeypatch.setattr(system, "run", lambda *_, **__: "no network")
    with pytest.raises(SystemExit) as excinfo:
        system.browser()
    assert "no apt-get" in sentence(excinfo) and "no network" in sentence(excinfo)


def test_a_busy_port_is_named(monkeypatch, tmp_path):
    (tmp_path / "index.html").write_text("book")
    monkeypatch.setattr(serve, "SITE", tmp_path)
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(SystemExit) as excinfo:
            serve.main(str(busy.getsockname()[1]))
    assert "choose another" in sentence(excinfo)


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_what_is_no_port_is_refused(monkeypatch, tmp_path, port):
    (tmp_path / "index.html").write_text("book")
    monkeypatch.setattr(serve, "SITE", tmp_path)
    with pytest.raises(SystemExit) as excinfo:
        serve.main(port)
    assert port in sentence(excinfo)


def test_serving_before_building_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(serve, "SITE", tmp_path)
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


def test_help_lists_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("book", "test", "execute", "serve", "mini", "wer", "corpus"):
        assert f"make {target}" in done.stdout
