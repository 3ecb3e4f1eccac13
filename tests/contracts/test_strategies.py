"""What every strategy promises, and the door to them. The laws run on each discovered strategy by themselves."""

import pytest

from coinhts_core.errors import BadParameterError, DiscoveryError, UnknownStrategyError
from coinhts_core.laws import breaches, series_for
from coinhts_core.markets import Timeframe
from coinhts_core.strategies import Strategy, find_strategy, load, source_file, strategy_names

EVERY = pytest.mark.parametrize("name", strategy_names())
FILE = source_file("sma_cross").read_text()


@EVERY
def test_no_law_is_broken(name):
    """On any of the made-up series, with the knobs it comes with; and on each of them it decides something."""
    strategy = load(name)
    assert breaches(strategy) == []
    for bars in series_for(strategy):
        assert strategy.decide(bars).any()


@EVERY
def test_a_strategy_is_frozen_and_says_what_it_is(name):
    """Its docstring is the asset's page; its knobs cannot change once it is made."""
    strategy = load(name)
    assert type(strategy).__dict__["__doc__"]
    assert strategy.ready_after <= strategy.warmup
    with pytest.raises(ValueError, match="frozen"):
        strategy.timeframe = Timeframe.D1
    assert load(name, **strategy.parameters()) == strategy


@EVERY
def test_each_knob_is_explained(name):
    """A person finds out what it does without reading the code, and numbers have bounds."""
    for knob, field in type(load(name)).model_fields.items():
        assert knob == "timeframe" or field.description, knob
        assert field.annotation not in {int, float} or field.metadata, knob


def test_what_is_shipped_enabled():
    """Three run as they come; the others wait for somebody to want them."""
    enabled = [name for name in strategy_names() if load(name).enabled]
    assert enabled == ["sma_cross", "volume_long_candle", "volume_zone_breakout"]
    assert {load(name).timeframe for name in enabled} == {Timeframe.H1}


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
