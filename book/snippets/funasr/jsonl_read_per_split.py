"""An epoch with data_split_num: 4 reads a single .jsonl four times."""

import json
import sys
import tempfile

import funasr  # noqa: F401  fills the tables
from funasr.register import tables

messages = [{"role": role, "content": "x"} for role in ("system", "user", "assistant")]
with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as manifest:
    for _ in range(10):
        line = {"messages": messages, "speech_length": 100, "text_length": 5}
        manifest.write(json.dumps(line) + "\n")
    manifest.flush()
    index = tables.index_ds_classes["FunASR"]
    read = sum(len(index(manifest.name, data_split_num=4, data_split_i=part))
               for part in range(4))
print(f"10 lines, data_split_num: 4: an epoch reads {read} lines")
sys.exit(0 if read == 40 else 1)
