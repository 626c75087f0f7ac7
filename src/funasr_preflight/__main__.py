"""`python -m funasr_preflight`."""

from __future__ import annotations

import sys

from funasr_preflight.command import main

sys.exit(main())
