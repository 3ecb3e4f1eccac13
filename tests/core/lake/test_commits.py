import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinhts_core.errors import BadAssetError, BadMarketError, DamagedObjectError, RefusedError
from coinhts_core.hashes import canonical, digest
from coinhts_core.lake.commits import (
    UNDATED,
    Commit,
    DayEntry,
    Folder,
    SchemaMark,
    locate,
    merge,
    new_object_name,
)
from coinhts_core.markets import Market

ASKED = datetime(2026, 2, 1, tzinfo=UTC)
COMMIT = Commit(
    number=7,
    parent=6,
    parent_digest="d" * 64,
    asset="candles/minute",
    symbol=Market("KRW-BTC"),
    month="2026-01",
    object="000000000007-0123456789abcdef.parquet",
    sha256="a" * 64,
    size=1_000,
    rows=3,
    schema=SchemaMark("bar", 1),
    published_at=ASKED,
    days={date(2026, 1, 5): DayEntry(3, "b" * 64, "b" * 64, ASKED, None)},
)
entries = st.builds(
    DayEntry,
    rows=st.just(1),
    content_hash=st.sampled_from(["a" * 64, "b" * 64]),
    data_version=st.just("v"),
    asked_at=st.integers(0, 3).map(lambda minutes: ASKED + timedelta(minutes=minutes)),
)
days = st.dictionaries(st.sampled_from([date(2026, 1, 1), date(2026, 1, 2), UNDATED]), entries)


def test_text_of_a_commit_stays_what_it_was():
    """Markers are kept for ever: this very text must stay readable, and must stay what is written."""
    text = (
        '{"asset":"candles/minute","days":{"2026-01-05":{"asked_at":"2026-02-01T00:00:00+00:00",'
        f'"content_hash":"{"b" * 64}","data_version":"{"b" * 64}","made_from":null,"rows":3}}}},'
        '"digest":"8c78e07433c0c81291a6aa7097444e11cf577a175bd27a8ad7c99f66a3ed3a65",'
        '"format":1,"month":"2026-01","number":7,"object":"000000000007-0123456789abcdef.parquet","parent":6,'
        f'"parent_digest":"{"d" * 64}","published_at":"2026-02-01T00:00:00+00:00","rows":3,'
        f'"schema":{{"name":"bar","version":1}},"sha256":"{"a" * 64}","size":1000,"symbol":"KRW-BTC"}}'
    ).encode()
    assert COMMIT.to_text() == text
    assert Commit.from_text(text, "here") == COMMIT


def test_undated_commits_come_back():
    """What has neither symbol nor day is read as it was written."""
    commit = replace(
        COMMIT,
        symbol=None,
        month=UNDATED,
        parent=None,
        parent_digest=None,
        days={UNDATED: COMMIT.days[date(2026, 1, 5)]},
    )
    assert Commit.from_text(commit.to_text(), "here") == commit
    assert commit.dated == {}


def test_days_come_in_their_order():
    """However a writer merged them."""
    (entry,) = COMMIT.days.values()
    commit = replace(COMMIT, days={date(2026, 1, day): entry for day in (7, 5, 6)})
    assert list(commit.dated) == [date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)]


def test_no_damaged_marker_is_believed():
    """Every flipped bit and every truncation of a marker is noticed."""
    text = COMMIT.to_text()
    flipped = [bytes([*text[:at], text[at] ^ 1 << at % 8, *text[at + 1 :]]) for at in range(len(text))]
    for damaged in [*flipped, *(text[:end] for end in range(0, len(text), 7))]:
        with pytest.raises(RefusedError):
            Commit.from_text(damaged, "here")


