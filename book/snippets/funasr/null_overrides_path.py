"""A null in the YAML or on the command line wins over the path that configuration.json gives."""

import json
import sys
import tempfile
from pathlib import Path

from funasr.download.download_model_from_hub import download_model

with tempfile.TemporaryDirectory() as folder:
    for name, text in {
            "configuration.json": json.dumps({"file_path_metas": {
                "init_param": "model.pt", "config": "config.yaml"}}),
            "config.yaml": "model: FunASRNano", "model.pt": ""}.items():
        (Path(folder) / name).write_text(text)
    without = download_model(model=folder)["init_param"]
    with_null = download_model(model=folder, init_param=None)["init_param"]
print(f"init_param without the key: {Path(without).name}; with `init_param: null`: {with_null}")
sys.exit(0 if with_null is None else 1)
