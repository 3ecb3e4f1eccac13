import re
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from coinhts_core.backups.manifest import Drilled
from coinhts_core.backups.shelf import BackupShelf
from coinhts_core.clock import now
from coinhts_pipeline.definitions import defs
from coinhts_pipeline.defs import backups
from tests.core.backups.cleared import clear_drills

HOUR = timedelta(hours=1)
FINE, WARNED = (True, dg.AssetCheckSeverity.WARN), (False, dg.AssetCheckSeverity.WARN)
WRONG = (False, dg.AssetCheckSeverity.ERROR)


@pytest.fixture(scope="module", autouse=True)
def _rehearsed(_shared_house):
    assert _shared_house.run("2026-01-01|KRW-BTC", "2026-01-03|KRW-BTC").success
    yield
    clear_drills(_shared_house.rooms.settings.home)


@pytest.fixture(scope="module")
def taken(_shared_house):
    """Take a backup and try it, as a day does."""
    return _shared_house.run(job="back_up"), _shared_house.run(job="drill_backup")


@pytest.fixture
def shelf(house):
    return BackupShelf.open(house.rooms.settings)


def shown(house, asset):
    return house.events(asset)[-1].metadata


def tick(name, house, at):
    repository = defs().get_repository_def()
    with dg.build_schedule_context(instance=house.instance, scheduled_execution_time=at) as context:
        return repository.get_schedule_def(name).evaluate_tick(context)


def looked_at(house, monkeypatch, later):
    """What checks say of ages when so much time has gone by."""
    moment = now() + later
    monkeypatch.setattr(backups, "now", lambda: moment)
    found = house.run(job="look_at_backups").get_asset_check_evaluations()
    return {of.asset_key.path[-1]: (of.passed, of.severity, of.description) for of in found}


def test_before_the_first_backup_nothing_is_tried(house):
    """The schedules wait; asked for by hand, a drill says that there is none."""
    at = datetime(2026, 2, 1, 4, 30, tzinfo=UTC)
    for name in ("drill_backup_daily", "drill_older_backup_weekly"):
        assert tick(name, house, at).skip_message == "there is no such backup yet"
    assert not house.run(job="drill_backup").success


@pytest.mark.parametrize(("hours", "expected"), [(0, FINE), (25, FINE), (27, WARNED), (37, WRONG)])
def test_before_the_first_backup_the_house_s_own_age_is_looked_at(house, monkeypatch, hours, expected):
    """A new one is not reproached for backups that are not due; one that never gets any is."""
    found = looked_at(house, monkeypatch, hours * HOUR)
    assert set(found) == {"ledger", "lake", "drill"}
    assert [of[:2] for of in found.values()] == [expected] * 3
    assert re.fullmatch(rf"there is no drill, and the house is {hours}\.[0-4] hours old", found["drill"][2])


def test_ages_are_looked_at_by_one_look_at_the_place(house, monkeypatch):
    """However many are asked for; one may be asked for alone."""
    looks, listed = [], BackupShelf.listed
    monkeypatch.setattr(BackupShelf, "listed", lambda shelf: looks.append(shelf) or listed(shelf))
    looked_at(house, monkeypatch, timedelta())
    assert len(looks) == 1
    alone = dg.AssetCheckKey(dg.AssetKey(["backups", "drill"]), "is_young_enough")
    job = defs().resolve_job_def("look_at_backups").get_subset(asset_check_selection={alone})
    found = job.execute_in_process(instance=house.instance).get_asset_check_evaluations()
    assert [of.asset_check_key for of in found] == [alone]


