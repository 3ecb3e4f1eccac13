import pytest

from coinhts_core.lineup import read_lineup
from coinhts_core.settings import read_settings
from coinhts_pipeline.health import strategies as strategy_health
from coinhts_pipeline.health.diagnosis import State
from tests.pipeline.commands.test_strategy import CHEATS, cheat
from tests.pipeline.test_cli import PACED


@pytest.fixture
def home(monkeypatch, tmp_path):
    """Give a home that a test fills."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    (tmp_path / "strategies").mkdir()
    return tmp_path


def found():
    return {finding.check: finding for finding in strategy_health.findings(read_settings())}


def test_what_runs_is_named(home):
    """Shipped strategies need not be tried again."""
    assert home
    assert found()["strategies"].found == "sma_cross, volume_long_candle, volume_zone_breakout"
    assert found()["laws"].found == "there is no strategy of your own to try"


def test_ones_own_strategy_is_tried(home):
    """And the next time known."""
    (home / "strategies" / "paced.py").write_text(PACED)
    assert found()["laws"].found == "kept by paced"
    assert len(list((home / "laws").iterdir())) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sma_cross\n", "strategies.toml tells no lineup: Expected ']'"),
        ("[sma_cros]\nenabled = true\n", "sma_cros is no strategy; did you mean sma_cross?"),
        ("[sma_cross]\nparameters = { fast = -1 }\n", "[sma_cross] sma_cross does not take fast=-1"),
    ],
)
def test_a_lineup_that_cannot_be_read_is_told(home, text, words):
    """With the place in it, and no word on laws."""
    (home / "strategies.toml").write_text(text)
    assert list(found()) == ["strategies"]
    assert found()["strategies"].state is State.FAILED
    assert words in found()["strategies"].found
    assert found()["strategies"].to_do == "mend that file, or take it away"


def test_a_strategy_that_does_not_load_is_told(home):
    """By its file and the error."""
    (home / "strategies" / "broken.py").write_text("nonsense(\n")
    assert found()["strategies"].state is State.FAILED
    assert "broken.py cannot be loaded: SyntaxError" in found()["strategies"].found


def test_a_strategy_that_breaks_a_law_is_told(home):
    """Nothing of it would be stored."""
    name = next(iter(CHEATS))
    cheat(home, name, CHEATS[name])
    finding = found()["laws"]
    assert finding.state is State.FAILED
    assert finding.found.startswith(f"{name} breaks the law ")
    assert finding.to_do == "mend it, or disable it with `coinhts strategy disable`"


def test_a_house_where_nothing_is_enabled_is_told(home):
    """It collects, and decides nothing."""
    (home / "strategies.toml").write_text("".join(f"[{name}]\nenabled = false\n" for name in read_lineup()))
    assert found()["strategies"].state is State.WARNING
    assert "nothing is decided; `coinhts strategy enable` one of them" in found()["strategies"].found
