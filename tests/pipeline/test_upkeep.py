import tempfile
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType

from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.clock import now
from coinhts_core.days import DayRange
from coinhts_core.errors import LakeUnusableError
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market
from coinhts_core.requests.desk import Desk
from coinhts_core.upkeep.history import KEPT_FOR
from coinhts_pipeline.defs.requests import REQUESTS
from coinhts_pipeline.schema import keep_all
from coinhts_pipeline.told import untold_days
from coinhts_pipeline.upkeep import CHORES, Looked, look_after, look_after_all
from tests.pipeline.asking import DAYS as ASKED_DAYS
from tests.pipeline.asking import ask, collect

DAYS = DayRange(date(2026, 1, 1), date(2026, 1, 3))
FIRST, LAST = f"{DAYS.first}|KRW-BTC", f"{DAYS.last}|KRW-BTC"
LATER = KEPT_FOR + timedelta(days=1)
ANSWERS = dg.AssetKey(["requests", "results"])


@pytest.fixture
def looked(house, tmp_path, monkeypatch):
    """Look at the house as somebody does who comes back so much later."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return lambda later=timedelta(0): Looked(house.rooms, house.instance, now() + later, only_looks=True)


@pytest.fixture
def done(looked):
    """Do one chore of the house, by its name; what only looking found is what is done."""
    by_name = {chore.name: chore for chore in CHORES}

    def did(name, later=timedelta(0)):
        look = looked(later)
        found = look_after(look, by_name[name])
        did = look_after(replace(look, only_looks=False), by_name[name])
        assert did == found
        return did.tidied

    return did


def known(house):
    """Everything that lineage and versions are read from, as Dagster tells it."""
    asset = dg.AssetKey(["backtests", "sma_cross"])
    (record,) = house.instance.get_asset_records([asset])
    check = dg.AssetCheckKey(asset, "chain_is_current")
    checks = house.instance.event_log_storage.get_latest_asset_check_execution_by_key([check])
    return {
        **house.outcome(),
        "partitions": house.instance.get_materialized_partitions(asset),
        "last": (record.asset_entry.last_materialization_storage_id, record.asset_entry.last_run_id),
        "its run": house.instance.get_run_by_id(record.asset_entry.last_run_id).status,
        "checks": {key: (of.id, of.run_id, of.status) for key, of in checks.items()},
    }


def test_lineage_and_versions_survive_the_runs_that_told_them(house, done):
    """What a second run told of the same days stays the last word; all else that both told is forgotten."""
    for _ in range(2):
        assert house.run(FIRST, LAST).success
    runs = house.instance.get_runs_count()
    assert done("runs").count == 0
    before = known(house) | {"candles/minute": house.outcome()["candles/minute"]}
    assert done("runs", LATER).count > 100
    assert house.instance.get_runs_count() == runs - 1
    assert known(house) == before
    assert not untold_days(house.instance, house.rooms, house.rooms.active[0], DAYS)
    assert done("runs", LATER).count == 0
    assert house.run(FIRST, LAST).success
    assert known(house)["partitions"] == before["partitions"]


def test_deleting_a_run_the_way_dagster_does_takes_its_partitions_with_it(house):
    """Which is why we do not: its days would be missing, and collected and folded once more."""
    day, asset = "2026-01-10|KRW-BTC", dg.AssetKey(["candles", "minute"])
    run = house.run(day, only=["candles/minute"])
    assert day in house.instance.get_materialized_partitions(asset)
    house.instance.delete_run(run.run_id)
    assert day not in house.instance.get_materialized_partitions(asset)


def test_the_lake_is_swept(house, done):
    """Three times published, a month has two versions a fortnight later."""
    for last in (1, 2, 3):
        collect(house.rooms, days=ASKED_DAYS[:last])
    month = house.rooms.settings.home / "lake" / "candles" / "minute" / "symbol=KRW-BTC" / "month=2026-02"
    before = sorted(month.glob("*.json"))
    assert done("lake", timedelta(days=14)).count >= 2
    assert sorted(month.glob("*.json")) == before[-2:]
    assert house.rooms.lake.heads("candles/minute", Market("KRW-BTC")).keys() >= set(ASKED_DAYS[:3])


def test_requests_that_are_forgotten_are_no_partitions_any_more(house, done):
    """Nothing that Dagster was told of them is left; those that are known stay."""
    collect(house.rooms)
    kept, gone = ask(house.rooms).id, ask(house.rooms, account={"cash": 1_000}).id
    for name in (kept, gone):
        house.instance.add_dynamic_partitions(REQUESTS.name, [name])
        house.instance.report_runless_asset_event(dg.AssetMaterialization(ANSWERS, partition=name))
    Desk(house.rooms.ledger).cancel(gone, now())
    assert done("partitions").count == 0
    assert done("requests", timedelta(days=91)).names == (gone,)
    assert done("partitions").names == (gone,)
    assert house.instance.get_dynamic_partitions(REQUESTS.name) == [kept]
    assert house.instance.get_materialized_partitions(ANSWERS) == {kept}


def test_a_chore_that_cannot_be_done_keeps_no_other_from_being_done(house, looked, monkeypatch):
    """Its reason is told in its place."""
    seen = []

    def refused(*_, **__):
        raise LakeUnusableError(place="the lake", reason="it is away")

    monkeypatch.setattr(Lake, "sweep", refused)
    done = list(look_after_all(looked(), seen.append))
    assert seen == [chore.name for chore in CHORES]
    assert [of.chore.name for of in done if of.error] == ["lake"]
    assert "it is away" in next(of for of in done if of.error).facts["error"]
    assert house.instance


def test_backups_that_nothing_proves_are_left_alone(house, looked):
    """Where the policy refuses, its reason stands in place of what would go."""
    name = keep_all(house.installation.settings, now() - timedelta(days=400))
    (chore,) = (chore for chore in CHORES if chore.name == "backups")
    for look in (looked(), replace(looked(), only_looks=False)):
        told = look_after(look, chore).tidied
        assert told.count == 0
        assert len(told.names) >= 1
    assert [of.name for of in BackupShelf.open(house.installation.settings).listed()] == [name]


@pytest.mark.parametrize("job", ["look_after_daily", "look_after_weekly"])
def test_the_jobs_do_every_chore(house, job, looked):
    """An op a chore, each of which tells what it did."""
    result = house.run(job=job)
    assert result.success
    chores = {chore.name for chore in CHORES if chore.every == ("day" if job.endswith("daily") else "week")}
    steps = {event.step_key.removeprefix("look_after_") for event in result.all_events if event.is_step_success}
    assert steps == chores
    assert looked


def test_dagster_forgets_ticks_by_itself(house):
    """A sensor that looks every second and finds nothing would leave 86,400 a day, and keep them for a week."""
    kept = house.instance.get_tick_retention_settings
    assert set(kept(InstigatorType.SCHEDULE).values()) == {90}
    sensors = {status.value: days for status, days in kept(InstigatorType.SENSOR).items()}
    assert sensors == {"SKIPPED": 1, "STARTED": 30, "SUCCESS": 30, "FAILURE": 30}
