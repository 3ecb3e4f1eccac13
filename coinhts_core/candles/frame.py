"""Candles: their columns, and what makes them believable.

What lives here: the schema `candles`, and the rules a day of bars is judged by. What to add: a rule,
as one true sentence and the expression that holds for every good row. What stays out: fetching
(`collection`), what is missing (`coverage`), coarser bars (`resample`), bars as arrays (`bars`).
"""

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from coinhts_core.errors import BadCandlesError, BadFrameError
from coinhts_core.frames import Column, Schema
from coinhts_core.markets import Market, Timeframe

CANDLES = Schema(
    "candles",
    1,
    (
        Column("opened_at", "time", meaning="when the bar begins, UTC"),
        Column("open", "float", meaning="first price, KRW"),
        Column("high", "float", meaning="highest price, KRW"),
        Column("low", "float", meaning="lowest price, KRW"),
        Column("close", "float", meaning="last price, KRW"),
        Column("volume", "float", meaning="coins traded"),
        Column("turnover_krw", "float", meaning="KRW traded"),
    ),
)

_DAY = timedelta(days=1)


def row_rules(day: date, timeframe: Timeframe, asked_at: datetime) -> dict[str, pl.Expr]:
    """Each rule's name and, row by row, whether it holds."""
    opened_at, opens, high, low, closes = (pl.col(name) for name in ("opened_at", "open", "high", "low", "close"))
    midnight = datetime.combine(day, time(), UTC)
    closed_at = opened_at + timedelta(minutes=timeframe.minutes)
    return {
        "prices_are_positive": pl.min_horizontal(opens, high, low, closes) > 0,
        "high_is_not_below_low": high >= low,
        "open_and_close_are_between_low_and_high": opens.is_between(low, high) & closes.is_between(low, high),
        "volumes_are_not_negative": pl.min_horizontal("volume", "turnover_krw") >= 0,
        "bars_are_in_order": (opened_at.diff() >= timedelta()).fill_null(value=True),
        "bars_are_unique": opened_at.is_unique(),
        "bars_open_on_the_grid": opened_at == opened_at.dt.truncate(timeframe.value),
        "bars_belong_to_the_day": (closed_at > midnight) & (closed_at <= midnight + _DAY),
        "bars_are_closed": closed_at <= asked_at,
    }


def judge_day(
    frame: pl.DataFrame, symbol: Market, day: date, timeframe: Timeframe, *, asked_at: datetime
) -> pl.DataFrame:
    """Bars of the day as the schema wants them, or a refusal naming the rule that is broken and where."""
    try:
        candles = CANDLES.judge(frame)
    except BadFrameError as error:
        raise BadCandlesError(symbol=symbol, day=day, reason=f"{error.column} {error.reason}") from error
    verdicts = candles.select(**row_rules(day, timeframe, asked_at))
    for rule in verdicts.columns:
        if not verdicts[rule].all():
            offender = candles.filter(~verdicts[rule])["opened_at"][0]
            raise BadCandlesError(symbol=symbol, day=day, reason=f"{rule} does not hold for the bar of {offender}")
    return candles
