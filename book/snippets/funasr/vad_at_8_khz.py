"""With a frontend of 8 kHz a VAD's segments are cut at twice their time."""

import sys

import torch
from funasr import AutoModel
from funasr.register import tables


class Voice(torch.nn.Linear):
    def __init__(self, **_):
        super().__init__(1, 1)

    def inference(self, data_in, key, **_):
        heard.append(data_in[0])
        return [{"key": key[0], "value": [[500, 1000]], "text": ""}], {}


heard, tables.model_classes["Voice"] = [], Voice
AutoModel(model="Voice", model_conf={}, frontend="WavFrontend", frontend_conf={"fs": 8000},
          vad_model="Voice", vad_kwargs={"model_conf": {}}, device="cpu", disable_update=True,
          disable_pbar=True).generate(torch.arange(16000.0), fs=8000)
start = heard[-1][0].item() / 8000
print(f"the VAD's segment starts at 0.5 s; what is recognised starts at {start:g} s")
sys.exit(0 if start == 1.0 else 1)
