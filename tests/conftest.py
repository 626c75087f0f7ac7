"""The same conditions for every test, however pytest was started.

One thread a process (two processes with two threads each are several times slower on two cores),
and no library may look for a model on a hub.
"""

import os

from browsing import addresses, browser, site, visitor  # noqa: F401

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")