def test_a_backup_shows_what_it_holds(house, shelf, taken):
    """Rows, bytes, what was new; a table of all, and every check content."""
    result, _ = taken
    assert result.success
    kept = shelf.newest()
    ledger, lake = (house.rooms.lake.read_whole(f"backups/{name}") for name in ("ledger", "lake"))
    assert ledger.select("name", "databases", "rows", "verdict").rows()[-1] == (
        kept.name,
        2,
        kept.manifest.rows,
        "verified",
    )
    assert lake["new_objects"].to_list()[0] > 5
    for name in ("ledger", "lake"):
        metadata = shown(house, f"backups/{name}")
        assert metadata["backup"].value == kept.name
        assert kept.name in metadata["preview"].value
        assert metadata["data_version"].value
    checks = {(of.asset_key.path[-1], of.check_name): of.passed for of in result.get_asset_check_evaluations()}
    assert checks == dict.fromkeys(
        [("ledger", "is_verified"), ("lake", "is_verified"), ("lake", "lacks_nothing"),
         ("ledger", "is_young_enough"), ("lake", "is_young_enough")],
        True,
    )  # fmt: skip


def test_a_drill_shows_what_it_proved(house, shelf, taken):
    """Each proof by its name, how long it took, and all drills before; every check content."""
    _, result = taken
    assert result.success
    noted = shelf.noted(shelf.newest().name, Drilled)
    rows = house.rooms.lake.read_whole("backups/drill")
    assert rows["name"].to_list() == [of.name for of in noted]
    metadata = shown(house, "backups/drill")
    assert metadata["tables"].value.endswith("tables of the ledger and Dagster's database are those that were dumped")
    assert metadata["seconds"].value == noted[0].seconds
    checks = {of.check_name: of.passed for of in result.get_asset_check_evaluations()}
    assert checks == {"proved_what_it_must": True, "is_quick_enough": True, "is_young_enough": True}


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (25 * HOUR, FINE),
        (27 * HOUR, WARNED),
        (37 * HOUR, WRONG),
    ],
)
def test_what_did_not_happen_is_noticed(house, monkeypatch, later, expected):
    """Nothing fails when nothing runs, so ages are looked at: a warning after 26 hours, an error after 36."""
    found = looked_at(house, monkeypatch, later)
    assert [of[:2] for of in found.values()] == [expected] * 3
    assert "hours old" in found["ledger"][2]


@pytest.mark.usefixtures("taken")
def test_schedules_name_which_backup_is_tried(house):
    """The newest every day, an older one every week, once there is one."""
    sunday = datetime(2026, 2, 1, 4, 50, tzinfo=UTC)
    daily = tick("drill_backup_daily", house, sunday).run_requests
    assert [of.run_config["ops"]["backups__drill"]["config"] for of in daily] == [{"which": "newest"}]
    assert tick("drill_older_backup_weekly", house, sunday).skip_message == "there is no such backup yet"
    assert house.run(job="back_up").success
    weekly = tick("drill_older_backup_weekly", house, sunday).run_requests
    assert [of.run_config["ops"]["backups__drill"]["config"] for of in weekly] == [{"which": "older"}]


def test_an_older_one_is_another_each_week(shelf, house, monkeypatch):
    """As if by chance, and never the newest; each has its turn."""
    for place in range(3):
        moment = now() + (place + 1) * timedelta(days=1)
        monkeypatch.setattr(backups, "now", lambda moment=moment: moment)
        assert house.run(job="back_up").success
    names = [of.name for of in shelf.listed()]
    chosen = {backups._chosen(shelf, "older", now() + week * timedelta(days=7)) for week in range(60)}
    assert chosen == set(names[1:])
    assert backups._chosen(shelf, "newest", now()) == names[0]


@pytest.mark.usefixtures("taken")
def test_what_a_drill_finds_wrong_is_a_check_that_says_no(house, shelf, monkeypatch):
    """The run did what it was for; the damage is in the check's words, and the backup is not whole any more."""
    monkeypatch.setattr(backups, "now", lambda: shelf.newest().taken_at + HOUR)
    name = shelf.newest().name
    manifest = f"{name}/manifest.json"
    content = bytes(shelf.store.get(manifest))
    shelf.store.remove(manifest)
    shelf.store.create(manifest, content[:-2])
    result = house.run(job="drill_backup", config={"ops": {"backups__drill": {"config": {"name": name}}}})
    assert result.success
    check = house.checks(result)["proved_what_it_must"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"the backup {name} is damaged" in check.description
    assert "its manifest" in shown(house, "backups/drill")["damage"].value
    assert not shelf.find(name).is_whole
