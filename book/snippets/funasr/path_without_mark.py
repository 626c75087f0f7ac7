"""An audio path without the leading `!` is dropped: the line trains on its text alone."""

import json
import sys
import tempfile

import funasr  # noqa: F401  fills the tables
from funasr.register import tables


class Letters:
    def encode(self, text):
        return [ord(letter) for letter in text]


with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as manifest:
    json.dump({"speech_length": 100, "text_length": 5, "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "<|startofspeech|>no/such.wav<|endofspeech|>"},
        {"role": "assistant", "content": "hello"}]}, manifest)
    manifest.flush()
    item = tables.dataset_classes["FunASR"](
        manifest.name, index_ds="FunASR", tokenizer=Letters(), retry=1)[0]
silent = item is not None and "speech" not in item
print(f"a line with a file that does not exist is kept, without speech: {silent}")
sys.exit(0 if silent else 1)
