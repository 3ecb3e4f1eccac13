"""Choosing on days that were seen, trading on days that were not: by hand, by plain runs, and by laws of looking."""

from datetime import UTC, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.backtests import Account, run
from coinhts_core.backtests.executors import Threads
from coinhts_core.backtests.undefined import Undefined
from coinhts_core.backtests.walkforward import MOST_CURVES, walk_forward
from coinhts_core.errors import RefusedError
from coinhts_core.strategies import load
from tests.core.backtests.candles import candles, walk

GRID = {"fast": [2, 4, 8], "slow": [12, 24]}
ACCOUNT = Account(cash=1_000_000.0, rules=None, fee_rate=0.001)
DAYS, FOLDS = 40, 4


def hours(days=DAYS, seed=7):
    return candles(walk(24 * days, seed) * 1_000)


def walked(frame, account=ACCOUNT, grid=GRID, **changes):
    return walk_forward(frame, "sma_cross", grid, account, **{"folds": FOLDS, **changes})


def before(frame, day):
    """Give what had closed when this day began."""
    return frame.filter(pl.col("opened_at") < midnight(day))


def midnight(day):
    return datetime.combine(day, time(), UTC)


def plain_choice(frame, window, by):
    """Lead every combination through the days that were seen, one by one."""
    known, found = before(frame, window.unseen.first), {}
    for fast in GRID["fast"]:
        for slow in GRID["slow"]:
            strategy = load("sma_cross", fast=fast, slow=slow)
            figure = run(known, strategy, ACCOUNT, first_day=window.seen.first).metrics[by]
            found[fast, slow] = -np.inf if figure is None else figure
    return max(found, key=found.get)


def test_each_window_takes_what_was_best_before():
    """The choice, and all that is told of it, is that of plain runs over the days before."""
    frame = hours()
    for by in ("sharpe", "total_return", "max_drawdown"):
        for fold in walked(frame, by=by, ratio=2.0).folds:
            assert fold.point.values == plain_choice(frame, fold.window, by)


def test_unseen_days_are_traded_like_a_run_that_warms_up_before_them():
    """Bars before the window let averages fill and are not traded; cash goes on from window to window."""
    frame, cash = hours(), ACCOUNT.cash
    for fold in walked(frame).folds:
        known = before(frame, fold.window.unseen.last + timedelta(days=1))
        account = ACCOUNT.model_copy(update={"cash": cash})
        result = run(known, fold.point.strategy, account, first_day=fold.window.unseen.first)
        assert fold.course.daily[:-1].tolist() == result.outcome.daily[:-1].tolist()
        assert result.trades.is_empty() or result.trades["opened_at"][0] >= midnight(fold.window.unseen.first)
        cash = fold.course.daily[-1]


def test_what_is_held_at_a_border_is_sold_for_the_fee():
    """A coin that falls and then rises to the end, bought once: it is worth its last close, less slippage and fee."""
    closes = np.concatenate(
        [100 + np.sin(np.arange(24 * 30) / 5), np.linspace(101, 90, 24 * 3), np.linspace(90, 150, 24 * 7)]
    )
    frame = candles(closes)
    account = ACCOUNT.model_copy(update={"slippage_bps": 50.0})
    fold = walked(frame, account, {"fast": [2], "slow": [12]}, folds=1, by="total_return").folds[0]
    known = before(frame, fold.window.unseen.last + timedelta(days=1))
    result = run(known, fold.point.strategy, account, first_day=fold.window.unseen.first)
    held = result.symbols[0].fills.open_position()
    assert held is not None
    left = held["quantity"] * held["last_price"] * 0.995 * 0.999
    cash = result.outcome.daily[-1] - held["quantity"] * held["last_price"]
    assert fold.course.daily[-1] == pytest.approx(cash + left, rel=1e-12)
    spent = held["quantity"] * held["entry_price"] + held["fees_krw"]
    assert fold.course.trades["profit_krw"][-1] == pytest.approx(left - spent, rel=1e-9)
    assert fold.course.trades["profit_krw"].sum() == pytest.approx(fold.course.daily[-1] - fold.course.daily[0])
    assert fold.course.trades["bars_held"][-1] == len(known) - known["opened_at"].search_sorted(held["opened_at"])


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(0, FOLDS - 1), st.floats(0.5, 2.0), st.booleans())
def test_nothing_behind_a_border_is_known_before_it(seed, place, factor, is_anchored):
    """Candles that change in unseen days change no choice; candles behind them change nothing of the window at all."""
    frame = hours(seed=seed)
    told = walked(frame, is_anchored=is_anchored)
    window = told.windows[place]
    for day, is_unseen in ((window.unseen.first, True), (window.unseen.last + timedelta(days=1), False)):
        is_changed = pl.col("opened_at") >= midnight(day)
        prices = ("open", "high", "low", "close")
        later = frame.with_columns(pl.when(is_changed).then(pl.col(of) * factor).otherwise(pl.col(of)) for of in prices)
        ours, others = told.folds[: place + 1], walked(later, is_anchored=is_anchored).folds[: place + 1]
        for one, other in zip(ours, others, strict=True):
            assert one.point == other.point
            assert one.seen == other.seen
        kept = place if is_unseen else place + 1
        for one, other in zip(ours[:kept], others[:kept], strict=True):
            assert one.course.daily.tolist() == other.course.daily.tolist()


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.integers(1, 5), st.booleans())
def test_laws_of_the_stitched_equity(seed, folds, is_anchored):
    """One value a day from the first unseen day to the last, each window beginning with what the one before left."""
    told = walked(hours(seed=seed), folds=folds, is_anchored=is_anchored)
    assert told.daily[0] == ACCOUNT.cash
    assert len(told.daily) == len(told.unseen) + 1 == told.equity.height + 1
    assert told.equity["equity"][-1] == told.folds[-1].course.daily[-1]
    grown = np.prod([1.0 + fold.course.total_return for fold in told.folds])
    assert told.figures.values["total_return"] == pytest.approx(grown - 1.0)
    profits = sum(fold.course.trades["profit_krw"].sum() for fold in told.folds)
    assert told.daily[-1] - told.daily[0] == pytest.approx(profits, abs=1e-3)


