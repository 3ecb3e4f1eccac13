import dagster as dg
import pytest

from coinhts_core.settings import read_settings
from coinhts_pipeline.resources import House, Rooms, claims_folder


def test_a_run_is_claimed_by_the_process_that_executes_it(house):
    """Its file is there before a step works, and until the process ends."""
    seen = []

    @dg.asset
    def looking(house: House) -> None:
        seen.extend(file.name for file in claims_folder(house.rooms.settings).iterdir())

    result = dg.materialize([looking], instance=house.instance, resources={"house": House()})
    assert seen == [result.run_id]
    assert (claims_folder(house.installation.settings) / result.run_id).exists()


def test_the_house_is_closed_outside_a_run():
    """What is loaded for its definitions alone has no ledger to talk to."""
    with pytest.raises(RuntimeError, match="open only inside a run"):
        _ = House().rooms


def test_rooms_need_an_address(monkeypatch, tmp_path):
    """It is found by whoever opens the installation, never guessed."""
    monkeypatch.setenv("COINHTS_HOME", str(tmp_path))
    with pytest.raises(RuntimeError, match="the ledger's address"), Rooms.open(read_settings()):
        pass


def test_rooms_know_the_universe(house):
    """Registered symbols in their order, and those that are followed."""
    assert [of.symbol for of in house.rooms.active] == list(house.rooms.symbols)
    assert house.rooms.exchange.name == "sample"
    assert "sma_cross" in house.rooms.lineup
