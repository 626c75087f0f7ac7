"""With sort_size: -1 each process makes its own number of batches."""

import sys

import torch.distributed as dist
from funasr.datasets.audio_datasets.samplers import CustomDistributedBatchSampler_fn


class Lines(list):
    get_source_len = list.__getitem__


lines, counts = Lines(range(50, 1000)), []
dist.get_world_size = lambda: 4
for rank in range(4):
    dist.get_rank = lambda rank=rank: rank
    loader = CustomDistributedBatchSampler_fn(lines, batch_type="token", batch_size=2000,
                                              sort_size=-1)
    counts.append(len(list(loader["batch_sampler"])))
print(f"batches of the four processes: {counts}")
sys.exit(0 if len(set(counts)) > 1 else 1)
