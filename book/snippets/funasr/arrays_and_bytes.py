"""NumPy arrays and bytes, which the docstring of `generate` names, find no branch in the model."""

import sys

import numpy
from funasr.models.fun_asr_nano.model import FunASRNano

given = {"NumPy array": numpy.zeros(160, "float32"), "bytes": bytes(320)}
refused = [name for name, data in given.items()
           if FunASRNano.generate_chatml(None, "", data) is None]
print(f"inputs of generate for which the model makes no conversation: {', '.join(refused)}")
sys.exit(0 if refused == [*given] else 1)
