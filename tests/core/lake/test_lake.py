from datetime import UTC, date, datetime
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coinhts_core.errors import (
    BadAssetError,
    BadFrameError,
    BadMarketError,
    CommitRaceError,
    DamagedObjectError,
    NotStoredError,
    VenueMismatchError,
)
from coinhts_core.lake.commits import UNDATED
from coinhts_core.lake.lake import Lake
from coinhts_core.markets import Market

BTC = Market("KRW-BTC")
FIRST, SECOND, THIRD = (date(2026, 1, day) for day in (1, 2, 3))
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def asked(minute: int) -> datetime:
    return datetime(2026, 2, 1, 0, minute, tzinfo=UTC)


def test_days_come_back_sorted_with_their_entries(lake, bars):
    """What was published is read in order of day and time, with the entries of the commit it came from."""
    february = date(2026, 2, 1)
    days = {
        february: bars(february, 7, 8),
        SECOND: bars(SECOND, 3),
        FIRST: bars(FIRST, 1, 2, asked_at=asked(0)),
    }
    published = lake.publish("bars", BTC, days)
    assert (published.rows, published.commits) == (5, {"2026-01": 1, "2026-02": 1})
    stored = lake.read_with_entries("bars", BTC, FIRST, february)
    assert stored.rows["close"].to_list() == [1, 2, 3, 7, 8]
    assert stored.rows.columns == ["day", "opened_at", "close"]
    assert stored.entries == lake.heads("bars", BTC) == {day: rows.entry for day, rows in sorted(days.items())}
    assert list(stored.entries) == list(lake.heads("bars", BTC)) == [FIRST, SECOND, february]


def test_ranges_give_only_their_days(lake, bars, closes):
    """A range reads the days inside it; a range without a stored day is refused, a quiet day is not."""
    lake.publish(
        "bars",
        BTC,
        {FIRST: bars(FIRST, 1), SECOND: bars(SECOND), date(2026, 2, 1): bars(date(2026, 2, 1), 4)},
    )
    assert closes(lake, FIRST, SECOND) == {FIRST: [1]}
    quiet = lake.read("bars", BTC, SECOND, THIRD, ["close"])
    assert (quiet.height, quiet.columns) == (0, ["day", "close"])
    with pytest.raises(NotStoredError, match="nothing is stored for bars KRW-BTC in 2026-01-03 to 2026-01-31"):
        lake.read("bars", BTC, THIRD, date(2026, 1, 31))
    with pytest.raises(NotStoredError):
        lake.read("bars", Market("KRW-ETH"), *YEAR)
    with pytest.raises(BadFrameError, match="column open is not stored"):
        lake.read("bars", BTC, *YEAR, ["open"])
    assert lake.heads("bars", Market("KRW-ETH")) == {}


publications = st.lists(
    st.tuples(
        st.dictionaries(
            st.sampled_from([FIRST, SECOND, THIRD, date(2026, 2, 1)]),
            st.tuples(st.lists(st.integers(1, 3), max_size=3), st.integers(0, 5)),
            min_size=1,
        ),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@given(publications=publications, shuffle=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_any_order_ends_the_same(bars, publications, shuffle):
    """Days published in any order, together or alone, once or twice, end as the same rows and entries."""
    blocks = [
        {day: bars(day, *prices, asked_at=asked(minute)) for day, (prices, minute) in days.items()}
        for days, _ in publications
    ]
    pieces = [
        {day: block[day]}
        for block, (_, is_twice) in zip(blocks, publications, strict=True)
        for day in block
        for _ in range(1 + is_twice)
    ]
    shuffle.shuffle(pieces)
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        ends = []
        for place, parts in ((one, blocks), (other, pieces)):
            lake = Lake.open(place)
            for part in parts:
                lake.publish("bars", BTC, part)
            stored = lake.read_with_entries("bars", BTC, *YEAR)
            ends.append((stored.rows.rows(), dict(stored.entries)))
            for day, entry in stored.entries.items():
                rows = stored.rows.filter(pl.col("day") == day)
                assert bars(day).schema.content_hash(rows) == entry.content_hash
    assert ends[0] == ends[1]


def test_days_that_share_one_object_for_all_years_merge_too(lake, bars, files, closes):
    """Bars too few to be cut by month lie in one folder, are merged by day, and are read alike."""
    later = date(2027, 5, 1)
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)}, monthly=False)
    lake.publish("bars", BTC, {later: bars(later, 2)}, monthly=False)
    assert closes(lake, FIRST, later) == {FIRST: [1], later: [2]}
    assert closes(lake, SECOND, later) == {later: [2]}
    assert {path.parent.name for path in files("*.json")} == {"all"}


