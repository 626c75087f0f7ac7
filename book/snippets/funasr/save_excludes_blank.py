"""effective_save_name_excludes: "ctc., llm." leaves llm. in the checkpoint."""

import sys
import tempfile

from funasr.train_utils.trainer_ds import Trainer

trainer = Trainer(output_dir=tempfile.mkdtemp(), device="cpu",
                  effective_save_name_excludes="ctc., llm.")
kept = not any("llm.layer".startswith(name) for name in trainer.effective_save_name_excludes)
print(f"prefixes that are left out: {trainer.effective_save_name_excludes}")
sys.exit(0 if kept else 1)
