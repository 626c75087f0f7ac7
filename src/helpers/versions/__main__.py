"""`python -m helpers.versions`."""

import sys

from helpers.versions.command import main

sys.exit(main())
