"""A whole process of vectorbt's: candles from a file, one run, its figures."""

import sys

from at_work import part_of
from in_vectorbt import crossings

calls, told = crossings([part_of(sys.argv[1])], [(10, 50)], engine="auto", cash=1e12, fee_rate=0.0005)
figures = told([call() for call in calls])
sys.stdout.write(f"{figures['trades'][0]} {figures['final'][0]}\n")
