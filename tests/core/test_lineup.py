import shutil
from pathlib import Path

import pytest

from coinhts_core import strategies
from coinhts_core.backtests.account import Account
from coinhts_core.errors import BadLineupError, BadParameterError, DiscoveryError
from coinhts_core.lineup import read_lineup
from coinhts_core.markets import Market

SHIPPED = Path(strategies.__file__).with_name("sma_cross.py")


def mine(folder, change=("", ""), name="mine"):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(SHIPPED.read_text().replace(*change))
    return folder


def test_shipped_and_enabled_strategies_run_under_their_names():
    """With default knobs, an account of ten million, and nothing else configured."""
    entry = read_lineup()["sma_cross"]
    assert (entry.name, entry.account, entry.source) == ("sma_cross", Account(), SHIPPED)
    assert entry.strategy.parameters() == {"timeframe": "1h", "fast": 10, "slow": 50}
    assert entry.description.startswith("Enter when the fast average")
    assert (entry.terms.parameters, entry.terms.account) == (entry.strategy.parameters(), Account().facts())
    assert entry.terms.code == entry.backtests_code != entry.signals_code


def test_a_new_file_is_all_it_takes(tmp_path):
    """A user's enabled strategy stands beside the shipped ones."""
    lineup = read_lineup(mine(tmp_path / "strategies"))
    assert list(lineup) == sorted([*read_lineup(), "mine"])
    assert lineup["mine"].source == tmp_path / "strategies" / "mine.py"


def test_a_strategy_that_is_not_enabled_has_no_place(tmp_path):
    """It exists, and does not run."""
    assert "mine" not in read_lineup(mine(tmp_path / "strategies", ("bool] = True", "bool] = False")))


def test_code_tells_strategies_apart(tmp_path):
    """Another decision is another version; the same code under the same name is the same one elsewhere."""
    other = ("[: self.slow] = NOTHING", "[: self.slow + 1] = NOTHING")
    one, two, three = (
        read_lineup(mine(tmp_path / name, change))["mine"]
        for name, change in (("one", ("", "")), ("two", ("", "")), ("three", other))
    )
    assert (one.signals_code, one.backtests_code) == (two.signals_code, two.backtests_code)
    assert one.signals_code != three.signals_code
    assert one.backtests_code != three.backtests_code


def test_defaults_that_contradict_each_other_are_refused(tmp_path):
    """Not with a traceback, even if nobody asked for that strategy."""
    folder = mine(tmp_path / "strategies", ("return self\n", "raise ValueError('never')\n"))
    with pytest.raises(BadParameterError, match=r"^mine does not take .*\(never\)$"):
        read_lineup(folder)


def test_a_broken_file_stops_the_lineup(tmp_path):
    """Half a lineup would look like a whole one."""
    folder = mine(tmp_path / "strategies", name="good")
    shutil.copy(SHIPPED, folder / "bad.py")
    (folder / "bad.py").write_text("import nowhere_to_be_found")
    with pytest.raises(DiscoveryError, match=r"bad\.py cannot be loaded"):
        read_lineup(folder)


def told(folder, text):
    """Read a lineup under what a strategies.toml says."""
    file = folder / "strategies.toml"
    file.write_text(text)
    return read_lineup(None, file)


def test_the_file_overrides_what_it_names(tmp_path):
    """Knobs, timeframe and account of a strategy; all else stays as it was."""
    lineup = told(
        tmp_path,
        '[sma_cross]\ntimeframe = "4h"\nparameters = { fast = 20 }\naccount = { cash = 5_000_000, stop_loss = 0.05 }\n',
    )
    assert list(lineup) == list(read_lineup())
    assert lineup["sma_cross"].strategy.parameters() == {"timeframe": "4h", "fast": 20, "slow": 50}
    assert lineup["sma_cross"].account == Account(cash=5e6, stop_loss=0.05)
    others = [name for name in lineup if name != "sma_cross"]
    assert [lineup[name].terms for name in others] == [read_lineup()[name].terms for name in others]


