from datetime import date

import dagster as dg
import pytest

from coinhts_core.days import DayRange
from coinhts_pipeline.backfill import plan
from coinhts_pipeline.told import untold_days

DAYS = DayRange(date(2026, 1, 1), date(2026, 1, 2))
ASSETS = ["candles/minute", "signals/sma_cross", "backtests/sma_cross", "positions/sma_cross"]


@pytest.fixture
def bitcoin(house):
    assert house.run("2026-01-01|KRW-BTC", "2026-01-02|KRW-BTC").success
    return house.rooms.active[0]


def test_what_was_recorded_is_known(house, bitcoin):
    """After a run Dagster knows every day as it is stored, and nothing is left to do."""
    assert untold_days(house.instance, house.rooms, bitcoin, DAYS) == set()
    assert plan(house.installation, [bitcoin], DAYS.first, DAYS.last).partitions == 0


@pytest.mark.parametrize("asset", ASSETS)
def test_a_day_recorded_otherwise_is_to_be_told(house, bitcoin, asset):
    """A process that died after storing a day left Dagster with the version of before."""
    stale = dg.AssetMaterialization(
        asset.split("/"), partition="2026-01-02|KRW-BTC", tags={"dagster/data_version": "old"}
    )
    house.instance.report_runless_asset_event(stale)
    assert untold_days(house.instance, house.rooms, bitcoin, DAYS) == {DAYS.last}
    assert plan(house.installation, [bitcoin], DAYS.first, DAYS.last).partitions == 1


def test_a_day_never_recorded_is_to_be_told(house, bitcoin):
    """Nor does it matter whether Dagster ever heard of it."""
    house.instance.wipe_assets([dg.AssetKey(ASSETS[2].split("/"))])
    assert untold_days(house.instance, house.rooms, bitcoin, DAYS) == set(DAYS)
