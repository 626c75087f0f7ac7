"""`python -m helpers.knobs`."""

import sys

from helpers.knobs.turning import main

sys.exit(main())