def test_any_number_of_workers_tells_the_same():
    """And asked again, the answer is the same to the last bit, its name included."""
    frame = hours()
    one, other = walked(frame, executor=Threads(1)), walked(frame, executor=Threads(3))
    assert one.id == other.id
    assert one.rows.equals(other.rows)
    assert one.equity.equals(other.equity)
    assert one.told() == other.told()


def test_an_id_names_the_answer():
    """Another for other candles, combinations, windows, figures or accounts."""
    frame = hours()
    others = [
        walked(frame[:-24]),
        walked(frame.with_columns(pl.col("volume") * 2)),
        walked(frame, grid={"fast": [2, 4], "slow": [12, 24]}),
        walked(frame, folds=3),
        walked(frame, is_anchored=True),
        walked(frame, by="sortino"),
        walked(frame, Account(cash=2_000_000.0, rules=None)),
        walked({"KRW-BTC": frame}),
    ]
    assert len({of.id for of in [*others, walked(frame)]}) == 9


def test_coins_are_led_alone_on_equal_parts():
    """Two coins are two walks of half the cash each, window by window, and their equities are added."""
    frames = {"KRW-BTC": hours(seed=1), "KRW-ETH": hours(seed=2)}
    both = walked(frames)
    half = ACCOUNT.model_copy(update={"cash": ACCOUNT.cash / 2})
    alone = [walked({symbol: frame}, half) for symbol, frame in frames.items()]
    assert both.daily.tolist() == (alone[0].daily + alone[1].daily).tolist()
    assert both.rows["symbol"].to_list() == ["KRW-BTC", "KRW-ETH"] * FOLDS
    assert both.rows.filter(pl.col("symbol") == "KRW-ETH").equals(alone[1].rows)


def test_a_coin_that_is_listed_later_waits_in_cash():
    """Windows in which it could not be chosen for leave its part as it is, and say so."""
    frames = {"KRW-BTC": hours(seed=1), "KRW-ETH": hours(seed=2)[24 * 32 :]}
    told = walked(frames)
    first = next(fold for fold in told.folds if fold.symbol == "KRW-ETH")
    assert first.point is None
    assert set(first.course.daily) == {ACCOUNT.cash / 2}
    assert "nothing was chosen in 1 of KRW-ETH" in " ".join(told.warnings)
    assert told.rows.filter(pl.col("symbol") == "KRW-ETH")["fast"][0] is None


def test_nothing_to_choose_by_is_cash():
    """A market that never moves has no Sharpe ratio, so nobody is chosen and nothing is lost."""
    told = walked(candles([100.0] * 24 * DAYS))
    assert set(told.daily) == {ACCOUNT.cash}
    assert isinstance(told.efficiency, Undefined)
    assert "no combination has a sharpe" in " ".join(told.warnings)


def test_days_of_ones_own_and_a_first_day_are_those_of_a_sweep():
    """Day bars beside minutes decide; days before the first one are warm-up and in no window."""
    frame = hours(60)
    own = frame.group_by_dynamic("opened_at", every="1d").agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )
    first = frame["opened_at"][0].date() + timedelta(days=20)
    grid = {"fast": [2, 3], "slow": [5, 8]}
    made, given_days = (
        walked({"KRW-BTC": frame}, grid=grid, timeframe="1d", first_day=first, days=days)
        for days in (None, {"KRW-BTC": own})
    )
    assert made.windows[0].seen.first == first
    assert made.timeframe == "1d"
    assert made.rows.equals(given_days.rows)
    assert made.id != given_days.id


def test_options_of_the_account_are_combinations_too():
    """A stop that is chosen governs the unseen days."""
    told = walked(hours(), grid={"fast": [2], "slow": [12], "stop_loss": [0.005, 0.2]}, by="total_return")
    assert {fold.point.account.stop_loss for fold in told.folds} <= {0.005, 0.2}
    assert told.rows["stop_loss"].to_list() == [fold.point.account.stop_loss for fold in told.folds]


def test_every_step_is_told():
    """A step a window, and one for all days in hindsight."""
    steps = []
    walked(hours(), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(step, FOLDS + 1) for step in range(1, FOLDS + 2)]


def test_too_many_combinations_are_not_led_day_by_day():
    """Overfitting is left open, with the reason; everything else stands."""
    grid = {"fast": range(2, 36), "slow": range(40, 71)}
    told = walked(candles(walk(24 * 30)), grid=grid, folds=1)
    assert len(told.points) > MOST_CURVES
    assert told.overfit is None
    assert "more than 1,000 combinations" in " ".join(told.warnings)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"by": "sharp"}, "did you mean sharpe"),
        ({"by": "volatility"}, "chooses nothing"),
        ({"grid": {"cash": [1e6, 2e6]}}, "cash is nothing to choose"),
        ({"folds": 50}, "too few for 50 windows"),
    ],
)
def test_what_cannot_be_asked_is_refused(changes, word):
    """In a sentence that says what can."""
    with pytest.raises(RefusedError, match=word):
        walked(hours(), **changes)


@pytest.mark.parametrize("frame", [{}, candles([])])
def test_without_a_bar_there_is_no_walk(frame):
    """No coin, or none with a bar."""
    with pytest.raises(RefusedError, match=r"there (are no candles|is no bar)"):
        walked(frame)
