"""The engine against a second one in plain decimals, written from the same table of fills, and row by row."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.backtests.account import Account
from coinhts_core.backtests.engine import (
    REASONS,
    Course,
    Day,
    Marks,
    minutes_within,
    on_tick,
    prices_of,
    run_course,
)
from coinhts_core.backtests.worth import Told, worst
from coinhts_core.candles.bars import Bars
from coinhts_core.rules import rules_on
from tests.core.backtests.plain_engine import NEVER, Bar, PlainEngine

DAY = date(2026, 1, 2)
RULES = rules_on(DAY)
OPENING = datetime(2026, 1, 2, tzinfo=UTC)


def bars_of(prices, first=0, length=60):
    """Bars of so many minutes from (open, high, low, close)."""
    opened_at = [OPENING + timedelta(minutes=(first + place) * length) for place in range(len(prices))]
    columns = {"open": 0, "high": 1, "low": 2, "close": 3}
    frame = pl.DataFrame(
        {
            "opened_at": pl.Series(opened_at, dtype=pl.Datetime("us", "UTC")),
            **{name: pl.Series([float(bar[at]) for bar in prices], dtype=pl.Float64) for name, at in columns.items()},
            "volume": pl.Series([1.0] * len(prices), dtype=pl.Float64),
        }
    )
    return Bars.from_frame(frame, timedelta(minutes=length))


def sides(*decisions):
    return np.array(decisions, dtype=np.int8)


def course(account, prices, decisions, *, quarters=(), hold_bars=None, is_optimistic=False, fractions=None):
    """Lead an account that starts flat through hourly bars, with quarters of an hour inside them where given."""
    bars = bars_of(prices)
    minutes = minutes_within(bars, bars_of(quarters, length=15)) if quarters else None
    parts = account.fractions(bars) if fractions is None else np.array(fractions, dtype=float)
    day = Day(bars, sides(*decisions), parts, minutes)
    marks = Marks(account.cash)
    found = run_course(marks, day, account.costs(RULES), account.limits(hold_bars), is_optimistic=is_optimistic)
    whole = Told.by(marks, found.fills, bars.close).whole()
    return Led(found, whole, worst(marks, found.fills, prices_of(bars)))


@dataclass
class Led:
    """A course, and what follows from its fills."""

    course: Course
    equity: np.ndarray
    worst: float

    def __getattr__(self, name):
        return getattr(self.course, name)


def told(of):
    """Each fill as (bar, why, price)."""
    return [(int(bar), REASONS[int(why)], price) for bar, _, why, price, *_ in of.fills.tolist()]


ENTRY = (100, 100, 100, 100)
TABLE = {
    "an order fills at the next open": ({}, [ENTRY, (101, 105, 99, 102)], [1, 0], [(1, "entry", 101)]),
    "slippage is against us, to a tick": (
        {"slippage_bps": 60},
        [ENTRY, (101, 105, 99, 102), (110, 110, 110, 110)],
        [1, -1, 0],
        [(1, "entry", 102), (2, "decision", 109)],
    ),
    "a stop inside": ({"stop_loss": 0.05}, [ENTRY, (100, 101, 94, 99)], [1, 0], [(1, "entry", 100), (1, "stop", 95)]),
    "a stop between two ticks is the lower one": (
        {"stop_loss": 0.0555},
        [ENTRY, (100, 101, 94, 99)],
        [1, 0],
        [(1, "entry", 100), (1, "stop", 94.4)],
    ),
    "a stop just touched": (
        {"stop_loss": 0.05},
        [ENTRY, (100, 101, 95, 99)],
        [1, 0],
        [(1, "entry", 100), (1, "stop", 95)],
    ),
    "a stop not reached": ({"stop_loss": 0.05}, [ENTRY, (100, 101, 96, 99)], [1, 0], [(1, "entry", 100)]),
    "a stop slips": (
        {"stop_loss": 0.05, "slippage_bps": 200},
        [ENTRY, (100, 103, 96, 99)],
        [1, 0],
        [(1, "entry", 102), (1, "stop", 94.9)],
    ),
    "a gap below the stop fills at the open": (
        {"stop_loss": 0.05},
        [ENTRY, (100, 101, 99, 100), (90, 92, 88, 91)],
        [1, 0, 0],
        [(1, "entry", 100), (2, "stop", 90)],
    ),
    "an open at the stop is no doubt": (
        {"stop_loss": 0.05, "take_profit": 0.05},
        [ENTRY, (100, 101, 99, 100), (95, 106, 94, 100)],
        [1, 0, 0],
        [(1, "entry", 100), (2, "stop", 95)],
    ),
    "a target inside": (
        {"take_profit": 0.05},
        [ENTRY, (100, 106, 99, 103)],
        [1, 0],
        [(1, "entry", 100), (1, "target", 105)],
    ),
    "a target does not slip": (
        {"take_profit": 0.05, "slippage_bps": 100},
        [ENTRY, (100, 108, 100, 103)],
        [1, 0],
        [(1, "entry", 101), (1, "target", 107)],
    ),
    "a gap above the target fills at the open": (
        {"take_profit": 0.05},
        [ENTRY, (100, 101, 99, 100), (110, 112, 108, 111)],
        [1, 0, 0],
        [(1, "entry", 100), (2, "target", 110)],
    ),
    "stop before target": (
        {"stop_loss": 0.05, "take_profit": 0.05},
        [ENTRY, (100, 106, 94, 100)],
        [1, 0],
        [(1, "entry", 100), (1, "stop", 95)],
    ),
    "an order to leave comes before the stop": (
        {"stop_loss": 0.05},
        [ENTRY, (100, 101, 99, 100), (98, 99, 90, 95)],
        [1, -1, 0],
        [(1, "entry", 100), (2, "decision", 98)],
    ),
    "a trailing stop follows the highs of the bars before": (
        {"trailing_stop": 0.1},
        [ENTRY, (100, 120, 95, 118), (118, 119, 107, 110)],
        [1, 0, 0],
        [(1, "entry", 100), (2, "trailing stop", 108)],
    ),
    "the higher of two stops counts": (
        {"trailing_stop": 0.2, "stop_loss": 0.05},
        [ENTRY, (100, 110, 96, 105), (105, 106, 90, 95)],
        [1, 0, 0],
        [(1, "entry", 100), (2, "stop", 95)],
    ),
    "time is up": (
        {"max_hold_bars": 2},
        [ENTRY, (100, 101, 99, 100), (101, 102, 100, 101), (103, 104, 102, 103)],
        [1, 0, 0, 0],
        [(1, "entry", 100), (3, "time", 103)],
    ),
    "out in the bar, in again in the next": (
        {"stop_loss": 0.05},
        [ENTRY, (100, 101, 94, 99), (98, 99, 97, 98)],
        [1, 1, 0],
        [(1, "entry", 100), (1, "stop", 95), (2, "entry", 98)],
    ),
    "a stop that is too small to be sold still trails": (
        {"trailing_stop": 0.1, "sizing": "fixed", "fixed_krw": 5_100.0},
        [ENTRY, (100, 100, 100, 100), (91, 130, 90, 99), (99, 120, 99, 119)],
        [1, 0, 0, 0],
        [(1, "entry", 100), (3, "trailing stop", 99)],
    ),
    "in again at the signal after the time was up": (
        {"max_hold_bars": 1},
        [ENTRY] * 6,
        [1, 1, 1, 1, 1, 1],
        [(1, "entry", 100), (2, "time", 100), (3, "entry", 100), (4, "time", 100), (5, "entry", 100)],
    ),
    "a signal while holding is ignored": (
        {"max_hold_bars": 2},
        [ENTRY, ENTRY, ENTRY, ENTRY, ENTRY],
        [1, 1, 1, 0, 0],
        [(1, "entry", 100), (3, "time", 100)],
    ),
}


@pytest.mark.parametrize("rule", TABLE)
def test_the_fill_table(rule):
    """Row by row, with prices worked out by hand."""
    options, prices, decisions, expected = TABLE[rule]
    found = course(Account(cash=1_000_000, fee_rate=0, **options), prices, decisions)
    assert told(found) == expected
    assert found.ambiguous == (rule == "stop before target")


@pytest.mark.parametrize(
    ("options", "bar", "worst"),
    [
        ({}, (100, 103, 96, 101), 960_000),
        ({"take_profit": 0.05}, (100, 106, 96, 103), 960_000),
        ({"stop_loss": 0.02}, (100, 101, 96, 103), 980_000),
        ({"take_profit": 0.05}, (105, 106, 96, 103), 1_000_000),
    ],
)
def test_the_worst_moment_is_while_the_coin_was_held(options, bar, worst):
    """The low counts unless the coin was surely sold before it; a target may have been reached after it."""
    found = course(Account(cash=1_000_000, fee_rate=0, **options), [ENTRY, ENTRY, bar], [1, 0, 0])
    assert min(found.worst, 1_000_000) == worst


def test_minutes_tell_what_a_bar_does_not():
    """A bar that reaches both levels is settled by its quarters; else, or inside one, by the bound, and counted."""
    account = Account(cash=1_000_000, fee_rate=0, stop_loss=0.05, take_profit=0.05)
    prices, decisions = [ENTRY, (100, 106, 94, 100)], [1, 0]
    rising_first = [ENTRY] * 4 + [(100, 106, 100, 104), (104, 104, 94, 100), ENTRY, ENTRY]
    at_once = [ENTRY] * 4 + [(100, 103, 99, 100), (100, 106, 94, 100), ENTRY, ENTRY]
    by_quarters = course(account, prices, decisions, quarters=rising_first)
    assert (told(by_quarters)[-1], by_quarters.ambiguous) == ((1, "target", 105), 0)
    assert by_quarters.fills[-1, 1] == 4
    for quarters in ((), at_once):
        for is_optimistic, expected in ((False, (1, "stop", 95)), (True, (1, "target", 105))):
            found = course(account, prices, decisions, quarters=quarters, is_optimistic=is_optimistic)
            assert (told(found)[-1], found.ambiguous) == (expected, 1)


def test_minutes_that_reach_neither_level_leave_the_position():
    """They are finer than the bar, and so they are believed."""
    account = Account(cash=1_000_000, fee_rate=0, stop_loss=0.05, take_profit=0.05, rules=None)
    found = course(account, [ENTRY, (100, 106, 94, 100)], [1, 0], quarters=[ENTRY] * 8)
    assert (told(found), found.ambiguous, found.marks.held) == ([(1, "entry", 100)], 0, 1)


@pytest.mark.parametrize("options", [{}, {"take_profit": 0.5}, {"trailing_stop": 0.5}])
def test_the_highest_price_since_the_entry_is_handed_on(options):
    """From the entry's bar on, whether a level needs it yet or not."""
    prices = [(100, 150, 100, 100), (100, 103, 99, 100), (100, 120, 99, 100), (100, 110, 99, 100)]
    assert course(Account(cash=1_000_000, **options), prices, [1, 0, 0, 0]).marks.peak == 120.0


