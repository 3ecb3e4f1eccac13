"""What tests of rehearsals may ask for: a desk with a real lake, a symbol of the sample market, and a strategy."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import polars as pl
import pytest

from coinhts_core.backtests.account import Account
from coinhts_core.candles.frame import CANDLES, DAYS, MINUTES
from coinhts_core.candles.registry import Registered
from coinhts_core.exchanges import open_exchange
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.books import BookDay, replace_days
from coinhts_core.lineup import Entry
from coinhts_core.markets import Market
from coinhts_core.positions import Position
from coinhts_core.rehearsal import Rehearsal
from coinhts_core.strategies import load, source_file

FIRST = date(2026, 1, 1)
LATER = datetime(2030, 1, 1, tzinfo=UTC)
_TEN_MILLION = Account()


@cache
def minutes_of(symbol, day):
    return open_exchange("sample").minutes(symbol, day)


@cache
def day_bars_of(symbol, first, last):
    """Each day's own bar, as the exchange tells it."""
    bars = open_exchange("sample").days(symbol, first, last)
    return {bar["opened_at"][0].date(): bar for bar in bars.iter_slices(1)}


class Desk:
    """Does what runs do: collects, decides, folds and books days, each step by itself."""

    def __init__(self, folder, ledger=None):
        self.lake = Lake.open(str(folder))
        self.ledger = ledger
        self.registered = Registered(Market("KRW-BTC"), date(2025, 1, 1), FIRST, None, is_active=True)
        self.entry = self.entry_of(fast=2, slow=5)
        self.days = [FIRST + timedelta(days=place) for place in range(8)]

    @staticmethod
    def entry_of(account=_TEN_MILLION, **parameters):
        return Entry("sma_cross", load("sma_cross", **parameters), account, source_file("sma_cross"))

    def change(self, **facts):
        self.registered = replace(self.registered, **facts)

    def collect(self, days: Iterable[date], asked_at=LATER, cut=None):
        """Publish candle days; cut short, they are as if the venue had answered less."""
        symbol = self.registered.symbol
        rows = {day: minutes_of(symbol, day)[:cut] for day in days}
        self.lake.publish(
            MINUTES, symbol, {day: DayRows.of(CANDLES, of, asked_at=asked_at) for day, of in rows.items()}
        )

    def collect_day_bars(self, days: Iterable[date], asked_at=LATER, times=1.0):
        """Publish the exchange's own day bars; with a volume of several times what it was, they are to be revised."""
        known = day_bars_of(self.registered.symbol, self.registered.first_day, self.days[-1])
        rows = {day: known[day].with_columns(pl.col("volume", "turnover_krw") * times) for day in days}
        stored = {day: DayRows.of(CANDLES, of, asked_at=asked_at) for day, of in rows.items()}
        self.lake.publish(DAYS, self.registered.symbol, stored, monthly=False)

    def rehearsal(self, last=None):
        return Rehearsal(self.lake, self.entry, self.registered, last or self.days[-1])

    def decide(self, days):
        days = list(days)
        decided = self.rehearsal(max(days)).signals(days)
        self._publish("signals", {day: of for day, of in decided.items() if isinstance(of, DayRows)})

    def fold(self, days):
        days = list(days)
        folded = self.rehearsal(max(days)).backtests(days)
        self._publish("backtests", folded)
        if self.ledger:
            book = f"backtest:{self.entry.name}"
            replace_days(self.ledger, book, self.registered.symbol, {day: _read_off(of) for day, of in folded.items()})

    def run(self, days):
        if days := list(days):
            self.decide(days)
            self.fold(days)

    def stored(self, room):
        return self.lake.heads(f"{room}/{self.entry.name}", self.registered.symbol)

    def outcome(self):
        """Everything that identifies what is stored."""
        return self.stored("signals"), self.stored("backtests")

    def _publish(self, room, rows):
        self.lake.publish(f"{room}/{self.entry.name}", self.registered.symbol, rows)


def _read_off(rows):
    row = next(rows.frame.iter_rows(named=True), None)
    held = tuple(map(Position.from_facts, json.loads(row["held"]))) if row else ()
    return BookDay(rows.entry.data_version, row["last_price_krw"] if row else 1.0, held)


@pytest.fixture
def desk(tmp_path):
    """Give a desk without a ledger."""
    return Desk(tmp_path / "lake")


@pytest.fixture
def booked_desk(tmp_path, ledger):
    """Give a desk that also keeps positions."""
    return Desk(tmp_path / "lake", ledger)


@pytest.fixture
def one_pass(tmp_path):
    """Tell the outcome of days collected and rehearsed in one go, in a lake of its own."""

    def outcome(days, **changes):
        other = Desk(tmp_path / f"one pass {len(list(tmp_path.iterdir()))}")
        for name, value in changes.items():
            setattr(other, name, value)
        other.collect(other.days)
        other.run(days)
        return other.outcome()

    return outcome
