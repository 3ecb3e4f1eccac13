import shutil
from pathlib import Path

import pytest

from coinhts_core import strategies
from coinhts_core.backtests.account import Account
from coinhts_core.errors import BadParameterError, DiscoveryError
from coinhts_core.lineup import read_lineup

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
    one, two, three = (
        read_lineup(mine(tmp_path / name, change))["mine"]
        for name, change in (("one", ("", "")), ("two", ("", "")), ("three", ("before <= 0", "before < 0")))
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
