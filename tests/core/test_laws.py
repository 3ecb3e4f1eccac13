from datetime import timedelta
from textwrap import indent

import numpy as np
import pytest

from coinhts_core.errors import RefusedError, StrategyBreaksLawError
from coinhts_core.laws import breaches, check, series_for
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import load

FILE = '''"""A user's own file."""

import numpy as np

from coinhts_core.candles.bars import Bars
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import Strategy

FOUR_HOURS = 4 * 3_600_000_000
ASKED = []


def crossings(above):
    """1 where it becomes true, -1 where it becomes false."""
    return np.diff(above.astype(np.int8), prepend=above[:1].astype(np.int8))


def recursive(values, weight):
    averages = np.array(values)
    for place in range(1, len(values)):
        averages[place] = averages[place - 1] + weight * (values[place] - averages[place - 1])
    return averages


class Mine(Strategy):
    """One of the strategies the tests tell of."""

'''

MEAN = "return crossings(bars.close > np.sum(bars.close) / max(len(bars), 1))"
TOMORROW = "return np.append(np.sign(np.diff(bars.close)), 0)[: len(bars)]"
UNFINISHED = """
block = bars.opened_at // FOUR_HOURS
last = np.searchsorted(block, block, side="right") - 1
return crossings(bars.close[last] > bars.open)
"""
FINISHED = """
block = bars.opened_at // FOUR_HOURS
first = np.searchsorted(block, block)
return np.where(first > 0, np.sign(bars.close - bars.close[first - 1]), 0)
"""
HONEST = "return np.append(0, np.sign(np.diff(bars.close)))[: len(bars)]"
RARE = "return np.append(np.diff(bars.close) < -0.059 * bars.close[:-1], False)[: len(bars)].astype(np.int8)"
RECURSIVE = "return crossings(bars.close > recursive(bars.close, 0.2))"
DAYS = """
days = bars.longer[Timeframe.D1]
known = np.searchsorted(days.{of}, bars.closed_at, side="right")
return np.where(known > 0, np.sign(bars.close - np.append(0.0, days.close)[known]), 0)
"""


@pytest.fixture
def mine(tmp_path):
    """Give a maker of user strategies: a warm-up, the lines of `decide`, and whatever else is said."""

    def make(decide, warmup=1, more=""):
        methods = f"@property\ndef warmup(self): return {warmup}\n\ndef decide(self, bars):\n{indent(decide, '    ')}\n"
        (tmp_path / "mine.py").write_text(FILE + indent(methods + more, "    "))
        return load("mine", tmp_path)

    return make


def broken(strategy):
    return [breach.law for breach in breaches(strategy)]


@pytest.mark.parametrize("decide", [HONEST, FINISHED])
@pytest.mark.parametrize("windowed", ["", "is_windowed = True"])
def test_who_keeps_the_laws_is_let_through(mine, decide, windowed):
    """Looking at the bar before, or at the four hours that ended before."""
    strategy = mine(decide, warmup=5, more=windowed)
    assert breaches(strategy) == []
    check(strategy)


@pytest.mark.parametrize("cheat", [MEAN, TOMORROW, UNFINISHED])
def test_looking_ahead_is_caught(mine, cheat):
    """The mean of all bars, tomorrow's close, the last close of four hours that are not over."""
    strategy = mine(cheat, warmup=8)
    assert "nothing after the bar" in broken(strategy)
    with pytest.raises(StrategyBreaksLawError, match=r"^mine breaks the law 'nothing after the bar': the bar at 2024-"):
        check(strategy)


@pytest.mark.parametrize("cheat", [MEAN, TOMORROW, UNFINISHED])
def test_a_claim_to_be_windowed_hides_nothing(mine, cheat):
    """A cheat in one pass over everything is the same cheat."""
    assert "nothing after the bar" in broken(mine(cheat, warmup=8, more="is_windowed = True"))


def test_a_cheat_that_seldom_decides_is_caught(mine):
    """A law is tried at the very bars that decide something."""
    strategy = mine(RARE)
    assert sum(int(strategy.decide(bars).sum()) for bars in series_for(strategy)) in range(1, 5)
    assert "nothing after the bar" in broken(strategy)


