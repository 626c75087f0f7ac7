"""trust_remote_code runs model.py of the folder that one stands in, not the model's."""

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

from funasr.download.download_model_from_hub import download_model

with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as folder:
    (Path(here) / "model.py").write_text("whose = 'the working folder'")
    (Path(folder) / "model.py").write_text("whose = 'the model folder'")
    (Path(folder) / "config.yaml").write_text("model: FunASRNano")
    (Path(folder) / "model.pt").touch()
    os.chdir(here)
    with contextlib.redirect_stdout(io.StringIO()):
        download_model(model=folder, trust_remote_code=True)
    os.chdir(folder)
whose = getattr(sys.modules.get("model"), "whose", "nobody")
print(f"model.py was taken from {whose}")
sys.exit(0 if whose == "the working folder" else 1)
