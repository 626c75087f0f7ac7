"""`python -m helpers.oracle`."""

import sys

from helpers.oracle.record import RECORDING

sys.exit(RECORDING.main())
