"""A blank line in a list of manifests ends the run in an error that names neither."""

import json
import sys
import tempfile
from pathlib import Path

import funasr  # noqa: F401  fills the tables
from funasr.register import tables

with tempfile.TemporaryDirectory() as folder:
    manifest, listed = Path(folder) / "calls.jsonl", Path(folder) / "train.txt"
    manifest.write_text(json.dumps({"speech_length": 100, "text_length": 5, "messages": [
        {"role": role, "content": "x"} for role in ("system", "user", "assistant")]}))
    listed.write_text(f"{manifest}\n\n")
    try:
        tables.index_ds_classes["FunASR"](str(listed))
    except FileNotFoundError as error:
        print(f"a list whose last line is blank ends in: {error}")
        sys.exit(0)
sys.exit(1)
