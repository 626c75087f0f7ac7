"""FunASR's own converter from Kaldi's lists to a manifest, run as it is on this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path

from helpers.paths import MINI
from helpers.session import funasr_silenced
from helpers.speech import manifests

TOKENIZER = Path("Qwen") / "Qwen3-0.6B"
"""The hub name that it asks for. A folder of that name where it is started answers first."""


def convert(scp: Path, text: Path, out: Path) -> list[dict]:
    """Run `funasr/models/fun_asr_nano/tools/scp2jsonl.py` in the folder of `scp`.

    The mini's tokenizer stands in that folder under the name that FunASR asks the hub for.

    Returns:
        The lines that it wrote, in the order of `scp`; it writes them as its threads finish.
    """
    from funasr.models.fun_asr_nano.tools import scp2jsonl
    from omegaconf import OmegaConf

    link = scp.parent / TOKENIZER
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to((MINI / TOKENIZER.name).resolve(), target_is_directory=True)
    names = {"scp_file": scp, "transcript_file": text, "jsonl_file": out}
    with contextlib.chdir(scp.parent), funasr_silenced():
        scp2jsonl.main_hydra.__wrapped__(OmegaConf.create(
            {**{name: str(path.resolve()) for name, path in names.items()}, "max_workers": 2}))
    paths = [line.split(maxsplit=1)[1].strip() for line in scp.read_text().splitlines()]
    return sorted(manifests.read_manifest(out),
                  key=lambda line: paths.index(manifests.audio_path(line)))
