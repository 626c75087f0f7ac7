"""The encoder scales its input in place, so activation checkpointing cannot run it again."""

import sys

import torch
from funasr.models.sense_voice.model import SenseVoiceEncoderSmall
from torch.utils.checkpoint import checkpoint

encoder = SenseVoiceEncoderSmall(input_size=560, output_size=8, attention_heads=2,
                                 linear_units=8, num_blocks=2)
features, lengths = torch.ones(1, 20, 560), torch.tensor([20])
try:
    checkpoint(encoder, features, lengths, use_reentrant=False)[0].sum().backward()
except RuntimeError as error:
    print(f"backward ends in: {str(error).partition(':')[0]}; "
          f"a feature of 1 is now {features[0, 0, 0]:.2f}")
    sys.exit(0)
print("backward works with activation checkpointing")
sys.exit(1)
