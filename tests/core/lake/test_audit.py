import random
from dataclasses import replace
from datetime import date

import pytest

from coinhts_core.errors import LakeUnusableError, RetryableError
from coinhts_core.lake.audit import Audited, audit_file
from coinhts_core.lake.commits import Folder
from coinhts_core.lake.lake import Lake
from coinhts_core.lake.uploads import upload
from coinhts_core.markets import Market

BTC, ETH = Market("KRW-BTC"), Market("KRW-ETH")
FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)


def audits(lake):
    """Audit a lake that has not read anything before."""
    fresh = Lake(lake._store)
    return {folder.path: fresh.audit(folder) for folder in fresh.folders()}


def test_what_is_whole_is_counted(lake, bars):
    """Days with and without rows, months, and frames without days: each folder is read back and told apart."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1, 2), SECOND: bars(SECOND)})
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 3, 4, 5)})
    lake.publish("bars", ETH, {FIRST: bars(FIRST, 7)}, monthly=False)
    lake.publish_whole("leaderboard", bars(FIRST, 6), replaces=0)
    found = audits(lake)
    assert {path: (of.places, of.days, of.rows, of.damages) for path, of in found.items()} == {
        "bars/symbol=KRW-BTC/month=2026-01": (1, 2, 3, ()),
        "bars/symbol=KRW-ETH/all": (1, 1, 1, ()),
        "leaderboard/all": (1, 1, 1, ()),
    }
    together = sum(found.values(), Audited())
    assert (together.places, together.days, together.rows) == (3, 4, 5)
    assert together.size == sum(of.size for of in found.values()) > 0
    assert [of.path for of in lake.folders("bars", ETH)] == ["bars/symbol=KRW-ETH/all"]
    assert lake.folders("nothing") == []


def test_every_damaged_place_is_named_and_stops_no_other(lake, bars, files):
    """One flipped bit in each of twenty months, in objects and commits: twenty damages, and the others are whole."""
    months = [date(2026 + month // 12, 1 + month % 12, 1) for month in range(24)]
    for day in months:
        lake.publish("bars", BTC, {day: bars(day, 1, 2, 3)})
    dice = random.Random(2026)  # noqa: S311 the same bits in every run, no secret
    victims = [*files("*.parquet")[:10], *files("*.json")[10:20]]
    for victim in victims:
        content = bytearray(victim.read_bytes())
        bit = dice.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        victim.write_bytes(content)
    damages = {path: of.damages for path, of in audits(lake).items() if of.damages}
    assert len(damages) == 20
    for victim in victims:
        (folder,) = (path for path in damages if path in str(victim))
        assert victim.name in damages[folder][0]


def test_lost_objects_and_rows_that_were_never_right_are_damage(lake, bars, files):
    """Bytes may be as published and still not be what their commit says of each day."""
    right, day = bars(FIRST, 1, 2), date(2026, 2, 1)
    wrong = replace(right, entry=replace(right.entry, content_hash="0" * 64))
    lake.publish("bars", BTC, {FIRST: wrong, SECOND: bars(SECOND, 3)})
    lake.publish("bars", BTC, {day: bars(day, 1)})
    files("*.parquet")[1].unlink()
    january, february = audits(lake).values()
    (damage,) = january.damages
    assert "the rows of 2026-01-01 are not those of its commit" in damage
    assert ".parquet is damaged" in damage
    assert february.damages[0].count("it is missing") == 1


def test_rows_of_a_day_the_commit_does_not_name_are_damage(lake, bars, monkeypatch):
    """A reader by range would never be given them."""
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1), SECOND: bars(SECOND, 2)})
    newest = lake._reader.newest

    def forgetful(folder, head):
        commit, rows = newest(folder, head)
        return replace(commit, days={FIRST: commit.days[FIRST]}), rows

    monkeypatch.setattr(lake._reader, "newest", forgetful)
    (folder,) = lake.folders()
    assert "its commit knows nothing of 2026-01-02" in lake.audit(folder).damages[0]


def test_files_of_people_are_read_back_too(store, files, tmp_path):
    """Whole, with other bytes, or lost."""
    for name in ("a", "b", "c"):
        (tmp_path / "file").write_text(f"file {name}")
        upload(store, tmp_path / "file", name)
    notes = len(files()) // 2
    files()[:notes][1].write_bytes(b"file d")
    files()[:notes][2].unlink()
    whole, changed, lost = (audit_file(store, name) for name in ("a", "b", "c"))
    assert whole == Audited(1, size=6)
    assert "the file b is damaged (its bytes are not those that were uploaded)" in changed.damages[0]
    assert "it is missing" in lost.damages[0]


def test_a_commit_of_a_format_to_come_stops_no_other(lake, bars, files):
    """It cannot be read by this coinhts, whoever wrote it so."""
    for day in (FIRST, date(2026, 2, 1)):
        lake.publish("bars", BTC, {day: bars(day, 1)})
    (marker, _) = files("*.json")
    marker.write_bytes(marker.read_bytes().replace(b'"format":1', b'"format":3'))
    january, february = audits(lake).values()
    assert "use the newer coinhts" in january.damages[0]
    assert february.damages == ()


@pytest.mark.parametrize(("fault", "error"), [("503", RetryableError), ("403", LakeUnusableError)])
def test_a_place_that_does_not_answer_is_not_called_damaged(network, distant, bars, tmp_path, fault, error):  # noqa: PLR0917 - fixtures
    """Nothing was found out about what lies there."""
    Lake(distant).publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    (tmp_path / "file").write_text("file")
    upload(distant, tmp_path / "file", "file")
    network.fault = lambda *_: fault
    with pytest.raises(error):
        Lake(distant).audit(Folder("bars", BTC, "2026-01"))
    with pytest.raises(error):
        audit_file(distant, "file")


def test_a_folder_swept_since_it_was_listed_is_nothing(lake):
    """Neither whole nor damaged."""
    assert lake.audit(Folder("bars", BTC, "2026-01")) == Audited()