def sealed(document):
    return canonical(document | {"digest": digest(document)}).encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a commit"),
        (b"{}", "format None"),
        (COMMIT.to_text().replace(b'"rows":3,', b'"rows":3,"rows":3,', 1), "not a commit"),
        (COMMIT.to_text().replace(b'"size":1000', b'"size":NaN'), "not JSON"),
        (COMMIT.to_text() + b"\n", "not a commit"),
        (sealed({"format": 2}), "use the newer coinhts"),
        (sealed({"format": 1}), "field"),
    ],
)
def test_reading_is_strict(text, reason):
    """Whatever is not exactly a commit of this format is refused in words."""
    with pytest.raises(RefusedError, match=reason):
        Commit.from_text(text, "here")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", 0),
        ("number", "7"),
        ("rows", 3.0),
        ("object", "../../etc/passwd"),
        ("object", "000000000007-0123456789abcdef.parquet\n"),
        ("sha256", "A" * 64),
        ("published_at", "2026-02-01T00:00:00"),
        ("days", {"yesterday": {}}),
        ("colour", "red"),
    ],
)
def test_wrong_fields_are_refused(field, value):
    """A well-sealed marker with an impossible field is refused, naming the field."""
    document = json.loads(COMMIT.to_text())
    del document["digest"]
    with pytest.raises(DamagedObjectError, match=field):
        Commit.from_text(sealed(document | {field: value}), "here")


@given(first=days, second=days, third=days)
def test_order_of_merging_does_not_matter(first, second, third):
    """Answers that know when they were asked for end the same in any order, once or twice."""
    merged = merge(merge(first, second), third)
    assert merge(merge(third, first), merge(second, first)) == merged
    assert merge(merged, second) == merged


def test_later_question_wins_else_the_writer():
    """An answer asked for earlier never replaces a later one; where nobody says when, the writer is newer."""
    day = date(2026, 1, 5)
    early = DayEntry(1, "a" * 64, "v", ASKED)
    late = DayEntry(1, "b" * 64, "v", ASKED + timedelta(seconds=1))
    silent = DayEntry(1, "c" * 64, "v")
    assert merge({day: late}, {day: early}) == {day: late}
    assert merge({day: early}, {day: late}) == {day: late}
    assert merge({day: late}, {day: silent}) == {day: silent}
    assert merge({day: silent}, {day: early}) == {day: early}


@pytest.mark.parametrize(
    "folder",
    [
        Folder("candles/minute", Market("KRW-BTC"), "2026-01"),
        Folder("candles/day", Market("KRW-BTC")),
        Folder("leaderboard"),
    ],
)
def test_paths_tell_their_place(folder):
    """A marker's and an object's path lead back to their folder and number."""
    marker, thing = locate(folder.marker(12)), locate(folder.object(new_object_name(12)))
    assert marker is not None
    assert thing is not None
    assert (marker.folder, marker.number, marker.is_marker) == (folder, 12, True)
    assert (thing.folder, thing.number, thing.is_marker) == (folder, 12, False)


def test_layout_stays_what_it_was():
    """Lakes lie where they lie: the three kinds of folder never move."""
    assert (
        Folder("candles/minute", Market("KRW-BTC"), "2026-01").marker(7)
        == "candles/minute/symbol=KRW-BTC/month=2026-01/000000000007.json"
    )
    assert Folder("candles/day", Market("KRW-BTC")).path == "candles/day/symbol=KRW-BTC/all"
    assert Folder("performance/sma_cross").path == "performance/sma_cross/all"


@pytest.mark.parametrize(
    "path",
    [
        "venue.json",
        "candles/minute/symbol=../all/000000000001.json",
        "candles/minute/symbol=krw-btc/all/000000000001.json",
        "candles/minute/month=2026-1/000000000001.json",
        "candles/minute/all/1.json",
        "candles/minute/all/000000000001.json~",
        "candles/minute/all/0123456789abcdef.unfinished",
    ],
)
def test_foreign_paths_are_nobodys(path):
    """Files that are not ours are neither read nor swept."""
    assert locate(path) is None


@pytest.mark.parametrize(
    "asset",
    [
        "",
        "..",
        "../../etc",
        "/etc",
        "a//b",
        "a/",
        "A",
        "a b",
        "캔들",
        "a\n",
        "a\0",
        "x" * 10_000,
        "a/" * 50 + "a",
    ],
)
def test_hostile_assets_are_refused(asset):
    """An asset's name can be nothing but a path of plain words."""
    with pytest.raises(BadAssetError):
        Folder(asset)


@pytest.mark.parametrize("symbol", ["", "../../etc", "KRW-", "x|y", "KRW-BTC\n", "K" * 10_000])
def test_hostile_symbols_are_refused(symbol):
    """A symbol that is no market code never becomes a path."""
    with pytest.raises(BadMarketError):
        Folder("candles/minute", symbol, "2026-01")
