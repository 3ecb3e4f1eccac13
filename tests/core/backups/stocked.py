"""An installation with something of everything in it, to be backed up."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from coinhts_core.backtests import Account, run
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.backups.take import take
from coinhts_core.candles.frame import CANDLES, MINUTES
from coinhts_core.candles.registry import register
from coinhts_core.exchanges import open_exchange
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.ledger.connection import Ledger
from coinhts_core.markets import Market
from coinhts_core.results.shelf import Shelf
from coinhts_core.settings import Settings
from coinhts_core.strategies import load

FIRST = date(2026, 1, 30)
DAYS = [FIRST + timedelta(days=place) for place in range(4)]
BTC = Market("KRW-BTC")
TAKEN_AT = datetime(2026, 2, 3, 4, tzinfo=UTC)


@dataclass(frozen=True)
class Stocked:
    """Its settings, and its rooms."""

    settings: Settings
    ledger: Ledger
    lake: Lake
    shelf: BackupShelf

    def take(self, moment: datetime = TAKEN_AT) -> str:
        return take(self.settings, self.shelf, moment).name


def stocked(home: Path, ledger: Ledger, dagster: str | None = None, **places: Any) -> Stocked:
    beside = SecretStr(dagster) if dagster else None
    settings = Settings(home=home, postgres_url=SecretStr(ledger.url), dagster_postgres_url=beside, **places)
    lake = Lake.open(settings.lake_url, settings.s3)
    exchange = open_exchange("sample")
    register(ledger, exchange, [BTC], FIRST)
    minutes = {day: DayRows.of(CANDLES, exchange.minutes(BTC, day), asked_at=TAKEN_AT) for day in DAYS}
    lake.publish(MINUTES, BTC, minutes)
    keep_backtest(ledger, lake)
    settings.strategies_folder.mkdir(parents=True)
    (settings.strategies_folder / "of_my_own.py").write_text('"""Nothing yet."""\n')
    return Stocked(settings, ledger, lake, BackupShelf.open(settings))


def keep_backtest(ledger: Ledger, lake: Lake, fast: int = 2) -> str:
    """A run over what is stored, as the command keeps one."""
    candles = lake.read(MINUTES, BTC, FIRST, DAYS[-1])
    strategy = load("sma_cross", fast=fast, slow=5)
    result = run({"KRW-BTC": candles}, strategy, Account(), timeframe=strategy.timeframe, first_day=DAYS[1])
    span = {"start_date": DAYS[1], "end_date": DAYS[-1]}
    return Shelf(ledger, lake).keep(result.id, result, span).id
