"""A backfill of many coins whose candles are there, in a home of its own, and what of its time is not computing.

    COINHTS_HOME=… COINHTS_START_DATE=2025-01-01 python -m tests.benchmarks.backfill COINS DAYS

What lives here: the home, filled and backfilled as `coinhts backfill` does it, and the same days decided and folded in
memory alone. What stays out: goals (`house`).
"""

import json
import sys
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

from coinhts_core.candles.collection import Collection, record
from coinhts_core.candles.registry import Registered, register
from coinhts_core.clock import now
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import read_lineup
from coinhts_core.markets import Market
from coinhts_core.rehearsal import Rehearsal
from coinhts_core.settings import Settings, read_settings
from coinhts_pipeline.backfill import Runner, execute, plan
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.installation import Installation, open_installation
from coinhts_pipeline.partitions import SYMBOLS
from tests.benchmarks.at_work import kilobytes
from tests.benchmarks.house import FIRST, fill

_STRATEGY = "sma_cross"


class _Listed:
    """A venue that lists whatever it is asked about."""

    def first_day(self, symbol: Market) -> date:
        del symbol
        return FIRST

    def last_day(self, symbol: Market) -> date | None:
        del symbol
        return None


def main() -> None:
    coins, days = map(int, sys.argv[1:])
    settings = read_settings()
    others = [name for name in read_lineup() if name != _STRATEGY]
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.lineup_file.write_text("".join(f"[{name}]\nenabled = false\n" for name in others))
    with open_installation(settings) as installation:
        registered = _with_candles(installation, coins, days)
        last = FIRST + timedelta(days=days - 1)
        compute_s = _computed(settings, registered, last)
        planned = plan(installation, registered, FIRST, last)
        Path("/proc/self/clear_refs").write_text("5")
        began = time.perf_counter()
        execute(Runner(installation, defs()), planned)
        spent = time.perf_counter() - began
    told = {
        "partitions": planned.steps,
        "compute_s": compute_s,
        "seconds": spent,
        "ms_each": 1e3 * (spent - compute_s) / planned.steps,
        "peak_gib": kilobytes("VmHWM") / 2**20,
    }
    sys.stdout.write(f"{json.dumps(told)}\n")


def _with_candles(installation: Installation, coins: int, days: int) -> list[Registered]:
    """The coins registered, their minutes stored, and noted as answered."""
    rooms, symbols = installation.rooms, [Market(f"KRW-C{place}") for place in range(coins)]
    everyone = register(rooms.ledger, _Listed(), symbols, FIRST)
    installation.instance.add_dynamic_partitions(SYMBOLS.name or "", [str(symbol) for symbol in symbols])
    registered = [of for of in everyone if of.is_active]
    stored = fill(rooms.lake, symbols, days)
    for of in registered:
        _note_answered(installation, of, stored[of.symbol])
    return registered


def _note_answered(installation: Installation, of: Registered, rows: Mapping[date, DayRows]) -> None:
    record(installation.rooms.ledger, Collection(of, answered=dict(rows)), now())


def _computed(settings: Settings, registered: list[Registered], last: date) -> float:
    """Seconds that reading, deciding and folding take without Dagster and without storing anything."""
    entry = read_lineup(settings.strategies_folder, settings.lineup_file)[_STRATEGY]
    Rehearsal(Lake.open(settings.lake_url), entry, registered[0], FIRST).backtests([FIRST])  # compiles
    began = time.perf_counter()
    lake = Lake.open(settings.lake_url)
    for of in registered:
        days = [FIRST + timedelta(days=day) for day in range((last - FIRST).days + 1)]
        rehearsal = Rehearsal(lake, entry, of, last)
        rehearsal.signals(days)
        rehearsal.backtests(days)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
