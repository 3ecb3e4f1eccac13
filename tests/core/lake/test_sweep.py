import os
from datetime import UTC, date, datetime, timedelta

import pytest

from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market

BTC = Market("KRW-BTC")
DAY = date(2026, 1, 1)
NOW = datetime.now(UTC)


def age(path, **elapsed):
    moment = (NOW - timedelta(**elapsed)).timestamp()
    os.utime(path, (moment, moment))


@pytest.fixture
def place(tmp_path):
    """Ages are told by files, so most of this is about a directory."""
    return {"COINHTS_LAKE": str(tmp_path / "lake")}


@pytest.fixture
def line(lake, bars, files):
    """Publish five versions of a month, each superseded by the next, two of them long ago."""
    for price in range(1, 6):
        lake.publish("bars", BTC, {DAY: bars(DAY, price)})
    for path in files():
        number = int(path.name[:12])
        age(path, days=30 - number if number <= 3 else 1)
    return files


def numbers(paths):
    return sorted({int(path.name[:12]) for path in paths})


def test_superseded_for_a_week_goes(lake, line):
    """Versions whose successor is over a week old go, marker and object; the next sweep finds nothing."""
    swept = lake.sweep(NOW)
    assert (swept.names, swept.damaged) == (4, ())
    assert numbers(line("*.json")) == numbers(line("*.parquet")) == [3, 4, 5]
    assert lake.sweep(NOW).names == 0


def test_two_highest_stay_for_ever(lake, line):
    """However old, a folder's two highest versions are never removed, nor is what they name."""
    for path in line():
        age(path, days=400)
    lake.sweep(NOW)
    assert numbers(line("*.json")) == numbers(line("*.parquet")) == [4, 5]
    assert lake.read("bars", BTC, DAY, DAY)["close"].to_list() == [5]


def test_object_that_a_later_commit_names_stays(lake, bars, files):
    """An object outlives the commit it was written for while another that stays names it."""
    for made_from in "abcd":
        lake.publish("bars", BTC, {DAY: bars(DAY, 1, made_from=made_from)})
    for path in files():
        age(path, days=30)
    assert lake.sweep(NOW).names == 2
    assert (numbers(files("*.json")), numbers(files("*.parquet"))) == ([3, 4], [1])


def test_leftovers_go_when_old(lake, line):
    """Objects nobody committed go after a week, unfinished files after an hour, strangers' files never."""
    folder = line("*.json")[0].parent
    old, new = (folder / f"000000000006-{digit * 16}.parquet" for digit in "ab")
    half, fresh_half, notes = (folder / name for name in ("a.unfinished", "b.unfinished", "notes.txt"))
    for path in (old, new, half, fresh_half, notes):
        path.write_text("left")
    for path in (old, notes):
        age(path, days=8)
    age(new, days=6)
    age(half, hours=2)
    lake.sweep(NOW)
    assert [path.exists() for path in (old, new, half, fresh_half, notes)] == [False, True, False, True, True]


def test_folder_without_commits_is_left_alone(lake, line):
    """Objects without any marker may be a restore that is under way."""
    for path in line("*.json"):
        path.unlink()
    for path in line():
        age(path, days=30)
    assert lake.sweep(NOW).names == 0


def test_damaged_folder_is_reported_and_left_alone(lake, bars, line):
    """A commit that cannot be read keeps its folder as it is and does not keep others from being swept."""
    ethereum = Market("KRW-ETH")
    for price in range(1, 4):
        lake.publish("bars", ethereum, {DAY: bars(DAY, price)})
    for path in line():
        age(path, days=30)
    line("*.json")[4].write_text("{}")
    swept = lake.sweep(NOW)
    assert len(swept.damaged) == 1
    assert "KRW-BTC" in swept.damaged[0]
    kept = line("*.parquet")
    assert (numbers(path for path in kept if "KRW-BTC" in str(path)), len(kept)) == ([1, 2, 3, 4, 5], 7)


def test_bucket_is_swept_alike(distant, bars, keys):
    """A month later a bucket, too, keeps a folder's two highest versions, and what they name."""
    lake = Lake(distant)
    for price in range(1, 6):
        lake.publish("bars", BTC, {DAY: bars(DAY, price)})
    assert lake.sweep(NOW + timedelta(days=3)).names == 0
    assert lake.sweep(NOW + timedelta(days=30)).names == 6
    assert numbers(keys("*.json")) == numbers(keys("*.parquet")) == [4, 5]
    assert lake.read("bars", BTC, DAY, DAY)["close"].to_list() == [5]


def test_who_only_looks_is_told_the_same_and_removes_nothing(lake, line):
    """What killed writers left is in it, too."""
    half = line("*.json")[0].parent / "a.unfinished"
    half.write_text("left")
    age(half, hours=2)
    before = line()
    found = lake.sweep(NOW, only_looks=True)
    assert line() == before
    assert lake.sweep(NOW) == found
    assert found.names == 5
