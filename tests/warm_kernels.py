"""Kernels of notebooks that need not import PyTorch and FunASR again.

The imports take longer than most chapters compute. As in `helpers.training.warm_processes`, a
server imports them once, and each kernel is forked from it with nothing but these modules: the
folder, the environment and the path are those that a kernel gets otherwise.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import threading
from multiprocessing.connection import Connection

from jupyter_client.provisioning import local_provisioner

IMPORTED = ["torch", "torchaudio", "funasr", "transformers.models.qwen3.modeling_qwen3",
            "ipykernel.kernelapp"]
"""No matplotlib: a kernel names its backend first."""
LIBRARY = sys.path[next(number for number, entry in enumerate(sys.path) if entry.endswith(".zip")):]
"""Where any kernel looks, without what pytest puts first and what tests add later."""


class ForkedKernel:
    """As much of `subprocess.Popen` as jupyter_client asks of a kernel's process."""

    stdin = stdout = stderr = None

    def __init__(self, command: list[str], env: dict[str, str], cwd: str, **_: object) -> None:
        multiprocessing.set_forkserver_preload(IMPORTED)
        context = multiprocessing.get_context("forkserver")
        begun, begins = context.Pipe(duplex=False)
        options = command[command.index("ipykernel_launcher") + 1:]
        self.process = context.Process(
            target=_kernel, args=(begins, options, env, str(cwd), LIBRARY))
        self.process.start()
        self.pid = self.process.pid
        begins.close()
        begun.recv()  # a signal to its group would reach pytest before

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self) -> int | None:
        self.process.join()
        return self.poll()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def _kernel(begins: Connection, options: list[str], env: dict[str, str], folder: str,
            library: list[str]) -> None:
    os.setsid()
    threading.Thread(target=_end_with_pytest, daemon=True).start()
    begins.send(os.getpid())
    begins.close()
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    os.chdir(folder)
    server = str(os.getppid())
    os.environ.clear()
    os.environ.update(env, JPY_PARENT_PID=server)
    readers_own = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [folder, *readers_own, *library]
    sys.argv[1:] = [*options, f"--IPKernelApp.parent_handle={server}"]
    runpy.run_module("ipykernel_launcher", run_name="__main__")


def _end_with_pytest() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def use() -> None:
    """Let every kernel of this process be forked."""
    local_provisioner.launch_kernel = ForkedKernel
