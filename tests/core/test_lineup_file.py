import pytest

from coinhts_core.backtests.account import Account
from coinhts_core.errors import BadLineupError
from coinhts_core.lineup import read_lineup
from coinhts_core.lineup_file import change, read_value
from coinhts_core.markets import Market


@pytest.fixture
def file(tmp_path):
    """Give a file that somebody wrote by hand."""
    path = tmp_path / "strategies.toml"
    path.write_text("# mine\n[sma_cross]\nparameters = { fast = 20 }  # slower\n")
    return path


def changed(file, name, symbol=None, **facts):
    told = {key.replace("__", "."): value for key, value in facts.items()}
    lineup = change(file, file.parent / "strategies", name, told, symbol)
    assert lineup == read_lineup(file.parent / "strategies", file)
    return lineup


def test_a_change_keeps_what_a_person_wrote(file):
    """Comments and all other values stay where they are."""
    lineup = changed(file, "sma_cross", slow=80, account__stop_loss=0.05)
    assert lineup["sma_cross"].strategy.parameters() == {"timeframe": "1h", "fast": 20, "slow": 80}
    assert lineup["sma_cross"].account == Account(stop_loss=0.05)
    assert "# mine\n" in file.read_text()
    assert "# slower" in file.read_text()


def test_changed_and_changed_back_is_as_it_was(file):
    """The same terms as before, which is what makes stored days current again."""
    before = read_lineup(None, file)["sma_cross"].terms
    assert changed(file, "sma_cross", fast=30)["sma_cross"].terms != before
    assert changed(file, "sma_cross", fast=20)["sma_cross"].terms == before


def test_nothing_takes_a_value_back(file):
    """To the file's own default."""
    assert changed(file, "sma_cross", fast=None)["sma_cross"].strategy.parameters()["fast"] == 10


def test_sections_come_as_they_are_needed(file):
    """A further set, a coin's own knobs, switched on and off."""
    lineup = changed(file, "sma_fast", strategy="sma_cross", fast=5)
    assert lineup["sma_fast"].strategy.parameters()["fast"] == 5
    lineup = changed(file, "sma_fast", Market("KRW-BTC"), fast=7, timeframe="4h")
    assert lineup["sma_fast"].of(Market("KRW-BTC")).strategy.parameters()["fast"] == 7
    assert "sma_fast" not in changed(file, "sma_fast", enabled=False)


@pytest.mark.parametrize("facts", [{"fast": 0}, {"nonsense": 1}, {"account__cash": -1}, {"timeframe": "2h"}])
def test_a_change_that_cannot_be_meant_changes_nothing(file, facts):
    """The file is never one that could not be read."""
    before = file.read_text()
    with pytest.raises(BadLineupError):
        changed(file, "sma_cross", **facts)
    assert file.read_text() == before
    assert [path.name for path in file.parent.iterdir()] == ["strategies.toml"]


def test_a_broken_file_is_not_written_over(file):
    """It says where it is broken."""
    file.write_text("[sma_cross\n")
    with pytest.raises(BadLineupError, match="line 1"):
        changed(file, "sma_cross", fast=3)
    assert file.read_text() == "[sma_cross\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ("0.05", 0.05),
        ("true", True),
        ('"4h"', "4h"),
        ("4h", "4h"),
        ("", None),
        ("5_000", 5000),
        ("a=b", "a=b"),
    ],
)
def test_values_are_read_as_toml_spells_them(text, value):
    """And what it does not know is a text."""
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)
