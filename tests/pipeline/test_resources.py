import dagster as dg
import pytest

from coinhts_pipeline.resources import House, claims_folder
from tests.faults.stand_in.process import StandIn


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


def days_of(house, first="2026-01-01|KRW-BTC", last="2026-01-02|KRW-BTC"):
    """Make two days and tell their versions."""
    assert house.run(first, last).success
    return house.outcome()


def test_a_house_on_s3_is_the_same_house(open_house, house, s3):
    """Lake in a bucket: the same rows and versions as in a directory, and not a file of it on the disk."""
    here = days_of(house)
    with open_house(lake=s3.url, s3__endpoint=s3.endpoint) as distant:
        assert days_of(distant) == here
        assert not (distant.installation.settings.home / "lake").exists()


def test_a_house_that_asks_upbit_gets_what_upbit_says(open_house, house, tmp_path):
    """The stand-in has the sample market's truth: asked over HTTP, it makes the same days."""
    with StandIn.start(tmp_path) as stand_in:
        stand_in.set_up(limits={"per_second": 1_000})
        asking = {"exchange": "upbit", "upbit__base_url": stand_in.url, "symbols": "KRW-BTC"}
        with open_house(**asking) as upbit:
            made = days_of(upbit)
        assert len(stand_in.calls("candle")) > 2 * 1_440 // 200
    assert made["backtests/sma_cross"].items() <= days_of(house)["backtests/sma_cross"].items()
