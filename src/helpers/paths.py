"""Where things live in the repository. Every path is derived from this file's own place."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
DATA = ROOT / "data"
CORPUS = DATA / "corpus"
MINI = DATA / "mini"
QWEN3 = DATA / "qwen3-0.6b"
RESULTS = ROOT / "results"
"""Recorded results, each written by the command that it names."""
CACHE = Path(os.environ.get("BOOK_CACHE", ROOT / ".cache"))
"""Generated files that git ignores: training audio, telephone copies, experiment folders."""
