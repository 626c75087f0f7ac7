"""Without valid_data_set_list the run ends in an AttributeError that names no key."""

import sys

import funasr  # noqa: F401  fills the tables
from funasr.register import tables

loader = tables.dataloader_classes["DataloaderMapStyle"]
try:
    loader(dataset="FunASR", train_data_set_list="train.jsonl",
           dataset_conf={"index_ds": "FunASR", "data_split_num": 2})
except AttributeError as error:
    print(f"without valid_data_set_list: AttributeError: {error}")
    sys.exit(0)
except ValueError:
    sys.exit(1)
