from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from pydantic import Field

from coinhts_core.backtests import Account
from coinhts_core.candles.frame import CANDLES, DAYS, MINUTES
from coinhts_core.days import DayRange
from coinhts_core.lake.decoded import Decoded
from coinhts_core.lake.directory import DirectoryStore
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.writer import DayRows
from coinhts_core.lineup import Entry
from coinhts_core.markets import Timeframe
from coinhts_core.sight import Sight
from coinhts_core.signals import decide_all, made_from
from coinhts_core.strategies import Strategy, load, source_file, strategy_names
from tests.core.conftest import LATER, minutes_of

CODE = "code"


class Looks(Strategy):
    """Looks where it is told to."""

    back: int = 0
    beside: dict[Timeframe, int] = Field(default_factory=dict)

    @property
    def warmup(self):
        return self.back

    @property
    def looks_at(self):
        return self.beside

    def decide(self, bars):
        raise NotImplementedError


@pytest.fixture
def sight_of(desk):
    """Tell what a strategy sees of the desk's candles."""
    return lambda strategy: Sight(desk.lake, strategy, desk.registered, desk.days[-1])


@pytest.fixture
def candles(desk):
    """Store the days' minutes, and the exchange's day bars from two months before."""
    desk.collect(desk.days)
    first = desk.days[0] - timedelta(days=60)
    desk.change(first_day=first)
    desk.collect_day_bars(DayRange(first, desk.days[-1]))
    return desk


def hashes(desk, asset, first, last):
    entries = desk.lake.heads(asset, desk.registered.symbol)
    return [entry.content_hash for day, entry in entries.items() if first <= day <= last]


@pytest.mark.parametrize(
    ("warmup", "days_back"), [(0, 0), (1, 1), (24, 1), (25, 2), (72, 3), (73, 4), (96, 4), (97, 99)]
)
def test_a_window_is_made_from_every_day_it_reaches_into(candles, sight_of, warmup, days_back):
    """Hours of the day and `warmup` before; one that wants more than there are stands on all days."""
    day = candles.days[4]
    expected = hashes(candles, MINUTES, day - timedelta(days=days_back), day)
    strategy = Looks(back=warmup)
    assert sight_of(strategy).made_from(day, CODE) == made_from(expected, strategy, CODE)


def test_quiet_days_are_walked_over_and_counted(desk, sight_of):
    """A window that reaches over a day without trades stands on that day, too."""
    desk.collect(desk.days[:3])
    desk.collect([desk.days[3]], cut=0)
    desk.collect(desk.days[4:])
    strategy = Looks(back=1)
    expected = hashes(desk, MINUTES, desk.days[2], desk.days[4])
    assert sight_of(strategy).made_from(desk.days[4], CODE) == made_from(expected, strategy, CODE)


def test_the_line_ends_at_a_missing_day(desk, sight_of):
    """What comes behind it is not seen."""
    desk.collect([day for day in desk.days if day != desk.days[3]])
    sight = sight_of(Looks())
    assert sight.days == desk.days[:3]
    assert len(sight.bars) == 72
    assert len(sight.minutes) == sum(minutes_of(desk.registered.symbol, day).height for day in desk.days[:3])


def test_day_bars_are_the_exchanges_own_and_reach_back(candles, sight_of):
    """A strategy of days sees what was before the anchor, and its chain stands on both kinds of candles."""
    strategy = Looks(timeframe="1d", back=10)
    sight, day = sight_of(strategy), candles.days[2]
    assert len(sight.bars) == 60 + len(candles.days)
    assert sight.rows[candles.days[0]] == slice(60, 61)
    expected = hashes(candles, DAYS, day - timedelta(days=10), day)
    assert sight.made_from(day, CODE) == made_from(expected, strategy, CODE)
    plain = sight_of(Looks())
    assert sight.versions[day] != plain.versions[day] == hashes(candles, MINUTES, day, day)[0]


