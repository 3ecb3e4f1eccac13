"""Candles: their columns, and what makes them believable.

What lives here: the schema `candles`, the rules bars are judged by, judging a day whole (`judge_day`) and row by
row (`sift`). What to add: a rule, as one true sentence and the expression that holds for every good row. What stays
out: fetching (`collection`), where bad bars are kept (`quarantine`), what is missing (`coverage`), coarser bars
(`resample`), bars as arrays (`bars`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import polars as pl

from coinhts_core.days import DayRange
from coinhts_core.errors import BadCandlesError, BadFrameError
from coinhts_core.frames import Column, Schema
from coinhts_core.markets import Market, Timeframe
from coinhts_core.wording import clipped

MINUTES, DAYS = "candles/minute", "candles/day"  # where the lake keeps them
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

_AS_TOLD = Schema(CANDLES.name, CANDLES.version, tuple(replace(column, nullable=True) for column in CANDLES.columns))
_AMOUNTS = CANDLES.names[1:]
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_MONDAY = timedelta(days=4) // _MICROSECOND  # after the epoch, because weeks open on Mondays
_NEAR = range((datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND)
_QUINTILLION = 1e18  # more than all money and the coins of the cheapest; exact sums have room for it
_BAD_SHARE = 0.1
_BAD_FEW = 2  # a contradiction at one moment makes two


def row_rules(day: date, timeframe: Timeframe, asked_at: datetime, *, last: date | None = None) -> dict[str, pl.Expr]:
    """Each rule's name and, row by row, whether it holds; for bars of a day, or of all days to the last."""
    opened_at, opens, high, low, closes = (pl.col(name) for name in ("opened_at", "open", "high", "low", "close"))
    since, until = (datetime.combine(at, time(), UTC) for at in (day, last or day))
    closed_at = opened_at + timeframe.length
    return {
        "values_are_finite": pl.all_horizontal(opened_at.is_not_null(), pl.col(_AMOUNTS).is_finite()).fill_null(
            value=False
        ),
        "amounts_are_below_a_quintillion": pl.max_horizontal(_AMOUNTS) < _QUINTILLION,
        "prices_are_positive": pl.min_horizontal(opens, high, low, closes) > 0,
        "high_is_not_below_low": high >= low,
        "open_and_close_are_between_low_and_high": opens.is_between(low, high) & closes.is_between(low, high),
        "volumes_are_not_negative": pl.min_horizontal("volume", "turnover_krw") >= 0,
        "bars_are_in_order": (opened_at >= opened_at.shift()).fill_null(value=True),
        "bars_are_unique": opened_at.is_unique(),
        "bars_open_on_the_grid": (opened_at.to_physical() - _A_MONDAY) % (timeframe.length // _MICROSECOND) == 0,
        "bars_belong_to_the_day": (closed_at > since) & (closed_at <= until + _DAY),
        "bars_are_closed": closed_at <= asked_at,
    }


RULES: Final = tuple(row_rules(_EPOCH.date(), Timeframe.M1, _EPOCH))  # their names are the same for every day


def judge_day(
    frame: pl.DataFrame, symbol: Market, day: date, timeframe: Timeframe, *, asked_at: datetime
) -> pl.DataFrame:
    """Bars of the day as the schema wants them, or a refusal naming the rule that is broken and where."""
    candles = _read(CANDLES, frame, symbol, day)
    verdicts = candles.select(**row_rules(day, timeframe, asked_at))
    for rule in verdicts.columns:
        if not verdicts[rule].all():
            offender = next(_moments(candles.filter(~verdicts[rule])["opened_at"]))
            raise BadCandlesError(symbol=symbol, day=day, reason=_broken(rule, offender))
    return candles


@dataclass(frozen=True)
class BadBar:
    """A bar that is not believed: the first rule it breaks, and the bar as it was told, odd numbers as text."""

    rule: str
    opened_at: datetime | None
    bar: Mapping[str, float | str | None]

    def __str__(self) -> str:
        return _broken(self.rule, self.opened_at)


@dataclass(frozen=True)
class Sifted:
    """The good bars in order, each once, and the bad ones."""

    good: pl.DataFrame
    bad: tuple[BadBar, ...] = ()
    was_in_order: bool = True

    @property
    def is_bad_answer(self) -> bool:
        """More than a few bad bars, or nothing but bad ones, are no accident of single bars."""
        most = max(_BAD_FEW, _BAD_SHARE * (len(self.bad) + self.good.height))
        return bool(self.bad) and (len(self.bad) > most or self.good.is_empty())


def sift(frame: pl.DataFrame, symbol: Market, days: DayRange, timeframe: Timeframe, *, asked_at: datetime) -> Sifted:
    """Divide bars into good and bad ones, row by row; refuse only what is no frame of candles at all.

    Of two different bars at one moment neither is good. An equal bar told twice is told once.
    """
    rules = row_rules(days.first, timeframe, asked_at, last=days.last)
    good = _all_good(frame, rules)
    if good is not None:
        return Sifted(good)
    finite = [pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in _AMOUNTS if _is_float(frame, name)]
    told = _read(_AS_TOLD, frame.with_columns(finite), symbol, days.last)
    is_first = frame.select(pl.struct(CANDLES.names).is_first_distinct()).to_series()
    places = told.with_row_index("place").filter(is_first).sort("opened_at", nulls_last=True, maintain_order=True)
    ordered, came = told[places["place"]], frame[places["place"]]
    named = (pl.when(pl.col(rule)).then(None).otherwise(pl.lit(rule)) for rule in rules)
    broken = ordered.select(**rules).select(rule=pl.coalesce(named)).to_series()
    bad = broken.is_not_null()
    return Sifted(
        CANDLES.judge(ordered.filter(~bad)),
        tuple(_bad_bars(broken.filter(bad), ordered.filter(bad)["opened_at"], came.filter(bad))),
        told["opened_at"].drop_nulls().is_sorted(),
    )


def _all_good(frame: pl.DataFrame, rules: Mapping[str, pl.Expr]) -> pl.DataFrame | None:
    """Spare the many days without a bad bar the sorting out."""
    try:
        candles = CANDLES.judge(frame)
    except BadFrameError:
        return None
    return candles if all(verdict.all() for verdict in candles.select(**rules)) else None


def _read(schema: Schema, frame: pl.DataFrame, symbol: Market, day: date) -> pl.DataFrame:
    try:
        return schema.judge(frame)
    except BadFrameError as error:
        raise BadCandlesError(symbol=symbol, day=day, reason=f"{error.column} {error.reason}") from error


def _broken(rule: str, opened_at: datetime | None) -> str:
    return f"{rule} does not hold for the bar of {opened_at or 'no moment'}"


def _is_float(frame: pl.DataFrame, name: str) -> bool:
    return name in frame.columns and frame.schema[name].is_float()


def _bad_bars(rules: pl.Series, opened_at: pl.Series, came: pl.DataFrame) -> Iterator[BadBar]:
    amounts = came.select(_AMOUNTS).iter_rows(named=True)
    numbers = opened_at.to_physical()
    for rule, moment, number, values in zip(rules, _moments(opened_at), numbers, amounts, strict=True):
        told = {"opened_at": moment.isoformat() if moment else number, **values}
        yield BadBar(rule, moment, {name: _as_json(value) for name, value in told.items()})


def _as_json(value: object) -> float | str | None:
    """JSON knows no infinity, and a database that keeps it spells large numbers out."""
    if value is None or (isinstance(value, int | float) and abs(value) < _QUINTILLION):
        return value
    return clipped(value)


def _moments(series: pl.Series) -> Iterator[datetime | None]:
    """By hand, because polars stops the process over a number too far out to be a datetime."""
    for number in series.to_physical():
        yield _EPOCH + number * _MICROSECOND if number is not None and number in _NEAR else None
