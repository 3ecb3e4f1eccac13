"""Asks a hostile venue, in a process of its own, and tells which answers it took and what they cost in memory.

python -m tests.core.exchanges.upbit.hostile_probe URL FOLDER QUESTIONS
"""

import json
import re
import sys
from datetime import date
from pathlib import Path

from coinhts_core.errors import ExchangeUnavailableError
from coinhts_core.exchanges.upbit import UpbitExchange
from coinhts_core.exchanges.upbit.calls import Pace
from coinhts_core.markets import Market


def peak_mib() -> float:
    """Tell the most memory this process ever had; getrusage would count its parent's, from before the exec."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


url, folder, questions = sys.argv[1:]
exchange = UpbitExchange(url, Path(folder), Pace(per_second=100, delays_s=()))
taken = []
before = peak_mib()
for number in range(int(questions)):
    try:
        exchange.days(Market("KRW-BTC"), date(2026, 1, 5), date(2026, 1, 5))
    except ExchangeUnavailableError:
        continue
    taken.append(number)
sys.stdout.write(json.dumps({"taken": taken, "grown_mib": peak_mib() - before}))