def test_a_day_without_its_day_bar_is_waited_for(candles):
    """Traded days need both; one that nobody traded has no bar to wait for."""
    first = candles.days[0]
    candles.lake.publish(
        DAYS, candles.registered.symbol, {candles.days[-1] + timedelta(days=1): DayRows.of(CANDLES, CANDLES.empty())}
    )
    other = replace(candles.registered, anchor=first)
    assert Sight(candles.lake, Looks(timeframe="1d"), other, candles.days[-1]).days == candles.days
    late = candles.days[-1] + timedelta(days=2)
    candles.collect([candles.days[-1] + timedelta(days=1)], cut=0)
    candles.collect([late])
    assert Sight(candles.lake, Looks(timeframe="1d"), other, late).days[-1] == late - timedelta(days=1)
    assert Sight(candles.lake, Looks(), other, late).days[-1] == late


def test_weeks_are_made_of_day_bars_and_stand_on_all_their_days(candles, sight_of):
    """A bar of a week belongs to the day it closes in, and is made from seven."""
    strategy = Looks(timeframe="1w")
    sight = sight_of(strategy)
    sunday = next(day for day in candles.days if day.weekday() == 6)
    assert sight.rows[sunday].stop - sight.rows[sunday].start == 1
    expected = hashes(candles, DAYS, sunday - timedelta(days=6), sunday)
    assert sight.made_from(sunday, CODE) == made_from(expected, strategy, CODE)


def test_longer_bars_stand_beside_with_windows_of_their_own(candles, sight_of):
    """Hours and days beside five minutes: each reaches back by its own warm-up."""
    strategy = Looks(timeframe="5m", back=12, beside={"1h": 30, "1d": 5})
    sight, day = sight_of(strategy), candles.days[3]
    assert {of: len(bars) for of, bars in sight.bars.longer.items()} == {"1h": 24 * len(candles.days), "1d": 68}
    minutes = hashes(candles, MINUTES, day - timedelta(days=2), day)
    days = hashes(candles, DAYS, day - timedelta(days=5), day)
    assert sight.made_from(day, CODE) == made_from([*minutes, *days], strategy, CODE)


@pytest.mark.parametrize("name", [name for name in strategy_names() if load(name).looks_at])
def test_strategies_of_several_timeframes_decide_as_a_run_does(candles, name):
    """With the same bars beside, days decided one by one are what one call decides."""
    candles.entry = Entry(name, load(name), Account(), source_file(name))
    decided = pl.concat(rows.frame for rows in candles.rehearsal().signals(candles.days).values())
    sight = Sight(candles.lake, candles.entry.strategy, candles.registered, candles.days[-1])
    assert decided["side"].to_list() == decide_all(candles.entry.strategy, sight.bars).tolist()


def seen(lake, desk, timeframe, last):
    """Give all that a strategy sees up to a day, by value."""
    strategy = Looks(timeframe=timeframe, back=30, beside={Timeframe.D1: 5})
    sight = Sight(lake, strategy, desk.registered, last)
    columns = [
        column.tobytes()
        for bars in (sight.bars, sight.minutes, *sight.bars.longer.values())
        for column in (bars.opened_at, bars.closed_at, bars.open, bars.high, bars.low, bars.close, bars.volume)
    ]
    return columns, dict(sight.versions), dict(sight.inputs), [sight.made_from(day, CODE) for day in sight.days]


def test_kept_columns_are_seen_as_if_they_were_read(candles, tmp_path):
    """To the bit: at first sight, mapped, up to any day, and after a day was told differently."""
    keeping = Lake(DirectoryStore(tmp_path / "lake"), Decoded(tmp_path / "cache", least=0))
    for _ in range(2):
        for timeframe in (Timeframe.M1, Timeframe.H1):
            for last in (candles.days[-1], candles.days[3], candles.days[-1]):
                assert seen(keeping, candles, timeframe, last) == seen(candles.lake, candles, timeframe, last)
        candles.collect(candles.days[4:5], cut=700, asked_at=LATER + timedelta(days=1))
    assert len(list((tmp_path / "cache").iterdir())) > 2
