"""freeze_param: "encoder, decoder" freezes the encoder alone: the blank stays in the name."""

import contextlib
import io
import sys
import tempfile

import torch
from funasr.bin import train_ds
from funasr.register import tables


@tables.register("model_classes", "Pair")
class Pair(torch.nn.Module):
    def __init__(self, **_):
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        built.append(self)


built, train_ds.Trainer = [], lambda **_: sys.exit()
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    train_ds.main(model="Pair", model_conf={}, device="cpu", disable_update=True,
                  output_dir=tempfile.mkdtemp(), freeze_param="encoder, decoder")
frozen = [name for name, part in built[0].named_children() if not part.weight.requires_grad]
print(f'freeze_param: "encoder, decoder" freezes {" and ".join(frozen)}')
sys.exit(0 if frozen == ["encoder"] else 1)