def test_a_second_set_is_an_entry_of_its_own(tmp_path):
    """Under its own name, with the code of the strategy it is a set of."""
    lineup = told(tmp_path, '[sma_fast]\nstrategy = "sma_cross"\nparameters = { fast = 5 }\n')
    assert set(lineup) == {*read_lineup(), "sma_fast"}
    fast, own = lineup["sma_fast"], lineup["sma_cross"]
    assert (fast.strategy.parameters()["fast"], own.strategy.parameters()["fast"]) == (5, 10)
    assert (fast.source, fast.signals_code) == (own.source, own.signals_code)


def test_a_strategy_is_switched_on_and_off(tmp_path):
    """Also a second set; what nobody switched is as its file says."""
    lineup = told(
        tmp_path, '[sma_cross]\nenabled = false\n[macd_trend]\nenabled = true\n[x]\nstrategy="sma_cross"\nenabled=false'
    )
    assert set(lineup) == {*read_lineup(), "macd_trend"} - {"sma_cross"}


def test_a_coin_may_have_knobs_of_its_own(tmp_path):
    """On top of the strategy's; every other coin has those."""
    entry = told(
        tmp_path,
        "[sma_cross]\nparameters = { fast = 20 }\n"
        "[sma_cross.symbols.krw-btc]\nparameters = { slow = 60 }\naccount = { cash = 1_000_000 }\n",
    )["sma_cross"]
    assert entry.of(Market("KRW-ETH")).strategy.parameters() == {"timeframe": "1h", "fast": 20, "slow": 50}
    assert entry.of(Market("KRW-BTC")).strategy.parameters() == {"timeframe": "1h", "fast": 20, "slow": 60}
    assert entry.of(Market("KRW-BTC")).account.cash == 1_000_000
    assert entry.of(Market("KRW-BTC")).terms != entry.of(Market("KRW-ETH")).terms == entry.terms


def test_who_needs_day_bars_says_so(tmp_path):
    """By its timeframe, by what it looks at, or for a single coin."""
    text = (
        '[sma_cross]\ntimeframe = "{}"\n[sma_cross.symbols.KRW-BTC]\ntimeframe = "{}"\n[multi_timeframe]\nenabled=true'
    )
    for own, coins, expected in (("4h", "1h", False), ("1d", "1h", True), ("1h", "1w", True)):
        lineup = told(tmp_path, text.format(own, coins))
        assert (lineup["sma_cross"].looks_at_days, lineup["multi_timeframe"].looks_at_days) == (expected, True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[sma_cross", "strategies.toml tells no lineup: Expected"),
        ("[sma_cross]\nfast = 3", "sma_cross.fast: extra inputs are not permitted"),
        ("sma_cross = 3", "sma_cross: input should be a valid dictionary"),
        ("[sma_corss]\nenabled = true", "sma_corss is no strategy; did you mean sma_cross?"),
        ('[sma_cross]\nstrategy = "macd_trend"', "sma_cross is a strategy's own name; name its other set otherwise"),
        ('[Fast]\nstrategy = "sma_cross"', "'Fast' may hold lower-case letters"),
        ('[x]\nstrategy = "sma_corss"', "did you mean sma_cross?"),
        ("[sma_cross]\nparameters = { fast = 0 }", "sma_cross does not take fast=0"),
        ('[sma_cross]\ntimeframe = "2h"', "does not take timeframe=2h"),
        ("[sma_cross]\naccount = { cash = -1 }", "sma_cross.account.cash: input should be greater than 0"),
        ("[sma_cross]\naccount = { gold = 1 }", "sma_cross.account.gold: extra inputs are not permitted"),
        ("[sma_cross.symbols.BITCOIN]\nparameters = {}", "BITCOIN"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path, text, sentence):
    """One sentence: the file, the place in it, and what would do."""
    with pytest.raises(BadLineupError) as refusal:
        told(tmp_path, text)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)
