"""A walk-forward: in each window the best combination is chosen, and tried on the days behind it that nobody had seen.

What lives here: `walk_forward`, the door, and what one coin does in one window. What stays out: where windows lie
(`windows`), what is told of the whole (`walked`), and combinations themselves (`sweeps`).

    walk = walk_forward(candles, "sma_cross", {"fast": range(4, 54, 2), "slow": range(60, 260, 5)}, folds=6)
    walk.rows; walk.equity; walk.figures

Bars before a window let averages fill and are not traded; bars behind its unseen days are not there. Each coin is led
alone, on an equal part of the cash, which goes on from one window to the next. What is held at the end of a window is
sold at its last close, for the fee and the slippage of the account: nobody carries it into the next choice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.benchmarks import Coin as Held
from coinhts_core.backtests.benchmarks import buy_and_hold
from coinhts_core.backtests.courses import Coin, lead
from coinhts_core.backtests.engine import Rows
from coinhts_core.backtests.executors import Executor, Threads
from coinhts_core.backtests.handed import read_candles
from coinhts_core.backtests.outcome import Outcome, times
from coinhts_core.backtests.overfitting import Overfit, Rank, overfitting_probability
from coinhts_core.backtests.points import Grid, Point, points_of
from coinhts_core.backtests.runs import run
from coinhts_core.backtests.sources import ONE_COIN, Candles, Source, asked_by, identity
from coinhts_core.backtests.sweeps import sweep
from coinhts_core.backtests.undefined import Floats, Undefined
from coinhts_core.backtests.walked import NO_TRADES, Course, Fold, Walk, WalkForward
from coinhts_core.backtests.windows import FOLDS, RANKS, RATIO, Window, windows_over
from coinhts_core.candles.bars import Bars
from coinhts_core.days import DayRange
from coinhts_core.errors import RefusedError
from coinhts_core.markets import Timeframe
from coinhts_core.rules import rules_on
from coinhts_core.signals import decide_all
from coinhts_core.strategies import Strategy, find_strategy
from coinhts_core.wording import nearest

MOST_CURVES = 1_000  # combinations; of more, what overfitting tells is not worth the hours

_MICROSECONDS_A_DAY = 86_400 * 10**6
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class _Candles:
    """What is handed over of a coin, up to some day."""

    symbol: str
    frame: pl.DataFrame
    length: timedelta
    days: pl.DataFrame | None

    def until(self, last: date) -> "_Candles":
        days = None if self.days is None else _closed_by(self.days, Timeframe.D1.length, last)
        return _Candles(self.symbol, _closed_by(self.frame, self.length, last), self.length, days)

    @property
    def timeframe(self) -> Timeframe | timedelta:
        """How long a bar is, as a timeframe where there is one so long."""
        return next((of for of in Timeframe if of.length == self.length), self.length)

    def identities(self) -> list[str]:
        """All candles, by value."""
        own = [] if self.days is None else [Bars.from_frame(self.days, Timeframe.D1.length)]
        return [identity(bars) for bars in (Bars.from_frame(self.frame, self.length), *own)]

    def days_since(self, first: date) -> int:
        """How many days there are from this one on, or from its own first one."""
        span = self.span
        return len(DayRange(max(span.first, first), span.last)) if span else 0

    @property
    def span(self) -> DayRange | None:
        """The days that its bars belong to."""
        if self.frame.is_empty():
            return None
        first, last = (self.frame["opened_at"][place] + self.length - timedelta(microseconds=1) for place in (0, -1))
        return DayRange(first.date(), last.date())

    @property
    def named(self) -> dict[str, Candles]:
        return {self.symbol: self.frame}

    @property
    def named_days(self) -> dict[str, Candles] | None:
        return None if self.days is None else {self.symbol: self.days}


@dataclass(frozen=True)
class _Terms:
    """What is the same in all windows."""

    kind: type[Strategy]
    grid: Grid
    points: Sequence[Point]
    account: Account
    timeframe: Timeframe | None
    by: str
    executor: Executor


def walk_forward(
    candles: Candles | Mapping[str, Candles],
    strategy: str | type[Strategy],
    grid: Grid,
    account: Account | None = None,
    *,
    folds: int = FOLDS,
    ratio: float = RATIO,
    is_anchored: bool = False,
    by: str = "sharpe",
    timeframe: Timeframe | str | None = None,
    days: Mapping[str, Candles] | None = None,
    first_day: date | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WalkForward:
    """Choose by the figure `by` in each window, and try the choice on the days behind it.

    `grid`, `days` and `first_day` are those of a sweep. `progress` is told how many steps of all are done.
    """
    if by not in RANKS:
        raise RefusedError(reason=f"{by!r} chooses nothing; take {', '.join(RANKS)}{nearest(by, RANKS)}")
    if "cash" in grid:
        raise RefusedError(reason="cash is nothing to choose: it goes on from one window to the next")
    kind = find_strategy(strategy) if isinstance(strategy, str) else strategy
    grid = {name: _listed(values) for name, values in grid.items()}
    wanted = Timeframe.parse(timeframe) if timeframe else None
    coins = _read(candles, days, wanted)
    whole = account or Account()
    part = whole.model_copy(update={"cash": whole.cash / len(coins)})
    terms = _Terms(kind, grid, points_of(kind, grid, part), part, wanted, by, executor or Threads())
    span = _span(coins, first_day)
    windows = windows_over(span, folds, ratio, is_anchored=is_anchored)
    tell = _counting(progress, len(coins) * (len(windows) + 1))
    walks = tuple(_walk(coin, windows, terms, span, tell) for coin in coins)
    return WalkForward(
        kind,
        whole,
        grid,
        str(wanted or asked_by(terms.points[0].strategy) or coins[0].timeframe),
        by,
        is_anchored=is_anchored,
        span=span,
        windows=tuple(windows),
        points=tuple(terms.points),
        walks=walks,
    )


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]


def _read(
    candles: Candles | Mapping[str, Candles], days: Mapping[str, Candles] | None, wanted: Timeframe | None
) -> list[_Candles]:
    named = candles if isinstance(candles, Mapping) else {ONE_COIN: candles}
    if not named:
        raise RefusedError(reason="there are no candles; hand over one coin's, or a mapping of several")
    read = {symbol: read_candles(of, wanted) for symbol, of in named.items()}
    own = {symbol: read_candles(of, Timeframe.D1).frame for symbol, of in (days or {}).items()}
    return [_Candles(symbol, of.frame, of.length, own.get(symbol)) for symbol, of in read.items()]


def _span(coins: Sequence[_Candles], first_day: date | None) -> DayRange:
    spans = [span for span in (coin.span for coin in coins) if span]
    if not spans:
        raise RefusedError(reason="there is no bar to walk over")
    first = first_day or min(span.first for span in spans)
    return DayRange(first, max(first, *(span.last for span in spans)))


def _counting(progress: Callable[[int, int], None] | None, total: int) -> Callable[[], None]:
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    return tell


def _walk(coin: _Candles, windows: Sequence[Window], terms: _Terms, span: DayRange, tell: Callable[[], None]) -> Walk:
    cash, folds = terms.account.cash, []
    for window in windows:
        fold = _fold(coin, window, terms, cash)
        cash = float(fold.course.daily[-1])
        folds.append(fold)
        tell()
    tried, overfit = _in_hindsight(coin, terms, span)
    tell()
    unseen = DayRange(windows[0].unseen.first, windows[-1].unseen.last)
    held = _held(coin, unseen, terms.account)
    return Walk(coin.symbol, tuple(coin.identities()), tuple(folds), held, tried, overfit)


def _fold(coin: _Candles, window: Window, terms: _Terms, cash: float) -> Fold:
    """What was chosen in a window, and what came of it; without a choice the cash stays what it is."""
    idle = Course(np.full(len(window.unseen) + 1, cash))
    seen, known = coin.until(window.seen.last), coin.until(window.unseen.last)
    days = seen.days_since(window.seen.first)
    table = _swept(seen, terms, window.seen.first) if days else None
    place = None if table is None else table[terms.by].cast(pl.Float64).arg_max()  # the first of equally good ones
    if table is None or place is None:
        return Fold(coin.symbol, window, days, None, {}, idle)
    point, figures = terms.points[place], table.row(place, named=True)
    if not known.days_since(window.unseen.first):
        return Fold(coin.symbol, window, days, point, figures, idle)
    account = point.account.model_copy(update={"cash": cash})
    result = run(
        known.named,
        point.strategy,
        account,
        timeframe=terms.timeframe,
        days=known.named_days,
        first_day=window.unseen.first,
    )
    return Fold(coin.symbol, window, days, point, figures, _course(result.outcome, account, window.unseen))


def _swept(coin: _Candles, terms: _Terms, first: date) -> pl.DataFrame:
    return sweep(
        coin.named,
        terms.kind,
        terms.grid,
        terms.account,
        timeframe=terms.timeframe,
        days=coin.named_days,
        first_day=first,
        executor=terms.executor,
    )


def _course(outcome: Outcome, account: Account, days: DayRange) -> Course:
    """What the account did over all these days; what it held at their end was sold at the last close."""
    daily, fills, trades = daily_over(outcome, days), outcome.parts[0], outcome.trades.select(NO_TRADES.columns)
    values = outcome.fill_values
    if fills.open_entry is not None:
        bar, _, _, price, volume, fee = fills.open_entry.tolist()
        costs, close = account.costs(rules_on(days.last)), float(fills.bars.close[-1])
        worth, spent = volume * close * (1.0 - costs.slippage), price * volume + fee
        left_fee = worth * costs.fee_rate
        daily[-1] += worth - left_fee - volume * close
        profit = worth - left_fee - spent
        last = {
            "closed_at": times(fills.bars.closed_at[-1:])[0],
            "profit_krw": profit,
            "return": profit / spent,
            "fees_krw": fee + left_fee,
            "bars_held": len(fills.bars) - int(bar),
        }
        trades = trades.vstack(pl.DataFrame([last], schema=trades.schema))
        values = np.append(values, worth)
    return Course(daily, trades, values, outcome.exposure, outcome.ambiguous)


def _held(coin: _Candles, days: DayRange, account: Account) -> Floats:
    """The coin bought at the first bar of these days and kept; equity at the start and at each day's end."""
    bars = Bars.from_frame(coin.frame, coin.length)
    fee_rate = account.costs(rules_on(days.first)).fee_rate
    bought = Held.from_bars(bars, bars.rows_of(days.first).start, _ends(days))
    return buy_and_hold(account.cash, bought, fee_rate)