def test_the_first_bar_that_changed_is_named(mine):
    """A cheat that knows one bar ahead shows on the last bar of a prefix, in the first of the series."""
    strategy = mine(TOMORROW)
    (breach, *_) = breaches(strategy)
    bars, decisions = series_for(strategy)[0], strategy.decide(series_for(strategy)[0])
    assert int(breach.opened_at.timestamp() * 1e6) == bars.opened_at[breach.bar]
    assert decisions[breach.bar] != 0
    assert strategy.decide(bars[: breach.bar + 1])[breach.bar] == 0
    assert f"the bar at {breach.opened_at:%Y-%m-%d %H:%M} UTC (09:00 KST) decides 0, and " in breach.sentence


def test_what_is_said_looks_ahead_no_further_than_what_is_decided(mine):
    """A note about tomorrow is found out, too."""
    note = "def explain(self, bars, rows):\n    return {'next': bars.close[np.minimum(rows + 1, len(bars) - 1)]}\n"
    assert broken(mine(HONEST, more=note)) == ["nothing after the bar"]


def test_a_short_warm_up_is_caught(mine):
    """A recursive average needs many bars; how many are enough shows here."""
    assert broken(mine(RECURSIVE, warmup=3)) == ["enough warm-up"]
    assert broken(mine(RECURSIVE, warmup=100)) == []


def test_a_warm_up_one_bar_too_short_is_caught(mine):
    """As it would be at the first bar of a day."""
    two_back = "return np.append([0, 0], np.sign(bars.close[2:] - bars.close[:-2]))[: len(bars)]"
    assert broken(mine(two_back, warmup=1)) == broken(mine(two_back, warmup=0)) == ["enough warm-up"]
    assert broken(mine(two_back, warmup=2)) == []


def test_bits_tell_whether_windows_are_windows(mine):
    """A recursive average decides the same in one pass, but what it says of it differs in the last bits."""
    said = "def explain(self, bars, rows):\n    return {'average': recursive(bars.close, 0.2)[rows]}\n"
    assert broken(mine(RECURSIVE, warmup=100, more=said)) == []
    assert broken(mine(RECURSIVE, warmup=100, more=f"{said}is_windowed = True")) == ["one pass, day by day"]


LINES = """
is_windowed = True
crossing = property(lambda self: ("close", "before"))

@classmethod
def draw(cls, bars, lines, rows):
    drawn = {"close": bars.close, "before": np.append(np.inf, bars.close[:-1])}
    rows[:] = [%s for name in lines]
    return 0.0
"""
RISING = """
signs = np.append(0, np.sign(np.diff(bars.close)))[: len(bars)]
before = np.append(0, signs[:-1])[: len(bars)]
decided = (signs > 0) * (before <= 0) - 1 * (signs < 0) * (before >= 0)
decided[:2] = 0
return decided
"""


def test_lines_that_decide_otherwise_are_caught(mine):
    """A sweep would show what no run does; lines that keep their word are let through."""
    honest, cheat = (mine(RISING, warmup=2, more=LINES % of) for of in ("drawn[name]", "drawn[name].round(-1)"))
    assert broken(honest) == []
    assert broken(cheat) == ["its lines say it, too"]


@pytest.mark.parametrize(
    "lines",
    [
        "return np.random.default_rng().integers(-1, 2, len(bars))",
        "ASKED.append(1)\nreturn np.full(len(bars), len(ASKED) % 2)",
    ],
)
def test_chance_and_memory_are_caught(mine, lines):
    """The same bars are the same bars."""
    assert "the same again" in broken(mine(lines))


@pytest.mark.parametrize(
    ("lines", "more", "sentence"),
    [
        ("return [1] * 3", "", "raises BadFrameError: signals: column side is not one of"),
        ("return np.full(len(bars), 2)", "", "raises BadFrameError"),
        ("return [int(1 / volume > 0) for volume in bars.volume.tolist()]", "", "raises ZeroDivisionError: float div"),
        ("return np.sign(bars.close - bars.close[1])", "", "raises IndexError"),
        (
            HONEST,
            "def explain(self, bars, rows): return {'confidence': np.full(len(rows), 1.5)}",
            "it is 1.5 confident",
        ),
        (HONEST, "def explain(self, bars, rows): return {'gap': np.full(len(rows), np.nan)}", "raises ValueError"),
        (HONEST, "def explain(self, bars, rows): return {'gap': []}", "raises IndexError"),
        (HONEST, "def parameters(self): return {'timeframe': 'never'}", "raises ValidationError"),
    ],
)
def test_who_does_not_decide_is_asked_nothing_else(mine, lines, more, sentence):
    """Whatever the bars: a single one, no volume, a standstill; and confidence is a part of one."""
    (breach,) = breaches(mine(lines, more=more))
    assert breach.law == "one decision a bar"
    assert sentence in breach.sentence
    assert "{at}" not in breach.sentence
    with pytest.raises(StrategyBreaksLawError, match=r"^mine breaks the law 'one decision a bar': "):
        check(mine(lines, more=more))


