"""`fs`, by which other models take an array's rate, ends in an error about a variable."""

import logging
import sys

import torch
from funasr.models.fun_asr_nano.model import FunASRNano


class Frontend:
    fs = 16000


class Letters:
    def encode(self, text):
        return [ord(letter) for letter in text]


logging.disable()
chat = FunASRNano.generate_chatml(None, "", torch.zeros(8000))
contents = FunASRNano.data_template(None, chat)
try:
    FunASRNano.data_load_speech(None, contents, Letters(), Frontend(), fs=8000)
    error = None
except Exception as caught:
    error = caught
print(f"fs=8000 ends in {type(error).__name__}: {error}")
sys.exit(0 if isinstance(error, UnboundLocalError) else 1)
