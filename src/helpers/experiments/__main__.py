"""`python -m helpers.experiments`: makes and prints the runs of `helpers.experiments.arms`."""

import sys

from helpers.experiments import arms
from helpers.experiments.records import Recording
from helpers.experiments.tables import print_tables

RECORDING = Recording("helpers.experiments.__main__", arms.RECORDS, arms.RUNS, arms.make,
                      print_tables)

if __name__ == "__main__":
    sys.exit(RECORDING.main())
