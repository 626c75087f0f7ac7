"""A real data-parallel run: two processes, PyTorch's DDP, gloo on the CPU.

`run` starts the processes and gathers what each saw; the rest of the module is what they do.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers.errors import BookError

WORLD_SIZE = 2
SECONDS_TO_WAIT = 240


@dataclass(frozen=True)
class Outcome:
    """What one process of a run saw.

    Attributes:
        rank: its number.
        steps: training steps done.
        error: first sentence of what stopped it, or "".
        weights: digest of all weights afterwards; equal on both ranks if they kept in step.
    """

    rank: int
    steps: int
    error: str
    weights: str


def run(cases: Mapping[str, Mapping[str, Any]], config: str, items: Sequence[dict],
        steps: int = 3) -> dict[str, list[Outcome]]:
    """Train each case for some steps in two processes.

    Args:
        cases: label to overrides of the config; the key `config` names another config.
        config: name of the config of the cases that name none.
        items: manifest lines; each process takes every other one.
        steps: training steps to try.

    Returns:
        Label to the outcomes of rank 0 and rank 1.

    Raises:
        BookError: a process did not report in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.json"
        task.write_text(json.dumps({"cases": [[label, dict(case)] for label, case in cases.items()],
                                    "config": config, "items": list(items), "steps": steps}))
        workers = [subprocess.Popen([sys.executable, "-m", __name__, folder, str(rank)],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                   for rank in range(WORLD_SIZE)]
        try:
            errors = [worker.communicate(timeout=SECONDS_TO_WAIT)[1] for worker in workers]
        except subprocess.TimeoutExpired:
            raise BookError(f"The two processes did not finish in {SECONDS_TO_WAIT} s: is the "
                            "machine very busy?") from None
        finally:
            for worker in workers:
                worker.kill()
        if any(worker.returncode for worker in workers):
            raise BookError(f"A process failed: {' '.join(errors).strip()[-300:]}")
        told = [json.loads((Path(folder) / f"rank{rank}.json").read_text())
                for rank in range(WORLD_SIZE)]
    return {label: [Outcome(**one[label]) for one in told] for label in cases}


def _work(folder: Path, rank: int) -> None:
    from torch import distributed

    from helpers import mini, notebook
    from helpers.finetune import SHORT_RUN, freeze_listed, with_overrides

    notebook.setup()
    task = json.loads((folder / "task.json").read_text())
    outcomes = {}
    for number, (label, case) in enumerate(task["cases"]):
        overrides = dict(case)
        config = overrides.pop("config", task["config"])
        built = mini.build(with_overrides(config, SHORT_RUN, overrides))
        freeze_listed(built.model, built.kwargs.get("freeze_param"))
        distributed.init_process_group(
            "gloo", init_method=f"file://{folder}/meeting{number}", rank=rank,
            world_size=WORLD_SIZE, timeout=datetime.timedelta(seconds=SECONDS_TO_WAIT / 2))
        done, error = _train(built, task["items"][rank::WORLD_SIZE], task["steps"])
        distributed.destroy_process_group()
        outcomes[label] = asdict(Outcome(rank, done, error, _digest(built.model)))
    (folder / f"rank{rank}.json").write_text(json.dumps(outcomes))


def _train(built, items: Sequence[dict], steps: int) -> tuple[int, str]:
    import torch

    from helpers import finetune

    unused = built.kwargs.get("train_conf", {}).get("find_unused_parameters", False)
    parallel = torch.nn.parallel.DistributedDataParallel(built.model,
                                                         find_unused_parameters=unused).train()
    optimizer = torch.optim.SGD(parallel.parameters(), lr=1e-4)
    for done in range(steps):
        try:
            loss, _, _ = parallel(**finetune.batch(built, items))
            loss.backward()
        except RuntimeError as error:
            return done, str(error).partition(".")[0]
        optimizer.step()
        optimizer.zero_grad()
    return steps, ""


def _digest(model) -> str:
    import torch

    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    _work(Path(sys.argv[1]), int(sys.argv[2]))
