import pytest

from coinhts_core import laws
from coinhts_core.lineup import read_lineup
from coinhts_core.settings import read_settings
from coinhts_pipeline import gate
from tests.pipeline.commands.test_strategy import CHEATS, cheat


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheats_assets_are_blocked(open_house, tmp_path, name):
    """Its check fails naming the bar, nothing of it is stored, and others do their work."""
    cheat(tmp_path, name, CHEATS[name])
    with open_house(tmp_path, symbols="KRW-BTC") as house:
        result = house.run("2026-01-01|KRW-BTC", "2026-01-02|KRW-BTC")
        assert not result.success
        failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
        (lawful,) = [check for check in failed if check.check_name == "strategy_keeps_the_laws"]
        assert lawful.asset_key.path == ["signals", name]
        assert "decides" in lawful.description
        stored = {asset: len(house.events(f"{asset}/{name}")) for asset in ("signals", "backtests", "positions")}
        assert stored == {"signals": 0, "backtests": 0, "positions": 0}
        assert len(house.events("positions/sma_cross")) == 2


def test_each_code_is_tried_once(monkeypatch, tmp_path):
    """Who kept the laws is let through until code or knobs change."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    tried = []
    monkeypatch.setattr(gate, "check", lambda strategy: tried.append(strategy) or laws.check(strategy))
    entry = read_lineup()["sma_cross"]
    for _ in range(2):
        assert gate.breach_of(read_settings(), entry) is None
    assert tried == [entry.strategy]
    file = tmp_path / "strategies.toml"
    file.write_text("[sma_cross]\nparameters = { fast = 5 }\n[sma_cross.symbols.KRW-BTC]\nparameters = { fast = 6 }\n")
    assert gate.breach_of(read_settings(), read_lineup(None, file)["sma_cross"]) is None
    assert [strategy.fast for strategy in tried] == [10, 5, 6]
