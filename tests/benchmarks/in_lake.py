"""Readers of one lake at the bench: ours, with kept columns and without, pyarrow and polars on the same files.

What lives here: the readers. What stays out: filling the lake (`house`). All see every value: they add up each column.
"""

from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from at_work import serve

from coinhts_core.lake.decoded import Decoded
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.places import open_store
from coinhts_core.markets import Market
from coinhts_core.settings import S3

_YEAR = (date(2025, 1, 1), date(2025, 12, 31))


def ours(_, lake, symbols, cache=None):
    """By the lake's own door; each day's rows with its entry."""
    opened = Lake(open_store(lake, S3()), Decoded(Path(cache)) if cache else None)
    return _reading(symbols, lambda symbol: opened.read("candles/minute", Market(symbol), *_YEAR))


def pyarrow(_, lake, symbols):
    """Month by month, each page verified."""
    files = {symbol: _files(lake, symbol) for symbol in symbols}
    return _reading(
        symbols,
        lambda symbol: pl.from_arrow(
            pa.concat_tables([pq.read_table(file, page_checksum_verification=True) for file in files[symbol]]),
            rechunk=False,
        ),
    )


def polars(_, lake, symbols):
    """All months at once, nothing verified."""
    files = {symbol: _files(lake, symbol) for symbol in symbols}
    return _reading(symbols, lambda symbol: pl.read_parquet(files[symbol], hive_partitioning=False))


def _reading(symbols, read):
    def call():
        return [[column.to_physical().sum() for column in read(symbol)] for symbol in symbols]

    return [call], lambda outcomes: {"final": outcomes[0]}


def _files(lake, symbol):
    return sorted(Path(lake).glob(f"candles/minute/symbol={symbol}/*/*.parquet"))


if __name__ == "__main__":
    serve({"ours": ours, "pyarrow": pyarrow, "polars": polars})
