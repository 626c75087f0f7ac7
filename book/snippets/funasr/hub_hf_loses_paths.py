"""With hub=hf a key under llm_conf takes away the other paths of that section."""

import json
import sys
import tempfile
from pathlib import Path

from funasr.download.download_model_from_hub import download_model

with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "Qwen3-0.6B").mkdir()
    (Path(folder) / "config.yaml").write_text("model: FunASRNano")
    (Path(folder) / "configuration.json").write_text(json.dumps({"file_path_metas": {
        "config": "config.yaml", "llm_conf": {"init_param_path": "Qwen3-0.6B"}}}))
    found = {hub: "init_param_path" in download_model(
        model=folder, hub=hub, llm_conf={"freeze": True})["llm_conf"] for hub in ("ms", "hf")}
print(f"++llm_conf.freeze=true keeps llm_conf.init_param_path: hub=ms {found['ms']}, "
      f"hub=hf {found['hf']}")
sys.exit(0 if found["ms"] and not found["hf"] else 1)
