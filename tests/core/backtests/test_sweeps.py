"""A sweep's rows are runs: whatever the strategy, the account, the prices and the number of workers."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.backtests import Account, run, sweep
from coinhts_core.backtests.executors import Threads
from coinhts_core.errors import BadFrameError, BadParameterError
from coinhts_core.strategies import find_strategy, load
from tests.core.backtests.candles import candles, walk

KNOBS = {"fast": [2, 3, 5], "slow": [4, 8, 13]}


def figures_of_run(frame, name, knobs, account, columns, **options):
    result = run(frame, load(name, **knobs), account, **options)
    told = {**result.metrics, "ambiguous": result.outcome.ambiguous, "final_equity_krw": result.outcome.daily[-1]}
    return {column: told[column] for column in columns}


def rows_of_runs(frame, name, table, account, names, **options):
    """Run each row by itself; give what its columns should hold."""
    own = find_strategy(name).model_fields
    for row in table.iter_rows(named=True):
        knobs = {knob: row[knob] for knob in names if knob in own}
        led = Account(**{**account.model_dump(), **{knob: row[knob] for knob in names if knob not in own}})
        columns = [column for column in table.columns if column not in {*names, "symbol"}]
        yield {**{knob: row[knob] for knob in names}, **figures_of_run(frame, name, knobs, led, columns, **options)}


def test_the_example_of_the_contract():
    """One row a combination, in the order of the grid, each what a run of it tells."""
    frame, account = candles(walk(3_000), minutes=15), Account(cash=1e7, fee_rate=0.0005)
    table = sweep(frame, "sma_cross", {"fast": range(4, 10, 2), "slow": range(20, 50, 10)}, account)
    assert table.select("fast", "slow").rows() == [(fast, slow) for fast in (4, 6, 8) for slow in (20, 30, 40)]
    assert table.rows(named=True) == list(rows_of_runs(frame, "sma_cross", table, account, ["fast", "slow"]))
    assert table["trades"].min() > 10
    assert table["total_return"].n_unique() == 9


ticks = st.integers(95, 105).map(float)
fine_ticks = st.integers(950, 1_050).map(lambda units: units / 10)
no_ticks = st.integers(95, 105).map(lambda units: units / 3)
closes = st.sampled_from([ticks, fine_ticks, no_ticks]).flatmap(lambda of: st.lists(of, max_size=150))
spans = st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True)
accounts = st.builds(
    Account,
    cash=st.sampled_from([6_000.0, 1e7]),
    fee_rate=st.sampled_from([None, 0.0, 0.0025]),
    rules=st.sampled_from(["upbit", None]),
    slippage_bps=st.sampled_from([0.0, 25.0]),
    max_hold_bars=st.sampled_from([None, 1, 5]),
    trailing_stop=st.sampled_from([None, 0.03]),
) | st.just(Account(sizing="volatility", target_volatility=0.5, volatility_bars=3))
levels = st.fixed_dictionaries(
    {},
    optional={
        "stop_loss": st.just([None, 0.01]),
        "take_profit": st.just([None, 0.01, 0.03]),
        "slippage_bps": st.just([0.0, 3.0]),
        "rules": st.just([None, "upbit"]),
    },
)


@settings(max_examples=60)
@given(closes, spans, spans, levels, accounts)
def test_a_row_is_a_run_to_the_last_bit(prices, fast, slow, options, account):
    """With one worker as with two; averages that tie, accounts with levels, and no candles at all included."""
    grid = {"fast": fast, "slow": [max(fast) + of for of in slow], **options}
    frame = candles(prices, minutes=240, spread=0.004)
    table = sweep(frame, "sma_cross", grid, account, executor=Threads(2))
    assert table.equals(sweep(frame, "sma_cross", grid, account, executor=Threads(1)))
    assert table.rows(named=True) == list(rows_of_runs(frame, "sma_cross", table, account, list(grid)))


@settings(max_examples=20)
@given(
    st.integers(0, 10_000),
    st.sampled_from(
        [
            ("donchian_breakout", {"window": [3, 5], "vol_multiplier": [0.5, 1.0], "hold_period_bars": [2, 9]}),
            ("volume_long_candle", {"body_pct": [0.01, 0.02], "vol_multiplier": [1.0]}),
            ("volume_zone_breakout", {"volume_window": [3, 6], "hold_period_bars": [1, 4]}),
            ("rsi_reversion", {"period": [2, 3], "oversold": [30.0, 45.0]}),
        ]
    ),
    levels,
)
def test_strategies_that_offer_no_lines_are_swept_alike(seed, of, options):
    """Whatever decides, the row is the run."""
    name, knobs = of
    frame = candles(walk(300, seed), minutes=60).with_columns(
        volume=pl.Series(np.random.default_rng(seed).uniform(1.0, 9.0, 300))
    )
    account, grid = Account(cash=1e6, rules=None), {**knobs, **options}
    table = sweep(frame, name, grid, account)
    assert table.rows(named=True) == list(rows_of_runs(frame, name, table, account, list(grid)))


def test_more_bars_than_a_tile_and_a_change_of_the_rule_book():
    """Positions are held across tiles, and costs change where a run changes them."""
    frame = candles(walk(30_000) * 1_000, minutes=10, start=datetime(2025, 7, 1, tzinfo=UTC))
    table = sweep(frame, "sma_cross", KNOBS, Account())
    expected = list(rows_of_runs(frame, "sma_cross", table, Account(), ["fast", "slow"]))
    assert table.rows(named=True) == expected
    still = candles(np.full(30_000, 1 / 3), spread=0, minutes=10)
    assert sweep(still, "sma_cross", KNOBS)["trades"].to_list() == [0] * 8


def test_many_that_decide_alone_and_a_change_of_the_rule_book():
    """More sets of knobs than are led at a time; decisions of the bars behind the change are those of these bars."""
    frame = candles(walk(3_000) * 1_000, minutes=60, start=datetime(2025, 7, 1, tzinfo=UTC))
    knobs = {"window": range(3, 12), "hold_period_bars": range(2, 10), "vol_multiplier": [0.5]}
    table = sweep(frame, "donchian_breakout", knobs, Account())
    assert table["trades"].min() > 100
    assert table.rows(named=True) == list(rows_of_runs(frame, "donchian_breakout", table, Account(), list(knobs)))


@pytest.mark.parametrize("seed", range(12))
def test_averages_that_tie_on_no_tick_tie(seed):
    """Lines are rounded, and where that might be all, each point decides by itself."""
    closes = np.floor(np.random.default_rng(seed).uniform(90, 110, 30) * 2**40) / 2**40
    closes[20] = (closes[18] + closes[19]) / 2
    frame = candles([*closes, *closes[:5]])
    grid = {"fast": [1], "slow": [3, 9]}
    table = sweep(frame, "sma_cross", grid)
    assert table.rows(named=True) == list(rows_of_runs(frame, "sma_cross", table, Account(), list(grid)))


def test_coins_are_led_alone():
    """A mapping names them; each has its own account, its own days to warm up, and finer candles inside its bars."""
    coins = {"KRW-BTC": candles(walk(3_000, 1) * 1_000, minutes=5), "KRW-ETH": candles(walk(2_000, 2), minutes=5)}
    account, options = Account(stop_loss=0.02, take_profit=0.02), {"timeframe": "1h", "first_day": date(2026, 1, 3)}
    table = sweep(coins, "sma_cross", KNOBS, account, **options)
    assert table["symbol"].to_list() == ["KRW-BTC"] * 8 + ["KRW-ETH"] * 8
    for symbol, frame in coins.items():
        rows = table.filter(pl.col("symbol") == symbol)
        told = rows_of_runs(frame, "sma_cross", rows, account, ["fast", "slow"], **options)
        assert rows.drop("symbol").rows(named=True) == list(told)


def test_many_coins_are_led_in_few_parts():
    """Each alone all the same, whatever days it has; in the order of the mapping, and told as they are done."""
    coins = {f"KRW-C{place}": candles(walk(200 + 30 * (place % 3), place), minutes=60) for place in range(9)}
    grid, account, told = {"fast": [2, 3], "slow": [9]}, Account(stop_loss=0.02), []
    table = sweep(coins, "sma_cross", grid, account, executor=Threads(2), progress=lambda *of: told.append(of))
    assert told == [(6, 18), (12, 18), (18, 18)]
    assert table["symbol"].to_list() == [symbol for symbol in coins for _ in range(2)]
    for symbol, frame in coins.items():
        rows = table.filter(pl.col("symbol") == symbol)
        assert rows.drop("symbol").rows(named=True) == list(rows_of_runs(frame, "sma_cross", rows, account, list(grid)))


def test_a_timeframe_may_be_swept():
    """Each length of bars is made once."""
    frame = candles(walk(3_000), minutes=5)
    table = sweep(frame, "sma_cross", {"timeframe": ["15m", "1h"], "fast": [2, 3], "slow": [9]})
    told = rows_of_runs(frame, "sma_cross", table, Account(), ["timeframe", "fast", "slow"])
    assert table.rows(named=True) == list(told)


def test_some_points_by_chance():
    """As many as are asked for, in the order of the grid, the same for a seed; all, where there are no more."""
    frame = candles(walk(100))
    grid = {"fast": range(1, 6), "slow": range(10, 20)}
    some = sweep(frame, "sma_cross", grid, samples=7, seed=3)
    assert some.equals(sweep(frame, "sma_cross", grid, samples=7, seed=3))
    assert some.height == 7 == some.select("fast", "slow").n_unique()
    assert some.select("fast", "slow").rows() == sorted(some.select("fast", "slow").rows())
    assert not some.equals(sweep(frame, "sma_cross", grid, samples=7, seed=4))
    assert sweep(frame, "sma_cross", grid, samples=70).height == 50


def test_progress_is_told():
    """How many rows of all are done, up to the last."""
    told = []
    sweep(
        candles(walk(50)), "sma_cross", {"slow": range(20, 60)}, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(10, 40), (20, 40), (30, 40), (40, 40)]


def test_bad_candles_and_knobs_are_refused():
    """As a run refuses them."""
    with pytest.raises(BadFrameError, match="low is not above 0"):
        sweep(candles(walk(30)).with_columns(low=pl.lit(0.0)), "sma_cross", KNOBS)
    with pytest.raises(BadParameterError, match="did you mean fast"):
        sweep(candles(walk(30)), "sma_cross", {"fasst": [3]})