def _ends(days: DayRange) -> Rows:
    """Midnights, in microseconds since 1970 UTC."""
    return ((days.first - _EPOCH).days + 1 + np.arange(len(days), dtype=np.int64)) * _MICROSECONDS_A_DAY


def daily_over(outcome: Outcome, days: DayRange) -> Floats:
    """Equity at the start and at the end of each of these days; on a day without a bar it is that of the day before."""
    places = np.searchsorted(outcome.day_ends, _ends(days), side="right")
    return np.concatenate(([outcome.cash], outcome.daily[places]))


def _in_hindsight(coin: _Candles, terms: _Terms, span: DayRange) -> tuple[pl.DataFrame, Overfit | Undefined]:
    """Every combination over all days, and how often the best of one half of them fails in the other."""
    tried = _swept(coin, terms, span.first)
    if len(terms.points) > MOST_CURVES:
        return tried, Undefined(f"there are more than {MOST_CURVES:,} combinations")
    source = Source(coin.frame, coin.days, terms.timeframe)

    def curve(point: Point) -> Floats:
        seen = source.seen(point.strategy, terms.timeframe or asked_by(point.strategy), span.first)
        led = Coin(coin.symbol, seen, decide_all(point.strategy, seen.bars))
        return daily_over(lead([led], point.strategy, point.account), span)

    equity = np.column_stack(list(terms.executor.answers(curve, terms.points)))
    by: Rank = "return" if terms.by in {"total_return", "annual_return"} else "sharpe"
    return tried, overfitting_probability(equity[1:] / equity[:-1] - 1.0, by)


def _closed_by(frame: pl.DataFrame, length: timedelta, last: date) -> pl.DataFrame:
    """The bars that belong to a day up to this one."""
    end = datetime.combine(last + timedelta(days=1), time(), UTC)
    return frame[: frame["opened_at"].search_sorted(end - length, side="right")]
