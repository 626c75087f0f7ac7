"""Would a chapter that fails for a reader pass here, since its kernel was forked?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import warm_kernels
from jupyter_client import launcher
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import local_provisioner

pytestmark = pytest.mark.slow
ABOUT = """
import os, sys
print({"folder": os.getcwd(), "path": sys.path, "pytest": "pytest" in sys.modules,
       "alone": os.getpgid(0) == os.getpid(), "main": __name__, "flags": repr(sys.flags),
       "backend": __import__("matplotlib").get_backend(),
       "settings": {name: value for name, value in os.environ.items()
                    if name not in ("JPY_PARENT_PID", "PYTEST_CURRENT_TEST")}})
"""


def answer(folder: Path, code: str) -> dict:
    """What a kernel in this folder prints, as a Python value."""
    manager = KernelManager()
    manager.start_kernel(cwd=str(folder))
    client = manager.client()
    client.start_channels()
    printed: list[str] = []
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive(code, timeout=60, output_hook=lambda message: printed.append(
            message["content"].get("text", "")))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert not manager.is_alive()
    return eval("".join(printed))


def test_a_forked_kernel_finds_what_any_kernel_finds(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("A_SETTING", "of this test")
    monkeypatch.setattr(local_provisioner, "launch_kernel", warm_kernels.ForkedKernel)
    forked = answer(tmp_path, ABOUT)
    monkeypatch.setattr(local_provisioner, "launch_kernel", launcher.launch_kernel)
    started = answer(tmp_path, ABOUT)
    assert forked == started
    assert forked["folder"] == os.fspath(tmp_path) and not forked["pytest"]
    assert forked["settings"]["A_SETTING"] == "of this test"
