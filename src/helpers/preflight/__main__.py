"""`python -m helpers.preflight`."""

import sys

from helpers.preflight.command import main

sys.exit(main())
