"""Frames kept by asset, symbol and day, under commits that say what is where and what it hashes to.

What lives here: the lake, and its door for notebooks and scripts, `read`, which opens what the settings name.
"""

import polars as pl

from coinhts_core.clock import now
from coinhts_core.days import DayRange, last_complete_day
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market
from coinhts_core.settings import read_settings


def read(asset: str, symbol: str, timerange: str) -> pl.DataFrame:
    """What is stored of an asset and a symbol in some days, such as `20260101-20260131`."""
    settings = read_settings()
    days = DayRange.parse(timerange, earliest=settings.start_date, latest=last_complete_day(now()))
    lake = Lake.open(settings.lake_url, settings.s3, settings.cache_folder)
    return lake.read(asset, Market.parse(symbol), days.first, days.last)
