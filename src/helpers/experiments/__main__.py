"""`python -m helpers.experiments`."""

import sys

from helpers.experiments.runs import main

sys.exit(main())