def test_an_entry_spends_its_part():
    """Everything, a half, a fixed sum, or less the wilder the market; the fee is paid out of it."""
    prices = [ENTRY] * 3
    spent = {
        name: course(account, prices, [1, 0, 0]).fills[0, 4] * 100 * 1.001
        for name, account in {
            "all": Account(cash=1_000_000, fee_rate=0.001),
            "half": Account(cash=1_000_000, fee_rate=0.001, sizing="fraction", fraction=0.5),
            "fixed": Account(cash=1_000_000, fee_rate=0.001, sizing="fixed", fixed_krw=300_000),
            "too much": Account(cash=1_000_000, fee_rate=0.001, sizing="fixed", fixed_krw=3_000_000),
        }.items()
    }
    assert {name: round(krw, 2) for name, krw in spent.items()} == {
        "all": 1_000_000.0,
        "half": 500_000.0,
        "fixed": 300_000.0,
        "too much": 1_000_000.0,
    }
    nothing = course(Account(cash=1_000_000), prices, [1, 0, 0], fractions=[0, 0, 0])
    assert told(nothing) == []


@st.composite
def walks(draw):
    """Hours of up to four tick-rounded quarters around any price level, and what is decided at their closes."""
    level = draw(st.decimals("0.001", "200000000", places=8))
    price = st.integers(900, 1_100).map(lambda part: max(RULES.round_down(level * part / 1_000), Decimal("1e-8")))
    quarter = st.tuples(price, price, price, price).map(lambda four: Bar(four[0], max(four), min(four), four[3]))
    hours = draw(st.lists(st.lists(quarter, min_size=4, max_size=4), max_size=25))
    bars = [
        Bar(parts[0].open, max(of.high for of in parts), min(of.low for of in parts), parts[-1].close, tuple(parts))
        for parts in hours
    ]
    count = len(bars)
    decisions = draw(st.lists(st.sampled_from([1, 1, 0, 0, -1]), min_size=count, max_size=count))
    fractions = draw(st.lists(st.sampled_from([1.0, 1.0, 0.5, 0.25, 0.0]), min_size=count, max_size=count))
    return bars, decisions, fractions


