import numpy as np
import pytest

from coinhts_core.errors import BadParameterError
from coinhts_core.signals import decide, decisions_frame
from coinhts_core.strategies import load
from tests.core.strategies.candles import bars_of, noise, published_bars, standing_still, without_volume

LIKE_COIN_HTS = {"volume_window": 20, "top_percentile": 0.2, "breakout_buffer": 0.0, "num_bins": 20}


@pytest.mark.parametrize(("variant", "counts"), [("rolling", [45, 117, 412]), ("shipped", [66, 221, 885])])
def test_the_published_counts(variant, counts):
    """Over coin_hts' own 100, 300 and 1000 bars: the definition's, and those of what it shipped."""
    strategy = load("volume_zone_breakout", variant=variant, **LIKE_COIN_HTS)
    assert [int(strategy.decide(published_bars(count)).sum()) for count in (100, 300, 1_000)] == counts


def test_the_level_is_the_resistance_and_the_buffer():
    """Ten bars traded evenly between 100 and 110: a fifth of the volume is above 108."""
    closes, lows, highs = [105.0] * 11, [100.0] * 11, [110.0] * 10 + [108.0]
    bars = bars_of(closes, low=lows, high=highs)
    strategy = load("volume_zone_breakout", num_bins=10)
    assert strategy.decide(bars).tolist() == [0] * 10 + [1]
    assert strategy.explain(bars, np.array([10]))["resistance"] == [108.0]
    assert strategy.explain(bars, np.array([10]))["confidence"] == [0.5]
    assert not load("volume_zone_breakout", num_bins=10, breakout_buffer=0.001).decide(bars).any()


def test_the_first_window_decides_nothing():
    """A bar needs a window of bars before it."""
    strategy = load("volume_zone_breakout", volume_window=20)
    assert not strategy.decide(published_bars(20)).any()
    assert not strategy.decide(published_bars(300))[:20].any()
    assert (strategy.ready_after, strategy.warmup) == (20, 39)
    assert load("volume_zone_breakout", volume_window=1).warmup == 1


@pytest.mark.parametrize("variant", ["rolling", "shipped"])
@pytest.mark.parametrize("wicks", [True, False])
def test_where_nothing_moves_or_trades_nothing_resists(variant, wicks):
    """A flat window, no volume, few bars or none: no decision, no failure."""
    strategy = load("volume_zone_breakout", variant=variant, include_wicks=wicks)
    for bars in (standing_still(), without_volume(noise(60, 1)), noise(10, 1), bars_of([1.0]), bars_of([])):
        assert strategy.decide(bars).tolist() == [0] * len(bars)


def test_shipped_never_recovers_from_a_flat_first_window():
    """One of its known flaws: its bins have no height, for ever; the definition goes on."""
    later = noise(100, 2)
    bars = bars_of(np.append(np.full(20, 100.0), later.close), high=np.append(np.full(20, 100.0), later.high))
    assert not load("volume_zone_breakout", variant="shipped", volume_window=20).decide(bars).any()
    assert load("volume_zone_breakout", volume_window=20).decide(bars).any()


def test_only_bodies_may_count():
    """Without wicks the profile reaches from the lowest open to the highest end of a body."""
    opened, closes = [100.0] * 10 + [100.0], [110.0] * 10 + [100.0]
    bars = bars_of(closes, open=opened, low=[50.0] * 11, high=[200.0] * 10 + [108.0])
    assert load("volume_zone_breakout", num_bins=10, include_wicks=False).decide(bars)[-1] == 1
    assert load("volume_zone_breakout", num_bins=10).decide(bars)[-1] == 0


def test_one_pass_and_days_say_the_same():
    """Bit by bit, decision, confidence and note, since a bar looks at two windows only."""
    strategy, bars = load("volume_zone_breakout", volume_window=7), noise(200, 3)
    whole = decide(strategy, bars, 0, len(bars))
    frame = decisions_frame(strategy, bars, 0, len(bars), whole)
    for first in range(0, 200, 24):
        end = min(first + 24, 200)
        decisions = decide(strategy, bars, first, end)
        assert decisions.tolist() == whole[first:end].tolist()
        assert decisions_frame(strategy, bars, first, end, decisions).equals(frame[first:end])
    assert strategy.is_windowed
    assert not load("volume_zone_breakout", variant="shipped").is_windowed


def test_how_long_a_zone_has_stood():
    """Counted from the first bar it resisted, up to a window; a jump begins a new one."""
    closes = np.append(np.full(30, 100.0), np.full(30, 150.0))
    bars = bars_of(closes, low=closes - 5.0, high=closes + 5.0)
    strategy = load("volume_zone_breakout", volume_window=10)
    stood = strategy.explain(bars, np.arange(60))["zone_bars"]
    assert stood[10:30] == [*range(1, 11), *[10] * 10]
    assert min(stood[31:35]) == 1
    assert stood[-1] == 10


@pytest.mark.parametrize(
    ("bar", "kind"),
    [
        ((100.0, 100.0, 100.0, 100.0), "flat"),
        ((100.0, 110.0, 90.0, 101.0), "doji"),
        ((100.0, 110.0, 90.0, 105.0), "bullish"),
        ((100.0, 110.0, 90.0, 95.0), "bearish"),
        ((92.0, 110.0, 90.0, 106.0), "long bullish"),
        ((106.0, 110.0, 90.0, 92.0), "long bearish"),
    ],
)
def test_what_kind_of_bar_broke_out(bar, kind):
    """By the part of it that its body is, and its direction."""
    opened, high, low, close = bar
    columns = {"open": [99.0] * 10 + [opened], "high": [101.0] * 10 + [high], "low": [98.0] * 10 + [low]}
    said = load("volume_zone_breakout").explain(bars_of([100.0] * 10 + [close], **columns), np.array([10]))
    assert said["bar"] == [kind]
    assert said["closed_above"] == [close >= said["resistance"][0]]


def test_the_defaults_are_those_of_coin_hts():
    """As its code has them, not its documents."""
    strategy = load("volume_zone_breakout", hold_period_bars=5)
    assert strategy.parameters() == {
        "timeframe": "1h", "volume_window": 10, "top_percentile": 0.2, "breakout_buffer": 0.0,
        "hold_period_bars": 5, "num_bins": 20, "include_wicks": True, "variant": "rolling",
    }  # fmt: skip
    assert strategy.hold_bars == 5
    assert strategy.enabled


@pytest.mark.parametrize(
    "parameters", [{"volume_window": 0}, {"top_percentile": 0.6}, {"num_bins": 4}, {"variant": "incremental"}]
)
def test_bounds(parameters):
    """What cannot be meant is refused."""
    with pytest.raises(BadParameterError):
        load("volume_zone_breakout", **parameters)
