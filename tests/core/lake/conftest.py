from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from coinhts_core.frames import Column, Schema
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.markets import Market

BAR = Schema("bar", 1, (Column("opened_at", "time"), Column("close", "float")))


@pytest.fixture
def lake(tmp_path):
    return Lake.open(str(tmp_path / "lake"))


@pytest.fixture
def files(tmp_path):
    """Find the files below the lake's root, sorted."""
    root = tmp_path / "lake"
    return lambda pattern="*": sorted(path for path in root.rglob(pattern) if path.is_file())


@pytest.fixture(scope="session")
def bars():
    """Make a day's rows: as many minutes as prices, the later ones first."""

    def rows(day, *prices, schema=BAR, **identity):
        midnight = datetime.combine(day, time(), UTC)
        frame = pl.DataFrame(
            {
                "opened_at": [midnight + timedelta(minutes=minute) for minute in range(len(prices))],
                "close": [float(price) for price in prices],
            },
            schema=BAR.empty().schema,
        )
        return DayRows.of(schema, frame.reverse(), **identity)

    return rows


@pytest.fixture(scope="session")
def closes():
    """Read the closing prices of `bars` by day."""

    def read(lake, first_day=date(2026, 1, 1), last_day=date(2026, 12, 31)):
        rows = lake.read("bars", Market("KRW-BTC"), first_day, last_day)
        return dict(rows.group_by("day", maintain_order=True).agg("close").iter_rows())

    return read
