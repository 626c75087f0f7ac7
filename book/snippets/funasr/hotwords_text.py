"""Hot words given as text go into the prompt letter by letter."""

import sys

from funasr.models.fun_asr_nano.model import FunASRNano

prompt = FunASRNano.get_prompt(None, "Watson")
listed = next(line for line in prompt.splitlines() if line.startswith("热词列表"))
print(f"what the model is told of the hot word Watson: {listed}")
sys.exit(0 if "W, a, t, s, o, n" in listed else 1)
