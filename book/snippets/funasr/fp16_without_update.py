"""use_fp16: after one overflow the scaler's factor never falls, so no update follows."""

import sys
import tempfile

import torch
from funasr.train_utils.trainer_ds import Trainer

trainer = Trainer(output_dir=tempfile.mkdtemp(), device="cpu", use_fp16=True)
layer, scaler = torch.nn.Linear(1, 1), torch.amp.GradScaler("cpu")
before = layer.weight.item()
optimizer = torch.optim.AdamW(layer.parameters())
scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
for batch in range(10):
    with torch.autocast("cpu", torch.float16):
        loss = layer(torch.ones(1, 1)).float().sum()
    trainer.backward_step(layer, scaler, {"loss": loss})
    trainer.update_step(layer, optimizer, scheduler, scaler, {"batch_idx": batch})
moved = layer.weight.item() != before
print(f"10 steps with a gradient of 1: factor {scaler.get_scale():.0f}, weight moved: {moved}")
sys.exit(1 if moved else 0)
