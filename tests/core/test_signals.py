from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.candles.bars import Bars
from coinhts_core.errors import BadFrameError
from coinhts_core.hashes import digest
from coinhts_core.markets import Timeframe
from coinhts_core.signals import SIGNALS, Turns, decide, decisions_frame, made_from, turns_of
from coinhts_core.strategies import Strategy, load

FAST = load("sma_cross", fast=2, slow=4)


def bars_of(closes, counts=()):
    """Hourly bars; with counts, so many at the end of each day."""
    hours = [24 * day + 24 - count + place for day, count in enumerate(counts) for place in range(count)]
    opened_at = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in hours or range(len(closes))]
    prices = pl.Series(closes, dtype=pl.Float64)
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    times = pl.Series(opened_at, dtype=pl.Datetime("us", "UTC"))
    return Bars.from_frame(pl.DataFrame({"opened_at": times, **columns}), Timeframe.H1.length)


class Scripted(Strategy):
    """Says what it is told, and remembers what it was shown."""

    said: list
    warm: int = 3
    ready: int = 3

    @property
    def warmup(self):
        return self.warm

    @property
    def ready_after(self):
        return self.ready

    def decide(self, bars):
        return np.array(self.said[: len(bars)])


@given(st.lists(st.integers(90, 110), min_size=1, max_size=120), st.integers(0, 119), st.integers(1, 40))
def test_decisions_through_a_window_are_those_of_one_pass(closes, first, length):
    """A strategy of exact windows may run in one pass or day by day: the same comes out."""
    bars = bars_of(closes)
    first = min(first, len(bars) - 1)
    end = min(first + length, len(bars))
    assert decide(FAST, bars, first, end).tolist() == FAST.decide(bars)[first:end].tolist()


def test_a_bar_decides_nothing_before_enough_bars_stand():
    """`ready_after` counts the rows before the bar in its window; beyond it nothing is silenced."""
    strategy = Scripted(said=[1] * 9)
    assert decide(strategy, bars_of(range(1, 10)), 0, 5).tolist() == [0, 0, 0, 1, 1]
    assert decide(strategy, bars_of(range(1, 10)), 2, 5).tolist() == [0, 1, 1]
    assert decide(strategy, bars_of(range(1, 10)), 4, 6).tolist() == [1, 1]
    assert decide(Scripted(said=[1] * 9, ready=0), bars_of(range(1, 10)), 0, 3).tolist() == [1, 1, 1]


def test_what_a_strategy_said_is_copied():
    """Silencing a bar does not reach into the strategy's own array."""
    own = np.ones(9, dtype=np.int8)
    own.flags.writeable = False

    class Sharing(Scripted):
        def decide(self, bars):
            return own[: len(bars)]

    assert decide(Sharing(said=[]), bars_of(range(1, 10)), 0, 5).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("said", [[1, 1], [1, 1, 1, 1, 2], [0.5] * 5, [float("nan")] * 5, [[1]] * 5, ["1"] * 5])
def test_what_is_no_decision_is_refused(said):
    """A strategy may be anybody's code: one of 1, -1, 0 for every bar, or a sentence."""
    with pytest.raises(BadFrameError, match="side is not one of 1, -1, 0 for 5 bars"):
        decide(Scripted(said=said), bars_of(range(1, 6)), 0, 5)


def test_decisions_stand_at_the_close():
    """One row a bar, decided when it closes, at its closing price."""
    bars, leaving = bars_of([5.0, 6.0]), np.array([0, -1], dtype=np.int8)
    frame = decisions_frame(Scripted(said=[]), bars, 0, 2, leaving)
    assert frame.schema == SIGNALS.empty().schema
    assert frame.row(1) == (
        datetime(2026, 1, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 2, tzinfo=UTC),
        -1,
        6.0,
        None,
        None,
    )
    assert decisions_frame(Scripted(said=[]), bars_of([]), 0, 0, leaving[:0]).height == 0


class Talkative(Scripted):
    """Says of each bar it decides in how many bars it sees, and how sure it is."""

    def explain(self, bars, rows):
        return {"confidence": [row / 10 for row in rows.tolist()], "seen": np.full(len(rows), len(bars)), "row": rows}


def test_what_is_said_of_a_decision_stands_beside_it():
    """Confidence has a column of its own, all else is a note; bars without a decision have neither."""
    bars = bars_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    frame = decisions_frame(Talkative(said=[]), bars, 4, 6, np.array([0, 1], dtype=np.int8))
    assert frame["confidence"].to_list() == [None, 0.4]
    assert frame["note"].to_list() == [None, '{"row":4,"seen":5}']


@given(st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 1, -1]), max_size=60) | st.lists(st.sampled_from([1, -1])))
def test_turns_are_the_bars_that_decide(decisions):
    """Counted from 1, in their order, those that leave below 0; however many stand side by side."""
    said = np.array(decisions, dtype=np.int8)
    expected = [(bar + 1) * side for bar, side in enumerate(decisions) if side]
    assert turns_of(said).tolist() == expected


def test_turns_of_several_stand_in_rows():
    """However many each has."""
    rows = [turns_of(np.array(said, dtype=np.int8)) for said in ([0, 1, -1], [], [1, 0, 0])]
    turns = Turns.of(rows)
    assert [turns.bars[place, :count].tolist() for place, count in enumerate(turns.counts)] == [[2, -3], [], [1]]


class LooksUp(Scripted):
    """Stands beside hours; enters wherever it is let."""

    @property
    def looks_at(self):
        return {Timeframe.H4: 2}

    def decide(self, bars):
        self.said.append(len(bars.longer[Timeframe.H4]))
        return np.ones(len(bars), dtype=np.int8)


def test_longer_bars_have_a_warm_up_of_their_own():
    """A bar decides nothing before two longer ones have closed; a day sees two of before and its own."""
    hours = bars_of([float(price) for price in range(1, 97)])
    fours = Bars.from_frame(
        pl.DataFrame({"opened_at": pl.from_epoch(pl.Series(hours.opened_at[::4]), "us").dt.replace_time_zone("UTC"),
                      **dict.fromkeys(("open", "high", "low", "close", "volume"), hours.open[::4])}),
        Timeframe.H4.length,
    )  # fmt: skip
    strategy = LooksUp(said=[], warm=0, ready=0)
    bars = replace(hours, longer={Timeframe.H4: fours})
    assert decide(strategy, bars, 0, 24).tolist() == [0] * 7 + [1] * 17
    assert decide(strategy, bars, 48, 72).tolist() == [1] * 24
    assert strategy.said == [6, 8]


def test_a_day_is_made_from_its_window_its_knobs_and_its_code():
    """The mark's formula is final."""
    facts = {"timeframe": "1h", "fast": 2, "slow": 4}
    assert made_from(["a", "b"], FAST, "code") == digest(["a", "b"], facts, "code")
    others = [
        (["b", "a"], FAST, "code"),
        (["a"], FAST, "code"),
        (["a", "b"], load("sma_cross"), "code"),
        (["a", "b"], FAST, ""),
    ]
    assert len({made_from(*other) for other in [*others, (["a", "b"], FAST, "code")]}) == 5


def test_days_of_bars_are_cut_where_the_test_says():
    """The maker of bars above keeps its word."""
    bars = bars_of([1.0, 2.0, 3.0], counts=(1, 0, 2))
    days = [bars.rows_of(date(2026, 1, day)) for day in (1, 2, 3)]
    assert [(of.start, of.stop) for of in days] == [(0, 1), (1, 1), (1, 3)]
