"""What tests of results may ask for: a shelf on a real ledger and a real lake, and runs to keep."""

import numpy as np
import polars as pl
import psycopg
import pytest

from coinhts_core.backtests import Account, run
from coinhts_core.lake.lake import Lake
from coinhts_core.results.facts import Table
from coinhts_core.results.shelf import Shelf
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk

SEVERAL = {"KRW-BTC": candles(walk(300)), "KRW-ETH": candles(walk(280, seed=8))}
ONE = {"KRW-BTC": SEVERAL["KRW-BTC"]}


def ran(coins=None, *, mode="account", account=None, **knobs):
    """A run over a few hundred hours."""
    strategy = load("sma_cross", **({"fast": 3, "slow": 8} | knobs))
    return run(coins or ONE, strategy, account or Account(), mode=mode)


def swept(**told):
    """A table as a sweep gives one: integers, figures that may be missing, and words."""
    rows = pl.DataFrame(
        {
            "symbol": ["KRW-BTC"] * 3,
            "fast": pl.Series([3, 4, 5], dtype=pl.Int32),
            "sizing": pl.Series(["all_in", "fixed", None], dtype=pl.Categorical),
            "total_return": [0.1, None, -0.05],
            "trades": np.array([10, 0, 3], dtype=np.uint32),
        }
    )
    return Table("sweep", rows, {"grid": {"fast": [3, 4, 5]}, **told})


SWEPT = {
    "strategy": "sma_cross",
    "symbols": ["KRW-BTC"],
    "timeframe": "1h",
    "start_date": "2026-01-01",
    "end_date": "2026-01-12",
    "grid": {"fast": [3, 4, 5]},
}

_MANY = """
    INSERT INTO results (
        id, question, kind, strategy, mode, symbols, timeframe, first_day, last_day, total_return, max_drawdown, sharpe,
        trades, asked, metrics, made_from, frames, kept_at
    )
    SELECT
        encode(sha256(number::text::bytea), 'hex'), md5((number % 4000)::text), 'backtest',
        'strategy_' || number % 50, 'account', ARRAY['KRW-BTC'], '1h', '2026-01-01', '2026-01-31',
        CASE WHEN number % 10 > 0 THEN sin(number) END, -abs(cos(number)), tan(number) / 1000, number % 300,
        jsonb_build_object('params', jsonb_build_object('fast', number)),
        (SELECT jsonb_object_agg('figure_' || place, sin(place * number)) FROM generate_series(1, 35) AS place),
        jsonb_build_object('code', md5(number::text)), '{}'::jsonb,
        '2026-01-01'::timestamptz + number * interval '50 minutes'
    FROM generate_series(1, 10000) AS number
"""


@pytest.fixture
def lake(tmp_path):
    """Give a lake in a directory."""
    return Lake.open(str(tmp_path / "lake"))


@pytest.fixture
def shelf(ledger, lake):
    """Give an empty shelf."""
    return Shelf(ledger, lake)


@pytest.fixture
def ten_thousand(ledger):
    """Give a ledger of ten thousand results."""
    return with_ten_thousand(ledger)


def with_ten_thousand(ledger):
    """Of fifty strategies over a year, one in ten with no return."""
    with ledger.transaction() as connection:
        connection.execute(_MANY)
    with psycopg.connect(ledger.url, autocommit=True) as connection:
        connection.execute("ANALYZE results")
    return ledger
