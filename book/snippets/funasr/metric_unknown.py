"""avg_keep_nbest_models_type: wer is found out after the first epoch, when a checkpoint is due."""

import sys
import tempfile

import torch
from funasr.train_utils.trainer_ds import Trainer

layer = torch.nn.Linear(2, 2)
optimizer = torch.optim.AdamW(layer.parameters())
scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
try:
    trainer = Trainer(output_dir=tempfile.mkdtemp(), device="cpu",
                      avg_keep_nbest_models_type="wer")
except ValueError:
    sys.exit(1)
try:
    trainer.save_checkpoint(1, model=layer, optim=optimizer, scheduler=scheduler)
except AttributeError as error:
    print(f"the trainer is made; its first checkpoint ends in AttributeError: {error}")
    sys.exit(0)
sys.exit(1)