def test_rows_keep_the_day_they_were_published_under(lake, bars, closes):
    """A bar's day is told by its publisher: a week's bar opens on another day than the one it belongs to."""
    lake.publish("bars", BTC, {date(2026, 1, 8): bars(FIRST, 1)})
    assert closes(lake) == {date(2026, 1, 8): [1]}


def test_undated_rows_replace_each_other(lake, bars):
    """What has no day is one frame; whoever computed it before another stored it must compute again."""
    old, new = bars(FIRST, 1), bars(FIRST, 2)
    with pytest.raises(NotStoredError, match="leaderboard of all symbols"):
        lake.read_whole("leaderboard")
    assert lake.number_of_whole("leaderboard") == 0
    assert lake.publish_whole("leaderboard", old, replaces=0).commits == {UNDATED: 1}
    with pytest.raises(CommitRaceError, match="leaderboard of all symbols"):
        lake.publish_whole("leaderboard", new, replaces=0)
    assert lake.publish_whole("leaderboard", old, replaces=0).size == 0
    lake.publish_whole("leaderboard", new, replaces=lake.number_of_whole("leaderboard"))
    assert lake.read_whole("leaderboard", ["close"]).rows() == [(2.0,)]


def test_undated_rows_that_are_forgotten_are_gone(lake, bars, closes, files):
    """Every version of them, and nothing else: not what has a day, nor what is named alike."""
    for rows in (bars(FIRST, 1), bars(FIRST, 2)):
        lake.publish_whole("results/one/trades", rows, replaces=lake.number_of_whole("results/one/trades"))
    lake.publish_whole("results/one/trades_too", bars(FIRST, 3), replaces=0)
    lake.publish("bars", BTC, {FIRST: bars(FIRST, 1)})
    before = len(files())
    for asset in ("results/one/trades", "bars", "results"):
        lake.forget_whole(asset)
    assert lake.number_of_whole("results/one/trades") == 0
    assert len(files()) == before - 4
    assert lake.read_whole("results/one/trades_too").height == 1
    assert closes(lake) == {FIRST: [1]}
    lake.publish_whole("results/one/trades", bars(FIRST, 1), replaces=0)
    assert lake.read_whole("results/one/trades", ["close"]).rows() == [(1.0,)]


def test_hostile_names_touch_nothing(lake, bars, files):
    """Names that are no asset or no market are refused before any file is looked at."""
    with pytest.raises(BadAssetError):
        lake.publish("../bars", BTC, {FIRST: bars(FIRST, 1)})
    with pytest.raises(BadMarketError):
        lake.read("bars", "../../KRW-BTC", *YEAR)
    with pytest.raises(BadAssetError):
        lake.read_whole("/etc/passwd")
    assert files() == []


def test_venues_never_mix(lake):
    """The first venue marks the lake; the same is welcome again, another is sent elsewhere."""
    lake.mark_venue("sample", "/fresh")
    lake.mark_venue("sample", "/fresh")
    with pytest.raises(VenueMismatchError, match=r"venue\.json holds data of sample.*upbit.*/fresh"):
        lake.mark_venue("upbit", "/fresh")


def test_unreadable_venue_is_damage(lake):
    """A mark that names nobody is not taken for anybody's."""
    lake._store.create("venue.json", b"[]")
    with pytest.raises(DamagedObjectError, match="names no venue"):
        lake.mark_venue("sample", "/fresh")
