"""The chart of candles, and where trades went in and out.

What lives here: `trades_on_candles`. What stays out: the other charts (`charts`), coordinates and axes (`plots`).

There are as many candles as a phone can show: more are joined, each spanning its bars. Up is red and down is blue, as
on Upbit; entries are round and exits square.
"""

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from coinhts_core.backtests.tearsheet.markup import Markup, tag
from coinhts_core.backtests.tearsheet.plots import WIDTH, Scale, Tick, dots, drawing, nothing, time_ticks
from coinhts_core.backtests.tearsheet.sheet import Sheet
from coinhts_core.backtests.tearsheet.words import number
from coinhts_core.backtests.undefined import Floats

MOST_CANDLES = 240  # about the pixels a phone has for them
_MOST_JOINED = 150  # trades whose entry and exit are joined by a line
_MOST_LARGE = 120  # entries and exits; more of that size would hide the candles
_BODY = 0.72  # of a candle's width
_THIN = 0.6  # of a body whose close is its open


def trades_on_candles(of: Sheet) -> Markup:
    if of.candles.is_empty():
        return nothing("candles", "Trades on candles", "There is no one coin whose candles could be drawn.")
    joined = -(-of.candles.height // MOST_CANDLES)
    candles = _joined(of.candles, joined)
    scale = Scale.of(candles["low"].to_numpy(), candles["high"].to_numpy())
    entries, exits = (
        _marks(of.trades, candles, "opened_at", "entry_price"),
        _marks(of.trades, candles, "closed_at", "exit_price"),
    )
    note = f"Each stands for {joined} bars of {of.timeframe}." if joined > 1 else f"Bars of {of.timeframe}."
    happened = 2 * of.trades.height - of.trades["closed_at"].null_count()
    if hidden := happened - entries.height - exits.height:
        note += f" {hidden:,} entries and exits are not drawn: another one stands there, or no candle does."
    size = " small" if entries.height + exits.height > _MOST_LARGE else ""
    opened_at: list[datetime] = candles["opened_at"].to_list()
    first, last = number(candles["open"][0]), number(candles["close"][-1])
    return drawing(
        "candles",
        f"{of.trades.height} trades on {of.candles.height} candles, whose price went from {first} to {last} KRW",
        [
            *_bodies(candles, scale),
            *_holdings(of.trades, candles, scale),
            *_dots(entries, f"entry{size}", candles.height, scale),
            *_dots(exits, f"exit{size}", candles.height, scale),
        ],
        across=[Tick((place + 0.5) / candles.height, words) for place, words in time_ticks(opened_at)],
        down=scale.amounts(),
        caption="Trades on candles, KRW",
        note=note,
        legend={"up": "up", "fall": "down", "entry": "entry", "exit": "exit"},
    )


def _joined(candles: pl.DataFrame, count: int) -> pl.DataFrame:
    """So many neighbours as one candle: it opens with the first, closes with the last, and spans them all."""
    rows = candles.select("opened_at", "open", "high", "low", "close")
    if count == 1:
        return rows
    group = rows.with_row_index("row").group_by(pl.col("row") // count, maintain_order=True)
    ends = pl.col("opened_at", "open").first(), pl.col("close").last()
    return group.agg(*ends, pl.col("high").max(), pl.col("low").min())


def _bodies(candles: pl.DataFrame, scale: Scale) -> list[Markup]:
    """Wicks and bodies of those that did not fall, then of those that did."""
    width = WIDTH / candles.height * _BODY
    across = _across(np.arange(candles.height), candles.height).tolist()
    heights = (scale.heights(candles[name].to_numpy()).tolist() for name in ("open", "high", "low", "close"))
    rose: list[str] = []
    fell: list[str] = []
    for x, opened, high, low, closed in zip(across, *heights, strict=True):
        pieces = fell if closed > opened else rose  # heights count downwards
        pieces.append(f"M{x:.1f} {high:.1f}V{low:.1f}")
        height = max(abs(closed - opened), _THIN)
        pieces.append(f"M{x - width / 2:.1f} {min(opened, closed):.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z")
    return [
        tag("path", class_="candle up", d=Markup("".join(rose))),
        tag("path", class_="candle fall", d=Markup("".join(fell))),
    ]


def _marks(trades: pl.DataFrame, candles: pl.DataFrame, moment: str, price: str) -> pl.DataFrame:
    """The first of each candle: on which one it was, at what price."""
    happened = trades.drop_nulls(moment)
    return (
        pl.DataFrame({"place": _candle_of(happened[moment], candles), "price": happened[price]})
        .filter(pl.col("place") >= 0)
        .unique("place", keep="first", maintain_order=True)
    )


def _candle_of(moments: pl.Series, candles: pl.DataFrame) -> NDArray[np.int64]:
    """The candle that had opened last; -1 before the first."""
    opened_at = candles["opened_at"].dt.epoch("us").to_numpy()
    return np.searchsorted(opened_at, moments.dt.epoch("us").to_numpy(), side="right") - 1


def _holdings(trades: pl.DataFrame, candles: pl.DataFrame, scale: Scale) -> list[Markup]:
    """A line from each entry to its exit, while there are few."""
    closed = trades.drop_nulls("closed_at").filter(pl.col("opened_at") >= candles["opened_at"][0])
    if not 0 < closed.height <= _MOST_JOINED:
        return []
    begins, ends = (_across(_candle_of(closed[name], candles), candles.height) for name in ("opened_at", "closed_at"))
    entries, exits = (scale.heights(closed[name].to_numpy()) for name in ("entry_price", "exit_price"))
    courses = zip(begins.tolist(), entries.tolist(), ends.tolist(), exits.tolist(), strict=True)
    pieces = [f"M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" for x, y, to_x, to_y in courses]
    return [tag("path", class_="holding", d=Markup("".join(pieces)))]


def _dots(marks: pl.DataFrame, kind: str, candles: int, scale: Scale) -> list[Markup]:
    """Each on a rim of the page's colour, so that it stands out from its candle."""
    course = dots(_across(marks["place"].to_numpy(), candles), scale.heights(marks["price"].to_numpy()))
    return [tag("path", class_=f"dot rim {kind}", d=course), tag("path", class_=f"dot {kind}", d=course)]


def _across(places: NDArray[np.int64], count: int) -> Floats:
    return (places + 0.5) / count * WIDTH
