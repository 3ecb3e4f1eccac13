"""What every strategy promises, and the door to them. The laws run on each discovered strategy by themselves."""

from datetime import date
from functools import cache

import polars as pl
import pytest

from coinhts_core.candles.bars import Bars
from coinhts_core.candles.resample import resample
from coinhts_core.days import DayRange
from coinhts_core.errors import BadParameterError, DiscoveryError, UnknownStrategyError
from coinhts_core.exchanges import open_exchange
from coinhts_core.markets import Market, Timeframe
from coinhts_core.strategies import Strategy, find_strategy, load, source_file, strategy_names

EVERY = pytest.mark.parametrize("name", strategy_names())
FIRST, LAST = date(2026, 1, 1), date(2026, 2, 15)
FILE = source_file("sma_cross").read_text()


@cache
def bars_of(symbol, timeframe):
    exchange = open_exchange("sample")
    minutes = pl.concat(exchange.minutes(Market(symbol), day) for day in DayRange(FIRST, LAST))
    return Bars.from_frame(resample(minutes, Timeframe.M1, timeframe), timeframe.length)


def decided(strategy, bars):
    return strategy.decide(bars).tolist()


@EVERY
@pytest.mark.parametrize("symbol", ["KRW-BTC", "KRW-STMX"])
def test_nothing_after_a_bar_changes_its_decision(name, symbol):
    """Look-ahead law: decisions of a prefix are the prefix of the decisions."""
    strategy = load(name)
    bars = bars_of(symbol, strategy.timeframe)
    whole = decided(strategy, bars)
    assert len(whole) == len(bars) > strategy.warmup
    for end in {*range(0, len(bars), 23), *range(strategy.warmup, strategy.warmup + 10), len(bars) - 1}:
        assert decided(strategy, bars[slice(0, end)]) == whole[:end], end


@EVERY
def test_the_same_bars_give_the_same_decisions(name):
    """Determinism law: asked twice, or another equal strategy, it says the same."""
    strategy = load(name)
    bars = bars_of("KRW-BTC", strategy.timeframe)
    assert decided(strategy, bars) == decided(strategy, bars) == decided(load(name), bars)
    assert set(decided(strategy, bars)) == {-1, 0, 1}


@EVERY
def test_more_warm_up_changes_nothing(name):
    """Warm-up law: from twice as many bars before it, a bar decides the same."""
    strategy = load(name)
    bars = bars_of("KRW-ETH", strategy.timeframe)
    warmup = strategy.warmup
    for first in range(2 * warmup, len(bars) - 24, 17):
        once = decided(strategy, bars[slice(first - warmup, first + 24)])[warmup:]
        twice = decided(strategy, bars[slice(first - 2 * warmup, first + 24)])[2 * warmup :]
        assert once == twice, first


@EVERY
def test_a_strategy_is_frozen_and_says_what_it_is(name):
    """Its docstring is the asset's page; its knobs cannot change once it is made."""
    strategy = load(name)
    assert type(strategy).__dict__["__doc__"]
    assert strategy.ready_after <= strategy.warmup
    with pytest.raises(ValueError, match="frozen"):
        strategy.timeframe = Timeframe.D1
    assert load(name, **strategy.parameters()) == strategy


def test_a_new_file_is_found(tmp_path):
    """In a user's folder, by its name; what begins with an underscore is only shared."""
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "_shared.py").write_text("")
    assert strategy_names(tmp_path) == sorted(["mine", *strategy_names()])
    assert source_file("mine", tmp_path) == tmp_path / "mine.py"
    assert issubclass(find_strategy("mine", tmp_path), Strategy)
    assert load("mine", tmp_path, fast=3).warmup == 50
    assert strategy_names(tmp_path / "absent") == strategy_names()


def test_a_shipped_name_cannot_be_taken(tmp_path):
    """Nobody wonders which of the two ran."""
    (tmp_path / "sma_cross.py").write_text(FILE)
    with pytest.raises(DiscoveryError, match=rf"{tmp_path}/sma_cross\.py cannot be loaded: .*rename the file"):
        strategy_names(tmp_path)


@pytest.mark.parametrize("name", ["my-strategy", "Mine", "한글", "a b", "1st", "x" * 49])
def test_a_file_name_becomes_an_assets_name(tmp_path, name):
    """What cannot be one is refused before it is anything."""
    (tmp_path / f"{name}.py").write_text(FILE)
    with pytest.raises(DiscoveryError, match="lower-case letters"):
        strategy_names(tmp_path)


@pytest.mark.parametrize("name", ["sma_corss", "../../etc", "x" * 10_000, "", "__init__"])
def test_an_unknown_strategy_is_refused(name):
    """With the nearest there is."""
    with pytest.raises(UnknownStrategyError, match="strategy list") as refusal:
        load(name)
    assert ("did you mean sma_cross?" in str(refusal.value)) == (name == "sma_corss")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"fsat": 3}, "does not take fsat=3 (it takes fast, slow, timeframe; did you mean fast?)"),
        ({"zzz": 3}, "does not take zzz=3 (it takes fast, slow, timeframe)"),
        ({"fast": 0}, "does not take fast=0 (input should be greater than or equal to 1)"),
        ({"slow": 5_001}, "does not take slow=5001 (input should be less than or equal to 5000)"),
        ({"fast": "many"}, "does not take fast=many (input should be a valid integer"),
        ({"fast": 1.5}, "does not take fast=1.5 (input should be a valid integer"),
        ({"timeframe": "2h"}, "does not take timeframe=2h (input should be '1m'"),
        ({"fast": 50, "slow": 10}, "(fast must be below slow, which is 10)"),
    ],
)
def test_an_impossible_knob_is_refused(parameters, sentence):
    """One sentence: the strategy, the knob, its value, and what would do."""
    with pytest.raises(BadParameterError) as refusal:
        load("sma_cross", **parameters)
    assert str(refusal.value).startswith("sma_cross ")
    assert sentence in str(refusal.value)