@pytest.mark.parametrize(("of", "laws"), [("closed_at", []), ("opened_at", ["nothing after the bar"])])
def test_a_longer_bar_counts_once_it_has_closed(mine, of, laws):
    """Who takes the day that is not over is found out."""
    beside = "@property\ndef looks_at(self): return {Timeframe.D1: 3}\n"
    assert broken(mine(DAYS.format(of=of), more=beside))[:1] == laws


def test_longer_bars_have_a_warm_up_to_keep(mine):
    """A rule that looks three days back says so."""
    back = DAYS.format(of="closed_at").replace("[known]", "[np.maximum(known - 2, 0)]")
    beside = "@property\ndef looks_at(self): return {{Timeframe.D1: {}}}\n"
    assert broken(mine(back, more=beside.format(1))) == ["enough warm-up"]
    assert broken(mine(back, more=beside.format(3))) == []


def test_a_shorter_bar_cannot_stand_beside(mine):
    """It is refused in a sentence of its own."""
    with pytest.raises(RefusedError, match="bars of 1h cannot make bars of 5m"):
        breaches(mine(HONEST, more="@property\ndef looks_at(self): return {Timeframe.M5: 3}\n"))


def test_coin_hts_own_bins_break_the_law_of_warm_up():
    """They depend on where the series began, as the strategy's page says."""
    assert broken(load("volume_zone_breakout", variant="shipped")) == ["enough warm-up"]


def test_the_series_hold_what_strategies_stumble_over():
    """Ties, standstills without volume, bars that are missing, prices on no tick, on hours as on days."""
    for name in ("sma_cross", "weinstein_stage"):
        trends, ties, still, gaps, raw = series_for(load(name))
        assert len({len(bars) for bars in (trends, ties, still, gaps, raw)}) == 1
        assert len(set(ties.close.tolist())) < len(ties) / 5
        assert max(map(len, "".join("x" if volume else " " for volume in still.volume).split("x"))) == 40
        assert (still.high[still.volume == 0] == still.low[still.volume == 0]).all()
        assert len(set(np.diff(gaps.opened_at).tolist())) > 2
        assert (np.rint(gaps.close * 1e8) / 1e8 == gaps.close).all()
        assert (np.rint(raw.close * 1e8) / 1e8 != raw.close).mean() > 0.99
        for bars in (trends, ties, still, gaps, raw):
            assert (bars.low <= np.minimum(bars.open, bars.close)).all()
            assert (bars.high >= np.maximum(bars.open, bars.close)).all()
            assert bars.low.min() > 0


@pytest.mark.parametrize(
    "looks_at", ["{Timeframe.H4: 500}", "{Timeframe.H4: 500, Timeframe.W1: 2}", "{Timeframe.D1: 90}"]
)
def test_two_warm_ups_of_longer_bars_stand_beside(mine, looks_at):
    """And some more, in not too many bars."""
    strategy = mine(HONEST, more=f"@property\ndef looks_at(self): return {looks_at}\n")
    for bars in series_for(strategy):
        assert len(bars) < 4_000
        for timeframe, warmup in strategy.looks_at.items():
            longer, known = bars.beside(timeframe)
            assert known[-1] > 2 * warmup
            assert set((longer.closed_at - longer.opened_at).tolist()) == {
                timeframe.length // timedelta(microseconds=1)
            }


def test_weeks_open_on_monday(mine):
    """As everywhere."""
    bars = series_for(mine(HONEST).model_copy(update={"timeframe": Timeframe.W1}))[0]
    assert bars.opened_at[0] == 1_704_067_200_000_000