def maybe(*values):
    return st.sampled_from([None, None, *values])


accounts = st.builds(
    Account,
    cash=st.integers(4_000, 20_000).map(float) | st.just(10_000_000.0),
    fee_rate=st.sampled_from([None, 0.0, 0.0005, 0.0025]),
    slippage_bps=st.sampled_from([0.0, 1.0, 7.25, 150.0]),
    rules=st.sampled_from(["upbit", None]),
    stop_loss=maybe(0.01, 0.05, 0.1),
    take_profit=maybe(0.01, 0.02, 0.15),
    trailing_stop=maybe(0.01, 0.03, 0.1),
    max_hold_bars=maybe(1, 2, 5),
) | st.just(Account(cash=10_000.0, sizing="fixed", fixed_krw=6_000.0))


def plain_engine(account, *, is_optimistic=False):
    def exact(number):
        return None if number is None else Decimal(str(number))

    return PlainEngine(
        Decimal(account.cash),
        RULES if account.rules else None,
        RULES.fee_rate if account.fee_rate is None else exact(account.fee_rate),
        Decimal(str(account.slippage_bps)) / 10_000,
        exact(account.fixed_krw) or NEVER,
        *map(exact, (account.stop_loss, account.take_profit, account.trailing_stop)),
        hold_bars=account.max_hold_bars or 0,
        is_optimistic=is_optimistic,
    )


