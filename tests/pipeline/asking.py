"""Requests of a house in a test: candles to ask about, questions, and strategies that should not live among others."""

import json
from datetime import UTC, date, datetime, timedelta

from coinhts_core.candles.frame import CANDLES, MINUTES
from coinhts_core.clock import now
from coinhts_core.exchanges import open_exchange
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market
from coinhts_core.requests.reception import Reception

FIRST = date(2026, 2, 1)
DAYS = [FIRST + timedelta(days=place) for place in range(4)]
_STRATEGY = '''
"""A strategy that misbehaves."""

import ctypes
import os
import subprocess
import sys
import time

import numpy as np

from coinhts_core.strategies import Strategy


class Misbehaving(Strategy):
    """Decide nothing, and do worse."""

    number: int = 0

    @property
    def warmup(self):
        return 1

    def decide(self, bars):
        {deed}
        return np.zeros(len(bars), dtype=np.int8)
'''
POISON = {
    "loops": ("while True: pass", "took longer than|kept the processor busy"),
    "sleeps": ("time.sleep(600)", "took longer than"),
    "eats": ("[np.ones(10**9) for _ in range(10)]", "needs more memory|broke down"),
    "leaves": ("sys.exit(7)", "wanted to end its process"),
    "vanishes": ("os._exit(0)", r"ended without an answer \(exit code 0\)"),
    "forks": ("os.fork()", "starts no processes"),
    "starts": ("subprocess.run(['sleep', '60'])", "starts no processes"),
    "recurses": ("self.decide(bars)", "calls itself too deeply|broke down"),
    "crashes": ("ctypes.string_at(0)", "broke down .SIGSEGV"),
    "raises": ("raise KeyError('x' * 10_000)", "KeyError"),
    "shouts": ("[os.write(1, b'x' * 10**6) + os.write(2, b'y' * 10**6) for _ in range(10**9)]", "took longer than"),
}


def collect(rooms, symbol="KRW-BTC", days=DAYS):
    """Put the sample market's candles into the lake, as a run would."""
    market = Market(symbol)
    rows = {day: open_exchange("sample").minutes(market, day) for day in days}
    asked_at = datetime(2030, 1, 1, tzinfo=UTC)
    rooms.lake.publish(MINUTES, market, {day: DayRows.of(CANDLES, of, asked_at=asked_at) for day, of in rows.items()})


def poison(rooms):
    """Write every strategy that misbehaves into the house."""
    folder = rooms.settings.strategies_folder
    folder.mkdir(exist_ok=True)
    for name, (deed, _) in POISON.items():
        (folder / f"{name}.py").write_text(_STRATEGY.format(deed=deed))


def question(**facts):
    span = {"start_date": str(DAYS[1]), "end_date": str(DAYS[-1])}
    return {"strategy": "sma_cross", "params": {"fast": 2, "slow": 5}, "symbols": ["KRW-BTC"], **span, **facts}


def ask(rooms, **facts):
    """Put a question into the queue of a house."""
    reception = Reception(rooms.settings, rooms.ledger, rooms.lake)
    return reception.submit(json.dumps(question(**facts)).encode(), now())


def misbehave(rooms, name, number=0):
    return ask(rooms, strategy=name, params={"number": number})