def near(exact):
    return pytest.approx(float(exact), rel=1e-9, abs=1e-4)


@settings(max_examples=200)
@given(walks(), accounts, st.booleans(), st.booleans())
def test_the_compiled_engine_agrees_with_the_plain_one(walk, account, is_optimistic, knows_quarters):
    """Same fills for the same reasons at the same prices; volumes, fees, cash, equity and worst to a billionth."""
    bars, decisions, fractions = walk
    seen = bars if knows_quarters else [bar._replace(parts=()) for bar in bars]
    quarters = [part for bar in bars for part in bar.parts] if knows_quarters else ()
    plain = plain_engine(account, is_optimistic=is_optimistic)
    with localcontext(prec=60):
        plain.run(seen, decisions, [Decimal(str(part)) for part in fractions])
    found = course(account, bars, decisions, quarters=quarters, is_optimistic=is_optimistic, fractions=fractions)
    assert [fill[:2] for fill in plain.fills] == [fill[:2] for fill in told(found)]
    numbers = [pytest.approx(tuple(map(float, fill[2:])), rel=1e-9) for fill in plain.fills]
    assert numbers == [tuple(fill[3:]) for fill in found.fills.tolist()]
    if account.rules:
        assert [float(fill[2]) for fill in plain.fills] == found.fills[:, 3].tolist()
    assert (near(plain.cash), near(plain.volume)) == (found.marks.cash, found.marks.volume)
    assert near(plain.worst) == min(found.worst, account.cash)
    assert plain.ambiguous == found.ambiguous
    if bars:
        assert near(plain.equity) == found.equity[-1]
        assert {"buy": 1, "decision": -1, "time": -2, "": 0}[plain.order] == found.marks.order


@settings(max_examples=50)
@given(walks(), accounts)
def test_fills_conserve_money(walk, account):
    """Cash is the start, less what was bought, plus what was sold, less every fee; nothing is ever borrowed."""
    found = course(account, walk[0], walk[1], fractions=walk[2])
    cash, volume = account.cash, 0.0
    for _, _, why, price, traded, fee in found.fills.tolist():
        sign = 1 if REASONS[int(why)] == "entry" else -1
        cash, volume = cash - sign * price * traded - fee, volume + sign * traded
        assert cash >= -1e-4
        assert volume >= 0
        assert fee == pytest.approx(price * traded * account.costs(RULES).fee_rate)
    assert near(cash) == found.marks.cash
    assert volume == found.marks.volume


@pytest.mark.parametrize("price", ["0.113", "3.37", "7", "100", "99950", "150001000"])
def test_volumes_are_cut_to_eight_decimals(price):
    """Never rounded up, and a volume that is whole to begin with loses nothing, as far as doubles can tell."""
    for cash in (6_000, 10_000, 10_001, 12_345):
        account = Account(cash=cash, fee_rate=0)
        fills = course(account, [(price,) * 4] * 2, [1, 0]).fills
        exact = (cash / Decimal(price)).quantize(Decimal("1e-8"), ROUND_FLOOR)
        assert fills[0, 4] == float(exact)


def test_the_compiled_tick_is_the_rule_books():
    """Around every threshold and far from it, up and down, the same price as exact decimals give."""
    bounds, sizes = RULES.tick_bounds, RULES.tick_sizes
    offsets = [Decimal(offset) / 8 for offset in range(-40, 41)]
    around = [bound + offset * tick for bound, tick in RULES.ticks for offset in offsets]
    between = [bound * Decimal(part) / 7 for bound, _ in RULES.ticks for part in range(7, 70)]
    slipped = [Decimal(150_001_000) * (1 + Decimal(bps) / 100_000) for bps in range(100)]
    prices = [price for price in (*around, *between, *slipped) if price >= Decimal("1e-8")]
    assert len(prices) > 2_000
    for price in prices:
        exact = Decimal(float(price)) if price != Decimal(repr(float(price))) else price
        assert on_tick(float(price), bounds, sizes, upwards=True) == float(RULES.round_up(exact)), price
        assert on_tick(float(price), bounds, sizes, upwards=False) == float(RULES.round_down(exact)), price
